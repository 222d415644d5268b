"""Elementary functions of SIMD vectors, as formulas without branches: within 2 units in the last place everywhere.

Each takes and returns `Real`s of `vectors`, one double or many side by side. Arguments that are rare and need other
formulas (angles beyond 2**20, subnormal numbers under a logarithm, negative numbers under lgamma) go to the C library,
behind a jump that is taken only when there are some. Polynomials without a source are Chebyshev interpolants of the
function that their comment names; the tests make them anew.

References
----------
FreeBSD msun, e_log.c, s_log1p.c, k_sin.c, k_cos.c, e_rem_pio2.c and k_tan.c (Sun Microsystems 1993): coefficients of
log, sine and cosine, the parts of pi/2, and how a tail is carried along.
W. J. Cody and W. Waite (1980), Software Manual for the Elementary Functions (reduction of arguments by parts).
T. J. Dekker (1971), doi:10.1007/BF01397083 (sums and products in twice the precision).
"""

import math

from fastebm.lanes.vectors import Mask, Real, Word, polynomial, rarely, where

_LOG2_E = 1.4426950408889634
_LOG_2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # products of the first with |k| < 2**20 are exact
_LOG10_2 = (0.30102999566361177, 3.694239077158931e-13)  # the same of the logarithm to base ten
_ROUND = 1.5 * 2.0**52  # adding it rounds to an integer, which then stands in the low bits
_MANTISSA = 0x000FFFFFFFFFFFFF
_LOWEST = 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
_ONE = 0x3FF0000000000000
_ONE_EXPONENT = 1023
_LEAST_NORMAL = 2.0**-1022
_LARGEST_ANGLE = 2.0**20
_PI = (3.141592653589793, 1.2246467991473532e-16)
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
_PARTS_OF_HALF_PI = (  # 33 bits each, and the rest
    1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624871116645580e-21, 8.47842766036889956997e-32,
)

# (sin(r) - r)/r**3 and (cos(r) - 1 + r**2/2)/r**4 in z = r**2 for r <= pi/4
_SINE = (
    -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
    -2.50507602534068634195e-08, 1.58969099521155010221e-10,
)
_COSINE = (
    4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05, -2.75573143513906633035e-07,
    2.08757232129817482790e-09, -1.13596475577881948265e-11,
)
# (exp(r) - 1 - r)/r**2 for |r| <= log(2)/2
_EXP = (
    0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717,
    0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07,
    2.510038549551032e-08,
)
# (tan(r) - r)/r**3 in z = r**2 for r <= pi/4
_TAN = (
    0.33333333333333326, 0.1333333333333743, 0.053968253963955, 0.021869488713335338, 0.008863231731233084,
    0.003592176643537866, 0.0014554332544507412, 0.0005922615133704226, 0.00023052508618864268, 0.00012000216013031834,
    -3.4622384678210917e-06, 6.87246496818895e-05, -3.3871623623475086e-05, 1.826092715619978e-05,
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
# (atan(x) - x)/x**3 in z = x**2 for x <= 1
_ATAN = (
    -0.3333333333333333, 0.1999999999999753, -0.14285714285384132, 0.11111111093490827, -0.09090908590891934,
    0.07692298971033217, -0.06666564699289104, 0.05881506877793656, -0.052579733342841106, 0.04737749579527779,
    -0.04260356632601652, 0.03749486812535247, -0.031277189066996385, 0.023696731580048622, -0.015535152475414177,
    0.008368931178450162, -0.0034958859739163094, 0.0010496035084968515, -0.00019996189377901382,
    1.806195461861215e-05,
)
# (asin(x) - x)/x**3 in z = x**2 for x <= 1/2
_ASIN = (
    0.16666666666666669, 0.07499999999998433, 0.04464285714635543, 0.030381944138531247, 0.02237217294214989,
    0.017352392720869973, 0.013971212973552933, 0.011479177415184906, 0.01032281435018578, 0.005457506718640358,
    0.01740087944269402, -0.014851887071247204, 0.028757851367421566,
)
# erf(x)/x in z = x**2 for x <= 1
_ERF = (
    1.1283791670955126, -0.37612638903183543, 0.11283791670945006, -0.02686617064323777, 0.0052239776071164225,
    -0.0008548325975389692, 0.00012055294904839707, -1.492473690741966e-05, 1.6447424703317362e-06,
    -1.6208483801871705e-07, 1.3720064546777686e-08, -7.795898827002142e-10,
)
# exp(x**2) erfc(x) in t = (x - 3)/(x + 3) for 1 <= x <= 5, and good enough where erfc is smaller than rounding
_ERFC = (
    0.17900115118138996, -0.3262335600430305, 0.24560380171232868, -0.15011593650253083, 0.07166583719600522,
    -0.024392499190039444, 0.004269136623815097, 0.0007077426962044479, -0.000597074779410142, 4.529525412427611e-05,
    6.427681915086989e-05, -1.2815994321008637e-05, -9.20200730609343e-06, -2.1892472416791183e-07,
)
# lgamma(x)/((x - 1)(x - 2)) in t = x - 2 for 1 <= x <= 3
_LGAMMA = (
    0.42278433509846713, -0.10031730167435392, 0.03296500062115691, -0.012384192193371805, 0.004998641164627129,
    -0.0021081308339216706, 0.0009153769240386907, -0.0004057073983775151, 0.0001825526153982638,
    -8.309511477709561e-05, 3.816907658276081e-05, -1.7661767658452517e-05, 8.221234475942905e-06,
    -3.846858091533014e-06, 1.8113906873056685e-06, -8.54560908975883e-07, 3.958940459367468e-07,
    -1.878442644643758e-07, 1.042041826608264e-07, -4.9827532071170234e-08, 5.910565853507869e-09,
    -2.7296358592514825e-09, 1.6194359237484174e-08, -7.842557720538356e-09, -4.312495770350818e-09,
    2.0986002157033107e-09, 1.5746606982777302e-09, -7.639292345836201e-10,
)
# B(2n)/(2n(2n - 1)), NIST DLMF 5.11.1
_STIRLING = tuple(b / (2 * n * (2 * n - 1)) for n, b in enumerate(
    (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510), start=1
))


# ---- comparisons ----


def maximum(a: Real, b: Real) -> Real:
    """As Python's max: the first argument where the two do not compare."""
    return where(b > a, b, a)


def minimum(a: Real, b: Real) -> Real:
    """As Python's min: the first argument where the two do not compare."""
    return where(b < a, b, a)


def numpy_maximum(a: Real, b: Real) -> Real:
    """As NumPy's maximum: nan where either is."""
    return where((a >= b) | a.is_nan(), a, b)


def numpy_minimum(a: Real, b: Real) -> Real:
    """As NumPy's minimum: nan where either is."""
    return where((a <= b) | a.is_nan(), a, b)


def sign(x: Real) -> Real:
    """-1, 0 or 1; nan stays."""
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, where(x == 0.0, 0.0, x)))


