"""Kernels of discrete energies as they stand in the textbook."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.twin import Energies, ProposalTwin, Twin


class DiscreteTwin(Twin):
    """What they share: the values that coordinates take."""

    is_discrete = True

    def __init__(self, settings: FloatArray, dim: int) -> None:
        self.values = np.array(settings, dtype=float)
        self.scale = np.ones(dim)

    def points(self, generator: np.random.Generator, n: int) -> FloatArray:
        return self.values[generator.integers(len(self.values), size=(n, len(self.scale)))]


class SpinFlipTwin(DiscreteTwin, ProposalTwin):
    """Another value at one coordinate, all alike.

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    """

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        return [stream.uniform(), stream.uniform()]

    def sampled(self, generator: np.random.Generator, n: int, dim: int) -> FloatArray:
        return generator.random((n, 2))

    def propose(self, x: FloatArray, slope: FloatArray, numbers: FloatArray) -> FloatArray:
        y, m = np.array(np.atleast_2d(x)), len(self.values)
        for row, (first, second) in zip(y, np.atleast_2d(numbers), strict=True):
            i = int(first * len(row))
            place = int(np.argmax(self.values == row[i])) + 1 + int(second * (m - 1))
            row[i] = self.values[place % m]
        return y.reshape(np.shape(x))

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        n_changed = (np.asarray(y) != x).sum(axis=-1)
        ways = len(self.scale) * (len(self.values) - 1)
        return np.where(n_changed == 1, -math.log(ways), -np.inf)


class GibbsWithGradientsTwin(DiscreteTwin, ProposalTwin):
    """The value v at coordinate i with probability ~ exp((x_i - v) dE/dx_i / 2).

    References
    ----------
    W. Grathwohl et al. (2021), Oops I took a gradient, Proceedings of Machine Learning Research 139.
    """

    needs_grad = True

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        return [stream.uniform()]

    def sampled(self, generator: np.random.Generator, n: int, dim: int) -> FloatArray:
        return generator.random((n, 1))

    def propose(self, x: FloatArray, slope: FloatArray, numbers: FloatArray) -> FloatArray:
        y = np.array(np.atleast_2d(x))
        for row, g, (uniform,) in zip(y, np.atleast_2d(slope), np.atleast_2d(numbers), strict=True):
            changes = [(i, v) for i in range(len(row)) for v in self.values if v != row[i]]
            scores = np.array([0.5 * (row[i] - v) * g[i] for i, v in changes])
            weights = np.exp(scores - scores.max())
            before = np.concatenate([[0.0], np.cumsum(weights)[:-1]])
            i, v = changes[int(np.flatnonzero(before < uniform * weights.sum())[-1])]
            row[i] = v
        return y.reshape(np.shape(x))

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        x, slope_x = np.asarray(x), np.asarray(slope_x)
        scores = 0.5 * (x[..., None] - self.values) * slope_x[..., None]
        with np.errstate(over="ignore", invalid="ignore"):
            every = np.where(x[..., None] == self.values, -np.inf, scores)
            total = np.logaddexp.reduce(every.reshape(*x.shape[:-1], -1), axis=-1)
            score = 0.5 * ((x - y) * slope_x).sum(axis=-1)
        return np.where((np.asarray(y) != x).sum(axis=-1) == 1, score - total, -np.inf)


class GibbsTwin(DiscreteTwin):
    """Each coordinate in turn from its law given the others; with colours, all of a colour at once.

    References
    ----------
    S. Geman and D. Geman (1984), doi:10.1109/TPAMI.1984.4767596.
    """

    is_tested = False

    def __init__(self, settings: FloatArray, dim: int) -> None:
        has_colours = len(settings) == 2 + dim
        super().__init__(settings[:2] if has_colours else settings, dim)
        colours = settings[2:].astype(int) if has_colours else np.arange(dim)
        self.classes = [np.flatnonzero(colours == colour) for colour in range(colours.max() + 1)]
        self.has_colours = has_colours
        self.needs_grad = has_colours

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        return [stream.uniform() for _ in range(dim)]

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        assert energy is not None
        y, left = np.array(x), list(np.asarray(numbers).T)
        for sites in self.classes:
            before = y.copy()
            for i in sites:
                shares, order = self._shares(energy, before, int(i))
                uniform = left.pop(0)
                if self.has_colours:  # the high value comes first
                    shares, order = shares[:, ::-1], order[:, ::-1]
                    if (order[:, 0] != 1).any():
                        shares = np.where(order[:, :1] == 1, shares, shares[:, ::-1])
                        order = np.where(order[:, :1] == 1, order, order[:, ::-1])
                begins = np.cumsum(shares, axis=1) - shares
                place = (begins < uniform[:, None]).cumsum(axis=1).argmax(axis=1)
                y[:, i] = self.values[order[np.arange(len(y)), place]]
        return y, self.slopes(grad, y), np.zeros(len(y))

    def _shares(self, energy: Callable[[Any], Any], x: FloatArray, i: int) -> tuple[FloatArray, Any]:
        """Probabilities (n, m) of the values of coordinate i, its own first, and these values' places."""
        m = len(self.values)
        now = np.argmax(x[:, i, None] == self.values, axis=1)
        order = (now[:, None] + np.arange(m)) % m
        energies = np.empty((len(x), m))
        for k in range(m):
            moved = x.copy()
            moved[:, i] = self.values[order[:, k]]
            energies[:, k] = energy(moved)
        weights = np.exp(energies.min(axis=1, keepdims=True) - energies)
        return weights / weights.sum(axis=1, keepdims=True), order

    def decision(self, e_x: Energies, e_y: Energies, slope_y: FloatArray, hastings: FloatArray) -> FloatArray:
        return np.where(np.isfinite(e_y), np.inf, -np.inf)

    def matrix(self, energy: Callable[[Any], Any], states: FloatArray) -> FloatArray:
        """Probabilities (n, n) of going from state to state, of all states there are, in one sweep."""
        places = {tuple(one): row for row, one in enumerate(states)}
        total = np.eye(len(states))
        for i in (site for sites in self.classes for site in sites):
            shares, order = self._shares(energy, states, int(i))
            one = np.zeros_like(total)
            for row, state in enumerate(states):
                for share, k in zip(shares[row], order[row], strict=True):
                    there = state.copy()
                    there[i] = self.values[k]
                    one[row, places[tuple(there)]] += share
            total = total @ one
        return total
