"""Roots and powers.

References
----------
T. J. Dekker (1971), doi:10.1007/BF01397083 (sums and products in twice the precision).
"""

import math

from fastebm.lanes.maths.exponentials import LOG_2, exp_parts
from fastebm.lanes.maths.logarithms import LEAST_NORMAL, log_parts
from fastebm.lanes.vectors import Real, polynomial, rarely, where


def sqrt(x: Real) -> Real:
    return x.sqrt()


def power(x: Real, y: Real) -> Real:
    """x**y for real y; below zero for whole y. The logarithm carries twice the precision."""
    size = abs(x)
    high, low = _log_twice(size)
    product = y * high
    tail = y.fma(high, -product) + y * low
    is_small = abs(product) < 746.0
    mantissa, k = exp_parts(
        where(is_small, product, where(product > 0.0, 746.0, -746.0)), where(is_small, tail, 0.0)
    )
    result = (mantissa + 1.0).scaled(k)
    is_odd = (y.floor() == y) & ((0.5 * y).floor() != 0.5 * y)
    negative = where(y.floor() == y, where(is_odd, -result, result), math.nan)
    is_plain = (size >= LEAST_NORMAL) & (size < math.inf) & (abs(y) < 2.0**64)
    return rarely(~is_plain, where(x < 0.0, negative, result), lambda: x.each("pow", y))


def _log_twice(x: Real) -> tuple[Real, Real]:
    """Logarithm of a positive, normal, finite double as a sum of two, with 20 bits more than one."""
    k, f = log_parts(x)
    sum_high = 2.0 + f
    sum_low = f - (sum_high - 2.0)
    s = f / sum_high
    s_low = ((-s).fma(sum_high, f) - s * sum_low) / sum_high
    z = s * s
    z_low = s.fma(s, -z) + 2.0 * s * s_low
    rest = z * polynomial(z, *(1.0 / n for n in range(5, 27, 2)))
    c = rest + 1.0 / 3.0
    c_low = (1.0 / 3.0 - c) + rest + 1.850371707708594e-17  # what the double 1/3 lacks
    u = z * c
    u_low = z.fma(c, -u) + (z * c_low + z_low * c)
    v = s * u
    v_low = s.fma(u, -v) + (s * u_low + s_low * u)
    atanh = s + v
    atanh_low = ((s - atanh) + v) + (v_low + s_low)
    high = k * LOG_2[0] + 2.0 * atanh
    low = ((k * LOG_2[0] - high) + 2.0 * atanh) + (2.0 * atanh_low + k * LOG_2[1])
    total = high + low
    return total, (high - total) + low


def hypot(a: Real, b: Real) -> Real:
    """sqrt(a**2 + b**2) without overflow."""
    a, b = abs(a), abs(b)
    largest = where(a > b, a, b)
    scale = where(largest > 2.0**500, 2.0**-600, where(largest < 2.0**-500, 2.0**600, 1.0))
    back = where(largest > 2.0**500, 2.0**600, where(largest < 2.0**-500, 2.0**-600, 1.0))
    a_scaled, b_scaled = a * scale, b * scale
    length = (a_scaled * a_scaled + b_scaled * b_scaled).sqrt() * back
    return where((a == math.inf) | (b == math.inf), math.inf, length)