# ---- exponentials ----


def exp(x: Real) -> Real:
    """Results underflow gradually."""
    mantissa, k = _exp_parts(_between(-746.0, x, 710.0))
    return (mantissa + 1.0).scaled(k)


def exp2(x: Real) -> Real:
    k = (_between(-1100.0, x, 1100.0) + _ROUND) - _ROUND
    r = where(abs(x) < 1100.0, x - k, 0.0) * math.log(2.0)
    result = (1.0 + (r + r * r * polynomial(r, *_EXP))).scaled(k)
    return where(x.is_nan(), x, result)


def expm1(x: Real) -> Real:
    r, low, k = _halvings(_between(-60.0, x, 710.0))
    half = _like(x, 1.0).scaled(k - 1.0)  # so that k = 1024 does not overflow
    far = 2.0 * (((half - 0.5) + half * r) + half * (r * r * polynomial(r, *_EXP) + low))
    return where(abs(x) < 2.0**-54, x, far)


def _between(lowest: float, x: Real, highest: float) -> Real:
    """x, or the end that it is beyond; nan stays."""
    above = where(x < lowest, lowest, x)
    return where(above > highest, highest, above)


def _exp_parts(x: Real, low: Real | None = None) -> tuple[Real, Real]:
    """exp(r) - 1 and k, with exp(x + low) = 2**k exp(r) and |r| <= log(2)/2, for |x| up to some thousands."""
    r, _, k = _halvings(x)
    r = r if low is None else r + low
    return r + r * r * polynomial(r, *_EXP), k


def _halvings(x: Real) -> tuple[Real, Real, Real]:
    """r, its tail and k with x = k log 2 + r and |r| <= log(2)/2."""
    k = (x * _LOG2_E + _ROUND) - _ROUND
    high = x - k * _LOG_2[0]
    r = high - k * _LOG_2[1]
    return r, (high - r) - k * _LOG_2[1], k


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
    mantissa, k = _exp_parts(_between(0.0, x, 712.0))
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


