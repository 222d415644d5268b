"""Hamiltonian Monte Carlo as it stands in the textbook."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.twin import Twin

_FRONT = 3


class HMCTwin(Twin):
    """Leapfrog steps from a normal velocity v; the proposal is tested by E + |v|**2 / 2.

    References
    ----------
    R. M. Neal (2011), doi:10.1201/b10905-6.
    """

    needs_grad = True
    close = 1e-9

    def __init__(self, settings: FloatArray, dim: int) -> None:
        self.mean_steps, self.jitter = float(settings[0]), float(settings[1])
        self.scale = np.array(settings[_FRONT + dim : _FRONT + 2 * dim], dtype=float)
        behind = settings[_FRONT + 3 * dim :]
        self.root = np.diag(self.scale) if len(behind) == 0 else np.reshape(behind, (dim, dim))

    def n_steps(self, turn: int) -> int:
        """Leapfrog steps of a transition, by van der Corput's sequence of base 2."""
        share, digit, left = 0.0, 0.5, turn + 1
        while left:
            share, digit, left = share + digit * (left % 2), 0.5 * digit, left // 2
        return max(1, int(self.mean_steps * (1.0 + self.jitter * (2.0 * share - 1.0)) + 0.5))

    def flow(
        self, x: FloatArray, slope: FloatArray, v: FloatArray, grad: Callable[[Any], Any], n_steps: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where x and v (..., dim) are after so many steps, and dE/dx there."""
        for _ in range(n_steps):
            v = v - 0.5 * slope @ self.root
            x = x + v @ self.root.T
            slope = np.asarray(grad(x), dtype=float)
            v = v - 0.5 * slope @ self.root
        return x, v, slope

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        assert grad is not None
        with np.errstate(over="ignore", invalid="ignore"):
            y, v, slope_y = self.flow(x, slope_x, numbers, grad, self.n_steps(turn))
            return y, slope_y, 0.5 * ((numbers**2).sum(axis=-1) - (v**2).sum(axis=-1))
