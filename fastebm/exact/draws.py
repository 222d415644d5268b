"""Independent draws from exp(-E)/Z: the truth that samplers are measured against.

Where the energy itself knows how, its law is drawn in closed form, in any dimension: normal laws, their mixtures, and
laws whose coordinates are normal given those before. Elsewhere, in one to three dimensions, by rejection: a cell of a
lattice is drawn by inverting the cumulative distribution of bounds on the cells' masses, a point in it evenly, and the
point is kept with the probability density over bound. Points that are kept have exactly the density, whatever the
bounds are, as long as they are bounds. They come from the values at a cell's corners and the curvature seen there; when
a point shows that one was too low, all points are thrown away and every bound is raised.

References
----------
L. Devroye (1986), Non-Uniform Random Variate Generation, doi:10.1007/978-1-4613-8643-8 (chapter II.3, rejection).
"""

import math

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.exact import lattices, quadrature
from fastebm.exact.enumerations import enumeration
from fastebm.exact.lattices import Lattice
from fastebm.exact.quadrature import Grid
from fastebm.exact.transfers import transfer

_LARGEST_BATCH = 2**17  # proposals at a time
_SMALLEST_BATCH = 2**15  # so that bounds are tried out even where few points are wanted
_MARGIN = 0.05  # of a bound's logarithm, besides the curvature's
_MOST_RAISES = 12
_EFFICIENT = 0.5  # share of points kept, below which a finer lattice is laid
_HOPELESS = 1e-3
_STEEP = 10.0  # changes of the log density beyond are all alike
_NARROW = 100.0  # a cell's length over the width of a peak in it
_TINY = float(np.finfo(float).tiny)
_REMEDY = "give jumps inside the energy as its domain, or smooth its peaks."


def exact_draws(energy: Energy, n: int, rng: RNGLike = None) -> FloatArray:
    """Independent points (n, dim) with the density exp(-E)/Z.

    Parameters
    ----------
    energy : discrete, of at most 2**22 states; or of dimension 1, 2 or 3; in more, one of Gaussian, GaussianMixture,
        StudentT, Funnel, Banana and HybridRosenbrock, or made of them by `mixture`, `affine` and `observed`, of
        Gaussians also by sums, multiples and `conditioned`; or QuarticChain, its sums and multiples.
    n : how many points, at least 1.
    rng : see `fastebm.sample`; the same seed gives the same points.

    Raises
    ------
    NotNormalisableError, ValueError : as `fastebm.exact.grid` and `fastebm.exact.enumeration`; another law.
    """
    n = _checks.count(n, "n")
    seed = _checks.seed(rng)
    if energy.values is not None:
        return enumeration(energy).draws(n, np.random.default_rng(seed))
    closed = energy.closed_draws(n, np.random.default_rng(seed))
    if closed is not None:
        return closed
    if energy.dim > quadrature.MAX_DIM and energy.links() is not None:
        return transfer(energy, for_draws=True).draws(n, np.random.default_rng(seed))
    if energy.dim > quadrature.MAX_DIM:
        raise ValueError(
            f"{energy.name} has dim={energy.dim}, and no formula for its draws is known; take dim <= "
            f"{quadrature.MAX_DIM}, or an energy made of Gaussian, GaussianMixture, StudentT, Funnel, Banana, "
            "HybridRosenbrock or QuarticChain."
        )
    return draws_on(quadrature.grid(energy), n, seed)


