"""Compiled loops over lanes that apply a function to numbers as an energy does, as often as asked in one call."""

import functools
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks import reference
from fastebm._compile import FLAGS
from fastebm.lanes.lane import load, store
from fastebm.tiles import LANES

Array = NDArray[np.float64]


@functools.cache
def loop(*functions: Callable[..., Any], n_arguments: int = 1) -> Any:
    """(x, out, n_repeats): out[j, :] = functions[j](*x) for x (n_arguments, n), n a multiple of LANES.

    Numba unrolls no loop over functions, so that there is a loop for each form that is asked for.
    """
    first, last = functions[0], functions[-1]

    def one_of_one(x: Any, out: Any, n_repeats: int) -> None:
        for _ in range(n_repeats):
            for l in range(0, x.shape[1], LANES):
                store(out, 0, l, first(load(x, 0, l)))

    def one_of_two(x: Any, out: Any, n_repeats: int) -> None:
        for _ in range(n_repeats):
            for l in range(0, x.shape[1], LANES):
                store(out, 0, l, first(load(x, 0, l), load(x, 1, l)))

    def two_of_one(x: Any, out: Any, n_repeats: int) -> None:
        for _ in range(n_repeats):
            for l in range(0, x.shape[1], LANES):
                number = load(x, 0, l)
                store(out, 0, l, first(number))
                store(out, 1, l, last(number))

    return numba.njit(**FLAGS)(one_of_two if n_arguments == 2 else one_of_one if len(functions) == 1 else two_of_one)


def timed(run: Callable[..., None], x: Array, out: Array) -> Callable[[int], float]:
    """A function that calls run(x, out, n) and returns the seconds it took; both arrays begin on a cache line."""
    x, out = reference.aligned(x), reference.aligned(out)
    run(x, out, 1)

    def run_for(n: int) -> float:
        began = time.perf_counter()
        run(x, out, n)
        return time.perf_counter() - began

    return run_for
