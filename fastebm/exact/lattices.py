"""The trapezoid rule on a lattice of equal steps in the coordinates of a chart, over the box that holds the mass."""

import math
from collections.abc import Iterator

import numpy as np

from fastebm._checks import FloatArray
from fastebm.exact.charts import Chart
from fastebm.exact.densities import Density

MAX_NODES = 4_000_000
_ROWS = 2**17  # nodes whose coordinates are in memory at once
_NEGLIGIBLE = 1e-18  # share of the mass below which planes at the ends of the box may be left out
_OFFSETS = np.sqrt([2.0, 3.0, 5.0])  # irrational, and independent of each other
_GROWTH = 0.25  # of the box, added at an end where there is still mass


class Lattice:
    """Nodes t_i = starts_i + steps_i k for k = 0 ... counts_i - 1, and the mass that each stands for.

    Attributes
    ----------
    log_mass : (product of counts,) log of density times the volume of a cell; the last coordinate changes fastest.
    log_total : their sum: the trapezoid rule's log Z.
    marginals : for each coordinate (counts_i,), the shares of the mass in the lattice's planes.
    """

    def __init__(self, chart: Chart, density: Density, starts: FloatArray, steps: FloatArray, counts: list[int]) -> None:
        self.chart, self.density, self.starts, self.steps, self.counts = chart, density, starts, steps, counts
        self.marks = [start + step * np.arange(n) for start, step, n in zip(starts, steps, counts, strict=True)]
        self._y = [ruler.y(mark) for ruler, mark in zip(chart.rulers, self.marks, strict=True)]
        self._log_slopes = [
            ruler.log_slope(y) + math.log(step) for ruler, y, step in zip(chart.rulers, self._y, steps, strict=True)
        ]
        self.log_mass = np.concatenate(
            [density.log(self.v(rows)) + self.log_volume(rows) for rows in self.chunks()]
        )
        peak = self.log_mass.max()
        shares = np.exp(self.log_mass - (peak if np.isfinite(peak) else 0.0)).reshape(counts)
        total = shares.sum()
        self.log_total = float(peak + np.log(total)) if total > 0.0 else -math.inf
        axes = set(range(len(counts)))
        self.marginals = [shares.sum(axis=tuple(axes - {i})) / (total or 1.0) for i in sorted(axes)]

    @property
    def n_nodes(self) -> int:
        return math.prod(self.counts)

    def chunks(self) -> Iterator[slice]:
        """All nodes, in pieces that fit in memory with their coordinates."""
        return (slice(first, min(first + _ROWS, self.n_nodes)) for first in range(0, self.n_nodes, _ROWS))

    def v(self, rows: slice | FloatArray) -> FloatArray:
        """Coordinates (n, dim) of some nodes."""
        places = self._places(rows)
        return self.chart.v(np.column_stack([y[k] for y, k in zip(self._y, places, strict=True)]))

    def log_volume(self, rows: slice | FloatArray) -> FloatArray:
        """log of the cells' volumes in v (n,)."""
        places = self._places(rows)
        parts = [slope[k] for slope, k in zip(self._log_slopes, places, strict=True)]
        return np.asarray(np.sum(parts, axis=0) + self.chart.log_volume)

    def _places(self, rows: slice | FloatArray) -> tuple[FloatArray, ...]:
        flat = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return np.unravel_index(flat, self.counts)

    def halving_change(self, i: int) -> float:
        """By how much log Z changes when every second plane across coordinate i is left out, roughly."""
        return float(abs(self.marginals[i][::2].sum() - self.marginals[i][1::2].sum()))

    def box(self) -> FloatArray:
        """(dim, 2) marks between which all but a negligible share of the mass lies, a step more at each end."""
        ends = []
        for mark, step, share in zip(self.marks, self.steps, self.marginals, strict=True):
            kept = np.flatnonzero(np.minimum(np.cumsum(share), np.cumsum(share[::-1])[::-1]) > _NEGLIGIBLE)
            ends.append((mark[kept[0]] - step, mark[kept[-1]] + step))
        return np.array(ends)

    def open_ends(self) -> FloatArray:
        """(dim, 2) bool: where the box ends although there is mass."""
        return np.array([[share[0] > _NEGLIGIBLE, share[-1] > _NEGLIGIBLE] for share in self.marginals])

    def tail(self) -> float:
        """Share of the mass beyond the box, supposing that it goes on falling in the same proportion."""
        return sum(_beyond(ends[0], ends[1]) for share in self.marginals for ends in (share[:2], share[:-3:-1]))


def laid(chart: Chart, steps: FloatArray, box: FloatArray, level: int) -> Lattice | None:
    """The lattice of the given steps over `box`, widened until no mass is left at its ends, or the limits are reached.

    Its offset depends on `level`, so that the lattices of two levels have no planes in common and err independently.
    None if it would have more than MAX_NODES nodes.
    """
    limits = chart.limits
    offsets = level * _OFFSETS[: len(steps)] % 1.0
    while True:
        box = np.clip(box, limits[:, :1], limits[:, 1:])
        starts = box[:, 0] + offsets * steps
        counts = [max(4, int(n)) for n in (box[:, 1] - starts) / steps + 1.0]
        if math.prod(counts) > MAX_NODES:
            return None
        lattice = Lattice(chart, chart.density, starts, steps, counts)
        widen = lattice.open_ends() & (np.abs(limits - box) > 0.0)
        if not widen.any():
            return lattice
        box = box + widen * (_GROWTH * (box[:, 1:] - box[:, :1])) * [-1.0, 1.0]


def _beyond(last: float, before: float) -> float:
    """Sum of the geometric series that goes on from `before`, `last`; infinite if it does not fall."""
    if last == 0.0:
        return 0.0
    return last * last / (before - last) if before > last else math.inf
