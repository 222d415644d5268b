"""Refining a lattice until log Z stands still, and how far it can be trusted then."""

import math

import numpy as np

from fastebm._checks import FloatArray
from fastebm.exact import charts, lattices
from fastebm.exact.charts import Chart
from fastebm.exact.densities import Density
from fastebm.exact.lattices import Lattice
from fastebm.exact.modes import Modes

_FIRST_STEP = 0.75
_FINER = 0.7
_NEIGHBOURHOOD = 5.0  # widths around its modes that the first box holds
_MUCH = 0.1  # a coordinate whose coarseness is below this share of the worst one's keeps its step
_TRIAL_NODES = {1: 20_000, 2: 100_000, 3: 300_000}  # of a lattice, before another chart is tried
_MAX_EVALUATIONS = 15_000_000


class Refinement:
    """Ever finer lattices on one chart.

    Attributes
    ----------
    lattice : the last one; None if not even the first was possible.
    changes : of log Z from each lattice to the next.
    """

    def __init__(self, chart: Chart, rtol: float) -> None:
        self.chart, self.rtol = chart, rtol
        self.negligible = max(1e-18, 1e-3 * rtol)
        self.steps = np.full(chart.density.dim, _FIRST_STEP)
        self.changes: list[float] = []
        box = np.array([
            ruler.t(np.array([(ruler.centres - away).min(), (ruler.centres + away).max()]))
            for ruler in chart.rulers
            for away in (_NEIGHBOURHOOD * ruler.scales,)
        ])
        self.lattice = lattices.laid(chart, self.steps, box, 0, self.negligible)
        while self.lattice is not None and self.lattice.log_total == -math.inf:
            self.steps = 0.5 * self.steps  # all nodes lie outside a small support
            self.lattice = lattices.laid(chart, self.steps, box, 0, self.negligible)

    def refine(self, max_nodes: int) -> None:
        """Lay finer lattices until the error is below rtol, or the next has too many nodes."""
        while self.lattice is not None and self.quadrature_error() > self.rtol:
            coarseness = self.lattice.coarseness()
            steps = np.where(coarseness >= _MUCH * coarseness.max(), _FINER * self.steps, self.steps)
            expected = self.lattice.n_nodes * np.prod(self.steps / steps)
            if expected > max_nodes or self.chart.density.n_evaluations + expected > _MAX_EVALUATIONS:
                return
            box = self.lattice.box(self.negligible)
            finer = lattices.laid(self.chart, steps, box, len(self.changes) + 1, self.negligible)
            if finer is None:
                return
            self.changes.append(abs(finer.log_total - self.lattice.log_total))
            self.steps, self.lattice = steps, finer

    def quadrature_error(self) -> float:
        """Bound on the error of log Z from the lattice's steps, infinite while there is too little to go by.

        Where three lattices come together ever faster, as they do for smooth densities, the last change belongs to the
        last but one. Where they do not, at kinks, a change can be small by chance: the largest of several is taken.
        """
        if self.lattice is None or len(self.changes) < 2:
            return math.inf
        before, last = self.changes[-2:]
        if self.is_smooth():
            return 2.0 * last
        return 2.0 * max(last, before, self.lattice.coarseness().max())

    def is_smooth(self) -> bool:
        """Whether the last lattices came together faster and faster."""
        if len(self.changes) < 3:
            return False
        first, before, last = self.changes[-3:]
        return last <= 0.02 * before and before <= 0.15 * first


def resolved(density: Density, found: Modes, rtol: float) -> Refinement:
    """The refinement that comes nearest to rtol: on the modes' chart, or the moments' where modes are a bad guide."""
    dim = density.dim
    rivals = [Refinement(charts.of_modes(density, found), rtol)]
    rivals[0].refine(_TRIAL_NODES[dim])
    if rivals[0].quadrature_error() > rtol and rivals[0].lattice is not None:
        mean, cov = rivals[0].lattice.moments()
        if np.isfinite(cov).all() and np.linalg.cond(cov) < 1e12:
            rivals.append(Refinement(charts.of_moments(density, mean, cov), rtol))
            rivals[1].refine(_TRIAL_NODES[dim])
    best = min(rivals, key=Refinement.quadrature_error)
    best.refine(lattices.MAX_NODES[dim])
    return min(rivals, key=Refinement.quadrature_error)
