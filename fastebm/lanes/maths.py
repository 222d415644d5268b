"""Elementary functions without branches or calls, so that the compiler turns a loop over a tile into vector code.

References
----------
FreeBSD msun, e_log.c, k_sin.c and k_cos.c (Sun Microsystems 1993): the coefficients of log, sine and cosine.
"""

import math
from typing import Any

from llvmlite import ir
from numba import int64, types, uint64
from numba.extending import intrinsic

from fastebm._compile import inlined


@intrinsic  # type: ignore[untyped-decorator]
def float_of_bits(_context: Any, bits: Any) -> Any:
    """The double that has these 64 bits."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def bits_of_float(_context: Any, value: Any) -> Any:
    """The 64 bits of a double, as a signed integer."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@inlined
def exp(x):  # type: ignore[no-untyped-def]
    """Exponential of any double, within 1 ulp above the subnormal range; exp(-inf) = 0, exp(inf) = inf, nan stays.

    x = k log 2 + r with |r| <= log(2)/2, and exp r by its Taylor polynomial of degree 13, whose remainder is
    2e-18. 2**k is applied in two halves, so that results gradually underflow.
    """
    clamped = 710.0 if x > 710.0 else (-746.0 if x < -746.0 else x)
    k = math.floor(clamped * 1.4426950408889634 + 0.5)
    r = (clamped - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = 1.0 + (r + r * r * p)
    whole = int64(k)
    half = whole >> 1
    result = p * float_of_bits(uint64(half + 1023) << uint64(52))
    result *= float_of_bits(uint64(whole - half + 1023) << uint64(52))
    return x if x != x else result


@inlined
def log(x):  # type: ignore[no-untyped-def]
    """Logarithm of a positive, normal, finite double, below 1 ulp.

    x = 2**k m with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh(s) with s = (m - 1)/(m + 1) by a polynomial in s**2.
    """
    bits = bits_of_float(x)
    k = (bits - int64(0x3FE6A09E667F3BCD)) >> int64(52)
    f = float_of_bits(uint64(bits - (k << int64(52)))) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    odd = z * (
        0.6666666666666735130
        + w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591))
    )
    half_square = 0.5 * f * f
    high = k * 6.93147180369123816490e-01
    low = k * 1.90821492927058770002e-10
    return high - ((half_square - (s * (half_square + odd + even) + low)) - f)


@inlined
def direction(word):  # type: ignore[no-untyped-def]
    """Sine and cosine of an angle that is uniform on the circle, from 64 random bits.

    The high 52 bits give an angle y within an eighth of a turn of the x axis; the lowest bit gives the sign of the
    cosine and the next one exchanges the two, which together reach the whole circle without a range reduction.
    """
    y = (float_of_bits((word >> uint64(12)) | uint64(0x3FF0000000000000)) - (1.5 - 2.0**-53)) * 1.5707963267948966
    z = y * y
    sine = 1.58969099521155010221e-10
    sine = sine * z - 2.50507602534068634195e-08
    sine = sine * z + 2.75573137070700676789e-06
    sine = sine * z - 1.98412698298579493134e-04
    sine = sine * z + 8.33333333332248946124e-03
    sine = sine * z - 1.66666666666666324348e-01
    sine = y + y * z * sine
    cosine = -1.13596475577881948265e-11
    cosine = cosine * z + 2.08757232129817482790e-09
    cosine = cosine * z - 2.75573143513906633035e-07
    cosine = cosine * z + 2.48015872894767294178e-05
    cosine = cosine * z - 1.38888888888741095749e-03
    cosine = cosine * z + 4.16666666666666019037e-02
    cosine = 1.0 - 0.5 * z + z * z * cosine
    cosine = float_of_bits(uint64(bits_of_float(cosine)) ^ (word << uint64(63)))
    is_exchanged = (word & uint64(2)) != 0
    return cosine if is_exchanged else sine, sine if is_exchanged else cosine
