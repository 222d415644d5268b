"""Chains on other machines: an executor's `map` advances shards of them, and the caller keeps their state.

Workers remember nothing. A shard goes out with its state and comes back with it, so that one that is lost is sent
again, and results are those of a single thread, bit for bit.
"""

import multiprocessing
import numbers
import os
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastebm import _checks, tiles
from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.kernels import Kernel
from fastebm.sampling.chains import Chains, State
from fastebm.sampling.interrupts import Interrupts
from fastebm.sampling.moments import MomentSums

_BLOCK_SECONDS = 1.0  # longer than in one process, since every block is a journey
_SENT = 2  # times that a shard is sent before it is given up
_FAILED = 3  # blocks with such shards before the executor is given up


class ExecutorFault(RuntimeError):
    """An executor did not return what it was given; the message says what to do."""


class Parcel(NamedTuple):
    """Shard number `place`, and what is to be done with it."""

    place: int
    energy: Energy
    kernel: Kernel
    state: State
    n_transitions: int
    settings: FloatArray
    thin: int
    done: int
    keeps_draws: bool
    sums: FloatArray | None
    frame: FloatArray | None


class Returned(NamedTuple):
    """Shard number `place` after its transitions, with the draws it made."""

    place: int
    state: State
    draws: FloatArray
    energies: FloatArray
    sums: FloatArray | None
    counts: Any


def work(parcel: Parcel) -> Returned:
    """Advance one shard, in whatever process this is."""
    if multiprocessing.parent_process() is None:
        return _worked(parcel)
    with Interrupts():  # Ctrl-C reaches every process of a terminal; the caller's is the one that answers
        return _worked(parcel)


def _worked(parcel: Parcel) -> Returned:
    chains = Chains(parcel.energy, parcel.kernel, parcel.state["x"], 0, 1)
    chains.restore(parcel.state)
    before = parcel.done // parcel.thin if parcel.thin else 0
    made = (parcel.done + parcel.n_transitions) // parcel.thin - before if parcel.keeps_draws else 0
    draws, energies = np.empty((chains.n, made, chains.dim)), np.empty((chains.n, made))
    moments = None
    if parcel.frame is not None and parcel.sums is not None:
        moments = MomentSums(chains.positions, chains.energies, len(chains.x), chains.width, 1)
        moments.frame[:] = parcel.frame
        moments.restore_sums(parcel.sums)
    chains.advance(
        parcel.n_transitions, parcel.settings, thin=parcel.thin, done=parcel.done, draws=draws, energies=energies,
        n_before=before, moments=moments,
    )
    if moments is None:
        return Returned(parcel.place, chains.state(), draws, energies, None, None)
    return Returned(parcel.place, chains.state(), draws, energies, moments.by_chain(chains.n), moments.counts)


