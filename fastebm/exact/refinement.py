"""Refining a lattice until log Z stands still, and how far it can be trusted then."""

import math

import numpy as np

from fastebm._checks import FloatArray
from fastebm.exact import charts, lattices
from fastebm.exact.charts import Chart
from fastebm.exact.densities import Density
from fastebm.exact.modes import Modes

_FIRST_STEP = 0.75
_FINEST_STEP = 1e-5  # a chart that needs a finer one to resolve the modes is of no use
_FINER = 0.7
_NEIGHBOURHOOD = 5.0  # widths around its modes that the first box holds
_MUCH = 0.01  # a coordinate whose coarseness is below this share of the worst one's keeps its step
_TRIAL_NODES = {1: 20_000, 2: 100_000, 3: 500_000}  # of a lattice, before another chart is tried
_MAX_EVALUATIONS = 8_000_000
_ROUGH = 0.05  # coarseness from which on a lattice does not tell where mass is negligible
_SMOOTHER = 0.3  # share of the roughness that makes another chart worth its while
_HIGHER = 1.0  # in log density
_SAFETY = 7.0  # a peak's mass is only estimated to a factor of exp of this
_SINGULAR = 1e12  # condition number


class Refinement:
    """Ever finer lattices on one chart.

    Parameters
    ----------
    chart : the chart.
    found : modes that always lie in the box and are resolved; a lattice that is still coarse can overlook them.
    rtol : change of log Z at which to stop.

    Attributes
    ----------
    lattice : the last one; None if not even the first was possible.
    changes : of log Z from each lattice to the next.
    coarseness : (dim,) of each lattice, see there.
    doubt : by how much more than their errors allow another chart's log Z is away.
    """

    def __init__(self, chart: Chart, found: Modes, rtol: float) -> None:
        self.chart, self.rtol = chart, rtol
        self.negligible = max(1e-18, 3e-3 * rtol)
        self.found = found
        self.changes: list[float] = []
        self.doubt = 0.0
        places, widths = chart.peaks(found)
        rulers = list(enumerate(chart.rulers))
        near, far = places - _NEIGHBOURHOOD * widths, places + _NEIGHBOURHOOD * widths
        self.box = np.array([ruler.t(np.array([near[:, i].min(), far[:, i].max()])) for i, ruler in rulers])
        finest = [(widths[:, i] / np.exp(ruler.log_slope(places[:, i]))).min() for i, ruler in rulers]
        self.steps = np.minimum(_FIRST_STEP, finest)
        is_possible = self.steps.min() > _FINEST_STEP
        self.lattice = lattices.laid(chart, self.steps, self.box, 0, self.negligible) if is_possible else None
        while self.lattice is not None and self.lattice.log_total == -math.inf:
            self.steps = 0.5 * self.steps  # all nodes lie outside a small support
            self.lattice = lattices.laid(chart, self.steps, self.box, 0, self.negligible)
        self.coarseness = [] if self.lattice is None else [self.lattice.coarseness()]
        self.all_steps = [self.steps]

    def refine(self, max_nodes: int, max_evaluations: int) -> None:
        """Lay finer lattices until the error is below rtol, or the next has too many nodes."""
        while self.lattice is not None and self.error() > self.rtol:
            coarseness = np.max(self.coarseness[-2:], axis=0)  # a single one can be small by chance
            steps = np.where(coarseness >= _MUCH * coarseness.max(), _FINER * self.steps, self.steps)
            expected = self.lattice.n_nodes * np.prod(self.steps / steps)
            if expected > max_nodes or self.chart.density.n_evaluations + expected > max_evaluations:
                return
            box = self.lattice.box(self.negligible) if coarseness.max() < _ROUGH else self.lattice.box(0.0)
            box = np.column_stack([np.minimum(box[:, 0], self.box[:, 0]), np.maximum(box[:, 1], self.box[:, 1])])
            finer = lattices.laid(self.chart, steps, box, len(self.changes) + 1, self.negligible)
            if finer is None:
                return
            self.changes.append(abs(finer.log_total - self.lattice.log_total))
            self.coarseness.append(finer.coarseness())
            self.steps, self.lattice = steps, finer
            self.all_steps.append(steps)

    def error(self) -> float:
        """Bound on the error of log Z from the lattice's steps, infinite while there is too little to go by."""
        if self.lattice is None or not self.changes:
            return math.inf
        if self.is_smooth():
            # The change is the error of the last but one. It can be small by chance, as any error that oscillates with
            # the lattice's offset, so that coarseness has to agree.
            safety = 3.0 if len(self.changes) > 1 else 10.0
            return max(safety * self.changes[-1], 4.0 * self._error_by_coarseness(), self.doubt)
        if len(self.changes) == 1:
            return math.inf
        # At kinks and jumps errors fall slowly and unevenly, so that one of them can be small by chance.
        return max(4.0 * max(*self.changes[-2:], float(self.coarseness[-1].max())), self.doubt)

    def _error_by_coarseness(self) -> float:
        """What the last lattices' errors with twice their steps make of the error with today's, if density is smooth.

        Two laws, of which the larger counts: log(error) goes as -1/step, the largest of three lattices taken since
        each can be small by chance; and error goes as a power of the step, the one seen over the three lattices.
        """
        all_steps, coarseness = np.array(self.all_steps[-3:]), np.array(self.coarseness[-3:])
        with np.errstate(all="ignore"):
            exponential = (coarseness ** (2.0 * all_steps / self.steps)).max(axis=0)
            power = np.log(coarseness[0] / coarseness[-1]) / np.log(all_steps[0] / self.steps)
            algebraic = np.nan_to_num(coarseness[-1] * 0.5**power)  # a step that stands still has no power
            return float(np.maximum(exponential, algebraic).sum())  # infinite before the density is resolved

    def is_smooth(self) -> bool:
        """Whether log Z converges as for a smooth density: half the step, twice the digits."""
        if not self.changes:
            return False
        falls = len(self.changes) == 1 or self.changes[-1] <= 0.5 * self.changes[-2]
        return falls and self.changes[-1] <= 10.0 * float(np.max(self.coarseness[-3:-1])) ** 2

    def roughness(self) -> float:
        """Largest coarseness of the last two lattices, by which charts with lattices of a size compare."""
        return float(np.max(self.coarseness[-2:])) if self.coarseness else math.inf

    def has_room(self) -> bool:
        """Whether there will be changes enough to judge the error by."""
        levels = max(0, 2 - len(self.changes))
        dim = len(self.steps)
        return self.lattice is not None and self.lattice.n_nodes * _FINER ** (-dim * levels) <= lattices.MAX_NODES[dim]

    def missed(self) -> FloatArray | None:
        """v (dim,) of a node that is higher than any mode that was found, if there is one."""
        if self.lattice is None:
            return None
        place, height = self.lattice.highest()
        return place if height > self.found.log_heights[0] + _HIGHER else None


