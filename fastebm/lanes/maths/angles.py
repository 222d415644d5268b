"""Trigonometric functions and their inverses.

References
----------
FreeBSD msun, k_sin.c, k_cos.c, k_tan.c and e_rem_pio2.c (Sun Microsystems 1993): coefficients of sine and cosine, the
parts of pi/2, and how a tail is carried along.
"""

import math

from fastebm.lanes.vectors import ONE_BITS, ROUND, Mask, Real, Word, like, polynomial, rarely, where

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
# (tan(r) - r)/r**3 in z = r**2 for r <= pi/4
_TAN = (
    0.33333333333333326, 0.1333333333333743, 0.053968253963955, 0.021869488713335338, 0.008863231731233084,
    0.003592176643537866, 0.0014554332544507412, 0.0005922615133704226, 0.00023052508618864268, 0.00012000216013031834,
    -3.4622384678210917e-06, 6.87246496818895e-05, -3.3871623623475086e-05, 1.826092715619978e-05,
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
    correction = inverse.fma(tangent, like(tangent, 1.0)) + inverse * tail
    result = where((quarter & 1) == 0, tangent, inverse + inverse * correction)
    return rarely(~(abs(x) <= _LARGEST_ANGLE), where(abs(x) < 2.0**-27, x, result), lambda: x.each("tan"))


def _quarters(x: Real) -> tuple[Real, Real, Word]:
    """r, its tail and n with x = n pi/2 + r and |r| <= pi/4, for |x| <= 2**20."""
    rounded = x * (2.0 / math.pi) + ROUND
    n = rounded - ROUND
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
    y = (((word >> 12) | ONE_BITS).double() - 1.5) * _HALF_PI[0]
    z = y * y
    sine = y + y * z * polynomial(z, *_SINE)
    cosine = _negated(1.0 + z * (z * polynomial(z, *_COSINE) - 0.5), word)
    is_exchanged = (word & 2) != 0
    return where(is_exchanged, cosine, sine), where(is_exchanged, sine, cosine)