def softplus(x: Real) -> Real:
    """log(1 + exp(x))."""
    return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x)))


def logaddexp(a: Real, b: Real) -> Real:
    """log(exp(a) + exp(b)); near its zeros the error is one of the larger term."""
    return where(a == b, a + math.log(2.0), where(a > b, a, b) + log1p(exp(-abs(a - b))))


# ---- logarithms ----


def log(x: Real) -> Real:
    is_plain = (x >= _LEAST_NORMAL) & (x < math.inf)
    return rarely(~is_plain, log_of_normal(x), lambda: _log_of_any(x))


def log_of_normal(x: Real) -> Real:
    """Logarithm of a positive, normal, finite double.

    x = 2**k m with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh(s) with s = (m - 1)/(m + 1) by a polynomial in s**2.
    """
    k, f = _log_parts(x)
    return _log_of_parts(k, f)


def _log_of_any(x: Real) -> Real:
    k, f = _log_parts(x * 2.0**54)
    subnormal = _log_of_parts(k - 54.0, f)
    return where(x == 0.0, -math.inf, where(x == math.inf, math.inf, where(x > 0.0, subnormal, math.nan)))


def log2(x: Real) -> Real:
    return _log_to_base(x, _LOG2_E, (1.0, 0.0), "log2")


def log10(x: Real) -> Real:
    return _log_to_base(x, 0.4342944819032518, _LOG10_2, "log10")


def _log_to_base(x: Real, factor: float, of_two: tuple[float, float], name: str) -> Real:
    """log(x) * factor; at powers of the base exact, whether products and sums fuse or not."""
    k, f = _log_parts(x)
    half_square, rest = _log_polynomial(f)
    bend = half_square - rest
    mantissa = f - bend
    lost = (f - mantissa) - bend
    result = k * of_two[0] + (mantissa * factor + (lost * factor + k * of_two[1]))
    is_plain = (x >= _LEAST_NORMAL) & (x < math.inf)
    return rarely(~is_plain, result, lambda: x.each(name))


def log1p(x: Real) -> Real:
    u = 1.0 + x
    lost = where(x > 1.0, 1.0 - (u - x), x - (u - 1.0))
    k, f = _log_parts(u)
    near = where(abs(x) < 2.0**-54, x, _log_of_parts(k, f, lost / u))
    end = where(x == math.inf, math.inf, where(x == -1.0, -math.inf, math.nan))
    return where((x > -1.0) & (x < math.inf), near, end)


def _log_parts(x: Real) -> tuple[Real, Real]:
    """k and m - 1. k becomes a double through the mantissa of 2**52 + k: not every processor can convert it."""
    shifted = x.bits() + (_ONE - _LOWEST)
    k = ((shifted >> 52) | 0x4330000000000000).double() - (2.0**52 + _ONE_EXPONENT)
    return k, ((shifted & _MANTISSA) + _LOWEST).double() - 1.0


def _log_of_parts(k: Real, f: Real, low: Real | None = None) -> Real:
    """k log 2 + log(1 + f) + low."""
    half_square, rest = _log_polynomial(f)
    small = rest + k * _LOG_2[1] if low is None else rest + (k * _LOG_2[1] + low)
    return k * _LOG_2[0] - ((half_square - small) - f)


def _log_pair(x: Real) -> tuple[Real, Real]:
    """Logarithm of a positive, normal, finite double as a sum of two, good to a tenth of a unit in the last place."""
    k, f = _log_parts(x)
    half_square, rest = _log_polynomial(f)
    high = k * _LOG_2[0] + f
    low = ((k * _LOG_2[0] - high) + f) - (half_square - (rest + k * _LOG_2[1]))
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


# ---- powers and roots ----


def sqrt(x: Real) -> Real:
    return x.sqrt()


def power(x: Real, y: Real) -> Real:
    """x**y for real y; below zero for whole y. The logarithm carries twice the precision."""
    size = abs(x)
    high, low = _log_twice(size)
    product = y * high
    tail = y.fma(high, -product) + y * low
    is_small = abs(product) < 746.0
    mantissa, k = _exp_parts(
        where(is_small, product, where(product > 0.0, 746.0, -746.0)), where(is_small, tail, 0.0)
    )
    result = (mantissa + 1.0).scaled(k)
    is_odd = (y.floor() == y) & ((0.5 * y).floor() != 0.5 * y)
    negative = where(y.floor() == y, where(is_odd, -result, result), math.nan)
    is_plain = (size >= _LEAST_NORMAL) & (size < math.inf) & (abs(y) < 2.0**64)
    return rarely(~is_plain, where(x < 0.0, negative, result), lambda: x.each("pow", y))


