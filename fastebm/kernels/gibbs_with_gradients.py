"""Metropolis on discrete energies with proposals that a gradient guides."""

import numpy as np

from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.kernels.discrete import DiscreteKernel, exchanged
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, move, note
from fastebm.lanes.lane import as_lane, load, load_row, store_row
from fastebm.streams import lane_exponentials, lane_uniforms, load_streams, store_streams
from fastebm.tiles import LANES


class GibbsWithGradients(DiscreteKernel):
    """Coordinate i is proposed the value v with probability ~ exp((x_i - v) dE/dx_i / 2), and y tested by Hastings.

    The gradient tells of all coordinates at once which changes look good. It is that of the function as it is written,
    taken at values: the closer E is to linear between them, the better the guess; the law is exact in any case.

    References
    ----------
    W. Grathwohl, K. Swersky, M. Hashemi, D. Duvenaud and C. J. Maddison (2021), Oops I took a gradient,
        Proceedings of Machine Learning Research 139.
    G. Zanella (2020), Informed proposals for local MCMC in discrete spaces, doi:10.1080/01621459.2019.1585255.
    """

    needs_grad = True
    is_reversible = True

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return 2 * dim + 4


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (m,) holds the values. See `kernel`."""
    dim, width = x.shape
    y, g_y = scratch[:dim], scratch[dim : 2 * dim]
    e_y, exponentials, forth, sites = scratch[2 * dim], scratch[2 * dim + 1], scratch[2 * dim + 2], scratch[2 * dim + 3]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            state = load_streams(streams, l)
            uniform, state = lane_uniforms(state)
            most, total = weights(x, g, settings, l)
            site, value, score = chosen(x, g, settings, most, uniform * total, l)
            exchanged(x, site, value, y, l)
            store_row(forth, l, score - most - np.log(total))
            store_row(sites, l, site)
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
        grad(y, packed, e_y, g_y)
        for l in range(0, width, LANES):
            most, total = weights(y, g_y, settings, l)
            back = as_lane(0.0)
            for i in range(dim):
                score = 0.5 * (load(y, i, l) - load(x, i, l)) * load(g_y, i, l)
                back = np.where(load_row(sites, l) == float(i), score, back)
            here, there = load_row(e, l), load_row(e_y, l)
            log_ratio = here - there + (back - most - np.log(total)) - load_row(forth, l)
            is_number = (there > -np.inf) & ((log_ratio == log_ratio) | (there == np.inf))
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-load_row(exponentials, l) < log_ratio) & is_number & (there < np.inf)
            note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, exponentials)
            move(accepted, l, x, y)
            move(accepted, l, g, g_y)


# ---- compiled parts ----


@inlined_borrowing
def weights(x, g, values, l):  # type: ignore[no-untyped-def]
    """The largest score (x_i - v) g_i / 2 of all changes, and the sum of exp(score - largest)."""
    most = as_lane(-np.inf)
    for i in range(x.shape[0]):
        here, half = load(x, i, l), 0.5 * load(g, i, l)
        for k in range(values.shape[0]):
            score = (here - values[k]) * half
            most = np.where((here != values[k]) & (score > most), score, most)
    total = as_lane(0.0)
    for i in range(x.shape[0]):
        here, half = load(x, i, l), 0.5 * load(g, i, l)
        for k in range(values.shape[0]):
            total += np.where(here == values[k], 0.0, np.exp((here - values[k]) * half - most))
    return most, total


@inlined_borrowing
def chosen(x, g, values, most, target, l):  # type: ignore[no-untyped-def]
    """Coordinate, value and score of the change at which the sum of weights reaches the target."""
    site, value, best = as_lane(0.0), load(x, 0, l), as_lane(0.0)
    total = as_lane(0.0)
    for i in range(x.shape[0]):
        here, half = load(x, i, l), 0.5 * load(g, i, l)
        for k in range(values.shape[0]):
            score = (here - values[k]) * half
            is_change = here != values[k]
            is_open = is_change & (total < target)  # the last one that begins below the target is it
            total += np.where(is_change, np.exp(score - most), 0.0)
            site = np.where(is_open, float(i), site)
            value = np.where(is_open, values[k], value)
            best = np.where(is_open, score, best)
    return site, value, best
