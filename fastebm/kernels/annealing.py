"""Simulated annealing: a kernel on beta E, while beta rises."""

import copy
from typing import Self

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled
from fastebm.energies import Energy
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, advance_at
from fastebm.kernels.random_walk import RandomWalk
from fastebm.kernels.tempered import TemperedKernel, evaluate

_FRONT = 5  # settings before the betas: how many, transitions, settings of the kernel, its address, dimension
_COUNTER, _STATE, _LOWEST, _BEST = 0, 1, 2, 3  # rows of memory; the best point begins at the last
_N_STAGES = 100
_WAITS, _FALLS, _HAS_BEST = 0.0, 1.0, 2.0


class Annealing(TemperedKernel):
    """Looks for the minimum of E: a kernel on exp(-beta E), whose beta rises from `hottest` to `coldest` in stages.

    It leaves no law invariant. In warm-up beta stays at `hottest`, and a step size of None is tuned there; while it
    rises steps shrink as beta**-1/2. Every chain is a search of its own.

    Parameters
    ----------
    kernel : the rule, of continuous or of discrete x.
    hottest, coldest : betas at the beginning and at the end, above 0, the second larger: energies differ by much less
        than 1 / hottest between what the search should go through, and by more than 1 / coldest around the minimum.
    n_transitions : in which beta rises, geometrically; then it stays. None: those of the run after warm-up.

    Of a run, `report` has "lowest_x" (n_chains, dim) and "lowest_energy" (n_chains,): the best point that each chain
    has come through since warm-up, whether it became a draw or not.

    References
    ----------
    S. Kirkpatrick, C. D. Gelatt and M. P. Vecchi (1983), doi:10.1126/science.220.4598.671.
    """

    is_exact = False

    def __init__(
        self, kernel: Kernel | None = None, *, hottest: float = 0.1, coldest: float = 1000.0,
        n_transitions: int | None = None,
    ) -> None:
        super().__init__(RandomWalk() if kernel is None else kernel)
        self.n_step_sizes = self.kernel.n_step_sizes
        self.hottest, self.coldest = _checks.positive(hottest, "hottest"), _checks.positive(coldest, "coldest")
        if not self.hottest < self.coldest:
            raise ValueError(f"hottest is {hottest} and coldest {coldest}; pass two betas that rise.")
        self.n_transitions = None if n_transitions is None else _checks.count(n_transitions, "n_transitions")

    @property
    def advance(self) -> Compiled:
        return advance

    def over(self, n_transitions: int) -> Self:
        if self.n_transitions is not None:
            return self
        bound = copy.copy(self)
        bound.n_transitions = n_transitions
        return bound

    def n_memory(self, dim: int) -> int:
        """Transitions, whether beta rises, the lowest energy, where that was, and what the kernel carries."""
        return _BEST + dim + self.kernel.n_memory(dim)

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """_FRONT numbers, the betas, and what the kernel takes at each."""
        stages = np.geomspace(self.hottest, self.coldest, _N_STAGES)
        blocks = self.blocks(step_size, scale, stages)
        front = [_N_STAGES, self.n_transitions or 1, blocks.shape[1], 0.0, len(scale)]
        return np.concatenate([front, stages, blocks.ravel()])

    def linked(self, settings: FloatArray) -> FloatArray:
        found, n = settings.copy(), int(settings[2])
        for first in range(_FRONT + _N_STAGES, len(settings), n):
            found[first : first + n] = self.kernel.linked(settings[first : first + n])
        found[3] = self.kernel.advance.address
        return found

    def first_step_size(self, dim: int) -> float | FloatArray:
        return self.kernel.first_step_size(dim)

    def target_acceptance(self, dim: int) -> float | FloatArray:
        return self.kernel.target_acceptance(dim)

    def settle(self, memory: FloatArray) -> None:
        memory[:, _COUNTER] = 0.0
        memory[:, _STATE] = _FALLS

    def report(self, energy: Energy, memories: FloatArray) -> dict[str, FloatArray]:
        points = np.ascontiguousarray(memories[:, _BEST : _BEST + energy.dim])
        return {"lowest_x": points, "lowest_energy": energy.energy(points)}

    def __repr__(self) -> str:
        return f"Annealing({self.kernel!r}, hottest={self.hottest}, coldest={self.coldest})"


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` and `memory` as Annealing's methods describe them. See `kernel`.

    e and g are those of beta = 1 before and after.
    """
    dim, width = x.shape
    n_stages, n_falling, n_settings = int(settings[0]), settings[1], int(settings[2])
    part = advance_at(settings[3])
    numbers = packed.copy()
    stage = -1
    best = memory[_BEST : _BEST + dim]
    for _ in range(n_transitions):
        wanted = 0
        if memory[_STATE, 0] > _WAITS:
            wanted = min(n_stages - 1, int(memory[_COUNTER, 0] * n_stages / n_falling))
        if wanted != stage:
            stage = wanted
            numbers[-1] = settings[_FRONT + stage]
            evaluate(energy, grad, numbers, x, e, g)
        first = _FRONT + n_stages + stage * n_settings
        if memory[_STATE, 0] < _HAS_BEST:
            for c in range(width):
                memory[_LOWEST, c] = e[c] / numbers[-1]
                for i in range(dim):
                    best[i, c] = x[i, c]
            if memory[_STATE, 0] == _FALLS:
                memory[_STATE, :] = _HAS_BEST
        part(
            energy, grad, numbers, settings[first : first + n_settings], streams, x, e, g, memory[_BEST + dim :],
            scratch, 1, n_accepted, n_faults, fault_x,
        )
        for c in range(width):
            memory[_COUNTER, c] += 1.0
            lowest = e[c] / numbers[-1]
            if lowest < memory[_LOWEST, c]:
                memory[_LOWEST, c] = lowest
                for i in range(dim):
                    best[i, c] = x[i, c]
    evaluate(energy, grad, packed, x, e, g)
