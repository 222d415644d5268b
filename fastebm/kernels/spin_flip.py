"""Metropolis on discrete energies: another value at one coordinate, accepted by the ratio of the probabilities."""

import numpy as np

from fastebm._compile import Compiled, compiled
from fastebm.kernels.discrete import DiscreteKernel, exchanged, index_of, value_at
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, move, note
from fastebm.lanes.lane import as_lane, load_row, store_row
from fastebm.streams import lane_exponentials, lane_uniforms, load_streams, store_streams
from fastebm.tiles import LANES


class SpinFlip(DiscreteKernel):
    """A coordinate drawn at random is proposed another value, each as likely; accepted when log u < E(x) - E(y).

    One coordinate a transition: `thin` by the dimension for draws that are sweeps apart.

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    """

    is_reversible = True

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return dim + 2


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (m,) holds the values. See `kernel`."""
    dim, width = x.shape
    y, e_y, exponentials = scratch[:dim], scratch[dim], scratch[dim + 1]
    m = settings.shape[0]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = load_streams(streams, l)
            uniform, state = lane_uniforms(state)
            site = np.floor(uniform * dim)
            uniform, state = lane_uniforms(state)
            step = 1.0 + np.floor(uniform * (m - 1.0))  # to the value so many places on, round the circle
            place = as_lane(0.0)
            for i in range(dim):
                place = np.where(site == float(i), index_of(x, i, l, settings), place)
            place = place + step
            exchanged(x, site, value_at(np.where(place >= float(m), place - m, place), settings), y, l)
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
