"""Hamiltonian Monte Carlo: trajectories of leapfrog steps, accepted by what they get wrong of the total energy."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, checked_metric, correlate_back, move, note
from fastebm.lanes.lane import as_lane, is_any, load, load_row, store, store_row
from fastebm.streams import lane_exponentials, lane_normals, load_streams, store_streams
from fastebm.tiles import LANES

MOST_STEPS = 1000  # of one trajectory whose length is tuned
_FIRST_STEPS = 4.0  # where tuning begins
FRONT = 3  # settings before the center: mean number of steps, jitter, whether signals for the length are wanted


class HMC(Kernel):
    """A particle with normal velocity slides on E for some leapfrog steps; log u < change of E + |v|**2 / 2 accepts.

    The velocities are v, and x moves by step_size * L v, with L L^T the inverse of the mass matrix: the squared widths
    of the coordinates, or their covariance, as seen in warm-up.

    Parameters
    ----------
    step_size : of the leapfrog, one number or (dim,) numbers, above 0, final as given. None: tuned in warm-up by dual
        averaging, pooled over chains, together with the mass matrix, towards `acceptance`; then frozen.
    n_leapfrog : mean number of leapfrog steps, a gradient each, at least 1. None: the length of trajectories is tuned
        as well (needs step_size=None), so that the change of |x - mean|**2 is largest (ChEES).
    jitter : the number of steps varies between n_leapfrog (1 - jitter) and n_leapfrog (1 + jitter), evenly and alike in
        all chains, in the order of van der Corput's sequence: trajectories of one length return to where they began on
        some laws. From 0 to 1; None: 0.5, or 1 where the length is tuned.
    metric : "diagonal" or "dense", which makes each step cost dim**2 more.
    acceptance : the acceptance rate that tuning aims at, above 0 and below 1; a higher one gives shorter steps.

    References
    ----------
    S. Duane, A. D. Kennedy, B. J. Pendleton and D. Roweth (1987), doi:10.1016/0370-2693(87)91197-X.
    R. M. Neal (2011), MCMC using Hamiltonian dynamics, doi:10.1201/b10905-6.
    M. D. Hoffman, A. Radul and P. Sountsov (2021), An adaptive-MCMC scheme for setting trajectory lengths in
        Hamiltonian Monte Carlo, Proceedings of Machine Learning Research 130 (ChEES).
    A. Beskos, N. Pillai, G. Roberts, J.-M. Sanz-Serna and A. Stuart (2013), doi:10.3150/12-BEJ414 (acceptance).
    """

    needs_grad = True
    acceptance_tells = False

    def __init__(
        self,
        step_size: ArrayLike | None = None,
        n_leapfrog: int | None = 10,
        *,
        jitter: float | None = None,
        metric: str = "diagonal",
        acceptance: float = 0.8,
    ) -> None:
        self.step_size = _checks.step_size(step_size)
        self.n_leapfrog = None if n_leapfrog is None else _checks.count(n_leapfrog, "n_leapfrog")
        if self.n_leapfrog is None and self.step_size is not None:
            raise ValueError("n_leapfrog is None, but step_size is given; pass n_leapfrog, or let both be tuned.")
        if jitter is not None and not 0.0 <= _checks.real(jitter, "jitter") <= 1.0:
            raise ValueError(f"jitter is {jitter}; pass a number from 0 to 1.")
        self.jitter = jitter
        self.tunes_path = n_leapfrog is None
        self.is_reversible = jitter == 0.0 or self.n_leapfrog == 1  # lengths in turn are each reversible, not together
        self.metric = checked_metric(metric)
        self.acceptance = _checks.real(acceptance, "acceptance")
        if not 0.0 < self.acceptance < 1.0:
            raise ValueError(f"acceptance is {acceptance}; pass a number between 0 and 1.")

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return 4 * dim + 3

    def n_memory(self, dim: int) -> int:
        """The number of transitions, which decides the jitter; two sums that tell how the path length should change."""
        return 3

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """FRONT numbers, a center (dim,), step_size * scale (dim,), one over that; its rows where it is a matrix."""
        if self.n_leapfrog is not None:
            n_steps, jitter = float(self.n_leapfrog), 0.5
        else:
            length = _FIRST_STEPS * float(np.mean(step_size)) if path_length is None else path_length
            n_steps, jitter = max(1.0, min(length / float(np.mean(step_size)), float(MOST_STEPS))), 1.0
        front = [n_steps, jitter if self.jitter is None else self.jitter, 0.0, *np.zeros(len(scale))]
        if scale.ndim == 2:
            widths = step_size * np.sqrt((scale**2).sum(axis=1))
            return np.concatenate([front, widths, 1.0 / widths, np.ravel(step_size * scale)])
        return np.concatenate([front, step_size * scale, 1.0 / (step_size * scale)])

    def learning(self, settings: FloatArray, center: FloatArray) -> FloatArray:
        wanted = settings.copy()
        wanted[2] = 1.0
        wanted[FRONT : FRONT + len(center)] = center
        return wanted

    def first_path(self, step_size: float | FloatArray) -> float:
        return float(np.clip(_FIRST_STEPS * float(np.mean(step_size)), 1e-3, 1.0))

    def path_signal(self, told: FloatArray) -> tuple[float, float]:
        return float(told[1]), float(told[2])

    def first_step_size(self, dim: int) -> float:
        return float(0.1 * dim ** (-0.25))

    def target_acceptance(self, dim: int) -> float:
        return self.acceptance

    def __repr__(self) -> str:
        jitter = "" if self.jitter is None else f", jitter={self.jitter}"
        metric = "" if self.metric == "diagonal" else f", metric={self.metric!r}"
        acceptance = "" if self.acceptance == 0.8 else f", acceptance={self.acceptance}"
        return f"HMC(step_size={self.step_size}, n_leapfrog={self.n_leapfrog}{jitter}{metric}{acceptance})"


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` as HMC's method gives them. See `kernel`.

    Along coordinates a trajectory is kept as its last two positions, whose difference is the velocity in between: that
    needs two thirds of the stores that positions and velocities do.
    """
    dim, width = x.shape
    y, g_y, v, row = scratch[:dim], scratch[dim : 2 * dim], scratch[2 * dim : 3 * dim], scratch[3 * dim : 4 * dim]
    e_y, totals, exponentials = scratch[4 * dim], scratch[4 * dim + 1], scratch[4 * dim + 2]
    center, steps = settings[FRONT : FRONT + dim], settings[FRONT + dim : FRONT + 2 * dim]
    rates, root = settings[FRONT + 2 * dim : FRONT + 3 * dim], settings[FRONT + 3 * dim :]
    is_dense, is_learning = root.shape[0] > 0, settings[2] > 0.0
    first_kick = 0.5  # of a whole one
    for _ in range(n_transitions):
        share = van_der_corput(memory[0, 0])
        n_steps = max(1, int(settings[0] * (1.0 + settings[1] * (2.0 * share - 1.0)) + 0.5))
        for l in range(0, width, LANES):
            state, squares = load_streams(streams, l), as_lane(0.0)
            for i in range(0, dim - 1, 2):
                first, second, state = lane_normals(state)
                begin(first, i, first_kick, steps, x, g, v, y, l, is_dense)
                begin(second, i + 1, first_kick, steps, x, g, v, y, l, is_dense)
                squares = squares + first * first + second * second
            if dim % 2:
                last, _, state = lane_normals(state)
                begin(last, dim - 1, first_kick, steps, x, g, v, y, l, is_dense)
                squares = squares + last * last
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
            store_row(totals, l, load_row(e, l) + 0.5 * squares)
            store(memory, 0, l, load(memory, 0, l) + 1.0)
        if is_dense:
            leap_along(root, first_kick, x, v, g, y, row)
        before = x
        for n in range(n_steps - 1):
            grad(y, packed, e_y, g_y)
            if is_dense:
                leap_along(root, 1.0, y, v, g_y, y, row)
            else:
                after = v if n == 0 else before  # x has to stay
                leap(steps, before, y, g_y, after)
                before, y = y, after
        grad(y, packed, e_y, g_y)
        if is_dense:
            kick_along(root, 0.5, v, g_y, row)
        elif n_steps > 1:
            v = before  # whose rows are free, once it is read
        for l in range(0, width, LANES):
            squares = as_lane(0.0)
            for i in range(dim):
                if is_dense:
                    speed = load(v, i, l)
                else:
                    speed = rates[i] * (load(y, i, l) - load(before, i, l)) - (0.5 * steps[i]) * load(g_y, i, l)
                    if is_learning:
                        store(v, i, l, speed)
                squares += speed * speed
            there = load_row(e_y, l)
            log_ratio = load_row(totals, l) - (there + 0.5 * squares)
            is_number = (there > -np.inf) & ((log_ratio == log_ratio) | (there == np.inf))
            if is_any(~is_number):  # a trajectory that has left for infinity is no fault of the energy
                nothing = as_lane(0.0)
                for i in range(dim):
                    nothing += 0.0 * load(y, i, l)
                is_number = is_number | ~(nothing == 0.0)
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-load_row(exponentials, l) < log_ratio) & (there > -np.inf) & (there < np.inf)
            if is_learning:
                learn(center, steps, root, x, y, v, log_ratio, share, row, memory, l)
            note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, exponentials)
            move(accepted, l, x, y)
            move(accepted, l, g, g_y)


