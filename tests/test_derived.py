"""Faces that are derived from a function: every way to them gives the same numbers."""

import inspect
import math
from collections.abc import Callable
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm import tiles
from fastebm._compile import FLAGS, GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, HVP_SIGNATURE, NotThisWay
from fastebm.energies import closures, sources
from fastebm.energies.derived import Derived
from fastebm.energies.scalar_code import ScalarCode
from fastebm.tiles import LANES

SCALES = np.array([0.5, 2.0, -1.0])
SHAPES = {"a": (), "w": (3,)}
PACKED = [1.5, 0.3, -0.8, 1.1]


def function(x, theta):
    total = 0.0
    for i in range(3):
        total += SCALES[i] * math.sin(theta.w[i] * x[i]) * x[i - 1] ** 2
    return total * theta.a


def derived(function: Callable[..., object]) -> tuple[Derived, np.ndarray]:
    frozen = sources.freeze(function)
    (lifted,), data = closures.lifted([frozen])
    code = ScalarCode(lifted, 3, SHAPES, data.shapes, takes_theta=True)
    return Derived(code, frozen, SHAPES, data.arrays, {}), np.concatenate([PACKED, data.packed()])


def built(make, signature):
    return numba.njit(signature, **FLAGS)(make())


def test_every_way_gives_the_same_numbers():
    faces, packed = derived(function)
    X = np.random.default_rng(3).standard_normal((LANES, 3))
    V, weights = np.random.default_rng(4).standard_normal((LANES, 3)), np.linspace(-1.0, 1.0, LANES)
    x, v = tiles.pack(X, 1, LANES)[0], tiles.pack(V, 1, LANES)[0]

    def grad(face):
        e, g = np.empty(LANES), np.empty((3, LANES))
        face(x, packed, e, g)
        return np.vstack([e, g])

    def grad_theta(face):
        out = np.ones(4)
        face(x, packed, weights, out)
        return out

    def hvp(face):
        g, h = np.empty((3, LANES)), np.empty((3, LANES))
        face(x, v, packed, g, h)
        return np.vstack([g, h])

    for name, signature, call in (
        ("grad", GRAD_SIGNATURE, grad), ("grad_theta", GRAD_THETA_SIGNATURE, grad_theta), ("hvp", HVP_SIGNATURE, hvp),
    ):
        ways = [getattr(faces.makers(), name), *(way.make for way in faces.slower()[name])]
        ways.append(getattr(faces.dual_makers(), name))
        wanted, *others = (call(built(way, signature)) for way in ways)
        for other in others:
            np.testing.assert_allclose(other, wanted, rtol=1e-12, atol=1e-12 * abs(wanted).max())


def test_what_cannot_be_read_backwards_says_why():
    def with_break(x, theta):
        for i in range(3):
            if i == 1:
                break
        return x[0] * theta.a

    with pytest.raises(NotThisWay, match="break") as caught:
        derived(with_break)[0].adjoint("x")
    assert caught.value.line is not None
    scope = {}
    exec("def no_source(x, theta):\n    return x[0] * theta.a", scope)
    with pytest.raises(NotThisWay) as caught:
        derived(scope["no_source"])[0].adjoint("x")
    assert caught.value.reason is None


def wave(x, theta):
    return math.sin(theta.w * x[0]) * math.exp(x[1]) + x[0] ** 2


class TestShow:
    """The source of what was derived is ordinary Python, and runs as such."""

    def test_the_gradient_runs_as_plain_python(self):
        E = eb.energy(2, theta={"w": 0.7})(wave)
        text = E.show("grad")
        names = {"sin": math.sin, "cos": math.cos, "exp": math.exp, "square": lambda x: x * x}
        exec(compile(text, "shown", "exec"), names)
        x, slope = np.array([0.3, -1.2]), np.zeros(2)
        energy = names["wave_x_bar"](x, SimpleNamespace(w=0.7), None, slope, 1.0)
        assert energy == pytest.approx(E.energy(x), rel=1e-14)
        np.testing.assert_allclose(slope, E.grad(x), rtol=1e-14)
        assert repr(text) == text

    def test_each_face(self):
        E = eb.energy(2, theta={"w": 0.7})(wave)
        assert E.show() == inspect.getsource(wave)
        assert "theta_bar" in E.show("grad_theta")
        assert E.show("hvp") == E.show("grad")
        refused(lambda: E.show("hessian"), "face is 'hessian'; choose one of 'energy', 'grad', 'grad_theta', 'hvp'.")

    def test_combinations_show_their_parts(self):
        E, other = eb.energy(2, theta={"w": 0.7})(wave), eb.Gaussian([0.0, 0.0])
        assert (2.0 * E).show("grad") == E.show("grad")
        assert (E + other).show("grad") == f"# wave\n{E.show('grad')}\n\n# Gaussian\n{other.show('grad')}"

    def test_what_is_written_by_hand_is_shown_as_it_was_written(self):
        assert eb.MLP(2).show("grad").startswith("def ")

    def test_a_source_that_is_not_to_be_had(self):
        names = {}
        exec("def f(x):\n    return x[0] ** 2", names)
        refused(lambda: eb.energy(1)(names["f"]).show("grad"), "grad of f cannot be shown", "source", "in a file.")

    def test_what_cannot_be_read_backwards(self):
        def stops(x):
            for i in range(len(x)):
                if i > 0:
                    break
            return x[0]

        refused(lambda: eb.energy(2)(stops).show("grad"), "grad of stops cannot be shown", "(break)", "otherwise.")


class TestDirections:
    E = eb.Gaussian([0.0, 1.0], [[2.0, 0.3], [0.3, 1.0]])

    def test_one_direction_serves_all_points(self):
        X = np.arange(6.0).reshape(3, 2)
        rows = self.E.hvp(X, np.tile([1.0, -2.0], (3, 1)))
        assert np.array_equal(self.E.hvp(X, [1.0, -2.0]), rows)
        assert np.array_equal(self.E.hvp(X[1], [1.0, -2.0]), rows[1])

    @pytest.mark.parametrize(("V", "words"), [
        (np.zeros((2, 2)), ("V has 2 rows and X 3", "a direction for every point")),
        (np.zeros(3), ("V has shape (3,)", "dim=2", "(n, 2) or (2,)")),
        ("north", ("V has dtype", "real numbers")),
    ])
    def test_other_directions_are_refused(self, V, words):
        refused(lambda: self.E.hvp(np.zeros((3, 2)), V), *words, kind=(ValueError, TypeError))

    def test_no_points(self):
        assert self.E.hvp(np.zeros((0, 2)), [0.0, 1.0]).shape == (0, 2)
        assert self.E.hessian(np.zeros((0, 2))).shape == (0, 2, 2)
        assert self.E.laplacian(np.zeros((0, 2))).shape == (0,)