def resolved(density: Density, found: Modes, rtol: float) -> Refinement:
    """The refinement that comes nearest to rtol: on the modes' chart, or the moments' where modes are a bad guide."""
    dim = density.dim
    budget = density.n_evaluations + _MAX_EVALUATIONS
    found = found.heaviest(math.log(rtol) - _SAFETY)
    on_modes = Refinement(charts.of_modes(density, found), found, rtol)
    on_modes.refine(_TRIAL_NODES[dim], budget)
    if on_modes.error() <= rtol or on_modes.lattice is None or on_modes.missed() is not None:
        return on_modes
    mean, cov = on_modes.lattice.moments()
    if not (np.isfinite(cov).all() and np.linalg.cond(cov) < _SINGULAR):
        on_modes.refine(lattices.MAX_NODES[dim], budget)
        return on_modes
    on_moments = Refinement(charts.of_moments(density, mean, cov), found, rtol)
    on_moments.refine(_TRIAL_NODES[dim], budget)
    best, other = on_modes, on_moments
    if on_moments.roughness() < _SMOOTHER * on_modes.roughness() and on_moments.has_room():
        best, other = on_moments, on_modes
    best.refine(lattices.MAX_NODES[dim], budget)
    if best.lattice is not None and other.lattice is not None:
        apart = abs(best.lattice.log_total - other.lattice.log_total)
        best.doubt = apart if apart > best.error() + other.error() else 0.0
    return best
