"""Delayed rejection: what a random walk rejects is followed by a shorter step from the same place."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, checked_metric, move, note
from fastebm.kernels.random_walk import propose
from fastebm.lanes.lane import as_lane, is_any, load, load_row, store, store_row
from fastebm.streams import lane_exponentials, load_streams, store_streams
from fastebm.tiles import LANES


class DelayedRejection(Kernel):
    """Metropolis's rule, tried twice: y1 = x + step_size * z1, and if that is rejected y2 = x + shrink step_size * z2.

    y1 is accepted with a(x, y1) = min(1, exp(E(x) - E(y1))), and y2 with the minimum of 1 and

        exp(E(x) - E(y2)) q(y1 | y2) (1 - a(y2, y1)) / (q(y1 | x) (1 - a(x, y1))),

    q being the density of the first step, so that the paths x, y1, y2 and y2, y1, x balance. The first step may then be
    bold: where it leads nowhere, the second one moves the chain. A transition costs two energies.

    Parameters
    ----------
    step_size : standard deviation of the first proposal, normal, in each coordinate, one number or (dim,) numbers,
        above 0, final as given. None: tuned in warm-up, pooled over chains, together with the shape of the law, by how
        often the first proposal is accepted; then frozen.
    shrink : the second step's length in first ones, above 0 and at most 1.
    metric : what steps follow as they are tuned: "dense", the covariance of the law; "diagonal", the widths of the
        coordinates alone; None: the covariance in up to 32 dimensions.

    References
    ----------
    L. Tierney and A. Mira (1999), Some adaptive Monte Carlo methods for Bayesian inference,
        doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2507::AID-SIM272>3.0.CO;2-J.
    A. Mira (2001), On Metropolis-Hastings algorithms with delayed rejection, Metron 59.
    H. Haario, M. Laine, A. Mira and E. Saksman (2006), DRAM: efficient adaptive MCMC, doi:10.1007/s11222-006-9438-0.
    """

    is_reversible = True

    def __init__(
        self, step_size: ArrayLike | None = None, shrink: float = 0.2, *, metric: str | None = None
    ) -> None:
        self.step_size = _checks.step_size(step_size)
        self.shrink = _checks.positive(shrink, "shrink")
        if self.shrink > 1.0:
            raise ValueError(f"shrink is {shrink}; pass a number above 0 and at most 1, such as 0.2.")
        self.metric = checked_metric(metric)

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return 3 * dim + 4

    def n_memory(self, dim: int) -> int:
        """How many first proposals were accepted."""
        return 1

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """step_size * scale, a matrix row by row, and behind it the same for the second step."""
        steps = np.ravel(step_size * scale)
        return np.concatenate([steps, self.shrink * steps])

    def rates(self, accepted: float, told: FloatArray) -> float:
        """What tuning goes by: the acceptance rate of the first proposals, since most second ones are accepted."""
        return float(told[0])

    def first_step_size(self, dim: int) -> float:
        return 2.38 / math.sqrt(dim)

    def target_acceptance(self, dim: int) -> float:
        return 0.234 + 0.206 / dim

    def __repr__(self) -> str:
        shrink = "" if self.shrink == 0.2 else f", shrink={self.shrink}"
        metric = "" if self.metric is None else f", metric={self.metric!r}"
        return f"DelayedRejection(step_size={self.step_size}{shrink}{metric})"


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` as DelayedRejection's method gives them. See `kernel`."""
    dim, width = x.shape
    n = settings.shape[0] // 2
    steps, short_steps = settings[:n], settings[n:]
    y_1, y_2, rows = scratch[:dim], scratch[dim : 2 * dim], scratch[2 * dim : 3 * dim]
    e_1, e_2 = scratch[3 * dim], scratch[3 * dim + 1]
    exponentials_1, exponentials_2 = scratch[3 * dim + 2], scratch[3 * dim + 3]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):  # all numbers of both stages, whatever becomes of the first
            state = propose(x, steps, load_streams(streams, l), y_1, l)
            exponential, state = lane_exponentials(state)
            store_row(exponentials_1, l, exponential)
            state = propose(x, short_steps, state, y_2, l)
            exponential, state = lane_exponentials(state)
            store_row(exponentials_2, l, exponential)
            store_streams(streams, l, state)
        energy(y_1, packed, e_1)
        is_rejected = False
        for l in range(0, width, LANES):
            here, first = load_row(e, l), load_row(e_1, l)
            is_number = first > -np.inf
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-load_row(exponentials_1, l) < here - first) & is_number
            note(accepted, is_number, l, e, e_1, y_1, n_accepted, n_faults, fault_x, exponentials_1)
            move(accepted, l, x, y_1)
            store_row(memory[0], l, load_row(memory[0], l) + np.where(accepted, 1.0, 0.0))
            # what is no number is rejected from everywhere, as +inf is; -inf stands for what is over
            store_row(e_1, l, np.where(accepted, -np.inf, np.where(is_number, first, np.inf)))
            is_rejected |= is_any(~accepted)
        if is_rejected:
            energy(y_2, packed, e_2)
            for l in range(0, width, LANES):
                here, first, there = load_row(e, l), load_row(e_1, l), load_row(e_2, l)
                is_open, is_number = first > -np.inf, there > -np.inf
                rise_x, rise_2 = first - here, first - there
                balance = here - there + hastings(steps, x, y_1, y_2, rows, l)
                log_ratio = balance + np.log(rejection(rise_2) / rejection(rise_x))
                # where y2 would never reject y1 there is no way back; false for nan, as if both energies are infinite
                is_way_back = rise_2 > 0.0
                accepted = (-load_row(exponentials_2, l) < log_ratio) & is_way_back & is_number & is_open
                note(accepted, is_number | ~is_open, l, e, e_2, y_2, n_accepted, n_faults, fault_x, exponentials_2)
                move(accepted, l, x, y_2)


# ---- compiled parts ----


@inlined_borrowing
def rejection(rise):  # type: ignore[no-untyped-def]
    """1 - exp(-rise), the probability of rejecting what is higher by that, without cancellation; else 1."""
    return np.where(rise > 0.0, -np.expm1(-rise), 1.0)


@inlined_borrowing
def hastings(root, x, y_1, y_2, rows, l):  # type: ignore[no-untyped-def]
    """log q(y1 | y2) - log q(y1 | x), from the steps as they were rounded; overwrites y_1 and `rows` (dim, width).

    With z = L^-1 (y1 - x) and w = L^-1 (y2 - x) it is (z**2 - (z - w)**2) / 2 = w (z - w / 2).
    """
    dim = x.shape[0]
    total = as_lane(0.0)
    if root.shape[0] > dim:  # forward substitution
        for i in range(dim):
            z, w = load(y_1, i, l) - load(x, i, l), load(y_2, i, l) - load(x, i, l)
            for j in range(i):
                z -= root[i * dim + j] * load(y_1, j, l)
                w -= root[i * dim + j] * load(rows, j, l)
            z, w = z / root[i * dim + i], w / root[i * dim + i]
            store(y_1, i, l, z)
            store(rows, i, l, w)
            total += w * (z - 0.5 * w)
    else:
        for i in range(dim):
            z, w = (load(y_1, i, l) - load(x, i, l)) / root[i], (load(y_2, i, l) - load(x, i, l)) / root[i]
            total += w * (z - 0.5 * w)
    return total