def _log_twice(x: Real) -> tuple[Real, Real]:
    """Logarithm of a positive, normal, finite double as a sum of two, with 20 bits more than one."""
    k, f = _log_parts(x)
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
    high = k * _LOG_2[0] + 2.0 * atanh
    low = ((k * _LOG_2[0] - high) + 2.0 * atanh) + (2.0 * atanh_low + k * _LOG_2[1])
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


# ---- angles ----


def sin(x: Real) -> Real:
    r, low, quarter = _quarters(x)
    sine = where((quarter & 1) == 0, _sine(r, low), _cosine(r, low))
    signed = _negated(sine, quarter >> 1)
    return rarely(~(abs(x) <= _LARGEST_ANGLE), where(abs(x) < 2.0**-27, x, signed), lambda: x.each("sin"))


def cos(x: Real) -> Real:
    r, low, quarter = _quarters(x)
    cosine = where((quarter & 1) == 0, _cosine(r, low), _sine(r, low))
    signed = _negated(cosine, (quarter + 1) >> 1)
    return rarely(~(abs(x) <= _LARGEST_ANGLE), signed, lambda: x.each("cos"))


def tan(x: Real) -> Real:
    r, low, quarter = _quarters(x)
    z = r * r
    bend = r * z * polynomial(z, *_TAN) + low * (1.0 + z)  # tan'(r) = 1 + r**2 and more; low is that small
    tangent = r + bend
    tail = (r - tangent) + bend
    inverse = -1.0 / tangent
    correction = inverse.fma(tangent, _like(tangent, 1.0)) + inverse * tail
    result = where((quarter & 1) == 0, tangent, inverse + inverse * correction)
    return rarely(~(abs(x) <= _LARGEST_ANGLE), where(abs(x) < 2.0**-27, x, result), lambda: x.each("tan"))


def _quarters(x: Real) -> tuple[Real, Real, Word]:
    """r, its tail and n with x = n pi/2 + r and |r| <= pi/4, for |x| <= 2**20."""
    rounded = x * (2.0 / math.pi) + _ROUND
    n = rounded - _ROUND
    first, second, third, rest = _PARTS_OF_HALF_PI
    a = x - n * first
    b = a - n * second
    part = n * second
    b_low = _lost(a, part, b)
    part = n * third
    c = b - part
    tail = b_low + _lost(b, part, c) - n * rest
    r = c + tail
    return r, (c - r) + tail, rounded.bits()


def _lost(a: Real, b: Real, difference: Real) -> Real:
    """What rounding took from a - b, whichever is larger."""
    other = a - difference
    return (a - (difference + other)) + (other - b)


def _sine(r: Real, low: Real) -> Real:
    z = r * r
    v = z * r
    return r - ((z * (0.5 * low - v * polynomial(z, *_SINE[1:])) - low) - v * _SINE[0])


def _cosine(r: Real, low: Real) -> Real:
    z = r * r
    half_square = 0.5 * z
    w = 1.0 - half_square
    return w + (((1.0 - w) - half_square) + (z * z * polynomial(z, *_COSINE) - r * low))


def _negated(x: Real, word: Word) -> Real:
    """-x where the word is odd."""
    return (x.bits() ^ (word << 63)).double()


def _like(x: Real, number: float) -> Real:
    return Real(x.builder, x.of(number))


def atan(x: Real) -> Real:
    size = abs(x)
    is_steep = size > 1.0
    ratio = where(is_steep, 1.0 / size, size)
    high, low = where(is_steep, _HALF_PI[0], 0.0), where(is_steep, _HALF_PI[1], 0.0)
    return _turned(ratio, is_steep, high, low).copysign(x)


def atan2(y: Real, x: Real) -> Real:
    height, width = abs(y), abs(x)
    is_steep = height > width
    is_left = (x.bits() >> 63) != 0
    larger, smaller = where(is_steep, height, width), where(is_steep, width, height)
    ratio = where(larger == smaller, 1.0, smaller / larger)
    ratio = where(larger == 0.0, 0.0, ratio)
    high = where(is_steep, _HALF_PI[0], where(is_left, _PI[0], 0.0))
    low = where(is_steep, _HALF_PI[1], where(is_left, _PI[1], 0.0))
    angle = _turned(ratio, is_steep ^ is_left, high, low).copysign(y)
    return where(x.is_nan() | y.is_nan(), math.nan, angle)


