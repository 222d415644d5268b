"""Kernels made of other kernels as they stand in the textbook, from the twins of these."""

import abc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import GOLDEN, MASK, Stream, splitmix64
from fastebm.testing.twins.twin import Energies, Twin

_FRONT, _HEAD = 2, 6
Made = Callable[[FloatArray, int], Twin]


class CompoundTwin(Twin):
    """What twins have in common that run others: numbers of several transitions, one behind the other.

    What `attempt` gives in the place of Hastings's ratio is +inf where a transition counts as accepted.
    """

    is_tested = False
    decides = True
    close = 1e-9
    parts: Sequence[Twin]

    def numbers(self, stream: Stream, dim: int, turn: int = 0) -> tuple[list[float], float]:
        found: list[float] = []
        for part, times in self.plan(turn):
            drawn, log_u = part.numbers(stream, dim, times)
            found += [*drawn, log_u]
        return found, 0.0

    @abc.abstractmethod
    def plan(self, turn: int) -> list[tuple[Twin, int]]:
        """The parts that a transition uses, and how often each was used before."""

    def used(
        self, part: Twin, times: int, x: FloatArray, numbers: FloatArray, energy: Callable[[Any], Any],
        grad: Callable[[Any], Any] | None,
    ) -> tuple[FloatArray, Any, FloatArray]:
        """A transition of a part: where it leads, which chains it moves, and the numbers (n, k) that are left."""
        n = len(part.numbers(Stream(0, 0), x.shape[-1], times)[0])
        with np.errstate(all="ignore"):
            y, slope_y, hastings = part.attempt(x, part.slopes(grad, x), numbers[:, :n], grad, times, energy)
            is_taken = numbers[:, n] < part.decision(energy(x), energy(y), slope_y, hastings)
        return np.where(is_taken[:, None], y, x), is_taken, numbers[:, n + 1 :]

    def decision(self, e_x: Energies, e_y: Energies, slope_y: FloatArray, hastings: FloatArray) -> FloatArray:
        return hastings


class SeveralTwin(CompoundTwin):
    """One transition of each part in turn, or of one of them by lot.

    References
    ----------
    L. Tierney (1994), doi:10.1214/aos/1176325750.
    """

    def __init__(self, settings: FloatArray, dim: int, parts: Sequence[Made]) -> None:
        heads = np.reshape(settings[_FRONT : _FRONT + _HEAD * len(parts)], (len(parts), _HEAD))
        self.takes_turns = settings[1] > 0.0
        self.weights = heads[:, 0]
        self.parts = [
            made(settings[int(head[1]) : int(head[2])], dim) for made, head in zip(parts, heads, strict=True)
        ]
        self.scale = np.max([part.scale for part in self.parts], axis=0)
        self.needs_grad = any(part.needs_grad for part in self.parts)
        self.is_exact = all(part.is_exact for part in self.parts)

    def chosen(self, turn: int) -> int:
        """The part whose turn it is, where lots are drawn."""
        lot = (splitmix64((turn * GOLDEN) & MASK) >> 11) * 2.0**-53
        return min(int(np.searchsorted(self.weights, lot, side="right")), len(self.parts) - 1)

    def plan(self, turn: int) -> list[tuple[Twin, int]]:
        if self.takes_turns:
            return [(part, turn) for part in self.parts]
        j = self.chosen(turn)
        return [(self.parts[j], sum(self.chosen(before) == j for before in range(turn)))]

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        assert energy is not None
        y, left, has_moved = np.asarray(x), numbers, np.zeros(len(x), dtype=bool)
        for part, times in self.plan(turn):
            y, is_taken, left = self.used(part, times, y, left, energy, grad)
            has_moved |= is_taken
        return y, self.slopes(grad, y), np.where(has_moved, np.inf, -np.inf)


class ParallelTemperingTwin(CompoundTwin):
    """A transition on each rung, then exchanges of even or of odd pairs; hotter copies begin where the chains do.

    References
    ----------
    S. Syed, A. Bouchard-Cote, G. Deligiannidis and A. Doucet (2022), doi:10.1111/rssb.12464.
    """

    def __init__(self, settings: FloatArray, dim: int, parts: Sequence[Made]) -> None:
        n, size = int(settings[0]), int(settings[1])
        self.betas = np.array(settings[4 : 4 + n])
        blocks = np.reshape(settings[4 + n :], (n, size))
        self.parts = [parts[0](block, dim) for block in blocks]
        self.scale = self.parts[0].scale
        self.needs_grad = self.parts[0].needs_grad
        self.is_exact = self.parts[0].is_exact

    def plan(self, turn: int) -> list[tuple[Twin, int]]:
        return [(part, turn) for part in self.parts]

    def numbers(self, stream: Stream, dim: int, turn: int = 0) -> tuple[list[float], float]:
        found, log_u = super().numbers(stream, dim, turn)
        return [*found, *(-stream.exponential() for _ in self.pairs(turn))], log_u

    def pairs(self, turn: int) -> range:
        return range(turn % 2, len(self.betas) - 1, 2)

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        assert energy is not None
        if turn == 0:
            self.rungs = [np.array(x) for _ in self.betas]
        self.rungs[-1] = np.array(x)
        left = numbers
        has_moved = np.zeros(len(x), dtype=bool)
        for k, (part, beta) in enumerate(zip(self.parts, self.betas, strict=True)):
            hot, hot_grad = _times(beta, energy), grad and _times(beta, grad)
            self.rungs[k], has_moved, left = self.used(part, turn, self.rungs[k], left, hot, hot_grad)
        for k, log_u in zip(self.pairs(turn), left.T, strict=True):
            apart = self.betas[k + 1] - self.betas[k]
            with np.errstate(invalid="ignore"):
                is_taken = log_u < apart * (energy(self.rungs[k + 1]) - energy(self.rungs[k]))
            a, b = self.rungs[k], self.rungs[k + 1]
            self.rungs[k], self.rungs[k + 1] = np.where(is_taken[:, None], b, a), np.where(is_taken[:, None], a, b)
        y = self.rungs[-1]
        return y, self.slopes(grad, y), np.where(has_moved, np.inf, -np.inf)


def _times(beta: float, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda X: beta * function(X)
