"""Exact log Z and draws of chains in any dimension: energies that couple neighbouring coordinates alone.

What lies behind coordinate i enters by a message, a function of x_i: the integral of exp(-E) over all that follow.
Messages come from each other by integrals in one dimension, the transfer operator, for which the trapezoid rule is
spectrally accurate where densities are smooth and decay. Given messages, a chain is drawn from its first coordinate
on: by rejection, with an envelope that is constant where x_i and x_{i+1} are each in one cell.

References
----------
H. A. Kramers and G. H. Wannier (1941), doi:10.1103/PhysRev.60.252.
L. N. Trefethen and J. A. C. Weideman (2014), The exponentially convergent trapezoidal rule, doi:10.1137/130932132.
"""

import math
from collections.abc import Callable

import numpy as np
import scipy

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.energies.energy import Links
from fastebm.exact.densities import NotNormalisableError

_HALF_WIDTH = 2.0  # of the first box around 0
_WIDER = 1.3
_MOST_WIDENINGS = 40
_FEWEST_NODES, _MOST_NODES = 129, 4097
_LOG_TAIL = -46.0  # of a coordinate's share of mass at an end of the box
_ROUNDING = 64.0 * float(np.finfo(float).eps)
_SMOOTH = 1e-9  # error of the log of an interpolated message
_BULK = 40.0  # log of densities that matter for it
_MOST_CELLS = 512
_MARGIN = 0.02
_MOST_RAISES = 12

LogDensity = Callable[[FloatArray, FloatArray], FloatArray]


