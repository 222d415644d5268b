"""Blocked products against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import types

from fastebm._compile import TILE, Compiled
from fastebm.lanes.products import add_outer, add_product, rows
from fastebm.tiles import LANES

sizes = st.integers(1, 9) | st.sampled_from([31, 32, 33, 63, 64, 65])
seeds = st.integers(0, 2**32)


def in_memory(signature):
    """Compiled, and not kept on disk, where a change in this file would not be seen."""
    return lambda function: Compiled(lambda: function, signature, None, function.__name__)


@in_memory(types.void(TILE, TILE, TILE, types.intp))
def product(A, B, out, c):
    add_product(A, B, out, c)


@in_memory(types.void(TILE, TILE, TILE, types.intp))
def product_of_transposed(A, B, out, c):
    add_product(A.T, B, out, c)


@in_memory(types.void(TILE, TILE, TILE, TILE))
def outer(A, B, turned, out):
    add_outer(A, B, turned, out)


@in_memory(types.intp(types.intp))
def place_of_rows(n):
    made = rows(n)
    made[:, :] = 1.0  # all of it is there to be written
    return made.ctypes.data


def close_to(out, start, A, B):
    """out = start + A B, each entry within the rounding of its own sum."""
    size = np.abs(start) + np.abs(A) @ np.abs(B)
    assert (np.abs(out - (start + A @ B)) <= (A.shape[1] + 2) * 2.0**-52 * size).all()


@given(seeds, sizes, sizes, st.integers(1, 3), st.data())
@pytest.mark.parametrize("is_transposed", [False, True])
def test_product(is_transposed, seed, m, n, n_lanes, data):
    generator = np.random.default_rng(seed)
    A, B = generator.standard_normal((m, n)), generator.standard_normal((n, n_lanes * LANES))
    start = generator.standard_normal((m, n_lanes * LANES))
    c = data.draw(st.integers(0, (n_lanes - 1) * LANES))
    out = start.copy()
    if is_transposed:
        product_of_transposed(np.ascontiguousarray(A.T), B, out, c)
    else:
        product(A, B, out, c)
    close_to(out[:, c : c + LANES], start[:, c : c + LANES], A, B[:, c : c + LANES])
    others = np.r_[0:c, c + LANES : n_lanes * LANES]
    assert np.array_equal(out[:, others], start[:, others])


@given(seeds, sizes, sizes)
def test_outer(seed, m, n):
    generator = np.random.default_rng(seed)
    A, B = generator.standard_normal((m, LANES)), generator.standard_normal((n, LANES))
    start = generator.standard_normal((m, n))
    out = start.copy()
    outer(A, B, np.full((LANES, n + 3), np.nan), out)
    close_to(out, start, A, B.T)


@given(seeds, sizes, sizes)
def test_a_column_knows_nothing_of_the_others(seed, m, n):
    generator = np.random.default_rng(seed)
    A, B = generator.standard_normal((m, n)), generator.standard_normal((n, LANES))
    alone, mixed = np.zeros((m, LANES)), np.zeros((m, LANES))
    product(A, np.repeat(B[:, :1], LANES, axis=1), alone, 0)
    B[0, 1:] = np.nan
    product(A, B, mixed, 0)
    assert np.array_equal(mixed[:, 0], alone[:, LANES - 1])


@given(st.integers(1, 200))
def test_rows_begin_on_a_cache_line(n):
    assert place_of_rows(n) % 64 == 0
