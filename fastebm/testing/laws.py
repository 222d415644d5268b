"""The exact law of an energy, as the tests of samplers need it: draws, probability transforms, means of functions.

A transform turns a coordinate, or the energy, into a share between 0 and 1 by a table of the law's quantiles. It need
not be exact: where the law has nodes (quadrature, enumeration), the mean under the law of every function of the shares
is a sum over them; elsewhere the table is that of a reference sample, and only differences between start and end are
looked at, whose mean is 0 for any function.
"""

import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy
from numba import types
from numpy.typing import NDArray

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm._compile import TILE, compiled
from fastebm.energies import Energy
from fastebm.exact import draws, quadrature
from fastebm.exact.enumerations import enumeration, n_states
from fastebm.exact.lattices import MAX_NODES, Lattice
from fastebm.testing.contrasts import Contrasts
from fastebm.testing.reports import NotRun

_N_KNOTS = 1025
_N_SMOOTH = 97
_LEAST_NODES = 2**17  # so that kinks of the tables between knots do no harm
_LIGHT = 1e-13  # nodes with less of the mass are left out
_N_REFERENCE = 2**17  # draws, and states from which on discrete laws have a reference sample too
_REFERENCE_SEED = 2**60 + 1  # of nobody's starts


class Nodes(NamedTuple):
    """Points (n, dim) with probabilities (n,), and where independent draws come from: (n, seed) -> (n, dim)."""

    points: FloatArray
    probabilities: FloatArray
    draws: Callable[[int, int], FloatArray]
    has_means: bool


class Law:
    """exp(-E)/Z of one energy.

    Attributes
    ----------
    energy : the energy E.
    points, probabilities : (n, dim) and (n,) nodes over which means under the law are sums, or a reference sample.
    columns : what the columns of `shares` are: coordinates, then the energy; those that are constant are left out.
    has_means : whether there are nodes, and means under the law with them.
    is_continuous : whether coordinates can take any value.
    """

    def __init__(self, energy: Energy) -> None:
        self.energy = energy
        self.is_continuous = energy.values is None
        try:
            self.points, self.probabilities, self._draws, self.has_means = _nodes_of(energy)
        except ValueError as fault:
            raise NotRun(f"its exact law cannot be computed: {fault}") from None
        values = self._values(self.points)
        quantiles = _quantiles if self.is_continuous else _steps
        tables = [quantiles(column, self.probabilities) for column in values.T]
        self._kept = [a for a, knots in enumerate(tables) if knots[0] < knots[-1]]
        names = [*(f"x[{i}]" for i in range(energy.dim)), "the energy"]
        self.columns = tuple(names[a] for a in self._kept)
        self._tables = np.array([tables[a] for a in self._kept])
        self._moments: tuple[FloatArray, FloatArray] | None = None
        self._parts: FloatArray | None = None

    def draws(self, n: int, seed: int) -> FloatArray:
        """Independent points (n, dim)."""
        return self._draws(n, seed)

    def shares(self, X: FloatArray, n_threads: int | None = None) -> FloatArray:
        """Transforms (n, n_columns) of points (n, dim), 0 to 1 and evenly spread under the law, about."""
        values = np.ascontiguousarray(self._values(X)[:, self._kept])
        found = np.empty_like(values)
        n_threads = tiles.threads(n_threads)
        tiles.run(lambda first, last: _look_up(values[first:last], self._tables, found[first:last]),
                  tiles.ranges(len(X), n_threads), n_threads)
        return found

    def visited(self, shares: FloatArray, column: int, n_parts: int) -> NDArray[np.bool_]:
        """Which of n equal parts of a column's range hold some of the shares (n,), or none of the law's mass."""
        if self._parts is None:
            own = self.shares(self.points)
            self._parts = np.array([
                np.bincount(_part(one, n_parts), self.probabilities, n_parts) for one in own.T
            ])
        is_seen = np.bincount(_part(shares, n_parts), minlength=n_parts) > 0
        return np.asarray(is_seen | (self._parts[column] < 0.5 / n_parts))

    def moments(self, contrasts: Contrasts) -> tuple[FloatArray, FloatArray]:
        """Means and variances (n_moments,) under the law of the functions that `contrasts` looks at."""
        if self._moments is None:
            self._moments = contrasts.expectations(self.shares(self.points), self.probabilities)
        return self._moments

    def _values(self, X: FloatArray) -> FloatArray:
        """Coordinates and energy (n, dim + 1)."""
        return np.column_stack([X, self.energy.energy(X)])


_known: "weakref.WeakKeyDictionary[Energy, Law]" = weakref.WeakKeyDictionary()