# ---- compiled parts ----


@inlined_borrowing
def van_der_corput(n):  # type: ignore[no-untyped-def]
    """The n-th number of the sequence 1/2, 1/4, 3/4, 1/8, ... in (0, 1), n = 0, 1, ..."""
    left, share, digit = int(n) + 1, 0.0, 0.5
    while left > 0:
        share += digit * (left & 1)
        left >>= 1
        digit *= 0.5
    return share


@inlined_borrowing
def begin(normal, i, share, steps, x, g, v, y, l, is_dense):  # type: ignore[no-untyped-def]
    """The first drift along coordinate i, after a share of a kick; of dense metrics the normal velocity alone."""
    if is_dense:
        store(v, i, l, normal)
    else:
        store(y, i, l, load(x, i, l) + steps[i] * (normal - (share * steps[i]) * load(g, i, l)))


@inlined_borrowing
def leap(steps, before, y, g, after):  # type: ignore[no-untyped-def]
    """after = 2 y - before - steps**2 g."""
    for l in range(0, y.shape[1], LANES):
        for i in range(y.shape[0]):
            there = 2.0 * load(y, i, l) - load(before, i, l)
            store(after, i, l, there - (steps[i] * steps[i]) * load(g, i, l))


@inlined_borrowing
def leap_along(root, share, x, v, g, y, row):  # type: ignore[no-untyped-def]
    """v -= share L^T g, then y = x + L v; overwrites `row` (dim, width)."""
    dim = v.shape[0]
    kick_along(root, share, v, g, row)
    for l in range(0, v.shape[1], LANES):
        for i in range(dim):
            total = root[i * dim] * load(v, 0, l)
            for j in range(1, i + 1):
                total += root[i * dim + j] * load(v, j, l)
            store(y, i, l, load(x, i, l) + total)


