"""engine-overhead and checkpoint-overhead: what a run costs beyond the transitions of its kernel."""

import functools
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numba
import numpy as np
from numba import types

import fastebm as eb
from benchmarks import targets, timing
from benchmarks.rows.samplers import N_CHAINS
from benchmarks.targets import Target
from benchmarks.timing import Bar, Contestant, Measure, Report, Result, compare
from fastebm import tiles
from fastebm._compile import FLAGS, STREAM_TILES, TILE, TILES, VECTOR, energy_at, grad_at
from fastebm.kernels.kernel import advance_at
from fastebm.sampling.chains import Chains, _no_grad
from fastebm.sampling.plans import planned
from fastebm.sampling.session import Session

sampling = sys.modules["fastebm.sampling.sample"]  # the function of this name hides it
_THIN = 100
_EVERY = 30.0  # seconds between checkpoints
_SHARE_OF_WRITING = 1.3
_TURNS = 8  # of these rows in usual ones: a run's first blocks, in which it finds out how long blocks are, count too


def measure(n_rounds: int) -> Report:
    """CPU seconds of whole calls of eb.sample, one thread, against the bare kernel for the same transitions."""
    target = targets.gaussian(10)
    bare = bare_kernel(target, chains_of(target))
    sampled = functools.partial(_sample, target)
    n = _transitions_of(bare, _TURNS * timing.TURN_SECONDS)
    n_thinned = max(1, n // _THIN)
    ours, theirs = _side_by_side(lambda: sampled(n_thinned, thin=_THIN, keep="last"), bare, lambda: 0.0)
    limit = Contestant("bare kernel", theirs, bar=Bar(1.02, at_least=False))
    results = compare("engine-overhead", f"s of CPU, thin={_THIN}, keep='last'", ours, [limit], n_rounds)
    n_draws = _transitions_of(bare, timing.TURN_SECONDS)  # 90 kB a draw, of memory
    ours, theirs = _side_by_side(
        lambda: sampled(n_draws, thin=1, keep="draws"), bare, lambda: _SHARE_OF_WRITING * _writing(n_draws)
    )
    limit = Contestant(f"bare kernel + {_SHARE_OF_WRITING} writing", theirs, bar=Bar(1.0, at_least=False))
    results += compare("engine-overhead", "s of CPU, thin=1, keep='draws'", ours, [limit], n_rounds)
    return Report(results, notes=[
        "engine-overhead: CPU time of whole calls of eb.sample, from arguments to result. After each of its blocks "
        "the bare kernel makes as many transitions, in one call a tile, so that both meet the same processor. Writing "
        "fills fresh arrays of the size of the draws, page faults included, before the call and after it; the mean "
        "is taken."
    ])


class _Beside:
    """In the place of a progress bar: after each block of a run the bare kernel makes as many transitions."""

    def __init__(self, bare: Callable[[int], float]) -> None:
        self.bare = bare
        self.seconds = 0.0  # of the bare kernel
        self.spent = 0.0  # while the run waited

    def advance(self, n: int) -> None:
        began = time.process_time()
        self.seconds += self.bare(n)
        self.spent += time.process_time() - began

    def close(self) -> None:
        """As a bar's."""


def _side_by_side(sampled: Measure, bare: Callable[[int], float], writing: Measure) -> tuple[Measure, Measure]:
    """Measures of a run, to be made first, and of what it is compared with: the bare kernel, and writing."""
    allowed: list[float] = []

    def run() -> float:
        beside, before = _Beside(bare), writing()
        with patch.object(sampling, "Progress", lambda *_: beside):
            seconds = sampled() - beside.spent
        allowed.append(beside.seconds + 0.5 * (before + writing()))
        return seconds

    return run, allowed.pop


def checkpoints(n_rounds: int) -> Report:
    """Per cent of 30 s that a processor works on a checkpoint with the draws of 30 s of 1,024 chains in 10 dimensions.

    They are not waited for: the draws of shorter runs are written, and the time beyond that of a checkpoint without
    new draws is multiplied. A thread of its own waits for the disk, while the chains go on.
    """
    shares = tuple(_checkpoint_share() for _ in range(n_rounds))
    quantity = f"% of {_EVERY:.0f} s, CPU, thin={_THIN}"
    return Report([Result("checkpoint-overhead", quantity, shares, bar=Bar(2.0, at_least=False))], notes=[
        f"checkpoint-overhead: the CPU time of a checkpoint with the draws of {_TURNS} turns of one thread, written to "
        f"the folder of temporary files, is scaled to the draws of {_EVERY:.0f} s."
    ])


def _checkpoint_share() -> float:
    target = targets.gaussian(10)
    seconds = _TURNS * timing.TURN_SECONDS
    n_draws = max(2, _transitions_of(bare_kernel(target, chains_of(target)), seconds) // _THIN)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        plan = planned(
            target.energy, n_chains=N_CHAINS, n_draws=n_draws + 1, n_warmup=0, thin=_THIN, init=None, seed=0,
            clamp=None, keep="draws", until=None, checkpoint=Path(folder) / "run", every=1e9,
        )
        session = Session(target.energy, target.kernel(target.step_size), plan, 1, None)
        session.begin(None)
        began = time.perf_counter()
        session.n_sampled = session.chains.advance(
            n_draws * _THIN, session._settings(), thin=_THIN, draws=session.keeping.draws,
            energies=session.keeping.energies,
        )
        ran = time.perf_counter() - began
        with_draws, without = (_cpu_seconds(lambda: session._content()()) for _ in range(2))
        session.release()
    return 100.0 * (without + max(0.0, with_draws - without) * _EVERY / ran) / _EVERY


def _cpu_seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _sample(target: Target, n_draws: int, **how: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eb.FastebmWarning)
        began = time.process_time()
        run = eb.sample(
            target.energy, target.kernel(target.step_size), n_chains=N_CHAINS, n_draws=n_draws, n_warmup=0,
            init=target.starts(N_CHAINS), rng=0, n_threads=1, progress=False, **how,
        )
        seconds = time.process_time() - began
    del run  # not before: to give memory back is no part of the call
    return seconds


def chains_of(target: Target) -> Chains:
    """The target's chains, from starts in its law."""
    return Chains(target.energy, target.kernel(target.step_size), target.starts(N_CHAINS), 0, 1)


def bare_kernel(target: Target, chains: Chains) -> Callable[[int], float]:
    """A function that makes n transitions of every chain in one call for each tile, and returns the CPU seconds."""
    settings = chains.kernel.settings(target.step_size, np.ones(chains.dim))
    advance, energy = chains.kernel.advance.address, target.energy.program.energy.address
    scratch = tiles.zeros((chains.kernel.n_scratch(chains.dim), chains.width))
    repeatedly = _repeatedly()

    def run(n: int) -> float:
        began = time.process_time()
        repeatedly(
            advance, energy, _no_grad.address, chains.packed, settings, chains.streams, chains.x, chains.e, chains.g,
            chains.memory, scratch, n, chains.n_accepted, chains.n_faults, chains.fault_x,
        )
        return time.process_time() - began

    return run


@functools.cache
def _repeatedly() -> Any:
    counts = types.Array(types.int64, 2, "C")

    def repeatedly(  # type: ignore[no-untyped-def]
        advance, energy, grad, packed, settings, streams, x, e, g, memory, scratch, n, n_accepted, n_faults, fault_x
    ):
        transitions, energy_there, grad_there = advance_at(advance), energy_at(energy), grad_at(grad)
        for t in range(len(x)):
            transitions(
                energy_there, grad_there, packed, settings, streams[t], x[t], e[t], g[t], memory[t], scratch, n,
                n_accepted[t], n_faults[t], fault_x[t],
            )

    signature = types.void(
        types.float64, types.float64, types.float64, VECTOR, VECTOR, STREAM_TILES, TILES, TILE, TILES, TILES, TILE,
        types.int64, counts, counts, TILES,
    )
    return numba.njit(signature, **FLAGS)(repeatedly)


def _transitions_of(bare: Callable[[int], float], seconds: float) -> int:
    """Transitions that take about so long."""
    n, taken = 1, bare(1)
    while taken < seconds / 8.0:
        n *= 2
        taken = bare(n)
    return max(1, round(n * seconds / taken))


def _writing(n_draws: int) -> float:
    """CPU seconds of filling what a run with so many draws returns."""
    began = time.process_time()
    draws, energies = np.empty((N_CHAINS, n_draws, 10)), np.empty((N_CHAINS, n_draws))
    draws[:] = 1.0
    energies[:] = 1.0
    return time.process_time() - began