def _turned(ratio: Real, is_backwards: Mask, high: Real, low: Real) -> Real:
    """high + low + atan(ratio), or minus; ratio from 0 to 1."""
    t = where(is_backwards, -ratio, ratio)
    z = t * t
    return high + (t + (t * z * polynomial(z, *_ATAN) + low))


def asin(x: Real) -> Real:
    s, bend, is_steep = _half_asin(x)
    start = _HALF_PI[0] - 2.0 * s
    lost = (_HALF_PI[0] - start) - 2.0 * s
    far = start - (2.0 * bend - (_HALF_PI[1] + lost))
    return where(is_steep, far, s + bend).copysign(x)


def acos(x: Real) -> Real:
    s, bend, is_steep = _half_asin(x)
    angle = s + bend
    far = where(x < 0.0, _PI[0] - (2.0 * angle - _PI[1]), 2.0 * angle)
    return where(is_steep, far, _HALF_PI[0] - (angle.copysign(x) - _HALF_PI[1]))


def _half_asin(x: Real) -> tuple[Real, Real, Mask]:
    """s and asin(s) - s, with s = |x| if that is at most 1/2; else, as the mask says, pi/2 - asin |x| = 2 asin(s)."""
    size = abs(x)
    is_steep = size > 0.5
    z = where(is_steep, 0.5 - 0.5 * size, size * size)
    s = where(is_steep, z.sqrt(), size)
    return s, s * z * polynomial(z, *_ASIN), is_steep


def direction(word: Word) -> tuple[Real, Real]:
    """Sine and cosine of an angle that is uniform on the circle, from 64 random bits.

    The high 52 bits give an angle within an eighth of a turn of the x axis; the lowest bit gives the sign of the cosine
    and the next one exchanges the two, which together reach the whole circle without a reduction.
    """
    y = (((word >> 12) | _ONE).double() - 1.5) * _HALF_PI[0]
    z = y * y
    sine = y + y * z * polynomial(z, *_SINE)
    cosine = _negated(1.0 + z * (z * polynomial(z, *_COSINE) - 0.5), word)
    is_exchanged = (word & 2) != 0
    return where(is_exchanged, cosine, sine), where(is_exchanged, sine, cosine)


# ---- erf and lgamma ----


def erf(x: Real) -> Real:
    size = where(abs(x) > 6.0, 6.0, abs(x))
    z = size * size
    t = (size - 3.0) / (size + 3.0)
    mantissa, k = _exp_parts(-z)
    far = (1.0 - (mantissa + 1.0).scaled(k) * _in_halves(t, *_ERFC)).copysign(x)
    near = x * (z * _in_halves(z, *_ERF[1:]) + _ERF[0])
    return where(abs(x) < 1.0, near, far)


def _in_halves(x: Real, *coefficients: float) -> Real:
    """The polynomial as a sum of two in x**2, which are computed side by side: a tenth of erf's time."""
    z = x * x
    return polynomial(z, *coefficients[::2]) + x * polynomial(z, *coefficients[1::2])


def lgamma(x: Real) -> Real:
    """log |Gamma(x)|; near the zeros at 1 and 2 too, and near others with the error of the larger term."""
    product, t = _like(x, 1.0), x
    for _ in range(5):
        is_above = t > 3.0
        t = where(is_above, t - 1.0, t)
        product = where(is_above, product * t, product)
    is_below, is_large = x < 1.0, x >= 8.0
    high, low = _log_pair(where(is_below, x, where(is_large, x, product)))
    from_one, from_two = where(is_below, x, t - 1.0), where(is_below, x - 1.0, t - 2.0)
    both = from_one * from_two
    bend = both * (from_two * polynomial(from_two, *_LGAMMA[1:]))
    near = both * _LGAMMA[0] + (bend + from_one.fma(from_two, -both) * _LGAMMA[0])
    shifted = where(is_below, (near - low) - high, where(x > 3.0, (near + low) + high, near))
    inverse = 1.0 / x
    series = inverse * polynomial(inverse * inverse, *_STIRLING)
    large = (x - 0.5) * (high - 1.0) + ((x - 0.5) * low + (series + 0.5 * (math.log(2.0 * math.pi) - 1.0)))
    is_plain = (x >= _LEAST_NORMAL) & (x < 1e305)
    return rarely(~is_plain, where(is_large, large, shifted), lambda: x.each("lgamma"))
