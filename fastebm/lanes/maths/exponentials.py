"""Exponentials: by 2**k and a polynomial, after the argument is reduced by parts of log 2.

References
----------
W. J. Cody and W. Waite (1980), Software Manual for the Elementary Functions (reduction of arguments by parts).
"""

import math

from fastebm.lanes.vectors import ROUND, Real, like, polynomial, where

LOG2_E = 1.4426950408889634
LOG_2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # products of the first with |k| < 2**20 are exact
# (exp(r) - 1 - r)/r**2 for |r| <= log(2)/2
_EXP = (
    0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
    0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07,
    2.510038549551032e-08,
)
# (tanh(x) - x)/x**3 in z = x**2 for x <= 0.6
_TANH = (
    -0.33333333333333326, 0.13333333333330197, -0.05396825396475762, 0.02186948838378093, -0.008863232113541474,
    0.0035920831663434575, -0.001455464802800745, 0.0005880541548418729, -0.0002322510406793851, 8.154737806525365e-05,
    -1.833596211003942e-05,
)
# (sinh(x) - x)/x**3 in z = x**2 for x <= 1
_SINH = (
    0.16666666666666666, 0.008333333333333299, 0.00019841269841324198, 2.7557319191381816e-06, 2.5052117695907823e-08,
    1.6057679623801638e-10, 7.746178593018827e-13,
)


def exp(x: Real) -> Real:
    """Results underflow gradually."""
    mantissa, k = exp_parts(between(-746.0, x, 710.0))
    return (mantissa + 1.0).scaled(k)


def exp2(x: Real) -> Real:
    k = (between(-1100.0, x, 1100.0) + ROUND) - ROUND
    r = where(abs(x) < 1100.0, x - k, 0.0) * math.log(2.0)
    result = (1.0 + (r + r * r * polynomial(r, *_EXP))).scaled(k)
    return where(x.is_nan(), x, result)


def expm1(x: Real) -> Real:
    r, low, k = _halvings(between(-60.0, x, 710.0))
    half = like(x, 1.0).scaled(k - 1.0)  # so that k = 1024 does not overflow
    far = 2.0 * (((half - 0.5) + half * r) + half * (r * r * polynomial(r, *_EXP) + low))
    return where(abs(x) < 2.0**-54, x, far)


def between(lowest: float, x: Real, highest: float) -> Real:
    """x, or the end that it is beyond; nan stays."""
    above = where(x < lowest, lowest, x)
    return where(above > highest, highest, above)


def exp_parts(x: Real, low: Real | None = None) -> tuple[Real, Real]:
    """exp(r) - 1 and k, with exp(x + low) = 2**k exp(r) and |r| <= log(2)/2, for |x| up to some thousands."""
    r, _, k = _halvings(x)
    r = r if low is None else r + low
    return r + r * r * polynomial(r, *_EXP), k


def _halvings(x: Real) -> tuple[Real, Real, Real]:
    """r, its tail and k with x = k log 2 + r and |r| <= log(2)/2."""
    k = (x * LOG2_E + ROUND) - ROUND
    high = x - k * LOG_2[0]
    r = high - k * LOG_2[1]
    return r, (high - r) - k * LOG_2[1], k


def sinh(x: Real) -> Real:
    z = x * x
    half_exp = _half_exp(abs(x))
    far = (half_exp - 0.25 / half_exp).copysign(x)
    return where(abs(x) < 1.0, x + x * z * polynomial(z, *_SINH), far)


def cosh(x: Real) -> Real:
    half_exp = _half_exp(abs(x))
    return half_exp + 0.25 / half_exp


def _half_exp(x: Real) -> Real:
    """exp(x)/2 for x >= 0; does not overflow where sinh does not."""
    mantissa, k = exp_parts(between(0.0, x, 712.0))
    return (mantissa + 1.0).scaled(k - 1.0)


def tanh(x: Real) -> Real:
    z = x * x
    far = 1.0 - 2.0 / (exp(2.0 * abs(x)) + 1.0)
    return where(abs(x) < 0.6, x + x * z * polynomial(z, *_TANH), far).copysign(x)


def sigmoid(x: Real) -> Real:
    """1/(1 + exp(-x))."""
    small = exp(-abs(x))
    start = where(x < 0.0, small, 1.0)
    return start - start * (small / (1.0 + small))