class Transfer:
    """A chain with its messages on a lattice.

    Attributes
    ----------
    log_partition : log Z.
    error : bound on its error; absolute.
    n_evaluations : bonds that were computed to find it.
    nodes : (n,) equally spaced, over a box outside which no coordinate has mass.
    log_messages : (dim, n) log of the integral over all coordinates behind the i-th, at its nodes.
    log_before : (dim, n) the same over all coordinates before it.
    """

    def __init__(self, links: Links, dim: int, nodes: FloatArray) -> None:
        self.links, self.dim, self.nodes = links, dim, nodes
        step = nodes[1] - nodes[0]
        site = links.site(nodes)
        bonds = links.bond(nodes[:, None], nodes[None, :]) if dim > 1 else np.zeros((len(nodes), 1))
        self.log_messages = _messages(site, bonds, step, dim)[::-1]
        log_masses = self.log_messages[0] - site + math.log(step)
        self.log_partition = float(scipy.special.logsumexp(log_masses))
        self.log_before = _messages(site, bonds.T, step, dim)
        log_shares = self.log_before + self.log_messages - site
        log_totals = scipy.special.logsumexp(log_shares, axis=1, keepdims=True)
        self.log_tail = float((log_shares[:, [0, -1]] - log_totals).max())
        self._is_bulk = log_shares > log_shares.max(axis=1, keepdims=True) - _BULK
        self.n_evaluations = bonds.size
        self.error = math.inf

    def roughness(self) -> float:
        """Error of the log of the messages between nodes, about, where coordinates have mass."""
        coarse = scipy.interpolate.CubicSpline(self.nodes[::2], self.log_messages[:, ::2], axis=1)
        missed = coarse(self.nodes[1::2]) - self.log_messages[:, 1::2]
        return float(np.abs(missed[self._is_bulk[:, 1::2]]).max(initial=0.0)) / 16.0  # the error falls like step**4

    def mean_grad_theta(self) -> FloatArray:
        """Mean of dE/dtheta under the model, (n_params,), by the laws of coordinates and of neighbours."""
        x, y, log_step = self.nodes[:, None], self.nodes[None, :], math.log(self.nodes[1] - self.nodes[0])
        site = self.links.site(self.nodes)
        sites = np.exp(self.log_before + self.log_messages - site + (log_step - self.log_partition)).sum(axis=0)
        total = np.array([np.sum(sites * slope) for slope in self.links.site_grad_theta(self.nodes)])
        if self.dim == 1:
            return total
        alone = 2.0 * log_step - self.log_partition - site[:, None] - site - self.links.bond(x, y)
        pairs = np.zeros_like(alone)
        for before, behind in zip(self.log_before[:-1], self.log_messages[1:], strict=True):
            pairs += np.exp(alone + before[:, None] + behind)
        return np.asarray(total + [np.sum(pairs * slope) for slope in self.links.bond_grad_theta(x, y)])

    def draws(self, n: int, generator: np.random.Generator) -> FloatArray:
        """Independent points (n, dim), if messages are smooth enough."""
        edges = self.nodes[:: max(1, (len(self.nodes) - 1) // _MOST_CELLS)]
        points = np.zeros((n, self.dim))
        for i in range(self.dim):
            spline = scipy.interpolate.CubicSpline(self.nodes, self.log_messages[i])

            def log_density(
                x: FloatArray, y: FloatArray, spline: scipy.interpolate.CubicSpline = spline, is_first: bool = i == 0
            ) -> FloatArray:
                return np.asarray(spline(y) - self.links.site(y) - (0.0 * x if is_first else self.links.bond(x, y)))

            points[:, i] = _drawn(log_density, points[:, i - 1] if i else np.zeros(n), edges, generator)
        return points


def transfer(energy: Energy, *, rtol: float = 1e-8, for_draws: bool = False) -> Transfer:
    """log Z of a chain, and messages from which it is drawn.

    Parameters
    ----------
    energy : a `QuarticChain` of any length, its sums and multiples; others with `links`, whose coordinates' densities
        have no gap that a box around 0 could end in.
    rtol : relative error of Z that is aimed at, above 0.
    for_draws : whether messages between nodes have to be accurate too, to 1e-9.

    Raises
    ------
    NotNormalisableError : exp(-E) has no finite integral.
    ValueError : the energy is no such chain; its density is too narrow for the lattice.
    """
    rtol = _checks.positive(rtol, "rtol")
    links = energy.links()
    if links is None:
        raise ValueError(f"{energy.name} is not known to be a chain of neighbours; pass for example eb.QuarticChain().")
    half, n, n_evaluations = _HALF_WIDTH, _FEWEST_NODES, 0
    found = None
    for _ in range(_MOST_WIDENINGS):
        before, found = found, Transfer(links, energy.dim, np.linspace(-half, half, n))
        n_evaluations += found.n_evaluations
        if not found.log_tail < _LOG_TAIL:
            half, found = _WIDER * half, None
            continue
        if before is not None:
            change = abs(found.log_partition - before.log_partition)
            if change <= rtol and not (for_draws and found.roughness() > _SMOOTH):
                found.error = change + _ROUNDING * (energy.dim + abs(found.log_partition))
                found.n_evaluations = n_evaluations
                return found
        if n == _MOST_NODES:
            raise ValueError(
                f"{energy.name} is too narrow for a lattice of {n} nodes from {-half:.3g} to {half:.3g}; raise rtol, "
                "or rescale x."
            )
        n = 2 * n - 1
    raise NotNormalisableError(
        f"coordinates of {energy.name} have mass beyond {half:.3g}, so that exp(-E) seems to have no finite integral; "
        "add a term that confines x."
    )


def _messages(site: FloatArray, bonds: FloatArray, step: float, dim: int) -> FloatArray:
    """(dim, n) log of integrals over 0, 1, ..., dim - 1 coordinates behind one, with bonds (n, n) to the next."""
    messages = np.zeros((dim, len(site)))
    for i in range(1, dim):
        exponents = messages[i - 1] - site - bonds
        highest = exponents.max(axis=1)
        np.exp(exponents - highest[:, None], out=exponents)
        messages[i] = highest + np.log(exponents.sum(axis=1)) + math.log(step)
    return messages


def _drawn(log_density: LogDensity, x: FloatArray, edges: FloatArray, generator: np.random.Generator) -> FloatArray:
    """A y of the density exp(log_density(x, y)) for each of x (n,), both inside of the cells between edges."""
    values = log_density(edges[:, None], edges[None, :])
    for raised in range(_MOST_RAISES):
        y = _tried(log_density, x, edges, _log_bounds(values, 2.0**raised), generator)
        if y is not None:
            return y
    raise ValueError("a chain has no bounds between neighbouring nodes; smooth its terms.")


def _log_bounds(values: FloatArray, caution: float) -> FloatArray:
    """Bounds on a function inside of cells, from its values at their corners.

    It differs from its bilinear interpolant by no more than an eighth of its largest second differences.
    """
    corners, bends = values, np.zeros_like(values)
    for axis in (0, 1):
        bend = np.pad(np.abs(np.diff(values, 2, axis=axis)), [(int(axis == j),) * 2 for j in (0, 1)], mode="edge")
        bends = bends + bend
    for axis in (0, 1):
        corners, bends = (
            np.maximum(np.moveaxis(one, axis, 0)[1:], np.moveaxis(one, axis, 0)[:-1]) for one in (corners, bends)
        )
        corners, bends = np.moveaxis(corners, 0, axis), np.moveaxis(bends, 0, axis)
    return np.asarray(corners + caution * (_MARGIN + bends / 8.0))


def _tried(
    log_density: LogDensity, x: FloatArray, edges: FloatArray, log_bounds: FloatArray, generator: np.random.Generator
) -> FloatArray | None:
    """As `_drawn`, or None if a bound was found to be too low."""
    n_cells, width = len(log_bounds), edges[1] - edges[0]
    cumulative = np.cumsum(np.exp(log_bounds - log_bounds.max(axis=1, keepdims=True)), axis=1)
    cumulative = cumulative / cumulative[:, -1:] + np.arange(n_cells)[:, None]  # all rows in one ascending sequence
    row = np.clip(((x - edges[0]) / width).astype(np.intp), 0, n_cells - 1)
    y = np.empty_like(x)
    missing = np.arange(len(x))
    while len(missing):
        uniforms = generator.random((3, len(missing)))
        here = row[missing]
        column = np.searchsorted(cumulative.ravel(), here + uniforms[0], side="right") - n_cells * here
        column = np.clip(column, 0, n_cells - 1)
        tried = edges[column] + width * uniforms[1]
        log_ratio = log_density(x[missing], tried) - log_bounds[here, column]
        if (log_ratio > 0.0).any():
            return None
        is_kept = np.log1p(-uniforms[2]) < log_ratio
        y[missing[is_kept]] = tried[is_kept]
        missing = missing[~is_kept]
    return y
