"""Independent draws from a law in one to three dimensions: inverse CDF over the cells of a lattice, exact inside a cell.

A cell is drawn in proportion to a bound of its mass, by the inverse of the cumulative sum; inside it a point is drawn
evenly and kept with the probability density over bound. What is kept has the density itself, however coarse the cells.

References
----------
L. Devroye (1986), Non-Uniform Random Variate Generation, doi:10.1007/978-1-4613-8643-8, sections II.3 and III.2.
"""

import math

import numpy as np
import scipy

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.exact.lattices import Lattice
from fastebm.exact.quadrature import grid

_MARGIN = math.log(1.5)  # by how much the density may exceed, inside a cell, the highest of the nodes around
_BATCH = 2**17  # candidates in memory at once


def exact_draws(energy: Energy, n: int, rng: RNGLike = None) -> FloatArray:
    """n independent draws from p(x) = exp(-E(x)) / Z, in one to three dimensions.

    Parameters
    ----------
    energy : of dimension 1, 2 or 3, with finite Z.
    n : how many, at least 1.
    rng : None, a seed or a NumPy Generator; as in `fastebm.sample`.

    Returns
    -------
    (n, dim) draws. Only the mass outside the lattice is missed, which is below the error of `log_partition`.

    Raises
    ------
    NotNormalisableError, ValueError : as `fastebm.log_partition` does.

    Examples
    --------
    >>> import fastebm as eb
    >>> eb.exact.exact_draws(eb.DoubleWell(2), 1000, rng=0).shape
    (1000, 2)
    """
    n = _checks.count(n, "n")
    generator = np.random.default_rng(_checks.seed(rng))
    lattice = grid(energy).lattice
    margin = _MARGIN
    while True:
        draws, excess = _drawn(lattice, n, margin, generator)
        if excess <= 0.0:
            return draws
        margin += excess + _MARGIN  # the bound did not hold: what was kept is worthless, and all is drawn again


def _drawn(lattice: Lattice, n: int, margin: float, generator: np.random.Generator) -> tuple[FloatArray, float]:
    """n draws, and the log of the factor by which some density exceeded its bound; above 0, the draws are incomplete."""
    log_steps = float(np.log(lattice.steps).sum())
    log_density = lattice.log_mass.reshape(lattice.counts) - log_steps
    bounds = scipy.ndimage.maximum_filter(log_density, size=3, mode="nearest").ravel() + margin
    cumulative = np.cumsum(np.exp(bounds - bounds.max()))
    density = lattice.chart.density
    kept: list[FloatArray] = []
    n_kept = n_tried = 0
    while n_kept < n:
        rate = n_kept / n_tried if n_kept else 0.3
        n_candidates = min(_BATCH, int(1.1 * (n - n_kept) / rate) + 100)
        cells = np.searchsorted(cumulative, generator.random(n_candidates) * cumulative[-1], side="right")
        places = np.column_stack(np.unravel_index(cells, lattice.counts))
        t = lattice.starts + lattice.steps * (places + generator.random(places.shape) - 0.5)
        log_ratio = lattice.chart.log_density(t) - bounds[cells]
        if log_ratio.max() > 0.0:
            return np.empty((0, lattice.chart.density.dim)), float(log_ratio.max())
        accepted = t[-generator.standard_exponential(n_candidates) < log_ratio]
        y = np.column_stack([ruler.y(accepted[:, i]) for i, ruler in enumerate(lattice.chart.rulers)])
        kept.append(density.x(lattice.chart.v(y)))
        n_kept += len(accepted)
        n_tried += n_candidates
    return np.concatenate(kept)[:n], 0.0
