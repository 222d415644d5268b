"""What kernels made of other kernels share: one transition of each, in turn or by lot, and what each has to be told."""

import copy
import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled, inlined_borrowing
from fastebm.energies import Energy
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel, advance_at

_FRONT = 2  # settings before those of the parts: how many parts, and whether they take turns
# of each part: cumulative weight, its first and last setting, rows of memory, whether x leaves g behind, its address
_HEAD = 6


class SeveralRules(Kernel):
    """Kernels made of others, all of one energy; every part is tuned for itself, on the shape that all have learnt.

    Of a run, `step_size` has a number for each part in turn, means over coordinates where these have their own;
    `report` has "acceptance_rate" (n_parts,), of each part.

    Memory: the number of transitions, accepted and tried transitions of each part, then the memories of the parts.
    """

    acceptance_tells = False
    takes_turns = True
    dim: int | None = None

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self.kernels = _checked(kernels)
        self.needs_grad = any(part.needs_grad for part in self.kernels)
        self.is_exact = all(part.is_exact for part in self.kernels)
        self.has_rejections = any(part.has_rejections for part in self.kernels)
        self.tunes_path = any(part.tunes_path for part in self.kernels)
        self.n_step_sizes = sum(part.n_step_sizes for part in self.kernels)

    @property
    def step_size(self) -> FloatArray | None:  # type: ignore[override]
        """None if any is to be tuned, else the means of the parts' own."""
        if any(part.step_size is None for part in self.kernels):
            return None
        return np.concatenate([given_sizes(part) for part in self.kernels])

    @property
    def weights(self) -> FloatArray | None:
        return None

    @property
    def advance(self) -> Compiled:
        return advance

    def refuse(self, energy: Energy) -> None:
        for part in self.kernels:
            part.refuse(energy)

    def on(self, energy: Energy) -> Self:
        bound = copy.copy(self)
        bound.kernels = tuple(part.on(energy) for part in self.kernels)
        bound.dim = energy.dim
        return bound

    def n_scratch(self, dim: int) -> int:
        return max(part.n_scratch(dim) for part in self.kernels)

    def n_memory(self, dim: int) -> int:
        return 1 + 2 * len(self.kernels) + sum(part.n_memory(dim) for part in self.kernels)

    def n_coupled(self, dim: int) -> int:
        return math.lcm(*(part.n_coupled(dim) for part in self.kernels))

    def refuse_starts(self, X: FloatArray) -> None:
        if all(part.n_coupled(X.shape[1]) > 1 for part in self.kernels):  # others leave whatever their groups span
            for part in self.kernels:
                part.refuse_starts(X)

    def is_dense(self, dim: int) -> bool:
        return any(part.is_dense(dim) for part in self.kernels if part.step_size is None)

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """How many parts and whether they take turns; the head of each part; what the parts take themselves."""
        dim, n = len(scale), len(self.kernels)
        sizes = self._cut(step_size)
        widths = scale if scale.ndim == 1 else np.sqrt((scale**2).sum(axis=1))
        every = []
        for part, size in zip(self.kernels, sizes, strict=True):
            if part.step_size is not None:
                every.append(part.settings(part.step_size, np.ones(dim)))
                continue
            shape = scale if part.is_dense(dim) else widths
            every.append(part.settings(size, shape, path_length if part.tunes_path else None))
        weights = np.full(n, 1.0 / n) if self.weights is None else self.weights
        ends = _FRONT + _HEAD * n + np.cumsum([0, *map(len, every)])
        heads = [
            [float(weights[: j + 1].sum()), ends[j], ends[j + 1], part.n_memory(dim),
             float(self.needs_grad and not part.needs_grad), 0.0]
            for j, part in enumerate(self.kernels)
        ]
        return np.concatenate([[n, float(self.takes_turns)], *heads, *every])

    def linked(self, settings: FloatArray) -> FloatArray:
        found = settings.copy()
        for j, part in enumerate(self.kernels):
            head = _FRONT + _HEAD * j
            first, last = settings[head + 1 : head + 3].astype(int)
            found[first:last] = part.linked(settings[first:last])
            found[head + 5] = part.advance.address
        return found

    def first_step_size(self, dim: int) -> FloatArray:
        return np.concatenate([
            np.atleast_1d(part.first_step_size(dim)) if part.step_size is None else given_sizes(part)
            for part in self.kernels
        ])

    def target_acceptance(self, dim: int) -> FloatArray:
        return np.concatenate([
            np.atleast_1d(part.target_acceptance(dim)) if part.step_size is None else np.full(part.n_step_sizes, 0.5)
            for part in self.kernels
        ])

    def rates(self, accepted: float, told: FloatArray) -> FloatArray:
        """Of each part in its own transitions; nan where it made none, or has a step size that is final."""
        n, found = len(self.kernels), []
        for j, (part, rows) in enumerate(zip(self.kernels, self._rows, strict=True)):
            share = told[1 + n + j]
            is_told = part.step_size is None and share > 0.0
            rates = part.rates(told[1 + j] / share, told[rows] / share) if is_told else np.nan
            found.append(np.broadcast_to(rates, part.n_step_sizes))
        return np.concatenate(found)

    def learning(self, settings: FloatArray, center: FloatArray) -> FloatArray:
        learnt = settings.copy()
        for j, part in enumerate(self.kernels):
            first, last = settings[_FRONT + _HEAD * j + 1 : _FRONT + _HEAD * j + 3].astype(int)
            learnt[first:last] = part.learning(settings[first:last], center)
        return learnt

    def first_path(self, step_size: float | FloatArray) -> float:
        parts = zip(self.kernels, self._cut(step_size), strict=True)
        return next(part.first_path(size) for part, size in parts if part.tunes_path)

    def path_signal(self, told: FloatArray) -> tuple[float, float]:
        parts = zip(self.kernels, self._rows, strict=True)
        return next(part.path_signal(told[rows]) for part, rows in parts if part.tunes_path)

    def settle(self, memory: FloatArray) -> None:
        memory[:, 1 : 1 + 2 * len(self.kernels)] = 0.0
        for part, rows in zip(self.kernels, self._rows, strict=True):
            part.settle(memory[:, rows])

    def retargeted(self, memory: FloatArray) -> None:
        for part, rows in zip(self.kernels, self._rows, strict=True):
            part.retargeted(memory[:, rows])

    def report(self, energy: Energy, memories: FloatArray) -> dict[str, FloatArray]:
        n = len(self.kernels)
        counts = memories.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"acceptance_rate": counts[1 : 1 + n] / counts[1 + n : 1 + 2 * n]}

    def _cut(self, step_size: float | FloatArray) -> list[float | FloatArray]:
        """The step sizes of each part: a number where it has but one."""
        ends = np.cumsum([part.n_step_sizes for part in self.kernels])[:-1]
        pieces = np.split(np.broadcast_to(step_size, self.n_step_sizes), ends)
        return [
            float(piece[0]) if part.n_step_sizes == 1 else piece
            for part, piece in zip(self.kernels, pieces, strict=True)
        ]

    @property
    def _rows(self) -> list[slice]:
        """Where in the memory those of the parts are."""
        if self.dim is None:
            raise TypeError(f"{type(self).__name__} is on no energy yet; call its on(energy) first.")
        ends = 1 + 2 * len(self.kernels) + np.cumsum([0, *(part.n_memory(self.dim) for part in self.kernels)])
        return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, self.kernels))}])"