class Shards(Chains):
    """Chains that an executor advances.

    Parameters
    ----------
    energy, kernel, starts, seed : as of `Chains`.
    executor : anything with map(function, iterable) -> results in order.
    """

    def __init__(self, energy: Energy, kernel: Kernel, starts: FloatArray, seed: int, executor: Any) -> None:
        super().__init__(energy, kernel, starts, seed, 1)
        self.executor = executor
        self.n_shards = _n_workers(executor)
        self.n_failed = 0  # blocks

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
        places = np.arange(self.dim) if columns is None else columns
        group = self.kernel.n_coupled(self.dim)
        ranges = [(group * a, group * b) for a, b in tiles.ranges(self.n // group, self.n_shards)]
        stop = done + n_transitions
        while done < stop:
            block = min(self._block, stop - done)
            began = time.perf_counter()
            state = self.state()
            sums = None if moments is None else moments.by_chain(self.n)
            parcels = [
                Parcel(
                    place, self.energy, self.kernel, _rows(state, first, last), block, settings, thin, done,
                    draws is not None and draws.shape[1] > 0, None if sums is None else sums[first:last],
                    None if moments is None else moments.frame,
                )
                for place, (first, last) in enumerate(ranges)
            ]
            returned = self._sent(parcels)
            self.restore({
                name: np.concatenate([one.state[name] for one in returned]) if np.ndim(state[name]) else state[name]
                for name in state
            })
            self.n_transitions += block
            at = done // thin - n_before if thin else 0
            for (first, last), one in zip(ranges, returned, strict=True):
                if draws is not None and energies is not None and one.energies.shape[1]:
                    draws[first:last, at : at + one.energies.shape[1], places] = one.draws
                    energies[first:last, at : at + one.energies.shape[1]] = one.energies
            if moments is not None:
                moments.restore_sums(np.concatenate([one.sums for one in returned if one.sums is not None]))
                for one in returned:
                    moments.counts[0] += one.counts[0]
                moments.n_draws = (done + block) // thin
            seconds = time.perf_counter() - began
            self._block = max(1, min(4 * block, int(block * _BLOCK_SECONDS / max(seconds, 1e-9))))
            done += block
            if after_block is not None and after_block(block):
                break
        return done - stop + n_transitions

    def _sent(self, parcels: list[Parcel]) -> list[Returned]:
        """What comes back of every parcel; what is lost is sent again, and then done here."""
        returned: list[Returned | None] = [None] * len(parcels)
        fault: BaseException | None = None
        n_after = self.n_transitions + parcels[0].n_transitions
        for _ in range(_SENT if self.n_failed < _FAILED else 0):
            missing = [place for place, one in enumerate(returned) if one is None]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ResourceWarning)
                    results = self.executor.map(work, [parcels[place] for place in missing])
                    for one in results:
                        if not isinstance(one, Returned):
                            raise ExecutorFault(
                                f"executor.map gave a {type(one).__name__} for a shard; pass an executor whose map "
                                "returns the results themselves, in order (of a Dask client: client.get_executor())."
                            )
                        if one.place not in missing or one.state["n_transitions"] != n_after:
                            raise ExecutorFault(
                                f"executor.map gave shard {one.place} after {one.state['n_transitions']} transitions, "
                                f"where {n_after} were asked of {missing}; pass an executor whose map calls the "
                                "function anew for each item, without a memory."
                            )
                        returned[one.place] = one
            except ExecutorFault:
                raise
            except Exception as seen:  # a lost worker has as many names as there are executors
                fault = seen
            if all(one is not None for one in returned):
                return [one for one in returned if one is not None]
        missing = [place for place, one in enumerate(returned) if one is None]
        if fault is None and self.n_failed < _FAILED:
            raise ExecutorFault(
                f"executor.map lost {len(missing)} of {len(parcels)} shards {_SENT} times; pass an executor whose map "
                "returns one result for each item."
            )
        self.n_failed += 1
        if self.n_failed == 1:  # once a run: blocks are many
            why = f"{type(fault).__name__}: {fault}".splitlines()[0].rstrip(".")  # loky's are a page
            _checks.warn(
                f"the executor failed {_SENT} times ({why}), so that {len(missing)} of {len(parcels)} shards run in "
                "this process, and all of them if it goes on failing; restart the executor for the next run."
            )
        for place in missing:
            returned[place] = work(parcels[place])  # raises what the energy raises, if that was the fault
        return [one for one in returned if one is not None]


def _n_workers(executor: Any) -> int:
    """How many shards keep an executor busy: as many as it has workers, if it tells, or as this machine processors."""
    for name in ("_max_workers", "num_workers"):  # of Python and loky, and of mpi4py
        n = getattr(executor, name, None)
        if isinstance(n, numbers.Integral) and int(n) >= 1:
            return int(n)
    cluster: Any = getattr(executor, "_client", None)
    if callable(getattr(cluster, "nthreads", None)):  # of Dask, whose executor does not tell
        return max(1, int(sum(cluster.nthreads().values())))
    return os.cpu_count() or 1


def _rows(state: State, first: int, last: int) -> State:
    return {name: one[first:last] if np.ndim(one) else one for name, one in state.items()}
