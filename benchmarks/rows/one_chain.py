"""one-chain: a single chain in ten thousand dimensions, where lanes have nothing to do side by side."""

import math
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks import targets
from benchmarks.rows import random_walk
from benchmarks.targets import Target
from benchmarks.timing import Bar, Contestant, Report, compare, duration

_DIM = 10_000


def measure(n_rounds: int) -> Report:
    """Time of a transition, ours over that of a scalar loop with Numba's own generator."""
    target = targets.gaussian(_DIM)
    ours = duration(random_walk.transitions(target, n_threads=1, n_chains=1), 1e-6)
    loop = Contestant("scalar loop in Numba", duration(_scalar(target), 1e-6), bar=Bar(2.0, at_least=False))
    return Report(compare("one-chain", f"us a transition, dim {_DIM}", ours, [loop], n_rounds))


@numba.njit  # type: ignore[untyped-decorator]
def _walk(x: Any, mean: Any, precision: Any, step: float, n: int) -> int:
    """As a user would write it without fastebm: the energy in the loop that proposes."""
    y = np.empty_like(x)
    here = 0.0
    for i in range(len(x)):
        here += 0.5 * precision[i] * (x[i] - mean[i]) ** 2
    n_accepted = 0
    for _ in range(n):
        there = 0.0
        for i in range(len(x)):
            y[i] = x[i] + step * np.random.normal()
            there += 0.5 * precision[i] * (y[i] - mean[i]) ** 2
        if math.log(np.random.random()) < here - there:
            x[:] = y
            here = there
            n_accepted += 1
    return n_accepted


def _scalar(target: Target) -> Callable[[int], float]:
    x = target.starts(1)[0]
    _walk(x, *target.parameters, target.step_size, 1)

    def run(n: int) -> float:
        began = time.perf_counter()
        _walk(x, *target.parameters, target.step_size, n)
        return time.perf_counter() - began

    return run
