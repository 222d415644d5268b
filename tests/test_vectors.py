"""Operators on SIMD vectors and on single doubles against NumPy, bit for bit."""

import fractions
import functools
import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastebm._compile import FLAGS
from fastebm.lanes import lane
from fastebm.lanes.vectors import Real, Word, polynomial, rarely, where
from fastebm.tiles import LANES

WIDTHS = pytest.mark.parametrize("width", [1, LANES])
SPECIAL = [
    sign * x
    for x in (0.0, 5e-324, 3e-310, 0.5, 1.0, 1.5, 2.5, 2.0**52 + 1.0, 1e300, math.inf, math.nan)
    for sign in (1.0, -1.0)
]
CONSTANTS = [0.0, -0.0, 1, -3, 0.1, 5e-324, -1.7976931348623157e308, math.inf, -math.inf, math.nan, True]
WORDS = [0, 1, -1, -3, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 0x4338000000000000]
MANTISSA, ONE = 0x000FFFFFFFFFFFFF, 0x3FF0000000000000
NAN = np.float64(math.nan)


def doubles(words):
    return np.asarray(words).astype(np.uint64).view(float)


def wrapped(n):
    """A whole number as 64 bits."""
    return np.uint64(n % 2**64)


@np.vectorize
def fused(a, b, c):
    """a * b + c with one rounding."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    exact = fractions.Fraction(a) * fractions.Fraction(b) + fractions.Fraction(c)
    try:
        return float(exact) if exact != 0 else a * b + c
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def u(x):
    return x.view(np.uint64)


# name: formula of the vectors a and b, and NumPy's function of the same
REALS = {
    "+": (lambda a, b: a + b, np.add), "-": (lambda a, b: a - b, np.subtract), "*": (lambda a, b: a * b, np.multiply),
    "/": (lambda a, b: a / b, np.divide), "negative": (lambda a, _b: -a, lambda a, _b: -a),
    "a + 2.5": (lambda a, _b: a + 2.5, lambda a, _b: a + 2.5), "2 + a": (lambda a, _b: 2 + a, lambda a, _b: 2 + a),
    "a - 1": (lambda a, _b: a - 1, lambda a, _b: a - 1), "0.0 - a": (lambda a, _b: 0.0 - a, lambda a, _b: 0.0 - a),
    "a * -0.0": (lambda a, _b: a * -0.0, lambda a, _b: a * -0.0), "3 * a": (lambda a, _b: 3 * a, lambda a, _b: 3 * a),
    "a / 3": (lambda a, _b: a / 3, lambda a, _b: a / 3), "1 / a": (lambda a, _b: 1 / a, lambda a, _b: 1 / a),
    "abs": (lambda a, _b: abs(a), lambda a, _b: np.abs(a)), "sqrt": (lambda a, _b: a.sqrt(), lambda a, _b: np.sqrt(a)),
    "floor": (lambda a, _b: a.floor(), lambda a, _b: np.floor(a)),
    "ceil": (lambda a, _b: a.ceil(), lambda a, _b: np.ceil(a)), "copysign": (lambda a, b: a.copysign(b), np.copysign),
    "fma": (lambda a, b: a.fma(b, 1.0), lambda a, b: fused(a, b, 1.0)),
    "fma of three": (lambda a, b: a.fma(b, -a), lambda a, b: fused(a, b, -a)),
    "scaled": (
        lambda a, b: (a.bits() & MANTISSA | ONE).double().scaled(where(abs(b) <= 2000.0, b.floor(), -2000.0)),
        lambda a, b: np.ldexp(
            doubles(u(a) & MANTISSA | ONE), np.where(np.abs(b) <= 2000.0, np.floor(b), -2000.0).astype(int)
        ),
    ),
    "each of one": (lambda a, _b: a.each("fabs"), lambda a, _b: np.abs(a)),
    "each of two": (lambda a, b: a.each("fmod", b), np.fmod),
    "where": (lambda a, b: where(a < b, a, b), lambda a, b: np.where(a < b, a, b)),
    "where of numbers": (lambda a, b: where(a < b, 2, -0.0), lambda a, b: np.where(a < b, 2.0, -0.0)),
    "where of one number": (lambda a, b: where(a < b, math.nan, b), lambda a, b: np.where(a < b, NAN, b)),
    "polynomial": (
        lambda a, _b: polynomial(where(abs(a) < 99.0, a.floor(), 7.0), 3.0, -2.0, 5.0),
        lambda a, _b: (lambda x: 3.0 - 2.0 * x + 5.0 * x * x)(np.where(np.abs(a) < 99.0, np.floor(a), 7.0)),
    ),
}
MASKS = {
    "<": (lambda a, b: a < b, np.less), "<=": (lambda a, b: a <= b, np.less_equal),
    ">": (lambda a, b: a > b, np.greater), ">=": (lambda a, b: a >= b, np.greater_equal),
    "==": (lambda a, b: a == b, np.equal), "!=": (lambda a, b: a != b, np.not_equal),
    "a < 0.5": (lambda a, _b: a < 0.5, lambda a, _b: a < 0.5), "a != 1": (lambda a, _b: a != 1, lambda a, _b: a != 1),
    "is_nan": (lambda a, _b: a.is_nan(), lambda a, _b: np.isnan(a)),
    "and": (lambda a, b: (a < b) & (b > 0.0), lambda a, b: (a < b) & (b > 0.0)),
    "or": (lambda a, b: (a < b) | (b > 0.0), lambda a, b: (a < b) | (b > 0.0)),
    "xor": (lambda a, b: (a < b) ^ (b > 0.0), lambda a, b: (a < b) ^ (b > 0.0)),
    "and of a constant": (lambda a, b: (a < b) & False, lambda a, b: (a < b) & False),
    "or of a constant": (lambda a, b: (a < b) | True, lambda a, b: (a < b) | True),
    "xor of a constant": (lambda a, b: (a < b) ^ True, lambda a, b: (a < b) ^ True),
    "not": (lambda a, b: ~(a < b), lambda a, b: ~(a < b)),
    "words ==": (lambda a, b: a.bits() == b.bits(), lambda a, b: u(a) == u(b)),
    "words !=": (lambda a, b: a.bits() != b.bits(), lambda a, b: u(a) != u(b)),
    "word == 0": (lambda a, _b: (a.bits() & 1) == 0, lambda a, _b: (u(a) & np.uint64(1)) == 0),
}
BITS = {
    "+": (lambda a, b: a + b, np.add), "-": (lambda a, b: a - b, np.subtract),
    "&": (lambda a, b: a & b, np.bitwise_and), "|": (lambda a, b: a | b, np.bitwise_or),
    "^": (lambda a, b: a ^ b, np.bitwise_xor),
    **{f"<< {n}": (lambda a, _b, n=n: a << n, lambda a, _b, n=n: a << np.uint64(n)) for n in (0, 1, 52, 63)},
    **{f">> {n}": (lambda a, _b, n=n: a >> n, lambda a, _b, n=n: a >> np.uint64(n)) for n in (0, 1, 52, 63)},
    **{
        f"signed >> {n}": (lambda a, _b, n=n: a.signed_shift(n), lambda a, _b, n=n: u(a.view(np.int64) >> n))
        for n in (0, 1, 52, 63)
    },
    **{f"+ {n}": (lambda a, _b, n=n: a + n, lambda a, _b, n=n: a + wrapped(n)) for n in WORDS},
    **{f"- {n}": (lambda a, _b, n=n: a - n, lambda a, _b, n=n: a - wrapped(n)) for n in WORDS},
    **{f"^ {n}": (lambda a, _b, n=n: a ^ n, lambda a, _b, n=n: a ^ wrapped(n)) for n in WORDS},
}
# Every formula gives doubles: masks as 1.0 and 0.0, words as the doubles of the same bits.
OPERATIONS = (
    REALS
    | {f"mask {name}": (lambda a, b, f=f: f(a, b).real(), g) for name, (f, g) in MASKS.items()}
    | {
        f"word {name}": (lambda a, b, f=f: f(a.bits(), b.bits()).double(), lambda a, b, g=g: doubles(g(u(a), u(b))))
        for name, (f, g) in BITS.items()
    }
    | {"word to real": (lambda a, _b: a.bits().real(), lambda a, _b: a.view(np.int64).astype(float))}
    | {
        f"constant {c!r}": (lambda a, _b, c=c: Real(a.builder, a.of(c)), lambda a, _b, c=c: np.full_like(a, c))
        for c in CONSTANTS
    }
    | {
        f"constant word {c}": (
            lambda a, _b, c=c: Word(a.builder, a.bits().of(c)).double(),
            lambda a, _b, c=c: np.full_like(a, doubles(wrapped(c))),
        )
        for c in WORDS
    }
)


def made(width, emit):
    """A compiled function of x and out: rows of vectors, or of single doubles, which `emit` reads and writes."""
    kind = ir.DoubleType() if width == 1 else ir.VectorType(ir.DoubleType(), width)

    @intrinsic
    def fill(_context, x, out, _l):
        def generate(context, builder, face, arguments):
            def place(which, row):
                indices = [context.get_constant(types.intp, row), arguments[2]]
                return lane.place(context, builder, face.args[which], arguments[which], indices, kind)

            emit(
                lambda row: Real(builder, lane.loaded(builder, place(0, row))),
                lambda row, result: lane.stored(builder, result.value, place(1, row)),
            )
            return context.get_dummy_value()

        return types.void(x, out, types.intp), generate

    @numba.njit(**FLAGS)
    def run(x, out):
        for l in range(0, x.shape[1], width):
            fill(x, out, l)

    return run


def all_operations(read, write):
    a, b = read(0), read(1)
    for k, (formula, _) in enumerate(OPERATIONS.values()):
        write(k, formula(a, b))


def rare_jumps(read, write):
    """Row 0: log(-a) by the C library where a < 0, twice a where a < -9, else a. Row 1: 1.0 if there was a jump."""
    a = read(0)

    def unusual():
        write(1, a * 0.0 + 1.0)
        return rarely(a < -9.0, (-a).each("log"), lambda: a * 2.0)

    write(0, rarely(a < 0.0, a, unusual))


made_once = functools.cache(made)


@WIDTHS
@given(st.integers(0, 2**64 - 1))
def test_operators(width, seed):
    generator = np.random.default_rng(seed)
    x = np.concatenate([
        doubles(generator.integers(0, 2**64, (2, 64), dtype=np.uint64)), generator.standard_cauchy((2, 64)),
        generator.choice(SPECIAL, (2, 128)), np.repeat(generator.choice(SPECIAL, (1, 64)), 2, axis=0),
        [generator.uniform(-2.0, 2.0, 64), generator.uniform(-2000.0, 2000.0, 64)],
    ], axis=1)  # fmt: skip
    out = np.empty((len(OPERATIONS), x.shape[1]))
    made_once(width, all_operations)(x, out)
    with np.errstate(all="ignore"):
        for (name, (_, reference)), seen in zip(OPERATIONS.items(), out, strict=True):
            wanted = np.asarray(reference(*x), dtype=float)
            has_bits = ~np.isnan(wanted) | ("word" in name)  # a nan of arithmetic may have any
            assert (np.isnan(seen) | has_bits).all(), name
            np.testing.assert_array_equal(u(seen)[has_bits], u(wanted)[has_bits], err_msg=name)


@WIDTHS
@given(st.integers(0, 2**64 - 1))
def test_rare_code_runs_only_where_it_must(width, seed):
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.0, 20.0, (40, LANES))
    x[::4] -= 15.0
    x[1::4, 3] -= 15.0
    x[2, 5], x[3, 7] = math.nan, -0.0
    x = x.reshape(1, -1)
    out = np.zeros((2, x.shape[1]))
    made_once(width, rare_jumps)(x, out)
    np.testing.assert_array_equal(out[0], [2.0 * a if a < -9.0 else math.log(-a) if a < 0.0 else a for a in x[0]])
    np.testing.assert_array_equal(out[1], np.repeat((x.reshape(-1, width) < 0.0).any(axis=1), width))
