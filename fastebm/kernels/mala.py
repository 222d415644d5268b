"""The Metropolis-adjusted Langevin algorithm: propose along the gradient, accept by the ratio of the densities."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm._compile import Compiled, compiled
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, move, note
from fastebm.kernels.langevin import Langevin, propose
from fastebm.lanes.lane import as_lane, load, load_row, store_row
from fastebm.streams import lane_exponentials, load_streams, store_streams
from fastebm.tiles import LANES


class MALA(Langevin):
    """Proposals y = x - eps dE/dx + sqrt(2 eps) normal, accepted by Hastings's rule, which makes the law exact.

    They are accepted when log u < E(x) - E(y) + log q(x | y) - log q(y | x), with q the density of the proposal.

    Parameters
    ----------
    step_size : eps, one number or (dim,) numbers, above 0, final as given. None: tuned in warm-up, pooled over chains,
        together with the relative scales of the coordinates, towards an acceptance rate of 0.574; then frozen. eps is
        half a variance: in coordinates that are c times as wide it is c**2 times as large.

    References
    ----------
    J. Besag (1994), comments on Grenander and Miller, doi:10.1111/j.2517-6161.1994.tb02000.x.
    G. O. Roberts and R. L. Tweedie (1996), doi:10.2307/3318418.
    G. O. Roberts and J. S. Rosenthal (1998), doi:10.1111/1467-9868.00123 (the optimal acceptance rate).
    """

    is_reversible = True

    def __init__(self, step_size: ArrayLike | None = None) -> None:
        super().__init__(step_size)

    @property
    def advance(self) -> Compiled:
        return advance

    def first_step_size(self, dim: int) -> float:
        # a hundredth of the best for normal distributions: starts in steep tails, where longer steps would be thrown
        # far to the other side and rejected for ever, slide down first
        return float(0.0136 * dim ** (-1.0 / 3.0))

    def target_acceptance(self, dim: int) -> float:
        return 0.574


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (2 dim,) as `Langevin.settings` gives them. See `kernel`."""
    dim, width = x.shape
    y, g_y = scratch[:dim], scratch[dim : 2 * dim]
    e_y, exponentials = scratch[2 * dim], scratch[2 * dim + 1]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = propose(x, g, settings, load_streams(streams, l), y, l)
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
        grad(y, packed, e_y, g_y)
        for l in range(0, width, LANES):
            here, there = load_row(e, l), load_row(e_y, l)
            twice = as_lane(0.0)  # log q(x | y) - log q(y | x), from the step as it was rounded
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
