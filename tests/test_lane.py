"""Lanes count as one number: every operator, and what it makes of masks, numbers, lists and loops, by element."""

import math
import operator

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm._compile import FLAGS
from fastebm.lanes.lane import as_lane, count, is_any, load, load_row, store, store_row, store_where
from fastebm.tiles import LANES

seeds = st.integers(0, 2**32)


def on_lanes(function):
    """`function` of two lanes, as a function of arrays (LANES,)."""
    inner = numba.njit(**FLAGS)(function)

    @numba.njit(**FLAGS)
    def run(x, out):
        store_row(out, 0, as_lane(inner(load(x, 0, 0), load(x, 1, 0))))

    def call(a, b):
        out = np.empty(LANES)
        run(np.array([a, b]), out)
        return out

    return call


def same(lanes, arrays, a, b, rtol=0.0):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(lanes(a, b), arrays(a, b), rtol=rtol, atol=0.0)


def test_stores_of_chosen_chains_leave_the_others_as_they_are():
    @numba.njit(**FLAGS)
    def run(x):
        for i in range(1, len(x)):
            store_where(x, i, 0, load(x, 0, 0) > 0.0, load(x, 0, 0))

    x = np.random.default_rng(3).standard_normal((4, LANES))
    x[2, ::2], x[3, 1::2] = math.nan, math.inf
    wanted = np.where(x[0] > 0.0, x[0], x)
    run(x)
    np.testing.assert_array_equal(x, wanted)


OPERATORS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "number + lane": lambda a, b: 2 + a, "lane - number": lambda a, b: a - 2.5, "number - lane": lambda a, b: 3 - a,
    "number / lane": lambda a, b: 1.0 / a, "-a": lambda a, b: -a, "+a": lambda a, b: +a, "abs": lambda a, b: abs(a),
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "< number": lambda a, b: a < 0.5,
    "&": lambda a, b: (a < b) & (a > 0), "|": lambda a, b: (a < b) | (a > 0),
    "^": lambda a, b: (a < b) ^ (a > 0), "~": lambda a, b: ~(a < b), "mask * lane": lambda a, b: (a < b) * b,
    "mask + mask": lambda a, b: (a < b) * 1.0 + (b > 0), "True & mask": lambda a, b: (a < b) & True,
    "%": lambda a, b: a % b, "% number": lambda a, b: a % 1.5, "//": lambda a, b: a // b,
    "**0": lambda a, b: a**0, "**1": lambda a, b: a**1, "**2": lambda a, b: a**2,
}
WITHIN = {"**3": 3, "**4": 4, "**5": 5, "**7": 7, "**8": 8, "**-1": -1, "**-2": -2, "**-3": -3, "**20": 20}
MIXED = [0.0, -0.0, 1.0, -1.0, 0.5, math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324, 2.5, -2.5, 3.0, 1e-300, 7.0]


def pairs_of_mixed():
    """Every number of MIXED with every other, as lanes."""
    a, b = np.array([(one, other) for one in MIXED for other in MIXED]).T
    return [(a[start : start + LANES], b[start : start + LANES]) for start in range(0, len(a), LANES)]


class TestOperators:
    @pytest.mark.parametrize("name", OPERATORS)
    def test_are_those_of_numpy(self, name):
        lanes = on_lanes(OPERATORS[name])
        generator = np.random.default_rng(0)
        for a, b in pairs_of_mixed():
            if "//" in name or "%" in name:
                a, b = np.where(np.isfinite(a), a, 1.0), np.where(np.isfinite(b) & (b != 0.0), b, 2.0)
                a, b = np.clip(a, -1e5, 1e5), np.where(abs(b) < 1e-3, 1e-3, np.clip(b, -1e5, 1e5))
            same(lanes, OPERATORS[name], a, b)
        for _ in range(20):
            same(lanes, OPERATORS[name], *generator.standard_normal((2, LANES)))

    @pytest.mark.parametrize("name", WITHIN)
    def test_whole_powers_in_the_source(self, name):
        n = WITHIN[name]
        lanes = on_lanes({
            3: lambda a, b: a**3, 4: lambda a, b: a**4, 5: lambda a, b: a**5, 7: lambda a, b: a**7,
            8: lambda a, b: a**8, -1: lambda a, b: a**-1, -2: lambda a, b: a**-2, -3: lambda a, b: a**-3,
            20: lambda a, b: a**20,
        }[n])
        for seed in range(10):
            a = np.random.default_rng(seed).standard_normal(LANES)
            same(lanes, lambda a, b: a ** float(n), a, a, rtol=1e-15)

    @given(seeds)
    @settings(max_examples=20)
    def test_powers_of_every_other_kind(self, seed):
        a, b = np.random.default_rng(seed).uniform(0.1, 3.0, (2, LANES))
        for lanes, arrays in POWERS:
            same(lanes, arrays, a, b, rtol=1e-15)

    def test_in_place(self):
        def twice(a, b):
            c = a
            c += b
            c *= 2.0
            c -= 1
            c /= b
            c **= 2
            return c

        generator = np.random.default_rng(2)
        same(on_lanes(twice), lambda a, b: (((a + b) * 2.0 - 1) / b) ** 2, *generator.standard_normal((2, LANES)))


