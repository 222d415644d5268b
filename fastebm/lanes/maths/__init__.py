"""Elementary functions of SIMD vectors, as formulas without branches: within 2 units in the last place everywhere.

Each takes and returns `Real`s of `vectors`, one double or many side by side. Arguments that are rare and need other
formulas (angles beyond 2**20, subnormal numbers under a logarithm, negative numbers under lgamma) go to the C library,
behind a jump that is taken only when there are some. Polynomials without a source are Chebyshev interpolants of the
function that their comment names; the tests make them anew.
"""

from fastebm.lanes.maths.angles import acos, asin, atan, atan2, cos, direction, sin, tan
from fastebm.lanes.maths.exponentials import cosh, exp, exp2, expm1, sigmoid, sinh, tanh
from fastebm.lanes.maths.logarithms import log, log1p, log2, log10, log_of_normal, logaddexp, softplus
from fastebm.lanes.maths.order import maximum, minimum, numpy_maximum, numpy_minimum, sign
from fastebm.lanes.maths.powers import hypot, power, sqrt
from fastebm.lanes.maths.quotients import modulo, whole_quotient
from fastebm.lanes.maths.special import digamma, erf, lgamma, trigamma

__all__ = [
    "acos",
    "asin",
    "atan",
    "atan2",
    "cos",
    "cosh",
    "digamma",
    "direction",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "hypot",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_of_normal",
    "logaddexp",
    "maximum",
    "minimum",
    "modulo",
    "numpy_maximum",
    "numpy_minimum",
    "power",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "tan",
    "tanh",
    "trigamma",
    "whole_quotient",
]