def law_of(energy: Energy) -> Law:
    """The law of an energy, computed once for each energy object.

    Raises
    ------
    NotRun : the law cannot be computed.
    """
    if energy not in _known:
        _known[energy] = Law(energy)
    return _known[energy]


def _nodes_of(energy: Energy) -> Nodes:
    """States of a discrete law, nodes of quadrature in one to three dimensions, draws elsewhere; or a ValueError."""
    if energy.values is not None and n_states(energy) <= _N_REFERENCE:
        law = enumeration(energy)
        is_possible = law.probabilities > 0.0
        return Nodes(
            law.states[is_possible], law.probabilities[is_possible],
            lambda n, seed: law.draws(n, np.random.default_rng(seed)), True,
        )
    if energy.values is None and energy.dim <= quadrature.MAX_DIM:
        grid = quadrature.grid(energy)
        return Nodes(*_nodes(grid.lattice), lambda n, seed: draws.draws_on(grid, n, seed), True)
    sample = draws.exact_draws(energy, _N_REFERENCE, _REFERENCE_SEED)
    even = np.full(_N_REFERENCE, 1.0 / _N_REFERENCE)
    return Nodes(sample, even, lambda n, seed: draws.exact_draws(energy, n, seed), False)


def _nodes(lattice: Lattice) -> tuple[FloatArray, FloatArray]:
    """Points (n, dim) and probabilities (n,): of the lattice, refined until enough of its nodes have some mass."""
    steps, counts = lattice.steps.copy(), list(lattice.counts)
    i = 0
    while True:
        probabilities = np.exp(lattice.log_mass - lattice.log_total)
        rows = np.flatnonzero(probabilities > _LIGHT)
        if len(rows) >= _LEAST_NODES or 2 * lattice.n_nodes > MAX_NODES[len(counts)]:
            break
        steps[i], counts[i] = 0.5 * steps[i], 2 * counts[i] - 1
        i = (i + 1) % len(counts)
        lattice = Lattice(lattice.chart, lattice.density, lattice.starts, steps, counts)
    return np.ascontiguousarray(lattice.density.x(lattice.v(rows))), probabilities[rows] / probabilities[rows].sum()


def _quantiles(values: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Quantiles (_N_KNOTS,) of weighted values, at levels evenly spread from 0 to 1.

    They are smoothed, by a cubic that rises through some of them: nodes stand in planes or nearly so, and shares that
    followed each plane would be in step with where a node stands in it, so that sums over nodes of products of two
    columns would not be means under the law.
    """
    distinct, which = np.unique(values, return_inverse=True)
    masses = np.bincount(which, probabilities)
    below = np.cumsum(masses)
    levels = np.sin(np.linspace(0.0, 0.5 * np.pi, _N_SMOOTH)) ** 2  # nearer to each other in the tails
    some = np.interp(levels, (below - 0.5 * masses) / below[-1], distinct)
    return np.asarray(scipy.interpolate.PchipInterpolator(levels, some)(np.linspace(0.0, 1.0, _N_KNOTS)))


def _steps(values: FloatArray, probabilities: FloatArray) -> FloatArray:
    """The same of a discrete law: a value stands at all levels between the probabilities below and up to it."""
    distinct, which = np.unique(values, return_inverse=True)
    up_to = np.cumsum(np.bincount(which, probabilities))
    levels = np.linspace(0.0, 1.0, _N_KNOTS) * up_to[-1]
    return np.asarray(distinct[np.minimum(np.searchsorted(up_to, levels), len(distinct) - 1)])


def _part(shares: FloatArray, n_parts: int) -> NDArray[np.intp]:
    return np.minimum((shares * n_parts).astype(np.intp), n_parts - 1)


@compiled(types.void(TILE, TILE, TILE))
def _look_up(values, tables, out):  # type: ignore[no-untyped-def]
    """Where values (n, q) stand between the quantiles of their tables (q, m), as shares in out (n, q).

    Among equal quantiles a value stands in their middle.
    """
    n_knots = tables.shape[1]
    for c in range(values.shape[0]):
        for a in range(values.shape[1]):
            value, table = values[c, a], tables[a]
            low, high = 0, n_knots  # table[low - 1] < value <= table[high]
            while low < high:
                middle = (low + high) // 2
                if table[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            end = low
            while end < n_knots and table[end] == value:
                end += 1
            if end > low:
                place = 0.5 * (low + end - 1)
            elif low == 0:
                place = 0.0
            elif low == n_knots:
                place = n_knots - 1.0
            else:
                place = low - 1 + (value - table[low - 1]) / (table[low] - table[low - 1])
            out[c, a] = place / (n_knots - 1)
