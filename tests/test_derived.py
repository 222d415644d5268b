"""Faces that are derived from a function: every way to them gives the same numbers."""

import math
from collections.abc import Callable

import numba
import numpy as np
import pytest

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
