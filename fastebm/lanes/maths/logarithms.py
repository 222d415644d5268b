"""Logarithms, and those of sums of exponentials.

References
----------
FreeBSD msun, e_log.c and s_log1p.c (Sun Microsystems 1993): coefficients, and how a tail is carried along.
"""

import math

from fastebm.lanes.maths.exponentials import LOG2_E, LOG_2, exp
from fastebm.lanes.vectors import ONE_BITS, Real, polynomial, rarely, where

_LOG10_2 = (0.30102999566361177, 3.694239077158931e-13)  # the same of the logarithm to base ten
_MANTISSA = 0x000FFFFFFFFFFFFF
_LOWEST = 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
_ONE_EXPONENT = 1023
LEAST_NORMAL = 2.0**-1022


def softplus(x: Real) -> Real:
    """log(1 + exp(x))."""
    return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x)))


def logaddexp(a: Real, b: Real) -> Real:
    """log(exp(a) + exp(b)); near its zeros the error is one of the larger term."""
    return where(a == b, a + math.log(2.0), where(a > b, a, b) + log1p(exp(-abs(a - b))))


def log(x: Real) -> Real:
    is_plain = (x >= LEAST_NORMAL) & (x < math.inf)
    return rarely(~is_plain, log_of_normal(x), lambda: _log_of_any(x))


def log_of_normal(x: Real) -> Real:
    """Logarithm of a positive, normal, finite double.

    x = 2**k m with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh(s) with s = (m - 1)/(m + 1) by a polynomial in s**2.
    """
    k, f = log_parts(x)
    return _log_of_parts(k, f)


def _log_of_any(x: Real) -> Real:
    k, f = log_parts(x * 2.0**54)
    subnormal = _log_of_parts(k - 54.0, f)
    return where(x == 0.0, -math.inf, where(x == math.inf, math.inf, where(x > 0.0, subnormal, math.nan)))


def log2(x: Real) -> Real:
    return _log_to_base(x, LOG2_E, (1.0, 0.0), "log2")


def log10(x: Real) -> Real:
    return _log_to_base(x, 0.4342944819032518, _LOG10_2, "log10")


def _log_to_base(x: Real, factor: float, of_two: tuple[float, float], name: str) -> Real:
    """log(x) * factor; at powers of the base exact, whether products and sums fuse or not."""
    k, f = log_parts(x)
    half_square, rest = _log_polynomial(f)
    bend = half_square - rest
    mantissa = f - bend
    lost = (f - mantissa) - bend
    result = k * of_two[0] + (mantissa * factor + (lost * factor + k * of_two[1]))
    is_plain = (x >= LEAST_NORMAL) & (x < math.inf)
    return rarely(~is_plain, result, lambda: x.each(name))


def log1p(x: Real) -> Real:
    u = 1.0 + x
    lost = where(x > 1.0, 1.0 - (u - x), x - (u - 1.0))
    k, f = log_parts(u)
    near = where(abs(x) < 2.0**-54, x, _log_of_parts(k, f, lost / u))
    end = where(x == math.inf, math.inf, where(x == -1.0, -math.inf, math.nan))
    return where((x > -1.0) & (x < math.inf), near, end)


def log_parts(x: Real) -> tuple[Real, Real]:
    """k and m - 1. k becomes a double through the mantissa of 2**52 + k: not every processor can convert it."""
    shifted = x.bits() + (ONE_BITS - _LOWEST)
    k = ((shifted >> 52) | 0x4330000000000000).double() - (2.0**52 + _ONE_EXPONENT)
    return k, ((shifted & _MANTISSA) + _LOWEST).double() - 1.0


def _log_of_parts(k: Real, f: Real, low: Real | None = None) -> Real:
    """k log 2 + log(1 + f) + low."""
    half_square, rest = _log_polynomial(f)
    small = rest + k * LOG_2[1] if low is None else rest + (k * LOG_2[1] + low)
    return k * LOG_2[0] - ((half_square - small) - f)


def log_pair(x: Real) -> tuple[Real, Real]:
    """Logarithm of a positive, normal, finite double as a sum of two, good to a tenth of a unit in the last place."""
    k, f = log_parts(x)
    half_square, rest = _log_polynomial(f)
    high = k * LOG_2[0] + f
    low = ((k * LOG_2[0] - high) + f) - (half_square - (rest + k * LOG_2[1]))
    total = high + low
    return total, (high - total) + low


def _log_polynomial(f: Real) -> tuple[Real, Real]:
    """f**2/2 and log(1 + f) - f + f**2/2."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * polynomial(w, 0.3999999999940941908, 0.2222219843214978396, 0.1531383769920937332)
    odd = z * polynomial(
        w, 0.6666666666666735130, 0.2857142874366239149, 0.1818357216161805012, 0.1479819860511658591
    )
    half_square = 0.5 * f * f
    return half_square, s * (half_square + (odd + even))
