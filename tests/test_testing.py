"""`check_gradient` passes whatever is right, and names the coordinate of whatever is wrong."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm._compile import GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, HVP_SIGNATURE, Compiled, inlined
from fastebm.testing import GradientError, check_gradient
from fastebm.testing.differences import derivative

seeds = st.integers(0, 2**64 - 1)
EYE = np.eye(2)
FEATURES = np.array([[1.0, 0.4], [1.0, -1.3], [1.0, 2.2]])


@eb.energy(2, {"stiffness": 1.5, "A": np.array([[1.0, 0.3], [-0.2, 0.8]])})
def written(x, theta):
    total = 0.5 * theta.stiffness * math.log1p(x[0] ** 2)
    for i in range(2):
        row = 0.0
        for j in range(2):
            row += theta.A[i, j] * x[j]
        total += math.cosh(0.5 * row) + 0.1 * row**4
    return total


@eb.energy(1)
def parabola(x):
    return 1.5 * x[0] ** 2


ENERGIES = {
    "written": written,
    "without parameters, one-dimensional": parabola,
    "GaussianMixture": eb.GaussianMixture([[0.0, 0.5], [2.0, 1.0]], [EYE, 0.5 * EYE], [0.3, 0.7]),
    "Funnel": eb.Funnel(3),
    "LogisticPosterior": eb.LogisticPosterior(FEATURES, np.array([1.0, 0.0, 0.0])),
    "a multiple of a sum": 0.6 * (eb.Ring() + written),
}


@pytest.mark.parametrize("name", ENERGIES)
@given(seed=seeds)
@settings(max_examples=3)
def test_what_is_right_passes(name, seed):
    E = ENERGIES[name]
    report = check_gradient(E, rng=seed)
    report.raise_if_failed()
    assert not report.skipped
    assert len(report.comparisons) == (7 if E.n_params else 4)
    assert report.worst.error < 1e-7
    assert "passed" in str(report)


# ---- mutants ----


def with_face(E, face, signature, around):
    """E with one of its tile functions replaced by `around(right)`."""
    made = Compiled(lambda: around(getattr(E.program, face).by_address), signature, None, "a mutant")
    return E._replaced(program=replace(E.program, **{face: made}))


def with_grad(change):
    def around(right):
        def tile_grad(x, packed, e, g):
            right(x, packed, e, g)
            change(x, g)

        return tile_grad

    return with_face(written, "grad", GRAD_SIGNATURE, around)


def with_grad_theta(k, factor):
    def around(right):
        def tile_grad_theta(x, packed, weights, out):
            before = out[k]
            right(x, packed, weights, out)
            out[k] = before + factor * (out[k] - before)

        return tile_grad_theta

    return with_face(written, "grad_theta", GRAD_THETA_SIGNATURE, around)


# loops, since Numba takes seconds to compile operations of slices


def sign(x, g):
    for l in range(g.shape[1]):
        g[0, l] *= -1.0


def nearly(x, g):
    for l in range(g.shape[1]):
        g[1, l] *= 1.001


def both(x, g):
    for i in range(2):
        for l in range(g.shape[1]):
            g[i, l] *= 1.00001


def swapped(x, g):
    for l in range(g.shape[1]):
        g[0, l], g[1, l] = g[1, l], g[0, l]


def shifted(x, g):
    for l in range(g.shape[1]):
        g[1, l] += 1e-6


def not_a_number(x, g):
    for l in range(g.shape[1]):
        if x[0, l] > 0.0:
            g[1, l] = np.nan


def infinite(x, g):
    g[0, :] = np.inf


@pytest.mark.parametrize(("change", "coordinate"), [
    (sign, "x[0]"), (nearly, "x[1]"), (both, "x["), (swapped, "x["), (shifted, "x[1]"), (not_a_number, "x[1]"),
    (infinite, "x[0]"),
])
def test_wrong_gradients_are_caught(change, coordinate):
    E = with_grad(inlined(change))
    for seed in range(5):
        report = check_gradient(E, rng=seed)
        assert not report.passed
        wrong = {(one.face, one.against): one for one in report.comparisons if one.fault}
        for against in ("duals", "differences"):
            assert wrong["grad", against].coordinate.startswith(coordinate)
            assert wrong["grad", against].coordinate in wrong["grad", against].fault
        with pytest.raises(GradientError, match="grad of written gives"):
            report.raise_if_failed()
        assert "FAILED" in str(report)


@pytest.mark.parametrize(("k", "factor", "name"), [
    (0, 1.001, "theta.stiffness"), (1, -1.0, "theta.A[0, 0]"), (3, 0.0, "theta.A[1, 0]"), (4, 1.00001, "theta.A[1, 1]"),
])
def test_wrong_gradients_along_theta_are_caught(k, factor, name):
    report = check_gradient(with_grad_theta(k, factor), rng=None)
    wrong = {one.against: one for one in report.comparisons if one.fault}
    assert wrong.keys() == {"duals", "differences"}
    assert {one.coordinate for one in wrong.values()} == {name}
    assert {one.face for one in wrong.values()} == {"grad_theta"}


def test_sums_over_points_that_are_no_sums_are_caught():
    def around(right):
        def tile_grad_theta(x, packed, weights, out):  # right for a single point, whose weight is 1
            right(x, packed, weights, out)
            for l in range(1, len(weights)):
                out[0] += 1e-6 * weights[l]

        return tile_grad_theta

    report = check_gradient(with_face(written, "grad_theta", GRAD_THETA_SIGNATURE, around), rng=1)
    assert [one.face for one in report.comparisons if one.fault] == ["mean_grad_theta"]
    assert "theta.stiffness" in report.faults[0]


def test_wrong_second_derivatives_are_caught():
    @inlined
    def transposed_off(v, h):  # one entry of the Hessian beside the diagonal is another
        for l in range(v.shape[1]):
            h[1, l] += 0.001 * h[0, l] * v[0, l]

    @inlined
    def along_nothing(v, h):
        h[:, :] = 0.0

    def around(right, change):
        def tile_hvp(x, v, packed, g, h):
            right(x, v, packed, g, h)
            change(v, h)

        return tile_hvp

    for mutant in (transposed_off, along_nothing):
        report = check_gradient(with_face(written, "hvp", HVP_SIGNATURE, partial(around, change=mutant)), rng=1)
        assert {(one.face, one.against) for one in report.comparisons if one.fault} == {
            ("hvp", "duals"), ("hvp", "differences"),
        }
        assert " along " in report.worst.coordinate


# ---- what cannot be told is no pass ----


def test_nothing_to_compare_is_a_failure():
    walled = eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0])
    assert check_gradient(walled, rng=0).passed
    report = check_gradient(walled, [[2.0], [-1.0]])
    assert not report.passed
    assert report.worst is None
    assert "none of the points" in report.faults[0]

    @eb.energy(1)
    def nowhere(x):
        return math.inf + x[0]

    assert not check_gradient(nowhere, rng=0).passed


def test_noise_is_not_a_gradient():
    @eb.energy(1)
    def noise(x):
        return x[0] + 1e-3 * math.sin(1e9 * x[0])

    report = check_gradient(noise, rng=0)
    assert not report.passed
    assert "converges" in "".join(report.faults)


def test_kinks_are_told():
    @eb.energy(2)
    def leaning(x):
        return max(x[0], 0.25 * x[0]) + x[1] ** 2

    report = check_gradient(leaning, [[0.0, 1.0], [0.5, 1.0], [0.0, -1.0]])
    assert report.passed
    differences = next(one for one in report.comparisons if (one.face, one.against) == ("grad", "differences"))
    assert differences.unsettled == {"x[0]": 2}
    assert differences.n_compared == 4
    assert "2 of x[0] did not converge" in str(report)
    report = check_gradient(leaning, [0.0, 1.0])
    assert not report.passed
    assert "no difference converges to grad of leaning for x[0]" in report.faults[0]


def test_what_cannot_run_is_skipped_with_the_reason():
    scope = {}
    exec("def made_here(x):\n    return x[0] ** 4", scope)  # a function without a source
    report = check_gradient(eb.energy(1)(scope["made_here"]), rng=0)
    assert report.passed
    assert {"hvp against duals", "hvp against differences"} <= report.skipped.keys()
    assert "made_here" in report.skipped["hvp against duals"]
    assert "skipped: hvp against duals, since" in str(report)


def test_a_gradient_that_users_gave_is_compared_too():
    @eb.energy(1, grad=lambda x: [4.0000004 * x[0] ** 3])  # too little for the check at definition
    def quartic(x):
        return x[0] ** 4

    report = check_gradient(quartic, rng=0)
    assert report.comparisons[0].fault
    assert report.comparisons[1].fault


# ---- differences ----


@given(st.floats(-3.0, 3.0), st.floats(0.1, 10.0))
def test_differences_know_their_error(x, scale):
    for f, slope in (
        (np.exp, np.exp), (lambda t: np.sin(3 * t), lambda t: 3 * np.cos(3 * t)), (lambda t: t**5, lambda t: 5 * t**4),
        (lambda t: 1.0 / (1.0 + t * t), lambda t: -2.0 * t / (1.0 + t * t) ** 2),
    ):
        found, error = derivative(lambda t, f=f: f(x + t), np.array([scale]))
        assert abs(found[0] - slope(x)) <= 10.0 * error[0] + 1e-9 * abs(slope(x))  # as `check_gradient` allows
        if scale < 1.0:
            assert error[0] <= 1e-7 * (1.0 + abs(f(x)) + abs(slope(x)))


def test_differences_do_not_converge_at_a_kink():
    for f in (lambda t: np.maximum(t, 0.25 * t), lambda t: np.sin(t) + 1e-3 * abs(t), lambda t: np.floor(t)):
        assert derivative(f, np.ones(1))[1][0] >= 4e-4
    _, error = derivative(lambda t: np.where(abs(t) < 1e-9, t, np.nan), np.ones(1))
    assert np.isinf(error[0])


def test_discrete_energies_are_compared_with_duals_only():
    spins = eb.energy(3, {"j": 0.4}, values=(-1, 1))(lambda x, theta: -theta.j * (x[0] * x[1] + x[1] * x[2]))
    report = check_gradient(spins)
    assert report.passed, str(report)
    assert set(report.skipped) == {"grad against differences", "hvp against differences"}
