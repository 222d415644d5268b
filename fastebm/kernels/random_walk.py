"""Random-walk Metropolis: propose a normal step, accept it by the ratio of the densities."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, move, note
from fastebm.lanes.lane import load, load_row, store, store_row
from fastebm.streams import lane_exponentials, lane_normals, load_streams, store_streams
from fastebm.tiles import LANES


class RandomWalk(Kernel):
    """Metropolis's rule with proposals y = x + step_size * normal, accepted when log u < E(x) - E(y).

    Parameters
    ----------
    step_size : standard deviation of the proposal in each coordinate, one number or (dim,) numbers, above 0, final as
        given. None: tuned in warm-up, pooled over chains, together with the relative scales of the coordinates, towards
        an acceptance rate between 0.44 (one dimension) and 0.234 (many); then frozen.

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    W. K. Hastings (1970), doi:10.1093/biomet/57.1.97.
    G. O. Roberts, A. Gelman and W. R. Gilks (1997), doi:10.1214/aoap/1034625254 (the optimal acceptance rate).
    """

    is_reversible = True

    def __init__(self, step_size: ArrayLike | None = None) -> None:
        self.step_size = _checks.step_size(step_size)

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return dim + 2

    def settings(self, step_size: float | FloatArray, scale: FloatArray) -> FloatArray:
        return np.ascontiguousarray(step_size * scale)

    def first_step_size(self, dim: int) -> float:
        return 2.38 / math.sqrt(dim)

    def target_acceptance(self, dim: int) -> float:
        return 0.234 + 0.206 / dim

    def __repr__(self) -> str:
        return f"RandomWalk(step_size={self.step_size})"


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (dim,) holds the proposal's standard deviations. See `kernel`."""
    dim, width = x.shape
    y = scratch[:dim]
    e_y = scratch[dim]
    exponentials = scratch[dim + 1]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = load_streams(streams, l)
            for i in range(0, dim - 1, 2):
                first, second, state = lane_normals(state)
                store(y, i, l, load(x, i, l) + settings[i] * first)
                store(y, i + 1, l, load(x, i + 1, l) + settings[i + 1] * second)
            if dim % 2:
                last, _, state = lane_normals(state)
                store(y, dim - 1, l, load(x, dim - 1, l) + settings[dim - 1] * last)
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
