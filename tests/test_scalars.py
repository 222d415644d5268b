"""Formulas on single numbers, in loops that the compiler turns into vector code, give the same bits as on lanes."""

import math

import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba.extending import intrinsic

from fastebm._compile import FLAGS
from fastebm.lanes import lane, maths, scalars
from fastebm.lanes.vectors import Real
from fastebm.tiles import LANES

seeds = st.integers(0, 2**64 - 1)


def _direction(part):
    def generate(_context, builder, _signature, arguments):
        return maths.direction(Real(builder, arguments[0]).bits())[part].value

    return intrinsic(lambda _context, _x: (lane.LANE(lane.LANE), generate))


sine, cosine = _direction(0), _direction(1)


@numba.njit(**FLAGS)
def in_loops(x, words, out):
    for l in range(x.shape[1]):
        out[0, l] = scalars.exp(x[0, l])
    for l in range(x.shape[1]):
        out[1, l] = scalars.log(x[1, l])
    for l in range(x.shape[1]):
        out[2, l], out[3, l] = scalars.direction(words[l])


@numba.njit(**FLAGS)
def on_lanes(x, out):
    for l in range(0, x.shape[1], LANES):
        lane.store(out, 0, l, math.exp(lane.load(x, 0, l)))
        lane.store(out, 1, l, math.log(lane.load(x, 1, l)))
        lane.store(out, 2, l, sine(lane.load(x, 2, l)))
        lane.store(out, 3, l, cosine(lane.load(x, 2, l)))


@given(seeds)
def test_loops_and_lanes_give_the_same_bits(seed):
    generator = np.random.default_rng(seed)
    n = 4 * LANES
    words = generator.integers(0, 2**64, n, dtype=np.uint64)
    special = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e300, -1.0]
    exponents = np.concatenate([generator.uniform(-750.0, 720.0, n - 7), special])
    positive = np.concatenate([np.exp2(generator.uniform(-1021.9, 1023.9, n - 7)), 1.0 + np.arange(-3, 4) * 2.0**-53])
    x = np.stack([exponents, positive, words.view(float)])
    out = np.empty((2, 4, n))
    in_loops(x, words, out[0])
    on_lanes(x, out[1])
    np.testing.assert_array_equal(out[0].view(np.uint64), out[1].view(np.uint64))
    tail = np.empty((4, n - 3))  # a length that no vector divides
    in_loops(x[:, 3:].copy(), words[3:], tail)
    np.testing.assert_array_equal(tail.view(np.uint64), out[1, :, 3:].copy().view(np.uint64))


def test_loops_become_vector_code():
    in_loops(np.ones((3, LANES)), np.ones(LANES, np.uint64), np.empty((4, LANES)))
    (code,) = in_loops.inspect_llvm().values()
    assert "fmul contract <" in code


@numba.njit(**FLAGS)
def from_bits(bits):
    return scalars.float_of_bits(bits)


@given(st.floats())
def test_floats_of_bits(x):
    bits = np.float64(x).view(np.uint64)
    assert np.float64(from_bits(bits)).view(np.uint64) == bits
