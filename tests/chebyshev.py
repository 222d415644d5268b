"""The polynomials of `fastebm.lanes.maths` that come from no book, made anew: Chebyshev interpolants as monomials."""

import mpmath
from mpmath import mpf

_HALF_LOG_2 = mpmath.log(2) / 2 * mpf("1.0001")
_EIGHTH = (mpmath.pi / 4) ** 2 * mpf("1.001")


def _bend(function):
    """(f(x) - x)/x**3 as a function of z = x**2, for an odd f with slope one."""
    return lambda z: (function(mpmath.sqrt(z)) - mpmath.sqrt(z)) / mpmath.sqrt(z) ** 3


def _erfcx(t):
    x = 3 * (1 + t) / (1 - t)
    return mpmath.exp(x * x) * mpmath.erfc(x)


FITS = {  # name in maths: function, interval, degree
    "_EXP": (lambda r: (mpmath.exp(r) - 1 - r) / r**2, -_HALF_LOG_2, _HALF_LOG_2, 9),
    "_TAN": (_bend(mpmath.tan), 0, _EIGHTH, 13),
    "_TANH": (_bend(mpmath.tanh), 0, mpf("0.36"), 10),
    "_SINH": (_bend(mpmath.sinh), 0, 1, 6),
    "_ATAN": (_bend(mpmath.atan), 0, 1, 19),
    "_ASIN": (_bend(mpmath.asin), 0, mpf("0.25"), 12),
    "_ERF": (lambda z: mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z), 0, 1, 11),
    "_ERFC": (_erfcx, mpf(-1) / 2, mpf(1) / 4, 13),
    "_LGAMMA": (lambda t: mpmath.loggamma(t + 2) / (t * (t + 1)), -1, 1, 27),
}


def coefficients(name):
    """The coefficients of 1, x, x**2, ... as doubles."""
    function, low, high, degree = FITS[name]
    n = degree + 1
    with mpmath.workdps(100):
        nodes = [(low + high + (high - low) * mpmath.cospi((k + mpf(1) / 2) / n)) / 2 for k in range(n)]
        powers = mpmath.matrix([[x**k for k in range(n)] for x in nodes])
        return tuple(map(float, mpmath.lu_solve(powers, mpmath.matrix([function(x) for x in nodes]))))
