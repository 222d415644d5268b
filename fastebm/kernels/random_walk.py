"""Random-walk Metropolis: propose a step that does not look at the law, accept it by the ratio of the densities."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, checked_metric, correlate, move, note
from fastebm.lanes.lane import as_lane, load, load_row, store, store_row
from fastebm.streams import (
    lane_exponentials,
    lane_normals,
    lane_uniforms,
    load_streams,
    store_normals,
    store_streams,
)
from fastebm.tiles import LANES

SPREAD = math.sqrt(3.0)  # half of the interval on which a uniform number has variance 1


class RandomWalk(Kernel):
    """Metropolis's rule with proposals y = x + step_size * z, accepted when log u < E(x) - E(y).

    Parameters
    ----------
    step_size : standard deviation of a normal proposal in each coordinate, one number or (dim,) numbers, above 0, final
        as given. None: tuned in warm-up, pooled over chains, together with the shape of the law, towards an acceptance
        rate between 0.44 (one dimension) and 0.234 (many); then frozen.
    proposal : the law of z. "normal"; "uniform" between -sqrt(3) and sqrt(3) in each coordinate; or "student", normal
        numbers divided by one sqrt(chi2 / df), which now and then go far.
    df : degrees of freedom of "student", a whole number of at least 1.
    metric : what steps follow as they are tuned: "dense", the covariance of the law; "diagonal", the widths of the
        coordinates alone; None: the covariance in up to 32 dimensions.

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    W. K. Hastings (1970), doi:10.1093/biomet/57.1.97.
    G. O. Roberts, A. Gelman and W. R. Gilks (1997), doi:10.1214/aoap/1034625254 (the optimal acceptance rate).
    """

    is_reversible = True

    def __init__(
        self, step_size: ArrayLike | None = None, *, proposal: str = "normal", df: int = 5, metric: str | None = None
    ) -> None:
        self.step_size = _checks.step_size(step_size)
        self.proposal = _checks.choice(proposal, "proposal", ("normal", "uniform", "student"))
        self.df = _checks.count(df, "df")
        self.metric = checked_metric(metric)

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return dim + 2

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """step_size * scale, a matrix row by row; behind it, unless z is normal, df, or 0 for uniform."""
        steps = np.ravel(step_size * scale)
        behind = {"normal": [], "uniform": [0.0], "student": [float(self.df)]}[self.proposal]
        return np.concatenate([steps, behind])

    def first_step_size(self, dim: int) -> float:
        return 2.38 / math.sqrt(dim)

    def target_acceptance(self, dim: int) -> float:
        return 0.234 + 0.206 / dim

    def __repr__(self) -> str:
        words = {"normal": "", "uniform": ", proposal='uniform'", "student": f", proposal='student', df={self.df}"}
        metric = "" if self.metric is None else f", metric={self.metric!r}"
        return f"RandomWalk(step_size={self.step_size}{words[self.proposal]}{metric})"


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` as RandomWalk's method gives them. See `kernel`."""
    dim, width = x.shape
    is_plain = settings.shape[0] == dim
    y = scratch[:dim]
    e_y = scratch[dim]
    exponentials = scratch[dim + 1]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = load_streams(streams, l)
            if is_plain:
                for i in range(0, dim - 1, 2):
                    first, second, state = lane_normals(state)
                    store(y, i, l, load(x, i, l) + settings[i] * first)
                    store(y, i + 1, l, load(x, i + 1, l) + settings[i + 1] * second)
                if dim % 2:
                    last, _, state = lane_normals(state)
                    store(y, dim - 1, l, load(x, dim - 1, l) + settings[dim - 1] * last)
            else:
                state = propose(x, settings, state, y, l)
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
        energy(y, packed, e_y)
        for l in range(0, width, LANES):
            here, there = load_row(e, l), load_row(e_y, l)
            is_number = there > -np.inf
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-load_row(exponentials, l) < here - there) & is_number
            note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, exponentials)
            move(accepted, l, x, y)


@inlined_borrowing
def propose(x, settings, state, y, l):  # type: ignore[no-untyped-def]
    """y = x + root z for any law of z, and for a root that is a diagonal or a matrix; the streams after it."""
    dim = x.shape[0]
    n_steps = dim * dim if settings.shape[0] >= dim * dim else dim
    df = -1 if settings.shape[0] == n_steps else int(settings[n_steps])
    if df == 0:
        for i in range(dim):
            uniform, state = lane_uniforms(state)
            store(y, i, l, SPREAD * (2.0 * uniform - 1.0))
    else:
        state = store_normals(state, y, l)
    if df > 0:
        chi2 = as_lane(0.0)  # pairs of squared normal numbers are exponential
        for _ in range(df // 2):
            exponential, state = lane_exponentials(state)
            chi2 += 2.0 * exponential
        if df % 2:
            normal, _, state = lane_normals(state)
            chi2 += normal * normal
        stretch = np.sqrt(df / chi2)
        for i in range(dim):
            store(y, i, l, stretch * load(y, i, l))
    if n_steps > dim:
        correlate(settings, y, l)
    else:
        for i in range(dim):
            store(y, i, l, settings[i] * load(y, i, l))
    for i in range(dim):
        store(y, i, l, load(x, i, l) + load(y, i, l))
    return state
