"""rwmh-gauss10: random-walk Metropolis on a 10-dimensional Gaussian, 1,024 chains, float64, one thread."""

import math
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import fastebm as eb
from benchmarks import peers, reference
from benchmarks.processes import import_times
from benchmarks.timing import Bar, Cost, Measure, Report, compare, rate

DIM = 10
N_CHAINS = 1024
# neither zero means nor unit variances: a contestant that left one of them out would be wrong, not faster
MEAN = np.linspace(-1.7, 2.3, DIM)
VARIANCES = np.linspace(1.0, 10.0, DIM)
STEP_SIZE = 2.38 / math.sqrt(DIM) * math.sqrt(VARIANCES.mean())

QUANTITY = "M steps/s"
MILLIONS = N_CHAINS / 1e6


def measure(n_rounds: int) -> Report:
    """Transitions of all chains per second, against both variants of the C reference and the peers installed."""
    costs = [
        Cost("fastebm", "import", import_times("fastebm")[0]),
        Cost("fastebm", "compile, or load from the disk cache", _sample(1, 1)["compilation"]),
    ]
    c = reference.field(_c_rate, Bar(0.7, at_least=True))
    others = peers.random_walks(MEAN, VARIANCES, STEP_SIZE, exact_starts(N_CHAINS))
    ours = rate(transitions(n_threads=1), MILLIONS)
    results = compare("rwmh-gauss10", QUANTITY, ours, c.contestants + others.contestants, n_rounds)
    return Report(results, costs + c.costs + others.costs, c.notes)


def transitions(n_threads: int) -> Callable[[int], float]:
    """A function that makes n transitions of every chain with fastebm and returns the seconds they took."""
    return lambda n: _sample(n, n_threads)["sampling"]


def exact_starts(n_chains: int) -> NDArray[np.float64]:
    """Draws (n_chains, DIM) from the target itself, so that acceptance is stationary from the first transition."""
    return MEAN + np.sqrt(VARIANCES) * np.random.default_rng().standard_normal((n_chains, DIM))


def _sample(n: int, n_threads: int) -> dict[str, float]:
    with warnings.catch_warnings():
        # in the shortest runs, which only find out how long a turn is, some of 1,024 chains have not moved yet
        warnings.simplefilter("ignore", eb.FastebmWarning)
        run = eb.sample(
            eb.Gaussian(MEAN, VARIANCES), eb.RandomWalk(STEP_SIZE), n_chains=N_CHAINS, n_draws=1, n_warmup=0, thin=n,
            n_threads=n_threads, progress=False,
        )
    return run.timings


def _c_rate(library: reference.Reference, variant: str) -> Measure:
    n_blocks = N_CHAINS // reference.BLOCK
    positions = reference.blocks(exact_starts(N_CHAINS))
    streams = reference.fresh_streams(n_blocks)
    accepted = reference.aligned(np.zeros((n_blocks, reference.BLOCK), dtype=np.int64))

    def run(n: int) -> float:
        began = time.perf_counter()
        library.random_walk(variant, positions, streams, MEAN, 1.0 / VARIANCES, STEP_SIZE, n, accepted)
        return time.perf_counter() - began

    return rate(run, MILLIONS)
