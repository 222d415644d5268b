"""one-chain: a single chain in ten thousand dimensions, where lanes have nothing to do side by side."""

import math
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks import targets
from benchmarks.rows import samplers
from benchmarks.targets import Target
from benchmarks.timing import Bar, Contestant, Report, compare, duration

_DIM = 10_000
_BAR = Bar(2.0, at_least=False)


def measure(n_rounds: int) -> Report:
    """Time of a transition, ours over that of a scalar loop, with the normals of both generators that Numba has."""
    target = targets.gaussian(_DIM)
    ours = duration(samplers.transitions(target, n_threads=1, n_chains=1), 1e-6)
    walks = {
        "Numba loop, np.random": _scalar(target, walk),
        "Numba loop, Generator": _scalar(target, walk_of_generator, np.random.default_rng()),
    }
    loops = [Contestant(name, duration(run, 1e-6), bar=_BAR) for name, run in walks.items()]
    return Report(compare("one-chain", f"us a transition, dim {_DIM:,}", ours, loops, n_rounds))


@numba.njit  # type: ignore[untyped-decorator]
def walk(x: Any, mean: Any, precision: Any, step: float, n: int) -> int:
    """As a user would write it without fastebm: the energy stands in the loop that proposes. Moves x (dim,) in place.

    Returns the number of accepted transitions.
    """
    y = np.empty_like(x)
    here = 0.0
    for i in range(len(x)):
        here += 0.5 * precision[i] * (x[i] - mean[i]) ** 2
    n_accepted = 0
    for _ in range(n):
        there = 0.0
        for i in range(len(x)):
            y[i] = x[i] + step * np.random.normal()  # noqa: NPY002 (this loop is about Numba's own generator)
            there += 0.5 * precision[i] * (y[i] - mean[i]) ** 2
        if math.log(np.random.random()) < here - there:  # noqa: NPY002
            x[:] = y
            here = there
            n_accepted += 1
    return n_accepted


@numba.njit  # type: ignore[untyped-decorator]
def walk_of_generator(x: Any, mean: Any, precision: Any, step: float, n: int, rng: Any) -> int:
    """The same with a generator of NumPy's, whose normals cost a third."""
    y = np.empty_like(x)
    here = 0.0
    for i in range(len(x)):
        here += 0.5 * precision[i] * (x[i] - mean[i]) ** 2
    n_accepted = 0
    for _ in range(n):
        there = 0.0
        for i in range(len(x)):
            y[i] = x[i] + step * rng.standard_normal()
            there += 0.5 * precision[i] * (y[i] - mean[i]) ** 2
        if math.log(rng.random()) < here - there:
            x[:] = y
            here = there
            n_accepted += 1
    return n_accepted


def _scalar(target: Target, walk_of: Callable[..., int], *generator: np.random.Generator) -> Callable[[int], float]:
    x = target.starts(1)[0]
    walk_of(x, *target.parameters, target.step_size, 1, *generator)

    def run(n: int) -> float:
        began = time.perf_counter()
        walk_of(x, *target.parameters, target.step_size, n, *generator)
        return time.perf_counter() - began

    return run