def runtime_power(a, b):
    total = 0.0
    for n in range(4):
        total += a**n
    return total


POWERS = [
    (on_lanes(lambda a, b: a**b), lambda a, b: a**b),
    (on_lanes(lambda a, b: a**0.5 + 2.0**b), lambda a, b: a**0.5 + 2.0**b),
    (on_lanes(lambda a, b: math.pow(a, b) + pow(a, 2)), lambda a, b: a**b + a**2),
    (on_lanes(runtime_power), lambda a, b: 1.0 + a + a**2 + a**3),
]


class TestLanesAsNumbers:
    def test_variables_change_from_numbers_to_lanes(self):
        def sums(a, b):
            total, flag = 0, True
            for i in range(3):
                total += i * a
                flag = flag & (b > i)
            return eb.where(flag, total, -1)

        generator = np.random.default_rng(5)
        a, b = 5.0 * generator.standard_normal((2, LANES))
        same(on_lanes(sums), lambda a, b: np.where(b > 2.0, 3.0 * a, -1.0), a, b)

    def test_in_tuples_and_lists(self):
        def stored(a, b):
            pair, several = (a, b), [a, b, a * b]
            several.append(pair[1] - 1.0)
            total = 0.0
            for i, one in enumerate(several):
                total += i * one
            return total + sum([pair[0], 2.0 * several[-1]])

        generator = np.random.default_rng(6)
        same(
            on_lanes(stored), lambda a, b: (b + 2.0 * a * b + 3.0 * (b - 1.0)) + (a + 2.0 * (b - 1.0)),
            *generator.standard_normal((2, LANES)), rtol=1e-14,
        )

    def test_minimum_and_maximum_keep_the_first_where_nothing_compares(self):
        for function, which in ((max, lambda a, b: b if b > a else a), (min, lambda a, b: b if b < a else a)):
            lanes = on_lanes({max: lambda a, b: max(a, b), min: lambda a, b: min(a, b)}[function])
            for a, b in pairs_of_mixed():
                expected = [which(one, other) for one, other in zip(a.tolist(), b.tolist(), strict=True)]
                np.testing.assert_array_equal(lanes(a, b), expected)

    def test_numbers_and_masks_are_spread_over_all_chains(self):
        for function, value in ((lambda a, b: 3, 3.0), (lambda a, b: True, 1.0), (lambda a, b: 0.5, 0.5)):
            assert on_lanes(function)(np.zeros(LANES), np.ones(LANES)).tolist() == [value] * LANES

    @pytest.mark.parametrize("function", [
        lambda a, b: a if a > b else b, lambda a, b: 1.0 if a > 0.0 and b > 0.0 else 0.0, lambda a, b: int(a),
        lambda a, b: not a, lambda a, b: 0.0 < a < 1.0, lambda a, b: [1.0, 2.0][a], lambda a, b: round(a),
        lambda a, b: bool(a > 0.0), lambda a, b: len(range(a)),
    ])
    def test_what_needs_one_chain_says_so(self, function):
        with pytest.raises(numba.core.errors.NumbaError, match="needs the value of one chain"):
            on_lanes(function)(np.ones(LANES), np.ones(LANES))


@numba.njit(**FLAGS)
def moved(x, row, counts):
    """Every lane of a tile moved down a row; counts of what is above 0."""
    anywhere = False
    for l in range(0, x.shape[1], LANES):
        lane = load(x, 0, l)
        store(x, 1, l, lane + load_row(row, l))
        count(counts, l, lane > 0.0)
        anywhere = anywhere or is_any(lane > 100.0)
    return anywhere


@pytest.mark.parametrize("width", [LANES, 2 * LANES, 4 * LANES])
def test_loads_stores_and_counts(width):
    generator = np.random.default_rng(width)
    x, row, counts = generator.standard_normal((2, width)), generator.standard_normal(width), np.ones(width, np.int64)
    memory = np.zeros(2 * width + 1)
    unaligned = memory[1:].reshape(2, width)  # vectors may begin anywhere
    unaligned[:] = x
    assert not moved(unaligned, row, counts)
    np.testing.assert_array_equal(unaligned, [x[0], x[0] + row])
    np.testing.assert_array_equal(counts, 1 + (x[0] > 0.0))
    x[0, width - 3] = 101.0
    assert moved(x, row, counts)


def test_a_mutant_operator_would_be_seen():
    with pytest.raises(AssertionError):
        same(on_lanes(lambda a, b: a - b), operator.add, np.ones(LANES), np.ones(LANES))
