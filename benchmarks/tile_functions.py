"""Tile functions alone: energies and gradients on tiles, called from compiled code as a kernel calls them."""

import functools
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

import fastebm as eb
from benchmarks import reference
from benchmarks.targets import Target
from benchmarks.timing import Measure, rate
from fastebm import tiles
from fastebm._compile import ENERGY, ENERGY_SIGNATURE, FLAGS, GRAD, TILE, TILES, VECTOR
from fastebm.tiles import LANES


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


def gradients(E: eb.Energy, points: NDArray[np.float64], tile_bytes: int) -> Callable[[int], float]:
    """A function that computes energies and gradients of points (n, dim) n times and returns the seconds it took.

    The points stay in tiles of at most `tile_bytes`, though never fewer columns than lanes.
    """
    n, dim = points.shape
    width = max(LANES, min(n, tile_bytes // (8 * dim)) // LANES * LANES)
    x = tiles.pack(points, -(-n // width), width)
    g, e = tiles.aligned(np.empty_like(x)), tiles.aligned(np.empty((len(x), width)))
    grad, repeatedly = E.program.grad.pointer, _gradients_repeatedly()

    def run(n: int) -> float:
        began = time.perf_counter()
        repeatedly(grad, E.packed, x, e, g, n)
        return time.perf_counter() - began

    return run


def build(function: Callable[..., None]) -> Any:
    """A tile function (x, packed, out) compiled as the library compiles its own."""
    return numba.njit(ENERGY_SIGNATURE, **FLAGS)(function)


@functools.cache
def _repeatedly() -> Any:
    def repeatedly(energy: Any, packed: Any, x: Any, out: Any, n_repeats: int) -> None:
        for _ in range(n_repeats):
            energy(x, packed, out)

    return numba.njit(types.void(ENERGY, VECTOR, TILE, VECTOR, types.intp), **FLAGS)(repeatedly)


@functools.cache
def _gradients_repeatedly() -> Any:
    def repeatedly(grad: Any, packed: Any, x: Any, e: Any, g: Any, n_repeats: int) -> None:
        for _ in range(n_repeats):
            for t in range(len(x)):
                grad(x[t], packed, e[t], g[t])

    return numba.njit(types.void(GRAD, VECTOR, TILES, TILE, TILES, types.intp), **FLAGS)(repeatedly)
