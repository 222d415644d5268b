"""Exact log Z in one to three dimensions, with its error, and the nodes that every exact expectation is taken over."""

import functools
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FastebmWarning, FloatArray
from fastebm.energies import Energy
from fastebm.exact import crosschecks, modes, refinement
from fastebm.exact.densities import Density, NotNormalisableError
from fastebm.exact.lattices import Lattice
from fastebm.exact.modes import Modes

__all__ = ["MAX_DIM", "Grid", "NotNormalisableError", "grid"]

MAX_DIM = 3
_HOPELESS = 0.1  # error of log Z from which on nothing is known
_MISSED = 1.0  # a node so much higher than the highest mode shows that one was missed
_N_SEARCHES = 3
_LOOSE = {1: 1e-8, 2: 1e-5, 3: 1e-4}  # closer than this, and ten times its own error, the other rule need not agree
_N_PROBES = 4096  # nodes at which rounding is measured
_NEGLIGIBLE = 50.0  # a node lighter than the heaviest by more, on a log scale, is no point of the grid


class Grid:
    """Nodes and weights with which an integral of exp(-E) times a smooth function is a sum.

    Attributes
    ----------
    energy : the energy E.
    log_partition : log Z.
    error : bound on its error; absolute.
    n_evaluations : energies that were computed to find it.
    points : (n, dim) nodes.
    log_weights : (n,) log of the nodes' volumes: log Z = log sum exp(log_weights - E(points)).
    probabilities : (n,) masses of the nodes; they sum to one.
    """

    def __init__(self, energy: Energy, lattice: Lattice, error: float, n_evaluations: int) -> None:
        self.energy = energy
        self.lattice = lattice
        self.error = error
        self.n_evaluations = n_evaluations
        self.log_partition = lattice.log_total

    @functools.cached_property
    def _rows(self) -> Any:
        return np.flatnonzero(self.lattice.log_mass > self.lattice.log_mass.max() - _NEGLIGIBLE)

    @functools.cached_property
    def points(self) -> FloatArray:
        return self.lattice.density.x(self.lattice.v(self._rows))

    @functools.cached_property
    def log_weights(self) -> FloatArray:
        return self.lattice.log_volume(self._rows) + self.lattice.density.log_slope(self.lattice.v(self._rows))

    @functools.cached_property
    def probabilities(self) -> FloatArray:
        masses = np.exp(self.lattice.log_mass[self._rows] - self.log_partition)
        return np.asarray(masses / masses.sum())

    def expectation(self, values: ArrayLike) -> Any:
        """Mean under the model of a function with values (n,) or (n, k) at the points: a float or (k,)."""
        means = self.probabilities @ _checks.array(values, "values")
        return float(means) if means.ndim == 0 else means

    @property
    def mean(self) -> FloatArray:
        """(dim,) mean of x."""
        return np.asarray(self.probabilities @ self.points)

    @property
    def cov(self) -> FloatArray:
        """(dim, dim) covariance of x."""
        away = self.points - self.mean
        return np.asarray((self.probabilities[:, None] * away).T @ away)

    def reweighted(self, energy: Energy) -> "Grid | None":
        """This grid for a similar energy, at one evaluation a node; None where the nodes do not suffice for it.

        They suffice while no mass leaves the box and every second plane remains dispensable. A mode that appears outside
        the box is not seen, so a training lays a new grid from time to time.
        """
        lattice, density = self.lattice, self.lattice.density
        if energy.dim != density.dim or not np.array_equal(_walls(energy, self._bounds), density.walls):
            return None
        origin = np.array([one.origin for one in density.coordinates])
        other = Lattice(
            lattice.chart, Density(energy, density.walls, origin), lattice.starts, lattice.steps, lattice.counts
        )
        coarseness, tail = other.coarseness().max(), other.tails().sum()
        # Leaving out every second plane doubles the step, which takes half the digits of a smooth density.
        error = coarseness**2 if self.is_smooth else 2.0 * coarseness
        if other.log_total == -math.inf or tail > self.rtol or error > max(self.rtol, self.error):
            return None
        return Grid(energy, other, ...)
