"""Products of small matrices, with lanes of numbers in registers.

A block of rows times a lane of columns stays in registers while it is summed, so that a number loaded from memory is
used as often as there are registers for. With 32 registers of AVX-512 that is the processor's own rate of
multiply-adds; see `docs/decisions/blocked-products.md`.
"""

import numpy as np

from fastebm._compile import inlined, processor_has
from fastebm.lanes.lane import lane_sum, load, store
from fastebm.tiles import LANES

_CACHE_LINE = 8  # doubles
_MANY_REGISTERS = processor_has("avx512f")  # 32: room for four rows of totals; elsewhere 16, for two


@inlined
def rows(n):  # type: ignore[no-untyped-def]
    """n rows of a lane each, uninitialised, that begin on cache lines: vectors across two are loaded at half speed."""
    memory = np.empty(n * LANES + _CACHE_LINE)
    first = (-memory.ctypes.data // 8) % _CACHE_LINE
    return memory[first : first + n * LANES].reshape((n, LANES))


@inlined
def add_product(A, B, out, c):  # type: ignore[no-untyped-def]
    """out[:, c : c + LANES] += A B[:, c : c + LANES], for A (m, n) and B of n rows; summed in the order of these."""
    m, n = A.shape
    fours = m - m % 4 if _MANY_REGISTERS else 0
    for j in range(0, fours, 4):
        total0, total1 = load(out, j, c), load(out, j + 1, c)
        total2, total3 = load(out, j + 2, c), load(out, j + 3, c)
        for k in range(n):
            b = load(B, k, c)
            total0 += A[j, k] * b
            total1 += A[j + 1, k] * b
            total2 += A[j + 2, k] * b
            total3 += A[j + 3, k] * b
        store(out, j, c, total0)
        store(out, j + 1, c, total1)
        store(out, j + 2, c, total2)
        store(out, j + 3, c, total3)
    pairs = m - m % 2
    for j in range(fours, pairs, 2):
        total0, total1 = load(out, j, c), load(out, j + 1, c)
        for k in range(n):
            b = load(B, k, c)
            total0 += A[j, k] * b
            total1 += A[j + 1, k] * b
        store(out, j, c, total0)
        store(out, j + 1, c, total1)
    if pairs < m:
        total0 = load(out, pairs, c)
        for k in range(n):
            total0 += A[pairs, k] * load(B, k, c)
        store(out, pairs, c, total0)


@inlined
def add_outer(A, B, turned, out):  # type: ignore[no-untyped-def]
    """out += A B^T, for rows A (m, LANES) and B (n, LANES): the sum over points of every product of two rows.

    Whole lanes of columns of out are a product with B turned over, for which `turned` (LANES, n or more) has room.
    What is left over is summed across the lane, entry by entry.
    """
    m, n = out.shape
    whole = n - n % LANES
    for l in range(LANES):
        for k in range(whole):
            turned[l, k] = B[k, l]
    for c in range(0, whole, LANES):
        add_product(A, turned, out, c)
    for j in range(m):
        for k in range(whole, n):
            out[j, k] += lane_sum(load(A, j, 0) * load(B, k, 0))
