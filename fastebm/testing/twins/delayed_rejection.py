"""Delayed rejection as it stands in the paper."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.random_walk import RandomWalkTwin
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.twin import Energies, Twin


class DelayedRejectionTwin(Twin):
    """A normal step, and if that is rejected a shorter one from the same place, by two random walks' twins.

    References
    ----------
    L. Tierney and A. Mira (1999), doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2507::AID-SIM272>3.0.CO;2-J.
    """

    def __init__(self, settings: FloatArray, dim: int) -> None:
        long_steps, short_steps = np.split(np.asarray(settings, dtype=float), 2)
        self.first, self.second = RandomWalkTwin(long_steps, dim), RandomWalkTwin(short_steps, dim)
        self.scale = self.first.scale

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        """Normal numbers of the first step, log u that decides on it, and normal numbers of the second."""
        return [*stream.normals(dim), -stream.exponential(), *stream.normals(dim)]

    def proposals(self, x: FloatArray, numbers: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """y1 and y2 (..., dim), and log u (...,) for the first."""
        dim = len(self.scale)
        first, second = numbers[..., :dim], numbers[..., dim + 1 :]
        return self.first.propose(x, x, first), self.second.propose(x, x, second), numbers[..., dim]

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """y1 with +inf where it is accepted, nan if that is too close to call; else y2 with the log of its ratio."""
        assert energy is not None
        y_1, y_2, log_u = self.proposals(x, numbers)
        e_x, e_1, e_2 = (np.asarray(energy(one)) for one in (x, y_1, y_2))
        log_first = self.first.decision(e_x, e_1, slope_x, np.zeros_like(e_x))
        is_first = log_u < log_first
        is_close = np.abs(log_u - log_first) < self.close * (1.0 + np.abs(e_x))
        log_ratio = np.where(is_first, np.inf, self.log_second(x, e_x, y_1, e_1, y_2, e_2))
        return np.where(is_first[..., None], y_1, y_2), np.zeros_like(x), np.where(is_close, np.nan, log_ratio)

    def decision(self, e_x: Energies, e_y: Energies, slope_y: FloatArray, hastings: FloatArray) -> FloatArray:
        return hastings

    def log_second(
        self, x: FloatArray, e_x: Energies, y_1: FloatArray, e_1: Energies, y_2: FloatArray, e_2: Energies
    ) -> FloatArray:
        """log of pi(y2) q(y1 | y2) (1 - a(y2, y1)) / (pi(x) q(y1 | x) (1 - a(x, y1))) (...,); -inf where it is 0."""
        with np.errstate(invalid="ignore", over="ignore"):
            proposed = self.first.log_density(y_1, y_2, y_2) - self.first.log_density(y_1, x, x)
            rejected = log_rejection(e_2, e_1) - log_rejection(e_x, e_1)
            found = np.subtract(e_x, e_2) + proposed + rejected
        return np.where(np.isfinite(e_2) & ~np.isnan(found), found, -np.inf)


def log_rejection(e_x: Energies, e_y: Energies) -> FloatArray:
    """log(1 - a(x, y)) (...,): of the probability that y is rejected, which is 1 where its energy is no number."""
    e_y = np.where(np.isfinite(e_y), e_y, np.inf)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.log(-np.expm1(np.minimum(np.subtract(e_x, e_y), 0.0))))
