"""rwmh-*, mala-*, hmc-*: kernels on an energy written as plain Python, 1,024 or 256 chains, float64, one thread."""

import time
import warnings
from collections.abc import Callable

import numpy as np

import fastebm as eb
from benchmarks import peers, reference, targets
from benchmarks.processes import import_times
from benchmarks.reference import Reference
from benchmarks.targets import Target
from benchmarks.timing import Bar, Cost, Measure, Report, compare, rate
from fastebm import tiles

N_CHAINS = 1024
QUANTITY = "M steps/s"
_GRADIENTS = "M gradients/s"  # one a transition, or one a leapfrog step
_N_TRAJECTORIES = 256
MILLIONS = N_CHAINS / 1e6


def gauss10(n_rounds: int) -> Report:
    return _measure("rwmh-gauss10", targets.gaussian(10), n_rounds)


def gauss100(n_rounds: int) -> Report:
    return _measure("rwmh-gauss100", targets.gaussian(100), n_rounds)


def gmm2(n_rounds: int) -> Report:
    return _measure("rwmh-gmm2", targets.mixture(), n_rounds)


def mala_gauss10(n_rounds: int) -> Report:
    return _measure("mala-gauss10", targets.langevin(10), n_rounds, _GRADIENTS, 15.0)


def mala_gauss100(n_rounds: int) -> Report:
    return _measure("mala-gauss100", targets.langevin(100), n_rounds, _GRADIENTS, 15.0)


def hmc_gauss10(n_rounds: int) -> Report:
    return _hmc("hmc-gauss10", 10, n_rounds, 0.8)


def hmc_gauss100(n_rounds: int) -> Report:
    return _hmc("hmc-gauss100", 100, n_rounds, None)


def transitions(target: Target, n_threads: int, n_chains: int = N_CHAINS) -> Callable[[int], float]:
    """A function that makes n transitions of every chain with fastebm and returns the seconds they took."""
    _sample(target, 1, n_threads, n_chains)  # compiles what is not compiled yet
    return lambda n: _sample(target, n, n_threads, n_chains)["sampling"]


def _hmc(name: str, dim: int, n_rounds: int, of_c: float | None) -> Report:
    return _measure(
        name, targets.hamiltonian(dim), n_rounds, _GRADIENTS, 10.0, of_c, _N_TRAJECTORIES, targets.N_LEAPFROG
    )


def _measure(
    name: str,
    target: Target,
    n_rounds: int,
    quantity: str = QUANTITY,
    times_blackjax: float = 10.0,
    of_c: float | None = 0.9,
    n_chains: int = N_CHAINS,
    items: int = 1,
) -> Report:
    """Items of all chains per second, of which a transition has some, against C in both variants and the peers."""
    costs = [
        Cost("fastebm", "import", import_times("fastebm")[0]),
        Cost("fastebm", f"compile {name}, or load from the disk cache", _sample(target, 1, 1, n_chains)["compilation"]),
    ]
    millions = n_chains * items / 1e6
    bar = None if of_c is None else Bar(of_c, at_least=True)
    c = reference.field(lambda library, variant: c_rate(target, library, variant, n_chains, millions), bar)
    others = peers.samplers(target, target.starts(n_chains), Bar(times_blackjax, at_least=True), items)
    ours = rate(transitions(target, n_threads=1, n_chains=n_chains), millions)
    results = compare(name, quantity, ours, c.contestants + others.contestants, n_rounds)
    return Report(results, costs + c.costs + others.costs, c.notes)


def _sample(target: Target, n: int, n_threads: int, n_chains: int = N_CHAINS) -> dict[str, float]:
    with warnings.catch_warnings():
        # in the shortest runs, which only find out how long a turn is, some of 1,024 chains have not moved yet
        warnings.simplefilter("ignore", eb.FastebmWarning)
        run = eb.sample(
            target.energy, target.kernel(target.step_size), n_chains=n_chains, n_draws=1, n_warmup=0, thin=n,
            n_threads=n_threads, progress=False,
        )
    return run.timings


def c_rate(
    target: Target, library: Reference, variant: str, n_chains: int, millions: float, n_threads: int = 1
) -> Measure:
    """Items per second of chains in C, shared out to threads that have nothing in common."""
    n_blocks = n_chains // reference.BLOCK
    positions = reference.blocks(target.starts(n_chains))
    streams = reference.fresh_streams(n_blocks)
    accepted = reference.aligned(np.zeros((n_blocks, reference.BLOCK), dtype=np.int64))
    parts = tiles.ranges(n_blocks, n_threads)

    def run(n: int) -> float:
        def walk(first: int, last: int) -> None:
            some = slice(first, last)
            target.walk(library, variant, positions[some], streams[some], target.step_size, n, accepted[some])

        began = time.perf_counter()
        tiles.run(walk, parts, n_threads)
        return time.perf_counter() - began

    return rate(run, millions)
