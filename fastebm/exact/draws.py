"""Independent draws from exp(-E)/Z in one to three dimensions: the truth that samplers are measured against.

A cell of a grid's lattice is drawn by inverting the cumulative distribution of bounds on the cells' masses, a point in it
evenly, and the point is kept with the probability density over bound. Kept points have exactly the density, whatever
the bounds are, as long as they are bounds. They come from the corners and the curvature seen there; when a point shows
that one was too low, all points are thrown away and every bound is raised.

References
----------
L. Devroye (1986), Non-Uniform Random Variate Generation, doi:10.1007/978-1-4613-8643-8 (chapter II.3, rejection).
"""

import itertools

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.exact.quadrature import Grid

_BATCH = 2**17  # proposals at a time
_MARGIN = 0.05  # of a bound's logarithm, besides the curvature's
_MOST_RAISES = 12


def exact_draws(energy: Energy, n: int, rng: RNGLike = None) -> FloatArray:
    """Independent points (n, dim) with the density exp(-E)/Z, for dim 1, 2 or 3.

    Parameters
    ----------
    energy : the energy E.
    n : how many points, at least 1.
    rng : see `fastebm.sample`; the same seed gives the same points.

    Raises
    ------
    NotNormalisableError, ValueError : as `fastebm.exact.quadrature.grid`.
    """
    n = _checks.count(n, "n")
    return draws_on(quadrature.grid(energy), n, rng)


def draws_on(grid: Grid, n: int, rng: RNGLike = None) -> FloatArray:
    """As `exact_draws`, for a density whose grid is there already."""
    generator = np.random.default_rng(_checks.seed(rng))
    for raised in range(_MOST_RAISES):
        points = _drawn(grid, n, 2.0**raised, generator)
        if points is not None:
            return points
    raise ValueError(
        f"{grid.energy.name} is too rough for exact draws: no bound on it could be found between neighbouring nodes; "
        "give jumps inside the energy as its domain, or smooth its peaks."
    )


def _drawn(grid: Grid, n: int, caution: float, generator: np.random.Generator) -> FloatArray | None:
    """The points, or None if a bound was found to be too low."""
    lattice = grid.lattice
    log_bounds = _log_bounds(lattice.log_mass.reshape(lattice.counts), caution)
    cells = log_bounds.shape
    log_bounds = log_bounds.ravel()
    cumulative = np.cumsum(np.exp(log_bounds - log_bounds.max()))
    log_cell = float(np.log(lattice.steps).sum())
    kept: list[FloatArray] = []
    missing = n
    while missing:
        uniforms = generator.random((_BATCH, len(cells) + 2))
        cell = np.searchsorted(cumulative, uniforms[:, 0] * cumulative[-1], side="right")
        corner = np.column_stack(np.unravel_index(np.minimum(cell, len(cumulative) - 1), cells))
        v, log_slope = lattice.chart.placed(lattice.starts + (corner + uniforms[:, 2:]) * lattice.steps)
        log_ratio = lattice.density.log(v) + log_slope + log_cell - log_bounds[cell]
        if (log_ratio > 0.0).any():
            return None
        v = v[np.log(uniforms[:, 1]) < log_ratio][:missing]
        kept.append(lattice.density.x(v))
        missing -= len(v)
    return np.concatenate(kept)


def _log_bounds(log_mass: FloatArray, caution: float) -> FloatArray:
    """Upper bounds on the log of the mass density in each cell between the nodes of `log_mass`.

    A parabola rises above its larger end by at most an eighth of its second difference; `caution` times twice that is
    allowed for. Where the density is zero at a node but not beside it, the wall lies between.
    """
    heights, bends = log_mass, np.zeros_like(log_mass)
    for i in range(log_mass.ndim):
        along = np.moveaxis(log_mass, i, 0)
        beside = np.maximum(
            np.concatenate([along[1:], along[-1:]]), np.concatenate([along[:1], along[:-1]])
        )
        heights = np.maximum(heights, np.where(np.isneginf(log_mass), np.moveaxis(beside, 0, i), -np.inf))
        with np.errstate(invalid="ignore"):
            bend = np.abs(along[2:] - 2.0 * along[1:-1] + along[:-2])
        bend = np.where(np.isfinite(bend), bend, 0.0)
        bends += np.moveaxis(np.concatenate([bend[:1], bend, bend[-1:]]), 0, i)
    corners = [
        tuple(slice(k, size - 1 + k) for k, size in zip(corner, log_mass.shape, strict=True))
        for corner in itertools.product((0, 1), repeat=log_mass.ndim)
    ]
    top = np.max([heights[corner] for corner in corners], axis=0)
    bend = np.max([bends[corner] for corner in corners], axis=0)
    return np.asarray(top + caution * (0.25 * bend + _MARGIN))
