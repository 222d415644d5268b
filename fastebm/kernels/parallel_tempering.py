"""Parallel tempering: copies of a chain at rising temperatures, which exchange places with their neighbours."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.energies import Energy
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, advance_at
from fastebm.kernels.random_walk import RandomWalk
from fastebm.kernels.several import given_sizes
from fastebm.kernels.tempered import TemperedKernel, checked_betas, evaluate
from fastebm.lanes.lane import load, load_row, store, store_row
from fastebm.streams import lane_exponentials, load_streams, store_streams
from fastebm.tiles import LANES

_FRONT = 4  # settings before the betas: how many, settings and memory of the kernel on a rung, its address
_FEW_SWAPS = 0.05
_ENOUGH = 200  # transitions, to say something of exchanges
_COUNTER, _STATE, _TRIPS, _COUNTS = 0, 1, 2, 3  # rows of memory
EMPTY, PLACED, READY = 0.0, 1.0, 2.0  # of the rungs: nothing there, positions alone, energies too


class ParallelTempering(TemperedKernel):
    """Each chain is a ladder: copies that sample exp(-beta E) for rising betas; the last one, beta = 1, is the chain.

    A transition is one of the kernel on each rung, then exchanges between neighbours, of even and of odd pairs in turn:
    non-reversible, so that copies travel up and down the ladder instead of diffusing. Rungs k and k + 1 exchange their
    points when log u < (beta_k+1 - beta_k)(E_k+1 - E_k). What is hot crosses barriers, and brings down what it finds.

    beta E has to be normalisable at the hottest beta too. Copies begin where their chain does.

    Parameters
    ----------
    kernel : the rule on each rung; a step size of None is tuned for each.
    n_rungs : how many, at least 2, where `betas` is None.
    hottest : smallest beta, above 0 and below 1, where `betas` is None. The others are tuned in warm-up so that all
        neighbours exchange equally often.
    betas : a ladder that is final: at least two numbers that rise to 1.

    Of a run, `betas` is the ladder, `step_size` has those of each rung, `acceptance_rate` is that of the coldest rung.
    `report` has "swap_rate" (n_rungs - 1,), mean probabilities of exchange between neighbours; "acceptance_rate"
    (n_rungs,); and "round_trips" (n_chains,), how often a copy came down from the hottest rung to the coldest.

    References
    ----------
    C. J. Geyer (1991), Markov chain Monte Carlo maximum likelihood, Computing Science and Statistics 23.
    S. Syed, A. Bouchard-Cote, G. Deligiannidis and A. Doucet (2022), Non-reversible parallel tempering,
        doi:10.1111/rssb.12464 (even and odd pairs in turn, the ladder from rejection rates).
    """

    def __init__(
        self, kernel: Kernel | None = None, n_rungs: int = 8, *, hottest: float = 0.02, betas: ArrayLike | None = None
    ) -> None:
        super().__init__(RandomWalk() if kernel is None else kernel)
        self.is_exact = self.kernel.is_exact
        self.n_rungs = _checks.count(n_rungs, "n_rungs", 2)
        self.hottest = _checks.positive(hottest, "hottest")
        if self.hottest >= 1.0:
            raise ValueError(f"hottest is {hottest}; pass a beta above 0 and below 1.")
        self.tunes_ladder = betas is None
        self.betas = np.geomspace(self.hottest, 1.0, self.n_rungs) if betas is None else checked_betas(betas)
        if self.betas[-1] != 1.0:
            raise ValueError(f"betas is {self.betas.tolist()}; let it rise to 1, the law that is sampled.")
        self.n_rungs = len(self.betas)
        self.n_step_sizes = self.n_rungs * self.kernel.n_step_sizes

    def describe(self):  # type: ignore[no-untyped-def]
        described = super().describe()
        return described | {"betas": None} if self.tunes_ladder else described

    @property
    def advance(self) -> Compiled:
        return advance

    def n_memory(self, dim: int) -> int:
        """Its counts; point, energy and slope of every rung but the last; what the kernel carries on each."""
        rung = dim + 1 + (dim if self.needs_grad else 0)
        return self._n_counts + (self.n_rungs - 1) * rung + self.n_rungs * self.kernel.n_memory(dim)

    @property
    def _n_counts(self) -> int:
        """Rows before the rungs: three, exchanges accepted and tried, transitions accepted, where copies come from."""
        return _COUNTS + 2 * (self.n_rungs - 1) + 2 * self.n_rungs

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """_FRONT numbers, the betas, and what the kernel takes on each rung."""
        ladder = self.betas if betas is None else betas
        assert ladder is not None
        blocks = self.blocks(step_size, scale, ladder)
        front = [self.n_rungs, blocks.shape[1], self.kernel.n_memory(len(scale)), 0.0]
        return np.concatenate([front, ladder, blocks.ravel()])

    def linked(self, settings: FloatArray) -> FloatArray:
        found, n = settings.copy(), int(settings[1])
        for first in range(_FRONT + self.n_rungs, len(settings), n):
            found[first : first + n] = self.kernel.linked(settings[first : first + n])
        found[3] = self.kernel.advance.address
        return found

    def first_step_size(self, dim: int) -> FloatArray:
        kernel = self.kernel
        first = np.atleast_1d(kernel.first_step_size(dim)) if kernel.step_size is None else given_sizes(kernel)
        return np.tile(first, self.n_rungs)

    def target_acceptance(self, dim: int) -> FloatArray:
        target = self.kernel.target_acceptance(dim) if self.kernel.step_size is None else 0.5
        return np.tile(np.broadcast_to(target, self.kernel.n_step_sizes), self.n_rungs)

    def rates(self, accepted: float, told: FloatArray) -> FloatArray:
        if self.kernel.step_size is not None:
            return np.full(self.n_step_sizes, np.nan)
        if self.dim is None:
            raise TypeError("ParallelTempering is on no energy yet; call its on(energy) first.")
        first, n = _COUNTS + 2 * (self.n_rungs - 1), self.kernel.n_memory(self.dim)
        own = told[len(told) - self.n_rungs * n :].reshape(self.n_rungs, n)
        return np.concatenate([
            np.atleast_1d(self.kernel.rates(rate, rows))
            for rate, rows in zip(told[first : first + self.n_rungs], own, strict=True)
        ])

    def swap_signal(self, told: FloatArray) -> tuple[FloatArray, FloatArray]:
        n = self.n_rungs - 1
        return told[_COUNTS : _COUNTS + n], told[_COUNTS + n : _COUNTS + 2 * n]

    def settle(self, memory: FloatArray) -> None:
        memory[:, _TRIPS : _COUNTS + 2 * (self.n_rungs - 1) + self.n_rungs] = 0.0

    def retargeted(self, memory: FloatArray) -> None:
        memory[:, _STATE] = np.minimum(memory[:, _STATE], PLACED)

    def place(self, memory: FloatArray, copies: FloatArray) -> None:
        dim = copies.shape[2]
        size = dim + 1 + (dim if self.needs_grad else 0)
        for k, points in enumerate(copies):
            memory[:, self._n_counts + k * size : self._n_counts + k * size + dim] = points
        memory[:, _STATE] = PLACED

    def report(self, energy: Energy, memories: FloatArray) -> dict[str, FloatArray]:
        n = self.n_rungs - 1
        total = memories.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            tried = total[_COUNTS + n : _COUNTS + 2 * n]
            n_transitions = tried[:1] + (tried[1:2] if n > 1 else tried[:1])
            return {
                "swap_rate": total[_COUNTS : _COUNTS + n] / tried,
                "acceptance_rate": total[_COUNTS + 2 * n : _COUNTS + 2 * n + self.n_rungs] / n_transitions,
                "round_trips": memories[:, _TRIPS].copy(),
            }

    def remarks(self, report: dict[str, FloatArray], n_transitions: int) -> list[str]:
        if n_transitions < _ENOUGH:
            return []
        rates = report["swap_rate"]
        if np.nanmin(rates) < _FEW_SWAPS:
            k = int(np.nanargmin(rates))
            return [
                f"rungs {k} and {k + 1} of the ladder exchange in {rates[k]:.1%} of their tries, below "
                f"{_FEW_SWAPS:.0%}; pass more rungs, n_rungs=, or betas that are nearer."
            ]
        if not report["round_trips"].any():
            return ["no copy has come down the whole ladder; pass a larger n_draws, or fewer rungs."]
        return []

    def __repr__(self) -> str:
        ladder = f"{self.n_rungs}, hottest={self.hottest}" if self.tunes_ladder else f"betas={self.betas.tolist()}"  # type: ignore[union-attr]
        return f"ParallelTempering({self.kernel!r}, {ladder})"


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` and `memory` as ParallelTempering's methods describe them. See `kernel`."""
    dim, width = x.shape
    n_rungs, n_settings, n_own = int(settings[0]), int(settings[1]), int(settings[2])
    part = advance_at(settings[3])
    betas = settings[_FRONT : _FRONT + n_rungs]
    accepted_swaps = memory[_COUNTS : _COUNTS + n_rungs - 1]
    tried_swaps = memory[_COUNTS + n_rungs - 1 : _COUNTS + 2 * (n_rungs - 1)]
    accepted = memory[_COUNTS + 2 * (n_rungs - 1) : _COUNTS + 2 * (n_rungs - 1) + n_rungs]
    comes_from = memory[_COUNTS + 2 * (n_rungs - 1) + n_rungs : _COUNTS + 2 * (n_rungs - 1) + 2 * n_rungs]
    first_rung = _COUNTS + 2 * (n_rungs - 1) + 2 * n_rungs
    size = dim + 1 + g.shape[0]
    own = first_rung + (n_rungs - 1) * size
    numbers = packed.copy()
    counts = np.zeros(width, np.int64)
    if memory[_STATE, 0] < READY:
        for k in range(n_rungs - 1):
            row = first_rung + k * size
            y = memory[row : row + dim]
            if memory[_STATE, 0] == EMPTY:
                y[:] = x
            numbers[-1] = betas[k]
            evaluate(energy, grad, numbers, y, memory[row + dim], memory[row + dim + 1 : row + size])
        memory[_STATE, :] = READY
    for _ in range(n_transitions):
        for k in range(n_rungs):
            row, row_own, first = first_rung + k * size, own + k * n_own, _FRONT + n_rungs + k * n_settings
            numbers[-1] = betas[k]
            counts[:] = 0
            mine = settings[first : first + n_settings]
            if k < n_rungs - 1:
                part(
                    energy, grad, numbers, mine, streams, memory[row : row + dim], memory[row + dim],
                    memory[row + dim + 1 : row + size], memory[row_own : row_own + n_own], scratch, 1, counts, n_faults,
                    fault_x,
                )
            else:
                part(
                    energy, grad, numbers, mine, streams, x, e, g, memory[row_own : row_own + n_own], scratch, 1,
                    counts, n_faults, fault_x,
                )
                for c in range(width):
                    n_accepted[c] += counts[c]
            for c in range(width):
                accepted[k, c] += counts[c]
        for k in range(int(memory[_COUNTER, 0]) % 2, n_rungs - 1, 2):
            row = first_rung + k * size
            y, e_y, g_y = memory[row : row + dim], memory[row + dim], memory[row + dim + 1 : row + size]
            if k < n_rungs - 2:
                row += size
                exchange(
                    betas[k], betas[k + 1], streams, y, e_y, g_y, memory[row : row + dim], memory[row + dim],
                    memory[row + dim + 1 : row + size], comes_from[k], comes_from[k + 1], accepted_swaps[k],
                    tried_swaps[k],
                )
            else:
                exchange(
                    betas[k], betas[k + 1], streams, y, e_y, g_y, x, e, g, comes_from[k], comes_from[k + 1],
                    accepted_swaps[k], tried_swaps[k],
                )
                numbers[-1] = 1.0
                evaluate(energy, grad, numbers, x, e, g)  # e of the other rung, divided and multiplied, is rounded
        for c in range(width):
            comes_from[0, c] = 1.0
            if comes_from[n_rungs - 1, c] == 1.0:
                memory[_TRIPS, c] += 1.0
            comes_from[n_rungs - 1, c] = -1.0
            memory[_COUNTER, c] += 1.0


