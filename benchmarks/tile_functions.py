"""Tile functions alone: evaluations of an energy on one tile, called from compiled code as a kernel calls them."""

import functools
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from benchmarks import reference
from benchmarks.targets import Target
from benchmarks.timing import Measure, rate
from fastebm._compile import ENERGY, ENERGY_SIGNATURE, FLAGS, TILE, VECTOR


def evaluations(target: Target, function: Any, packed: NDArray[np.float64]) -> Measure:
    """Millions of energies per second that a compiled tile function computes at points of the target."""
    x = reference.blocks(target.starts(reference.BLOCK))[0]
    out = reference.aligned(np.empty(reference.BLOCK))
    repeatedly = _repeatedly()

    def run(n: int) -> float:
        began = time.perf_counter()
        repeatedly(function, packed, x, out, n)
        return time.perf_counter() - began

    return rate(run, reference.BLOCK / 1e6)


def build(function: Callable[..., None]) -> Any:
    """A tile function (x, packed, out) compiled as the library compiles its own."""
    return numba.njit(ENERGY_SIGNATURE, **FLAGS)(function)


@functools.cache
def _repeatedly() -> Any:
    def repeatedly(energy: Any, packed: Any, x: Any, out: Any, n_repeats: int) -> None:
        for _ in range(n_repeats):
            energy(x, packed, out)

    return numba.njit(types.void(ENERGY, VECTOR, TILE, VECTOR, types.intp), **FLAGS)(repeatedly)