@inlined_borrowing
def kick_along(root, share, v, g, row):  # type: ignore[no-untyped-def]
    """v -= share L^T g; overwrites `row` (dim, width)."""
    for l in range(0, v.shape[1], LANES):
        correlate_back(root, g, row, l)
        for i in range(v.shape[0]):
            store(v, i, l, load(v, i, l) - share * load(row, i, l))


@inlined_borrowing
def learn(center, steps, root, x, y, v, log_ratio, share, row, memory, l):  # type: ignore[no-untyped-def]
    """Add to memory[1] by how much ChEES grows with the path, and to memory[2] the weight of that; overwrites `row`.

    ChEES is the mean of (|u(y)|**2 - |u(x)|**2)**2 / 4, for u away from the center in coordinates freed of their scale.
    """
    dim = x.shape[0]
    before, after, slope = as_lane(0.0), as_lane(0.0), as_lane(0.0)
    for side in range(2):
        point = y if side else x
        for i in range(dim):
            away = load(point, i, l) - center[i]
            if root.shape[0] > 0:  # forward substitution
                for j in range(i):
                    away -= root[i * dim + j] * load(row, j, l)
                away = away / root[i * dim + i]
            else:
                away = away / steps[i]
            store(row, i, l, away)
            if side:
                after += away * away
                slope += away * load(v, i, l)
            else:
                before += away * away
    signal = share * (after - before) * slope
    weight = np.where(log_ratio == log_ratio, np.exp(np.minimum(log_ratio, 0.0)), 0.0)
    weight = np.where(abs(signal) < np.inf, weight, 0.0)
    signal = np.where(weight > 0.0, weight * signal, 0.0)
    store(memory, 1, l, load(memory, 1, l) + signal)
    store(memory, 2, l, load(memory, 2, l) + weight)
