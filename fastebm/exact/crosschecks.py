"""A second opinion on log Z from SciPy's adaptive rules, which share neither nodes nor error estimates with a lattice.

Left alone such rules step over narrow peaks and report no error, so each is given pieces that are short near the modes.
"""

import math

import numpy as np
import scipy

from fastebm._checks import FloatArray
from fastebm.exact.lattices import Lattice

_PLANES = {1: 8, 2: 14, 3: 10}  # of the lattice, that a piece spans: its step shows how fine the density is
_MAX_PIECES = {1: 2000, 2: 12, 3: 6}  # along each coordinate
_BUDGET = 200_000  # evaluations
_RULE = {2: "gk15", 3: "genz-malik"}
_N_RULE = {2: 15**2, 3: 33}  # its nodes
_RTOL = {1: 1e-9, 2: 1e-6, 3: 1e-5}
_MARGIN = 0.03  # of the lattice's box, looked at beyond each of its ends


def second_opinion(lattice: Lattice) -> tuple[float, float]:
    """log Z over the lattice's box and a little more, and the error that the rule claims: an estimate, no bound."""
    limits = lattice.chart.limits
    dim = len(limits)
    edges = []
    columns = zip(lattice.chart.rulers, lattice.marks, lattice.steps, limits, strict=True)
    for ruler, mark, step, limit in columns:
        margin = _MARGIN * (mark[-1] - mark[0]) + step
        low, high = max(mark[0] - margin, limit[0]), min(mark[-1] + margin, limit[1])
        n_pieces = min(math.ceil(len(mark) / _PLANES[dim]), _MAX_PIECES[dim])
        edges.append(ruler.y(np.linspace(low, high, 1 + n_pieces)))
    with np.errstate(all="ignore"):
        total, error = (_on_line if dim == 1 else _on_boxes)(lattice, edges)
    if not total > 0.0:
        return -math.inf, math.inf
    return lattice.log_total + math.log(total), error / total


def _on_line(lattice: Lattice, edges: list[FloatArray]) -> tuple[float, float]:
    """The integral in units of the lattice's and its error, by the tanh-sinh rule between edges and modes."""
    centres = lattice.chart.rulers[0].centres
    cuts = np.unique(np.concatenate([edges[0], centres[(centres > edges[0][0]) & (centres < edges[0][-1])]]))

    def density(y: FloatArray) -> FloatArray:
        return _density(lattice, y.reshape(-1, 1)).reshape(y.shape)

    found = scipy.integrate.tanhsinh(density, cuts[:-1], cuts[1:], maxlevel=7, atol=_RTOL[1] / len(cuts), rtol=_RTOL[1])
    return float(found.integral.sum()), float(found.error.sum())


def _on_boxes(lattice: Lattice, edges: list[FloatArray]) -> tuple[float, float]:
    """The same over boxes between the edges, all at once: a vector-valued integrand on the unit cube."""
    dim = len(edges)
    lows = np.stack([part.ravel() for part in np.meshgrid(*(edge[:-1] for edge in edges), indexing="ij")], axis=-1)
    widths = np.stack([part.ravel() for part in np.meshgrid(*map(np.diff, edges), indexing="ij")], axis=-1)
    volumes = widths.prod(axis=1)

    def density(u: FloatArray) -> FloatArray:
        y = lows + u[:, None, :] * widths
        return np.asarray(volumes * _density(lattice, y.reshape(-1, dim)).reshape(len(u), len(lows)))

    found = scipy.integrate.cubature(
        density, np.zeros(dim), np.ones(dim), rule=_RULE[dim], rtol=_RTOL[dim], atol=_RTOL[dim] / len(lows),
        max_subdivisions=_BUDGET // (2 * _N_RULE[dim] * len(lows) * 2**dim),
    )
    return float(found.estimate.sum()), float(found.error.sum())


def _density(lattice: Lattice, y: FloatArray) -> FloatArray:
    """Density (n,) in the whitened coordinates y (n, dim), in units of the lattice's total."""
    chart = lattice.chart
    return np.asarray(np.exp(chart.density.log(chart.v(y)) + (chart.log_volume - lattice.log_total)))