@inlined_borrowing
def exchange(beta_x, beta_y, streams, x, e_x, g_x, y, e_y, g_y, from_x, from_y, accepted, tried):  # type: ignore[no-untyped-def]
    """Rungs of beta_x < beta_y exchange points, energies and slopes where log u says so; counts."""
    dim, width = x.shape
    for l in range(0, width, LANES):
        exponential, state = lane_exponentials(load_streams(streams, l))
        store_streams(streams, l, state)
        plain_x, plain_y = load_row(e_x, l) / beta_x, load_row(e_y, l) / beta_y
        log_ratio = (beta_y - beta_x) * (plain_y - plain_x)
        is_taken = -exponential < log_ratio
        store_row(e_x, l, np.where(is_taken, beta_x * plain_y, load_row(e_x, l)))
        store_row(e_y, l, np.where(is_taken, beta_y * plain_x, load_row(e_y, l)))
        for i in range(dim):
            a, b = load(x, i, l), load(y, i, l)
            store(x, i, l, np.where(is_taken, b, a))
            store(y, i, l, np.where(is_taken, a, b))
        for i in range(g_x.shape[0]):
            a, b = load(g_x, i, l), load(g_y, i, l)
            store(g_x, i, l, np.where(is_taken, (beta_x / beta_y) * b, a))
            store(g_y, i, l, np.where(is_taken, (beta_y / beta_x) * a, b))
        a, b = load_row(from_x, l), load_row(from_y, l)
        store_row(from_x, l, np.where(is_taken, b, a))
        store_row(from_y, l, np.where(is_taken, a, b))
        chance = np.where(log_ratio == log_ratio, np.exp(np.minimum(log_ratio, 0.0)), 0.0)
        store_row(accepted, l, load_row(accepted, l) + chance)
        store_row(tried, l, load_row(tried, l) + 1.0)
