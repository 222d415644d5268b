"""The Metropolis-adjusted Langevin algorithm: propose along the gradient, accept by the ratio of the densities."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, checked_metric, correlate, correlate_back, move, note
from fastebm.kernels.langevin import Langevin, propose
from fastebm.lanes.lane import as_lane, load, load_row, store, store_row
from fastebm.streams import lane_exponentials, load_streams, store_normals, store_streams
from fastebm.tiles import LANES


class MALA(Langevin):
    """Proposals y = x - eps dE/dx + sqrt(2 eps) normal, accepted by Hastings's rule, which makes the law exact.

    They are accepted when log u < E(x) - E(y) + log q(x | y) - log q(y | x), with q the density of the proposal.

    Parameters
    ----------
    step_size : eps, one number or (dim,) numbers, above 0, final as given. None: tuned in warm-up, pooled over chains,
        together with the relative scales of the coordinates, towards an acceptance rate of 0.574; then frozen. eps is
        half a variance: in coordinates that are c times as wide it is c**2 times as large.
    metric : what steps follow as they are tuned: "diagonal", the widths of the coordinates, or "dense", their
        covariance C as well, with proposals y = x - eps C dE/dx + sqrt(2 eps) C**(1/2) normal; each then costs dim**2.

    References
    ----------
    J. Besag (1994), comments on Grenander and Miller, doi:10.1111/j.2517-6161.1994.tb02000.x.
    G. O. Roberts and R. L. Tweedie (1996), doi:10.2307/3318418.
    G. O. Roberts and J. S. Rosenthal (1998), doi:10.1111/1467-9868.00123 (the optimal acceptance rate).
    """

    is_reversible = True

    def __init__(self, step_size: ArrayLike | None = None, *, metric: str = "diagonal") -> None:
        super().__init__(step_size)
        self.metric = checked_metric(metric)

    def __repr__(self) -> str:
        metric = "" if self.metric == "diagonal" else f", metric={self.metric!r}"
        return f"MALA(step_size={self.step_size}{metric})"

    @property
    def advance(self) -> Compiled:
        return advance

    def first_step_size(self, dim: int) -> float:
        # a hundredth of the best for normal distributions: starts in steep tails, where longer steps would be thrown
        # far to the other side and rejected for ever, slide down first
        return float(0.0136 * dim ** (-1.0 / 3.0))

    def target_acceptance(self, dim: int) -> float:
        return 0.574


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` as `Langevin.settings` gives them. See `kernel`."""
    dim, width = x.shape
    is_dense, root = settings.shape[0] > 2 * dim, settings[2 * dim :]
    z, drift = scratch[2 * dim + 2 : 3 * dim + 2], scratch[3 * dim + 2 :]
    y, g_y = scratch[:dim], scratch[dim : 2 * dim]
    e_y, exponentials = scratch[2 * dim], scratch[2 * dim + 1]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            if is_dense:
                state = propose_along(root, x, g, load_streams(streams, l), y, z, drift, l)
            else:
                state = propose(x, g, settings, load_streams(streams, l), y, l)
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
        grad(y, packed, e_y, g_y)
        for l in range(0, width, LANES):
            here, there = load_row(e, l), load_row(e_y, l)
            twice = as_lane(0.0)  # log q(x | y) - log q(y | x), from the step as it was rounded
            if is_dense:
                twice = hastings_along(root, g_y, z, drift, l)
            else:
                for i in range(dim):
                    before, after = load(g, i, l), load(g_y, i, l)
                    step = load(y, i, l) - load(x, i, l)
                    twice += (before + after) * (step + 0.5 * settings[i] * (before - after))
            log_ratio = here - there + 0.5 * twice
            is_number = (there > -np.inf) & ((log_ratio == log_ratio) | (there == np.inf))
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-load_row(exponentials, l) < log_ratio) & is_number & (there < np.inf)
            note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, exponentials)
            move(accepted, l, x, y)
            move(accepted, l, g, g_y)


# ---- along the axes of a covariance, with A = sqrt(2 eps) L ----


@inlined_borrowing
def propose_along(root, x, g, state, y, z, drift, l):  # type: ignore[no-untyped-def]
    """y = x + A (z - drift), with normal z and drift = A^T g / 2, which both stay; the streams after it."""
    dim = x.shape[0]
    state = store_normals(state, z, l)
    correlate_back(root, g, drift, l)
    for i in range(dim):
        store(drift, i, l, 0.5 * load(drift, i, l))
        store(y, i, l, load(z, i, l) - load(drift, i, l))
    correlate(root, y, l)
    for i in range(dim):
        store(y, i, l, load(x, i, l) + load(y, i, l))
    return state


@inlined_borrowing
def hastings_along(root, g_y, z, drift, l):  # type: ignore[no-untyped-def]
    """2 log q(x | y) - 2 log q(y | x) = z**2 - w**2, where w = drift + A^T g_y / 2 - z leads back from y to x."""
    dim = z.shape[0]
    twice = as_lane(0.0)
    for j in range(dim):
        total = root[j * dim + j] * load(g_y, j, l)
        for i in range(j + 1, dim):
            total += root[i * dim + j] * load(g_y, i, l)
        back = load(drift, j, l) + 0.5 * total
        twice += back * (2.0 * load(z, j, l) - back)
    return twice
