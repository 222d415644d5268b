"""Barker's proposal: steps that point downhill more often than not, however steep the slope."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, move, note
from fastebm.lanes.lane import as_lane, load, load_row, store, store_row
from fastebm.lanes.language import softplus
from fastebm.streams import lane_exponentials, lane_normals, lane_uniforms, load_streams, store_streams
from fastebm.tiles import LANES


class Barker(Kernel):
    """Proposals y_i = x_i + b_i z_i with z_i = step_size * normal, b_i = 1 with probability 1/(1 + exp(z_i dE/dx_i)).

    Else b_i is -1. y is accepted when log u < E(x) - E(y) + log q(x | y) - log q(y | x). Steps never grow with the
    slope, so that a step size that is too large, or a light tail, does less harm than to `MALA`.

    Parameters
    ----------
    step_size : standard deviation of z in each coordinate, one number or (dim,) numbers, above 0, final as given. None:
        tuned in warm-up, pooled over chains, together with the widths of the coordinates, towards an acceptance rate of
        0.574; then frozen.

    References
    ----------
    S. Livingstone and G. Zanella (2022), The Barker proposal, doi:10.1111/rssb.12482.
    J. Vogrinc, S. Livingstone and G. Zanella (2023), doi:10.1093/biomet/asac056 (the optimal acceptance rate).
    """

    needs_grad = True
    is_reversible = True

    def __init__(self, step_size: ArrayLike | None = None) -> None:
        self.step_size = _checks.step_size(step_size)

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return 2 * dim + 2

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        return np.ascontiguousarray(step_size * scale)

    def first_step_size(self, dim: int) -> float:
        return float(1.5 * dim ** (-1.0 / 6.0))

    def target_acceptance(self, dim: int) -> float:
        return 0.574

    def __repr__(self) -> str:
        return f"Barker(step_size={self.step_size})"


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (dim,) holds the standard deviations of z. See `kernel`."""
    dim, width = x.shape
    y, g_y = scratch[:dim], scratch[dim : 2 * dim]
    e_y, exponentials = scratch[2 * dim], scratch[2 * dim + 1]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = load_streams(streams, l)
            for i in range(0, dim - 1, 2):
                first, second, state = lane_normals(state)
                store(y, i, l, settings[i] * first)
                store(y, i + 1, l, settings[i + 1] * second)
            if dim % 2:
                last, _, state = lane_normals(state)
                store(y, dim - 1, l, settings[dim - 1] * last)
            for i in range(dim):
                uniform, state = lane_uniforms(state)
                z = load(y, i, l)
                is_kept = uniform * (1.0 + np.exp(z * load(g, i, l))) < 1.0
                store(y, i, l, load(x, i, l) + np.where(is_kept, z, -z))
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
        grad(y, packed, e_y, g_y)
        for l in range(0, width, LANES):
            here, there = load_row(e, l), load_row(e_y, l)
            hastings = as_lane(0.0)  # log q(x | y) - log q(y | x), from the step as it was rounded
            for i in range(dim):
                step = load(y, i, l) - load(x, i, l)
                hastings += softplus(step * load(g, i, l)) - softplus(-step * load(g_y, i, l))
            log_ratio = here - there + hastings
            is_number = (there > -np.inf) & ((log_ratio == log_ratio) | (there == np.inf))
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-load_row(exponentials, l) < log_ratio) & is_number & (there < np.inf)
            note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, exponentials)
            move(accepted, l, x, y)
            move(accepted, l, g, g_y)
