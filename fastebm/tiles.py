"""The layout of compiled code: points in tiles, tiles over threads, sums in a fixed order.

A tile holds up to 64 points dimension-major, (dim, width), so that a loop over its last axis is vector code. Compiled
functions treat the columns of a tile alike and apart: a result does not depend on the width of its tile, on its place
in it, or on the thread that computed it.
"""

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray, count
from fastebm._compile import processor_has

AnyArray = NDArray[Any]

# Chains that compiled code treats as one number: enough for several registers, whose work overlaps, and not too many.
LANES = 32 if processor_has("avx512f") else 16

WIDEST = 64
_TILE_BYTES = 2**15  # a tile stays in the first-level cache
_CACHE_LINE = 64  # bytes
_SUM_GROUPS = 32
_SHARES = 8  # of the work, for each thread


def widest(dim: int, limit: int = WIDEST) -> int:
    """The widest tile for points of this dimension: narrower in high dimension, to stay in the cache."""
    return max(LANES, min(limit, _TILE_BYTES // (8 * dim) // LANES * LANES))


def shape(n: int, dim: int, group: int = 1) -> tuple[int, int]:
    """Number and width of the tiles that hold n points; the last of their columns may stand for no point.

    The width is a multiple of LANES. Few points are spread over narrower tiles, so that threads have work to share.
    Points in groups, n a multiple of the group, share tiles with whole groups alone, of which any half is a multiple of
    LANES too.
    """
    unit = LANES if group == 1 else math.lcm(group, 2 * LANES)
    limit = max(unit, widest(dim) // unit * unit)
    n_tiles = -(-n // limit) if n >= 4 * limit else max(-(-n // limit), 2 * n // limit)
    width = -(-n // (n_tiles * unit)) * unit
    return -(-n // width), width


def aligned(values: AnyArray) -> AnyArray:
    """A C-contiguous copy that begins on a cache line, so that vector loads and stores do not straddle two."""
    copy = _aligned_room(values.shape, values.dtype)
    copy[...] = values
    return copy


def zeros(shape: tuple[int, ...], dtype: Any = np.float64) -> AnyArray:
    """Aligned zeros: tiles that several threads write to share no cache line, and untouched ones take no memory."""
    return _aligned_room(shape, dtype, np.zeros)


def _aligned_room(shape: tuple[int, ...], dtype: Any, made: Any = np.empty) -> AnyArray:
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = made(n_bytes + _CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE
    room: AnyArray = memory[start : start + n_bytes].view(dtype).reshape(shape)
    return room


def pack(X: FloatArray, n_tiles: int, width: int) -> FloatArray:
    """Points (n, dim) as tiles (n_tiles, dim, width); columns that stand for no point repeat the last one."""
    n, dim = X.shape
    packed = _aligned_room((n_tiles, dim, width), X.dtype)
    n_full = min(n_tiles, n // width)
    packed[:n_full] = X[: n_full * width].reshape(n_full, width, dim).transpose(0, 2, 1)  # without a copy in between
    rows = np.minimum(np.arange(n_full * width, n_tiles * width), n - 1)
    packed[n_full:] = X[rows].reshape(n_tiles - n_full, width, dim).transpose(0, 2, 1)
    return packed


def unpack(tiles: FloatArray, n: int) -> FloatArray:
    """The first n points of tiles (n_tiles, dim, width) as an array (n, dim) of their own."""
    n_tiles, dim, width = tiles.shape
    points = np.empty((n_tiles, width, dim), tiles.dtype)
    points[...] = tiles.transpose(0, 2, 1)
    return points.reshape(n_tiles * width, dim)[:n]


def ranges(n: int, n_parts: int) -> list[tuple[int, int]]:
    """0 to n cut into at most n_parts contiguous ranges (first, last + 1) of nearly equal length."""
    n_parts = max(1, min(n, n_parts))
    return [(n * part // n_parts, n * (part + 1) // n_parts) for part in range(n_parts)]


def sum_groups(n_tiles: int) -> list[tuple[int, int]]:
    """The ranges of tiles whose partial sums are added in order; they depend on the number of tiles only."""
    return ranges(n_tiles, _SUM_GROUPS)


def threads(n_threads: int | None) -> int:
    """The number of threads to use: as asked for, or one for each processor that this process may use."""
    if n_threads is not None:
        return count(n_threads, "n_threads")
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shares(n: int, n_threads: int) -> list[tuple[int, int]]:
    """0 to n cut into ranges for `run`: several a thread, since processors are not equally fast at every moment.

    Their order keeps threads far apart: a processor that fetches ahead of a tile would take the next one from another.
    """
    cut = ranges(n, 1 if n_threads == 1 else _SHARES * n_threads)
    stride = -(-len(cut) // n_threads)
    return [part for first in range(stride) for part in cut[first::stride]]


def run(call: Callable[[int, int], object], parts: list[tuple[int, int]], n_threads: int) -> None:
    """Call `call(first, last)` for every part, on n_threads threads; the first exception is raised when all are done.

    A thread that is free takes the next part. Compiled code lets go of the interpreter's lock, so that threads run side
    by side.
    """
    left, faults = iter(parts), []

    def work() -> None:
        for first, last in left:
            try:
                call(first, last)
            except BaseException as fault:
                faults.append(fault)

    n_helpers = min(n_threads, len(parts)) - 1
    helpers = [_pool(os.getpid(), n_threads).submit(work) for _ in range(n_helpers)]
    try:
        work()
    finally:
        for helper in helpers:
            if not helper.cancel():  # one that has not begun finds nothing left
                helper.result()
    if faults:
        raise faults[0]


@functools.lru_cache(maxsize=4)
def _pool(_process: int, n_threads: int) -> ThreadPoolExecutor:
    """Threads are kept between calls; a forked process has its own, since threads do not survive a fork."""
    return ThreadPoolExecutor(n_threads - 1, thread_name_prefix="fastebm")