class Envelope:
    """Bounds on the masses of the cells of a lattice.

    Attributes
    ----------
    lattice : so fine that its cells are bounded well.
    edges : of the cells in the chart's y, for each coordinate. In a cell points are drawn evenly in y, where no ruler
        has to be read.
    log_heights : (n_cells,) log of the bounds on the density in v.
    cumulative : (n_cells,) sums of the bounds on the masses, in units of Z.
    """

    def __init__(self, lattice: Lattice, log_bounds: FloatArray) -> None:
        self.lattice = lattice
        self.edges, log_volumes = lattice.cells()
        self.log_heights = (log_bounds - log_volumes).ravel()
        self.cumulative = np.cumsum(np.exp(log_bounds.ravel() - lattice.log_total))

    def points(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        """Points (n, dim), or None if a bound was found to be too low."""
        lattice, n_cells = self.lattice, [len(edges) - 1 for edges in self.edges]
        total = self.cumulative[-1]
        kept: list[FloatArray] = []
        missing = n
        while missing:
            size = min(_LARGEST_BATCH, max(_SMALLEST_BATCH, int(1.1 * missing * total)))
            uniforms = generator.random((len(n_cells) + 2, size))
            cell = np.searchsorted(self.cumulative[:-1], uniforms[0] * total, side="right")
            y = np.empty((size, len(n_cells)))
            for i, (edges, k) in enumerate(zip(self.edges, np.unravel_index(cell, n_cells), strict=True)):
                low = edges[k]
                y[:, i] = low + uniforms[2 + i] * (edges[k + 1] - low)
            v = lattice.chart.v(y)
            log_ratio = lattice.density.log(v) - self.log_heights[cell]
            if (log_ratio > 0.0).any():
                return None
            v = v[np.log1p(-uniforms[1]) < log_ratio][:missing]
            kept.append(lattice.density.x(v))
            missing -= len(v)
        return np.concatenate(kept)


def draws_on(grid: Grid, n: int, rng: RNGLike = None) -> FloatArray:
    """As `exact_draws`, for a density whose grid is there already; the bounds on its cells are kept with it."""
    generator = np.random.default_rng(_checks.seed(rng))
    for raised in range(_MOST_RAISES):
        caution = 2.0**raised
        if caution not in grid.envelopes:
            grid.envelopes[caution] = _bounded(grid, caution)
        points: FloatArray | None = grid.envelopes[caution].points(n, generator)
        if points is not None:
            return points
    raise ValueError(f"{grid.energy.name} has no bounds between neighbouring nodes; {_REMEDY}")


def _bounded(grid: Grid, caution: float) -> Envelope:
    """Bounds on the masses of a lattice's cells, of one so fine that they are bounded well."""
    lattice = grid.lattice
    while True:
        log_bounds = np.minimum(
            _log_bounds(lattice.log_density(), caution) + lattice.cells()[1], _log_caps(lattice, caution)
        )
        bounds = np.exp(log_bounds - (caution * _MARGIN + lattice.log_total))
        kept = 1.0 / float(bounds.sum())
        if kept > _EFFICIENT:
            return Envelope(lattice, log_bounds)
        i = _roughest(lattice.log_mass.reshape(lattice.counts), bounds)
        counts, steps = list(lattice.counts), lattice.steps.copy()
        counts[i], steps[i] = 2 * counts[i] - 1, 0.5 * steps[i]
        if math.prod(counts) > lattices.MAX_NODES[len(counts)]:
            if kept < _HOPELESS:
                raise ValueError(f"{grid.energy.name} varies too much between neighbouring nodes; {_REMEDY}")
            return Envelope(lattice, log_bounds)
        lattice = Lattice(lattice.chart, lattice.density, lattice.starts, steps, counts)


def _log_bounds(log_density: FloatArray, caution: float) -> FloatArray:
    """Upper bounds on the log of the density in each cell between nodes.

    A parabola with the second difference b, whose values at the ends of a step differ by a, rises above both of them
    by (b - 2 a)**2 / (8 b) if 2 a < b, else not at all; `caution` times that is allowed for, one axis after the other.
    A node where the density is zero takes the value of its highest neighbour: the wall may be anywhere between.
    """
    bounds = log_density.copy()
    for i in range(log_density.ndim):
        along, raised = np.moveaxis(log_density, i, 0), np.moveaxis(bounds, i, 0)
        for here, beside in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            is_empty = np.isneginf(along[here])
            raised[here][is_empty] = np.maximum(raised[here], along[beside])[is_empty]
    for i in range(log_density.ndim):
        along = np.moveaxis(bounds, i, 0)
        with np.errstate(invalid="ignore"):
            bend = np.nan_to_num(np.abs(np.diff(along, 2, axis=0)), nan=0.0, posinf=0.0)
            apart = np.nan_to_num(np.abs(np.diff(along, axis=0)), nan=0.0)
        bend = np.concatenate([bend[:1], bend, bend[-1:]])
        bend = np.maximum(bend[1:], bend[:-1])
        rise = np.maximum(bend - 2.0 * apart, 0.0) ** 2 / (8.0 * bend + _TINY)
        bounds = np.moveaxis(np.maximum(along[1:], along[:-1]) + caution * rise, 0, i)
    return bounds + caution * _MARGIN


def _log_caps(lattice: Lattice, caution: float) -> FloatArray:
    """What no cell's bound need exceed: the mass of the planes around it, times a factor for peaks within the cell.

    Far out, where the density falls like exp(-exp(x)), parabolas go astray; but their planes have no mass.
    """
    caps = np.full((1,) * len(lattice.counts), np.inf)
    for i, share in enumerate(lattice.marginals):
        around = np.lib.stride_tricks.sliding_window_view(np.pad(share, 1), 4).max(axis=1)
        with np.errstate(divide="ignore"):
            log_around = np.log(caution * _NARROW * around) + lattice.log_total
        caps = np.minimum(caps, np.expand_dims(log_around, [j for j in range(len(lattice.counts)) if j != i]))
    return caps


def _roughest(log_mass: FloatArray, bounds: FloatArray) -> int:
    """The axis along which the log density changes most within a cell, on average over the bounds on the masses."""
    changes = []
    for i in range(log_mass.ndim):
        with np.errstate(invalid="ignore"):
            change = np.minimum(np.nan_to_num(np.abs(np.diff(log_mass, axis=i)), nan=0.0), _STEEP)
        for j in set(range(log_mass.ndim)) - {i}:
            along = np.moveaxis(change, j, 0)
            change = np.moveaxis(np.maximum(along[1:], along[:-1]), 0, j)
        changes.append(float((bounds * change).sum()))
    return int(np.argmax(changes))
