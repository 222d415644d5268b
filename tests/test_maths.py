"""The elementary functions of lanes against mpmath, in units in the last place, and at their special values."""

import math

import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastebm._compile import FLAGS
from fastebm.lanes import maths


@numba.njit(**FLAGS)
def run(x, words, exps, logs, sines, cosines):
    for l in range(len(x)):
        exps[l] = maths.exp(x[l])
    for l in range(len(x)):
        logs[l] = maths.log(x[l])
    for l in range(len(x)):
        sines[l], cosines[l] = maths.direction(words[l])


def values(x):
    """exp and log of the numbers x, each (n,)."""
    out = np.empty((4, len(x)))
    run(np.asarray(x, dtype=float), np.zeros(len(x), dtype=np.uint64), *out)
    return out[:2]


def directions(words):
    """What `direction` makes of 64-bit words, each (n,)."""
    out = np.empty((4, len(words)))
    run(np.ones(len(words)), words, *out)
    return out[2:]


def ulps(got, exact) -> float:
    """The largest distance from the exact values, in units in the last place of the doubles next to these."""
    return max(
        float(abs(mpmath.mpf(float(a)) - b) / math.ulp(float(b))) for a, b in zip(got, exact, strict=True)
    )


seeds = st.integers(0, 2**64 - 1)


@given(seeds)
def test_exp_is_within_one_ulp(seed):
    x = np.random.default_rng(seed).uniform(-708.0, 709.78, 200)
    assert ulps(values(x)[0], map(mpmath.exp, x)) <= 1.0


@given(seeds)
def test_exp_of_small_numbers_is_within_one_ulp(seed):
    x = np.random.default_rng(seed).standard_cauchy(200) * 1e-3
    assert ulps(values(x)[0], map(mpmath.exp, x)) <= 1.0


@given(st.floats(-745.2, -708.0))
def test_exp_underflows_gradually(x):
    assert values([x])[0][0] == pytest.approx(float(mpmath.exp(x)), rel=0.0, abs=math.ulp(0.0))


def test_exp_at_special_values():
    x = [0.0, -0.0, math.inf, -math.inf, math.nan, 709.7827128933, 709.7827128934, -745.13, -745.14, 1e308, -1e308]
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_array_equal(values(x)[0][:5], [1.0, 1.0, math.inf, 0.0, math.nan])
        np.testing.assert_allclose(values(x)[0][5:], np.exp(x[5:]), rtol=1e-15)


@given(seeds)
def test_log_is_within_one_ulp(seed):
    generator = np.random.default_rng(seed)
    x = np.concatenate([
        np.ldexp(generator.uniform(1.0, 2.0, 100), generator.integers(-1022, 1024, 100)),
        1.0 + generator.uniform(-1.0, 1.0, 100) * 10.0 ** generator.uniform(-16.0, -1.0, 100),
        generator.integers(0, 2**52, 100) * 2.0**-52 + 2.0**-53,
    ])
    assert ulps(values(x)[1], map(mpmath.log, x)) <= 1.0


@given(st.floats(2.2250738585072014e-308, 1.7976931348623157e308))
def test_log_anywhere(x):
    assert ulps(values([x])[1], [mpmath.log(x)]) <= 1.0


def test_log_at_special_values():
    assert values([1.0])[1][0] == 0.0
    assert values([2.0**-53])[1][0] == math.log(2.0**-53)


def angle(word) -> mpmath.mpf:
    """The angle from its axis that the 52 high bits stand for, in turns."""
    return (mpmath.mpf(int(word) >> 12) / 2**52 - mpmath.mpf(1) / 2) / 4


@given(seeds)
def test_directions_are_within_two_ulps(seed):
    generator = np.random.default_rng(seed)
    words = generator.integers(0, 2**64, 200, dtype=np.uint64)
    small = np.uint64(2**63) + (generator.integers(-(2**40), 2**40, 50) << 12).astype(np.uint64)  # next to an axis
    words = np.concatenate([words, small]) & ~np.uint64(3)
    sines, cosines = directions(words)
    assert ulps(sines, [mpmath.sinpi(2 * angle(word)) for word in words]) <= 2.0
    assert ulps(cosines, [mpmath.cospi(2 * angle(word)) for word in words]) <= 2.0


@given(seeds)
def test_the_two_low_bits_choose_the_axis(seed):
    word = np.random.default_rng(seed).integers(0, 2**64, dtype=np.uint64) & ~np.uint64(3)
    sines, cosines = directions(word | np.arange(4, dtype=np.uint64))
    assert [*zip(sines, cosines, strict=True)] == [
        (sines[0], cosines[0]), (sines[0], -cosines[0]), (cosines[0], sines[0]), (-cosines[0], sines[0])
    ]


@given(st.lists(st.floats(0.01, 0.99), min_size=9, max_size=70))
def test_a_lane_does_not_see_its_neighbours(x):
    together = values(x)
    for place, one in enumerate(x):
        assert (values([one])[:, 0] == together[:, place]).all()


@given(st.floats())
def test_bits_there_and_back(x):
    bits = np.float64(x).view(np.int64)
    assert to_bits(x) == bits
    assert np.float64(from_bits(np.uint64(bits.view(np.uint64)))).view(np.int64) == bits


@numba.njit
def to_bits(x):
    return maths.bits_of_float(x)


@numba.njit
def from_bits(bits):
    return maths.float_of_bits(bits)


def test_a_polynomial_cut_short_would_be_seen():
    """A Taylor polynomial of degree 10 in the place of degree 13: 1e-13 away, and not within one ulp."""
    x = np.linspace(0.2, 0.34, 50)
    rough = [sum(a**k / math.factorial(k) for k in range(11)) for a in x]
    assert ulps(rough, map(mpmath.exp, x)) > 1.0
