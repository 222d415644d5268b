"""Many chains in tiles: their state, and the driver that advances them in blocks over threads."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from fastebm import streams, tiles
from fastebm._checks import FloatArray
from fastebm._compile import (
    ENERGY,
    GRAD,
    GRAD_SIGNATURE,
    STREAM_TILES,
    TILE,
    TILES,
    VECTOR,
    compiled,
    explained_index_errors,
)
from fastebm.energies import Energy, programs
from fastebm.kernels import Kernel
from fastebm.kernels.kernel import ADVANCE

_BLOCK_SECONDS = 0.1
_COUNTS = types.Array(types.int64, 2, "C")


class Chains:
    """The state of n chains: positions, energies and streams in tiles.

    Parameters
    ----------
    energy : the energy; `retarget` exchanges it.
    kernel : the rule of transition.
    starts : (n, dim) first positions, with finite energies.
    seed : chain c's stream depends on (seed, c) alone.
    n_threads : threads that share the tiles; results do not depend on it.
    """

    def __init__(self, energy: Energy, kernel: Kernel, starts: FloatArray, seed: int, n_threads: int) -> None:
        kernel.refuse(energy)
        self.n, self.dim = starts.shape
        self.kernel = kernel
        self.n_threads = n_threads
        n_tiles, self.width = tiles.shape(self.n, self.dim)
        self.streams = tiles.aligned(streams.seed_streams(seed, n_tiles, self.width))
        self.x = tiles.pack(starts, n_tiles, self.width)
        self.n_accepted = np.zeros((n_tiles, self.width), dtype=np.int64)
        self.n_faults = np.zeros((n_tiles, self.width), dtype=np.int64)
        self.fault_x = np.zeros((n_tiles, self.dim, self.width))
        self.n_transitions = 0
        self._block = 1
        self.retarget(energy)

    def retarget(self, energy: Energy, positions: FloatArray | None = None) -> None:
        """Go on with another energy of the same dimension, from other positions (n, dim) if they are given."""
        n_tiles = len(self.x)
        if positions is not None:
            self.x = tiles.pack(positions, n_tiles, self.width)
        self.energy = energy
        self.packed = energy.packed
        everywhere = tiles.unpack(self.x, n_tiles * self.width)
        if self.kernel.needs_grad:
            energies, slopes = programs.energies_and_grads(energy.program, self.packed, everywhere)
        else:
            energies, slopes = programs.energies(energy.program, self.packed, everywhere), everywhere[:, :0]
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

    def counts(self) -> tuple[Any, Any]:
        """Accepted transitions and faults of each chain since `forget`, both (n,)."""
        return self.n_accepted.ravel()[: self.n], self.n_faults.ravel()[: self.n]

    def forget(self) -> None:
        """Start counting anew."""
        self.n_accepted[:] = 0
        self.n_faults[:] = 0
        self.n_transitions = 0

    def acceptance_rate(self) -> FloatArray:
        """Accepted share of the transitions of each chain since `forget`, (n,)."""
        return np.asarray(self.counts()[0] / max(1, self.n_transitions))

    def advance(
        self,
        n_transitions: int,
        settings: FloatArray,
        *,
        thin: int = 0,
        draws: FloatArray | None = None,
        energies: FloatArray | None = None,
        after_block: Callable[[int], bool] | None = None,
    ) -> int:
        """Advance every chain by n transitions, in blocks of about a tenth of a second.

        Parameters
        ----------
        n_transitions : how many.
        settings : what the kernel's `settings` gave.
        thin, draws, energies : every `thin` transitions the positions go into draws (n, n_draws, dim) and the energies
            into energies (n, n_draws); thin=0 keeps nothing.
        after_block : called with the number of transitions of each block; True stops.

        Returns
        -------
        The number of transitions made.
        """
        keep = draws if draws is not None else np.empty((self.n, 0, self.dim))
        keep_e = energies if energies is not None else np.empty((self.n, 0))
        n_scratch = self.kernel.n_scratch(self.dim)
        program = self.energy.program
        advance, energy = self.kernel.advance.pointer, program.energy.pointer
        grad = (program.grad if self.kernel.needs_grad else _no_grad).pointer
        parts = tiles.ranges(len(self.x), self.n_threads)
        done = 0
        while done < n_transitions:
            block = min(self._block, n_transitions - done)

            def run(first: int, last: int, start: int = done, n: int = block) -> None:
                advance_tiles(
                    advance, energy, grad, self.packed, settings, self.streams, self.x, self.e, self.g, n_scratch,
                    start, n, thin, keep, keep_e, self.n_accepted, self.n_faults, self.fault_x, first, last,
                )

            began = time.perf_counter()
            with explained_index_errors(program.energy):
                tiles.run(run, parts, self.n_threads)
            seconds = time.perf_counter() - began
            self._block = max(1, min(4 * block, int(block * _BLOCK_SECONDS / max(seconds, 1e-9))))
            done += block
            self.n_transitions += block
            if after_block is not None and after_block(block):
                break
        return done


@compiled(GRAD_SIGNATURE)
def _no_grad(x, packed, e, g):  # type: ignore[no-untyped-def]
    """Stands in the place of the gradient where the kernel needs none, so that none is compiled."""


@compiled(
    types.void(
        ADVANCE, ENERGY, GRAD, VECTOR, VECTOR, STREAM_TILES, TILES, TILE, TILES, types.intp, types.intp, types.intp,
        types.intp, TILES, TILE, _COUNTS, _COUNTS, TILES, types.intp, types.intp,
    )
)
def advance_tiles(  # type: ignore[no-untyped-def]
    advance, energy, grad, packed, settings, streams, x, e, g, n_scratch, start, n, thin,
    draws, energies, n_accepted, n_faults, fault_x, first, last,
):
    """Transitions start + 1 to start + n of the tiles from first to last; every `thin`-th goes into the draws."""
    dim, width = x.shape[1], x.shape[2]
    n_chains = draws.shape[0]
    memory = np.empty(n_scratch * width + 7)
    skip = -(memory.ctypes.data // 8) % 8  # to the next cache line
    scratch = memory[skip : skip + n_scratch * width].reshape((n_scratch, width))
    for t in range(first, last):
        done = start
        while done < start + n:
            stop = start + n if thin == 0 else min(start + n, done - done % thin + thin)
            advance(
                energy, grad, packed, settings, streams[t], x[t], e[t], g[t], scratch, stop - done,
                n_accepted[t], n_faults[t], fault_x[t],
            )
            done = stop
            if thin > 0 and done % thin == 0:
                draw = done // thin - 1
                for l in range(min(width, n_chains - t * width)):
                    energies[t * width + l, draw] = e[t, l]
                    for i in range(dim):
                        draws[t * width + l, draw, i] = x[t, i, l]
