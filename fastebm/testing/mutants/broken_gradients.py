"""Energies whose derivatives are not theirs."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastebm._compile import GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, HVP_SIGNATURE, Compiled
from fastebm.energies import DoubleWell, Energy, energy
from fastebm.testing.mutants.entries import Entry

WELLS = DoubleWell(2, barrier=1.7, location=1.1, tilt=0.3)

# Tile functions around the right one: x, g, h (dim, width), out (n_params,).


def wrong_sign(right: Any) -> Any:
    """dE/dx[0] uphill."""

    def grad(x, packed, e, g):  # type: ignore[no-untyped-def]
        right(x, packed, e, g)
        g[0, :] *= -1.0

    return grad


def missing_term(right: Any) -> Any:
    """dE/dx without the last parameter's term, a constant."""

    def grad(x, packed, e, g):  # type: ignore[no-untyped-def]
        right(x, packed, e, g)
        g[0, :] -= 0.3

    return grad


def nearly_right(right: Any) -> Any:
    """dE/dx[1] that is 1e-6 too long."""

    def grad(x, packed, e, g):  # type: ignore[no-untyped-def]
        right(x, packed, e, g)
        g[1, :] *= 1.000001

    return grad


def parameter_of_wrong_sign(right: Any) -> Any:
    """dE/dtheta[1] with the other sign."""

    def grad_theta(x, packed, weights, out):  # type: ignore[no-untyped-def]
        before = out[1]
        right(x, packed, weights, out)
        out[1] = before - (out[1] - before)

    return grad_theta


def parameter_left_out(right: Any) -> Any:
    """dE/dtheta[2] is 0."""

    def grad_theta(x, packed, weights, out):  # type: ignore[no-untyped-def]
        before = out[2]
        right(x, packed, weights, out)
        out[2] = before

    return grad_theta


def weights_ignored(right: Any) -> Any:
    """Weighted sums over points that are weighted twice."""

    def grad_theta(x, packed, weights, out):  # type: ignore[no-untyped-def]
        right(x, packed, weights * weights, out)

    return grad_theta


def half_a_curvature(right: Any) -> Any:
    """Second derivatives along x[0] are halved."""

    def hvp(x, v, packed, g, h):  # type: ignore[no-untyped-def]
        right(x, v, packed, g, h)
        h[0, :] *= 0.5

    return hvp


def _face(face: str, signature: Any, around: Callable[[Any], Any]) -> Callable[[Energy], Energy]:
    def make(energy: Energy) -> Energy:
        right = getattr(energy.program, face).by_address
        faces: dict[str, Any] = {face: Compiled(lambda: around(right), signature, None, "a mutant")}
        return energy._replaced(program=replace(energy.program, **faces))

    return make


@energy(1)
def noise(x: Any) -> Any:
    """Differences of it are no derivatives."""
    return 0.5 * x[0] ** 2 + 1e-3 * math.sin(1e9 * x[0])


def _mistaken(name: str, words: str, face: str, signature: Any, around: Callable[[Any], Any]) -> Entry:
    return Entry(name, words, _face(face, signature, around), WELLS, check="gradient")


BROKEN = (
    _mistaken("gradient of wrong sign", "of x[0]", "grad", GRAD_SIGNATURE, wrong_sign),
    _mistaken("gradient without a term", "the tilt", "grad", GRAD_SIGNATURE, missing_term),
    _mistaken("gradient nearly right", "1e-6 too long", "grad", GRAD_SIGNATURE, nearly_right),
    _mistaken("slope of wrong sign", "of theta[1]", "grad_theta", GRAD_THETA_SIGNATURE, parameter_of_wrong_sign),
    _mistaken("slope left out", "of theta[2]", "grad_theta", GRAD_THETA_SIGNATURE, parameter_left_out),
    _mistaken("weights squared", "in sums over points", "grad_theta", GRAD_THETA_SIGNATURE, weights_ignored),
    _mistaken("half a curvature", "along x[0]", "hvp", HVP_SIGNATURE, half_a_curvature),
    Entry("an energy of noise", "without a derivative", lambda energy: energy, noise, check="gradient"),
)
