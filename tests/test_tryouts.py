"""Functions tried out at their definition: given gradients, compiled gradients, kinks."""

import math
import warnings

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.energies import closures, sources
from fastebm.energies.scalar_code import ScalarCode
from fastebm.energies.tryouts import Tryout


def quartic(x):
    return x[0] ** 4 + 2.0 * x[1] ** 2 + x[0] * x[2]


def right(x):
    return [4.0 * x[0] ** 3 + x[2], 4.0 * x[1], x[0]]


@pytest.mark.parametrize(("wrong", "worst"), [
    (lambda x: [4.0 * x[0] ** 3 + x[2], 4.0 * x[1] + 0.01, x[0] + 5.0], 2),
    (lambda x: [4.0 * x[0] ** 3 + x[2], -4.0 * x[1], x[0] + 0.001], 1),
    (lambda x: [1.01 * (4.0 * x[0] ** 3 + x[2]), 4.0 * x[1], x[0]], 0),
])
def test_a_wrong_gradient_is_refused_with_its_worst_coordinate(wrong, worst):
    message = refused(
        lambda: eb.energy(3, grad=wrong)(quartic), "grad of energy 'quartic'", f"coordinate {worst}",
        kind=eb.EnergyCompileError,
    )
    assert "differences of the energy give" in message


def test_a_right_gradient_is_taken():
    E = eb.energy(3, grad=right)(quartic)
    X = np.random.default_rng(1).standard_normal((5, 3))
    np.testing.assert_allclose(E.grad(X), [right(x) for x in X], rtol=1e-15)


def test_a_wrong_gradient_along_theta_is_refused():
    refused(
        lambda: eb.energy(1, {"a": 2.0, "b": 1.0}, grad_theta=lambda x, theta: [x[0] ** 2, 2.0 * theta.b])(
            lambda x, theta: theta.a * x[0] ** 2 + 3.0 * theta.b
        ),
        "grad_theta", "coordinate 1", kind=eb.EnergyCompileError,
    )


def tried(function):
    """A tryout, with the code of the function and the vector that it takes."""
    frozen = sources.freeze(function)
    (lifted,), data = closures.lifted([frozen])
    code = ScalarCode(lifted, 3, {}, data.shapes, takes_theta=False)
    given = {"grad": None, "grad_theta": None}
    return Tryout(function, given, 3, None, None, function.__name__), code, data.packed()


def compiled_like(function, slope):
    """What stands for a compiled gradient: that of plain Python, point by point."""
    def face(x, packed, e, g):
        for l in range(x.shape[1]):
            e[l] = function(x[:, l])
            g[:, l] = slope(x[:, l])

    return face


def test_compiled_gradients_are_compared_with_differences():
    tryout, code, packed = tried(quartic)
    assert tryout.grad_agrees(compiled_like(quartic, right), packed, code)
    for k, factor in ((0, -1.0), (1, 1.01), (2, 0.0), (0, math.nan)):
        def wrong(x, k=k, factor=factor):
            slopes = np.array(right(x))
            slopes[k] *= factor
            return slopes

        agrees = tryout.grad_agrees(compiled_like(quartic, wrong), packed, code)
        assert not agrees or math.isnan(factor)  # where slopes are not finite nothing can be concluded

    def fails(x, packed, e, g):
        raise IndexError

    assert not tryout.grad_agrees(fails, packed, code)


def test_the_energy_that_comes_with_a_gradient_is_compared_too():
    tryout, code, packed = tried(quartic)
    assert not tryout.grad_agrees(compiled_like(lambda x: 1.001 * quartic(x), right), packed, code)


def test_the_gradient_that_comes_with_second_derivatives_is_compared():
    tryout, code, packed = tried(quartic)
    for slope, is_right in ((right, True), (lambda x: 1.01 * np.array(right(x)), False)):
        def face(x, v, packed, g, h, slope=slope):
            compiled_like(quartic, slope)(x, packed, np.empty(x.shape[1]), g)

        assert tryout.hvp_agrees(face, packed, code) == is_right


def test_kinks_at_a_probe_are_settled_by_duals():
    """Differences across a kink contradict every gradient; duals know the documented side."""
    kinks = np.random.default_rng(0).standard_normal(3)  # where the first probe stands

    def kinked(x):
        return max(x[0], kinks[0]) + abs(x[1] - kinks[1]) + x[2] ** 2

    def slope(x):
        return [1.0 if x[0] >= kinks[0] else 0.0, np.sign(x[1] - kinks[1]), 2.0 * x[2]]

    tryout, code, packed = tried(kinked)
    assert tryout.points[0].tolist() == kinks.tolist()
    assert tryout.grad_agrees(compiled_like(kinked, slope), packed, code)
    wrong = compiled_like(kinked, lambda x: np.add(slope(x), [0.1, 0.0, 0.0]))
    assert not tryout.grad_agrees(wrong, packed, code)


def test_kinked_energies_keep_their_fast_gradient():
    kinks = np.random.default_rng(0).standard_normal(3)

    @eb.energy(3)
    def kinked(x):
        return max(x[0], kinks[0]) + abs(x[1] - kinks[1]) + x[2] ** 2

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kinked.grad(kinks).tolist() == [1.0, 0.0, 2.0 * kinks[2]]
