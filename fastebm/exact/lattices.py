"""The trapezoid rule on a lattice of equal steps in the coordinates of a chart, over the box that holds the mass."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.exact.charts import Chart
from fastebm.exact.densities import Density

MAX_NODES = {1: 300_000, 2: 3_000_000, 3: 4_000_000}
_CHUNK = 2**17  # nodes whose coordinates are in memory at once
_OFFSETS = np.sqrt([2.0, 3.0, 5.0])  # irrational, and independent of each other

_HEAVIEST = 64  # nodes among which a peak would be that no mode explains
_BULK = 30.0  # log of shares of the mass that matter for moments

Rows = slice | NDArray[np.intp]


class Lattice:
    """Nodes t_i = starts_i + steps_i k for k = 0 ... counts_i - 1, and the mass that each stands for.

    Attributes
    ----------
    log_mass : (product of counts,) log of density times the volume of a cell; the last coordinate changes fastest.
    log_total : log of their sum: the trapezoid rule's log Z.
    marginals : for each coordinate (counts_i,), the shares of the mass in the lattice's planes.
    """

    def __init__(
        self, chart: Chart, density: Density, starts: FloatArray, steps: FloatArray, counts: list[int]
    ) -> None:
        self.chart, self.density, self.starts, self.steps, self.counts = chart, density, starts, steps, counts
        self.marks = [start + step * np.arange(n) for start, step, n in zip(starts, steps, counts, strict=True)]
        self._y = [ruler.y(mark) for ruler, mark in zip(chart.rulers, self.marks, strict=True)]
        self._log_slopes = [
            ruler.log_slope(y) + math.log(step) for ruler, y, step in zip(chart.rulers, self._y, steps, strict=True)
        ]
        self.log_mass = np.concatenate([density.log(self.v(rows)) + self.log_volume(rows) for rows in self._chunks()])
        peak = self.log_mass.max()
        shares = np.exp(self.log_mass - (peak if np.isfinite(peak) else 0.0)).reshape(counts)
        total = shares.sum()
        self.log_total = float(peak + np.log(total)) if total > 0.0 else -math.inf
        axes = range(len(counts))
        self.marginals = [shares.sum(axis=tuple(j for j in axes if j != i)) / (total or 1.0) for i in axes]

    @property
    def n_nodes(self) -> int:
        return math.prod(self.counts)

    def v(self, rows: Rows) -> FloatArray:
        """Coordinates (n, dim) of some nodes."""
        return self.chart.v(np.column_stack([y[k] for y, k in zip(self._y, self._places(rows), strict=True)]))

    def log_volume(self, rows: Rows) -> FloatArray:
        """log of the volumes in v of some nodes' cells (n,)."""
        slopes = [slope[k] for slope, k in zip(self._log_slopes, self._places(rows), strict=True)]
        return np.asarray(np.sum(slopes, axis=0) + self.chart.log_volume)

    def log_density(self) -> FloatArray:
        """log of the density in v at the nodes, of shape `counts`."""
        slopes = sum(np.expand_dims(slope, [j for j in range(len(self.counts)) if j != i])
                     for i, slope in enumerate(self._log_slopes))
        log_mass = self.log_mass.reshape(self.counts)
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(log_mass), -np.inf, log_mass - slopes - self.chart.log_volume)

    def cells(self) -> tuple[list[FloatArray], FloatArray]:
        """Edges in y of the cells between nodes, for each coordinate, and log of the cells' volumes in v."""
        log_volumes = np.full((1,) * len(self.counts), self.chart.log_volume)
        for i, edges in enumerate(self._y):
            with np.errstate(divide="ignore"):
                widths = np.log(np.diff(edges))
            log_volumes = log_volumes + np.expand_dims(widths, [j for j in range(len(self.counts)) if j != i])
        return self._y, log_volumes

    def coarseness(self) -> FloatArray:
        """(dim,) by how much log Z changes when every second plane across a coordinate is left out, about."""
        return np.array([abs(share[::2].sum() - share[1::2].sum()) for share in self.marginals])

    def box(self, negligible: float) -> FloatArray:
        """(dim, 2) marks outside which less than a negligible share of the mass lies, and a step more at each end."""
        ends = []
        for mark, step, share in zip(self.marks, self.steps, self.marginals, strict=True):
            outside = np.minimum(np.cumsum(share), np.cumsum(share[::-1])[::-1])
            kept = np.flatnonzero(outside > negligible) if negligible > 0.0 else [0, -1]
            ends.append((mark[kept[0]] - step, mark[kept[-1]] + step))
        return np.array(ends)

    def tails(self) -> FloatArray:
        """(dim, 2) shares of the mass beyond each end, if it goes on falling as it does before the end; or infinite.

        Close to a wall rounding blurs single planes: planes are taken together up to a factor of ten in distance.
        """
        tails = []
        limits = self.chart.limits
        for i, share in enumerate(self.marginals):
            apart = self.chart.frame[i, i] * np.exp(self._log_slopes[i][[0, -1]])
            at_limit = np.abs(self.marks[i][[0, -1]] - limits[i]) <= self.steps[i]
            groups = np.where(at_limit, np.clip(np.ceil(2.0 / apart), 1, len(share) // 10 or 1), 1).astype(int)
            ends = zip((share, share[::-1]), groups, strict=True)
            tails.append([_beyond(side[:n].sum(), side[n : 2 * n].sum()) for side, n in ends])
        return np.array(tails)

    def highest(self) -> tuple[FloatArray, float]:
        """v (dim,) and log density of the highest of the heaviest nodes."""
        rows = np.argpartition(self.log_mass, -min(_HEAVIEST, self.n_nodes))[-_HEAVIEST:]
        heights = self.log_mass[rows] - self.log_volume(rows)
        return self.v(rows)[heights.argmax()], float(heights.max())

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean (dim,) and covariance (dim, dim) in v of the bulk of the mass."""
        rows = np.flatnonzero(self.log_mass > self.log_total - _BULK)
        v, share = self.v(rows), np.exp(self.log_mass[rows] - self.log_total)
        mean = np.average(v, axis=0, weights=share)
        return mean, np.atleast_2d(np.cov(v, rowvar=False, aweights=share, ddof=0))

    def _chunks(self) -> Iterator[slice]:
        return (slice(first, min(first + _CHUNK, self.n_nodes)) for first in range(0, self.n_nodes, _CHUNK))

    def _places(self, rows: Rows) -> tuple[NDArray[Any], ...]:
        flat = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return np.unravel_index(flat, self.counts)


def laid(chart: Chart, steps: FloatArray, box: FloatArray, level: int, negligible: float) -> Lattice | None:
    """The lattice of the given steps over `box`, widened until no mass is left outside, or the limits are reached.

    Its offset depends on `level`, so that lattices of two levels have no planes in common and err independently.
    None if it would have too many nodes.
    """
    limits = chart.limits
    offsets = level * _OFFSETS[: len(steps)] % 1.0
    while True:
        box = np.clip(box, limits[:, :1], limits[:, 1:])
        starts = box[:, 0] + offsets * steps
        counts = [max(4, int(n)) for n in (box[:, 1] - starts) / steps + 1.0]
        if math.prod(counts) > MAX_NODES[len(counts)]:
            return None
        lattice = Lattice(chart, chart.density, starts, steps, counts)
        at_limit = np.abs(limits - box) == 0.0
        more = np.array([
            [_planes_wanted(share, negligible), _planes_wanted(share[::-1], negligible)] for share in lattice.marginals
        ])
        more = np.where(at_limit, 0.0, np.minimum(more * steps[:, None], box[:, 1:] - box[:, :1]))
        if not more.any():
            return lattice
        box = box + more * [-1.0, 1.0]


def _beyond(last: float, before: float) -> float:
    """Sum of what follows two planes, or groups of planes, that go outwards; infinite if they do not fall.

    A fast fall is taken as geometric. A slow one may be a power, whose sum is larger: for 1/k**2 twice, for 1/k**(4/3)
    four times.
    """
    if last == 0.0:
        return 0.0
    if last >= before:
        return math.inf
    return float(last * last / (before - last)) * (4.0 if last > 0.5 * before else 1.0)


def _planes_wanted(share: FloatArray, negligible: float) -> float:
    """How many planes more before the first of `share` leave a negligible share outside."""
    beyond = _beyond(share[0], share[1])
    if beyond <= negligible:
        return 0.0
    return 1.0 + 1.1 * math.log(beyond / negligible) / math.log(share[1] / share[0]) if beyond < math.inf else math.inf
