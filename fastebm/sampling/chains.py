"""Many chains in tiles: their state, and the driver that advances them in blocks over threads."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from fastebm import streams, tiles
from fastebm._checks import FloatArray
from fastebm._compile import (
    GRAD_SIGNATURE,
    STREAM_TILES,
    TILE,
    TILES,
    VECTOR,
    compiled,
    energy_at,
    explained_index_errors,
    grad_at,
)
from fastebm.energies import Energy, programs
from fastebm.kernels import Kernel
from fastebm.kernels.kernel import advance_at
from fastebm.sampling.draws import keep
from fastebm.sampling.moments import MomentSums, record

_BLOCK_SECONDS = 0.1
_COUNTS = types.Array(types.int64, 2, "C")
_COLUMNS = types.Array(types.int64, 1, "C")

State = dict[str, Any]


class Chains:
    """The state of n chains: positions, energies and streams in tiles.

    Parameters
    ----------
    energy : the energy; `retarget` exchanges it.
    kernel : the rule of transition.
    starts : (n, dim) first positions, with finite energies.
    seed : chain c's stream depends on (seed, first + c) alone.
    n_threads : threads that share the tiles; results do not depend on it.
    first : the number of the first chain, where these are a part of more.
    """

    def __init__(
        self, energy: Energy, kernel: Kernel, starts: FloatArray, seed: int, n_threads: int, first: int = 0
    ) -> None:
        self.n, self.dim = starts.shape
        self.kernel = kernel = kernel.on(energy)
        self.n_threads = n_threads
        kernel.refuse_number(self.n, self.dim)
        n_tiles, self.width = tiles.shape(self.n, self.dim, kernel.n_coupled(self.dim))
        self.streams = tiles.aligned(streams.seed_streams(seed, n_tiles, self.width, first=first))
        self.x = tiles.pack(starts, n_tiles, self.width)
        self.n_accepted = tiles.zeros((n_tiles, self.width), np.int64)
        self.n_faults = tiles.zeros((n_tiles, self.width), np.int64)
        self.fault_x = tiles.zeros((n_tiles, self.dim, self.width))
        self.memory = tiles.zeros((n_tiles, kernel.n_memory(self.dim), self.width))
        self.n_transitions = 0
        self._block = 1
        self.retarget(energy)

    def retarget(self, energy: Energy, positions: FloatArray | None = None) -> None:
        """Go on with another energy of the same dimension, from other positions (n, dim) if they are given."""
        n_tiles = len(self.x)
        if positions is not None:
            self.x = tiles.pack(positions, n_tiles, self.width)
        self.energy = energy
        target = self.kernel.target(energy)
        self.program, self.packed = target.program, target.packed
        self.kernel.retargeted(self.memory)
        everywhere = tiles.unpack(self.x, n_tiles * self.width)
        if self.kernel.needs_grad:
            energies, slopes = programs.energies_and_grads(self.program, self.packed, everywhere)
        else:
            energies, slopes = programs.energies(self.program, self.packed, everywhere), everywhere[:, :0]
        self.e = tiles.aligned(energies.reshape(n_tiles, self.width))
        self.g = tiles.pack(slopes, n_tiles, self.width)

    @property
    def positions(self) -> FloatArray:
        """Where the chains are, (n, dim)."""
        return tiles.unpack(self.x, self.n)

    @property
    def energies(self) -> FloatArray:
        """Energies at the positions, (n,)."""
        return np.asarray(self.e.ravel()[: self.n])

    @property
    def memories(self) -> FloatArray:
        """What the chains carry besides, (n, n_memory)."""
        return tiles.unpack(self.memory, self.n)

    def state(self) -> State:
        """Everything that decides what the chains will do, and what they have counted, chain by chain."""
        every = {name: getattr(self, name) for name in _PARTS}
        rows = {name: one[:, None] if one.ndim == 2 else one for name, one in every.items()}
        n_columns = len(self.x) * self.width
        by_chain = {
            name: one.transpose(0, 2, 1).reshape(n_columns, one.shape[1])[: self.n] for name, one in rows.items()
        }
        return {**by_chain, "n_transitions": np.array(self.n_transitions)}

    def restore(self, state: State) -> None:
        """Go on from what `state` gave, of as many chains."""
        n_tiles = len(self.x)
        rows = np.minimum(np.arange(n_tiles * self.width), self.n - 1)
        for name in _PARTS:
            mine = getattr(self, name)
            given = state[name][rows].reshape(n_tiles, self.width, state[name].shape[1]).transpose(0, 2, 1)
            mine[...] = given.reshape(mine.shape)
        self.n_transitions = int(state["n_transitions"])

    def counts(self) -> tuple[Any, Any]:
        """Accepted transitions and faults of each chain since `forget`, both (n,)."""
        return self.n_accepted.ravel()[: self.n], self.n_faults.ravel()[: self.n]

    def forget(self) -> None:
        """Start counting anew."""
        self.n_accepted[:] = 0
        if self.n_faults.any():  # memory that nobody has written to is none yet
            self.n_faults[:] = 0
        self.n_transitions = 0

    def settle(self) -> None:
        """Start counting anew, in the memory of the kernel too: warm-up is over."""
        self.forget()
        self.kernel.settle(self.memory)

    def acceptance_rate(self) -> FloatArray:
        """Accepted share of the transitions of each chain since `forget`, (n,)."""
        return np.asarray(self.counts()[0] / max(1, self.n_transitions))

    def advance(
        self,
        n_transitions: int,
        settings: FloatArray,
        *,
        thin: int = 0,
        done: int = 0,
        draws: FloatArray | None = None,
        energies: FloatArray | None = None,
        n_before: int = 0,
        columns: Any = None,
        moments: MomentSums | None = None,
        after_block: Callable[[int], bool] | None = None,
    ) -> int:
        """Advance every chain by n transitions, in blocks of about a tenth of a second.

        Parameters
        ----------
        n_transitions : how many.
        settings : what the kernel's `settings` gave.
        thin : every `thin` transitions a draw is made; thin=0 keeps nothing.
        done : transitions since the first draw was begun, before these.
        draws, energies : positions go into draws (n, n_draws, dim) and energies into energies (n, n_draws).
        n_before : draws made before the first one that these arrays hold.
        columns : (self.dim,) the places of coordinates in the draws' last axis, if these have more.
        moments : draws go into these sums.
        after_block : called with the number of transitions of each block; True stops.

        Returns
        -------
        The number of transitions made.
        """
        kept = draws if draws is not None else np.empty((self.n, 0, self.dim))
        kept_e = energies if energies is not None else np.empty((self.n, 0))
        places = np.arange(self.dim) if columns is None else np.ascontiguousarray(columns, dtype=np.int64)
        room = self.kernel.n_scratch(self.dim), self.width
        settings = self.kernel.linked(settings)
        program = self.program
        advance, energy = self.kernel.advance.address, program.energy.address
        grad = (program.grad if self.kernel.needs_grad else _no_grad).address
        parts = tiles.shares(len(self.x), self.n_threads)
        if moments is None:
            sums, frame = np.empty((len(self.x), 0, self.width)), np.empty((2, 0))
            counts = np.zeros((self.n_threads, 0, 0), dtype=np.int64)
        else:
            sums, counts, frame = moments.sums, moments.counts, moments.frame
        free = list(counts)  # one for each thread that runs
        stop = done + n_transitions
        while done < stop:
            block = min(self._block, stop - done)

            def run(first: int, last: int, start: int = done, n: int = block) -> None:
                bins = free.pop()
                try:
                    advance_tiles(
                        advance, energy, grad, self.packed, settings, self.streams, self.x, self.e, self.g,
                        self.memory, tiles.zeros(room), start, n, thin, self.n, n_before, kept, kept_e, places, sums,
                        bins, frame, self.n_accepted, self.n_faults, self.fault_x, first, last,
                    )
                finally:
                    free.append(bins)

            began = time.perf_counter()
            with explained_index_errors(program.energy):
                tiles.run(run, parts, self.n_threads)
            seconds = time.perf_counter() - began
            self._block = max(1, min(4 * block, int(block * _BLOCK_SECONDS / max(seconds, 1e-9))))
            done += block
            self.n_transitions += block
            if moments is not None:
                moments.n_draws = done // thin
            if after_block is not None and after_block(block):
                break
        return done - stop + n_transitions


# What a chain is made of, by the names of the arrays of tiles.
_PARTS = ("streams", "x", "e", "g", "memory", "n_accepted", "n_faults", "fault_x")


@compiled(GRAD_SIGNATURE)
def _no_grad(x, packed, e, g):  # type: ignore[no-untyped-def]
    """Stands in the place of the gradient where the kernel needs none, so that none is compiled."""


@compiled(
    types.void(
        types.float64, types.float64, types.float64, VECTOR, VECTOR, STREAM_TILES, TILES, TILE, TILES, TILES, TILE,
        types.intp, types.intp, types.intp, types.intp, types.intp, TILES, TILE, _COLUMNS, TILES, _COUNTS,
        TILE, _COUNTS, _COUNTS, TILES, types.intp, types.intp,
    ),
    borrows=True,
)
def advance_tiles(  # type: ignore[no-untyped-def]
    advance, energy, grad, packed, settings, streams, x, e, g, memory, scratch, start, n, thin, n_chains, n_before,
    draws, energies, columns, sums, bins, frame, n_accepted, n_faults, fault_x, first, last,
):
    """Transitions start + 1 to start + n of the tiles from first to last; every `thin`-th is a draw.

    Compiled functions come as their addresses: to hand over the functions themselves takes half a millisecond.
    """
    transitions, energy_there, grad_there = advance_at(advance), energy_at(energy), grad_at(grad)
    width = x.shape[2]
    for t in range(first, last):
        n_columns = min(width, n_chains - t * width)
        done = start
        while done < start + n:
            stop = start + n if thin == 0 else min(start + n, done - done % thin + thin)
            transitions(
                energy_there, grad_there, packed, settings, streams[t], x[t], e[t], g[t], memory[t], scratch,
                stop - done, n_accepted[t], n_faults[t], fault_x[t],
            )
            done = stop
            if thin > 0 and done % thin == 0:
                draw = done // thin - 1
                place = draw - n_before
                if place < energies.shape[1]:
                    keep(x[t], e[t], n_columns, t * width, place, draws, energies, columns)
                if sums.shape[1] > 0:
                    record(draw, x[t], e[t], n_columns, sums[t], bins, frame, scratch[0])
