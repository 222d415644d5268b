"""The stretch move as it stands in the textbook."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.twin import Twin


class StretchTwin(Twin):
    """y = p + z (x - p), p from the other half of the group, z = ((a - 1) u + 1)**2 / a; the first half moves first.

    Where the second half goes depends on what became of the first. An attempt is therefore one of whole groups, takes
    their numbers with log u, and decides on the first half by itself.

    References
    ----------
    J. Goodman and J. Weare (2010), doi:10.2140/camcos.2010.5.65.
    """

    is_coupled = True

    def __init__(self, settings: FloatArray, dim: int) -> None:
        self.a, self.size = float(settings[0]), int(settings[1])
        self.scale = np.ones(dim)

    def numbers(self, stream: Stream, dim: int, turn: int = 0) -> tuple[list[float], float]:
        u, v = stream.uniform(), stream.uniform()
        log_u = -stream.exponential()
        return [u, v, log_u], log_u

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        assert energy is not None
        z = ((self.a - 1.0) * numbers[:, 0] + 1.0) ** 2 / self.a
        log_weight = (x.shape[1] - 1) * np.log(z)
        half = self.size // 2
        first = np.arange(len(x)) % self.size < half
        begin = np.arange(len(x)) // self.size * self.size + np.where(first, half, 0)
        partner = begin + (half * numbers[:, 1]).astype(int)
        now, y = x.copy(), np.empty_like(x)
        y[first] = _stretched(x, now[partner], z)[first]
        is_taken = numbers[:, 2] < self.decision(energy(x), energy(np.where(first[:, None], y, x)), slope_x, log_weight)
        now = np.where((first & is_taken)[:, None], y, x)
        y[~first] = _stretched(x, now[partner], z)[~first]
        return y, np.zeros_like(x), log_weight


def _stretched(x: FloatArray, p: FloatArray, z: FloatArray) -> FloatArray:
    return np.asarray(p + z[:, None] * (x - p))
