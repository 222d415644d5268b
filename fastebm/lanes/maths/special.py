"""The error function, the logarithm of the gamma function and its derivatives."""

import math

from fastebm.lanes.maths.angles import sin, tan
from fastebm.lanes.maths.exponentials import exp_parts
from fastebm.lanes.maths.logarithms import LEAST_NORMAL, log, log_pair
from fastebm.lanes.vectors import Real, like, polynomial, rarely, where

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
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_STIRLING = tuple(b / (2 * n * (2 * n - 1)) for n, b in enumerate(_BERNOULLI, start=1))


def erf(x: Real) -> Real:
    size = where(abs(x) > 6.0, 6.0, abs(x))
    z = size * size
    t = (size - 3.0) / (size + 3.0)
    mantissa, k = exp_parts(-z)
    far = (1.0 - (mantissa + 1.0).scaled(k) * _in_halves(t, *_ERFC)).copysign(x)
    near = x * (z * _in_halves(z, *_ERF[1:]) + _ERF[0])
    return where(abs(x) < 1.0, near, far)


def _in_halves(x: Real, *coefficients: float) -> Real:
    """The polynomial as a sum of two in x**2, which are computed side by side: a tenth of erf's time."""
    z = x * x
    return polynomial(z, *coefficients[::2]) + x * polynomial(z, *coefficients[1::2])


def lgamma(x: Real) -> Real:
    """log |Gamma(x)|; near the zeros at 1 and 2 too, and near others with the error of the larger term."""
    product, t = like(x, 1.0), x
    for _ in range(5):
        is_above = t > 3.0
        t = where(is_above, t - 1.0, t)
        product = where(is_above, product * t, product)
    is_below, is_large = x < 1.0, x >= 8.0
    high, low = log_pair(where(is_below, x, where(is_large, x, product)))
    from_one, from_two = where(is_below, x, t - 1.0), where(is_below, x - 1.0, t - 2.0)
    both = from_one * from_two
    bend = both * (from_two * polynomial(from_two, *_LGAMMA[1:]))
    near = both * _LGAMMA[0] + (bend + from_one.fma(from_two, -both) * _LGAMMA[0])
    shifted = where(is_below, (near - low) - high, where(x > 3.0, (near + low) + high, near))
    inverse = 1.0 / x
    series = inverse * polynomial(inverse * inverse, *_STIRLING)
    large = (x - 0.5) * (high - 1.0) + ((x - 0.5) * low + (series + 0.5 * (math.log(2.0 * math.pi) - 1.0)))
    is_plain = (x >= LEAST_NORMAL) & (x < 1e305)
    return rarely(~is_plain, where(is_large, large, shifted), lambda: x.each("lgamma"))


def digamma(x: Real) -> Real:
    """Derivative of lgamma: recurrence up to x >= 10, then the asymptotic series (NIST DLMF 5.5.2, 5.5.4, 5.11.2)."""
    is_left = x < 0.5
    t = where(is_left, 1.0 - x, x)
    total = like(x, 0.0)
    for _ in range(10):
        is_below = t < 10.0
        total = where(is_below, total - 1.0 / t, total)
        t = where(is_below, t + 1.0, t)
    z = 1.0 / (t * t)
    series = z * polynomial(z, *(b / (2 * n) for n, b in enumerate(_BERNOULLI, start=1)))
    right = total + (log(t) - 0.5 / t - series)
    fraction = math.pi * (x - (x + 0.5).floor())
    reflected = right - math.pi / tan(fraction)
    return where(is_left, reflected, where(x == math.inf, math.inf, right))


def trigamma(x: Real) -> Real:
    """Second derivative of lgamma: recurrence up to x >= 10, then the asymptotic series (NIST DLMF 5.15.6, 5.15.8)."""
    is_left = x < 0.5
    t = where(is_left, 1.0 - x, x)
    total = like(x, 0.0)
    for _ in range(10):
        is_below = t < 10.0
        total = where(is_below, total + 1.0 / (t * t), total)
        t = where(is_below, t + 1.0, t)
    z = 1.0 / (t * t)
    right = total + (1.0 + (0.5 / t + z * polynomial(z, *_BERNOULLI))) / t
    root = math.pi / sin(math.pi * (x - (x + 0.5).floor()))
    return where(is_left, root * root - right, right)