def _checked(kernels: Any) -> tuple[Kernel, ...]:
    if not isinstance(kernels, list | tuple) or not kernels or not all(isinstance(one, Kernel) for one in kernels):
        raise TypeError(
            f"kernels is {kernels!r}; pass a list of at least one kernel, for example [eb.RandomWalk(), eb.HMC()]."
        )
    for part in kernels:
        if part.tempers:
            raise ValueError(f"kernels holds {part!r}, which has temperatures of its own; put the list inside of it.")
    if sum(part.tunes_path for part in kernels) > 1:
        raise ValueError("two of the kernels tune a path length; pass n_leapfrog to all but one of them.")
    return tuple(kernels)


def given_sizes(kernel: Kernel) -> FloatArray:
    """The final step sizes of a kernel, (n_step_sizes,); means over coordinates where these have their own."""
    size = kernel.step_size
    assert size is not None
    return np.broadcast_to(np.mean(size), 1) if kernel.n_step_sizes == 1 else np.asarray(size)


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` as `SeveralRules.settings` gives them. See `kernel`."""
    width = x.shape[1]
    n, takes_turns = int(settings[0]), settings[1] > 0.0
    counts, has_moved = np.zeros(width, np.int64), np.zeros(width, np.int64)
    for _ in range(n_transitions):
        lot = shuffled(memory[0, 0])
        has_moved[:] = 0
        row, below = 1 + 2 * n, 0.0
        for j in range(n):
            head = _FRONT + _HEAD * j
            first, last, n_rows = int(settings[head + 1]), int(settings[head + 2]), int(settings[head + 3])
            if takes_turns or (below <= lot and lot < settings[head]) or (j == n - 1 and lot >= settings[head]):
                counts[:] = 0
                part = advance_at(settings[head + 5])
                part(
                    energy, grad, packed, settings[first:last], streams, x, e, g, memory[row : row + n_rows], scratch,
                    1, counts, n_faults, fault_x,
                )
                if settings[head + 4] > 0.0:
                    grad(x, packed, e, g)
                for c in range(width):
                    memory[1 + j, c] += counts[c]
                    memory[1 + n + j, c] += 1.0
                    has_moved[c] |= counts[c]
            row += n_rows
            below = settings[head]
        for c in range(width):
            memory[0, c] += 1.0
            n_accepted[c] += has_moved[c]


@inlined_borrowing
def shuffled(turn):  # type: ignore[no-untyped-def]
    """A number from 0 to below 1 for each turn = 0, 1, ..., as if by chance: SplitMix64's output."""
    z = (np.uint64(turn) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53
