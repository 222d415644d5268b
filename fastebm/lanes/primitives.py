"""The table of primitives: what an energy may call, formula and derivative side by side.

`UNARY` maps each function's name to the callables that users write for it, to its formula over `vectors` and to its
derivative as a function of the argument x and the value y = f(x). `BINARY` does the same for functions of two
arguments, with both partial derivatives.
At a kink the derivative is one-sided: that of abs at 0 is 0, and max and min follow their first argument on a tie.
A new primitive is one entry here, and the tests read the table.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastebm._compile import inlined
from fastebm.lanes import maths
from fastebm.lanes.language import sigmoid, softplus
from fastebm.lanes.vectors import Real


class Unary(NamedTuple):
    """A function of one argument: the callables that name it, its formula and its derivative d(x, y)."""

    callables: tuple[Callable[..., Any], ...]
    formula: Callable[[Real], Real]
    derivative: Callable[[float, float], float]


class Binary(NamedTuple):
    """A function of two arguments: the callables that name it, its formula and its partial derivatives d(a, b, y)."""

    callables: tuple[Callable[..., Any], ...]
    formula: Callable[[Real, Real], Real]
    first: Callable[[float, float, float], float]
    second: Callable[[float, float, float], float]


def _digamma(x: float) -> float:
    """Derivative of lgamma: recurrence up to x >= 10, then the asymptotic series (NIST DLMF 5.5.2, 5.11.2)."""
    result = 0.0
    if x < 0.5:  # reflection, DLMF 5.5.4
        result = -math.pi / math.tan(math.pi * (x - math.floor(x + 0.5)))
        x = 1.0 - x
    while x < 10.0:
        result -= 1.0 / x
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * (691 / 32760 - z / 12))))))
    return result + math.log(x) - 0.5 / x - series


digamma = inlined(_digamma)

UNARY: dict[str, Unary] = {
    "exp": Unary((math.exp, np.exp), maths.exp, lambda x, y: y),
    "expm1": Unary((math.expm1, np.expm1), maths.expm1, lambda x, y: math.exp(x)),
    "exp2": Unary((np.exp2,), maths.exp2, lambda x, y: y * 0.6931471805599453),
    "log": Unary((math.log, np.log), maths.log, lambda x, y: 1.0 / x),
    "log1p": Unary((math.log1p, np.log1p), maths.log1p, lambda x, y: 1.0 / (1.0 + x)),
    "log2": Unary((math.log2, np.log2), maths.log2, lambda x, y: 1.4426950408889634 / x),
    "log10": Unary((math.log10, np.log10), maths.log10, lambda x, y: 0.4342944819032518 / x),
    "sqrt": Unary((math.sqrt, np.sqrt), maths.sqrt, lambda x, y: 0.5 / y),
    "square": Unary((np.square,), lambda x: x * x, lambda x, y: 2.0 * x),
    "sin": Unary((math.sin, np.sin), maths.sin, lambda x, y: math.cos(x)),
    "cos": Unary((math.cos, np.cos), maths.cos, lambda x, y: -math.sin(x)),
    "tan": Unary((math.tan, np.tan), maths.tan, lambda x, y: 1.0 + y * y),
    "asin": Unary((math.asin, np.arcsin), maths.asin, lambda x, y: 1.0 / math.sqrt(1.0 - x * x)),
    "acos": Unary((math.acos, np.arccos), maths.acos, lambda x, y: -1.0 / math.sqrt(1.0 - x * x)),
    "atan": Unary((math.atan, np.arctan), maths.atan, lambda x, y: 1.0 / (1.0 + x * x)),
    "sinh": Unary((math.sinh, np.sinh), maths.sinh, lambda x, y: math.cosh(x)),
    "cosh": Unary((math.cosh, np.cosh), maths.cosh, lambda x, y: math.sinh(x)),
    "tanh": Unary((math.tanh, np.tanh), maths.tanh, lambda x, y: 1.0 / math.cosh(x) ** 2),
    "sigmoid": Unary((sigmoid,), maths.sigmoid, lambda x, y: sigmoid(x) * sigmoid(-x)),
    "softplus": Unary((softplus,), maths.softplus, lambda x, y: sigmoid(x)),
    "erf": Unary((math.erf,), maths.erf, lambda x, y: 1.1283791670955126 * math.exp(-x * x)),
    "erfc": Unary((math.erfc,), lambda x: x.each("erfc"), lambda x, y: -1.1283791670955126 * math.exp(-x * x)),
    "lgamma": Unary((math.lgamma,), maths.lgamma, lambda x, y: digamma(x)),
    "abs": Unary(
        (abs, math.fabs, np.abs, np.fabs), abs, lambda x, y: 0.0 if x == 0.0 else math.copysign(1.0, x)
    ),
    "sign": Unary((np.sign,), maths.sign, lambda x, y: 0.0),
    "floor": Unary((math.floor, np.floor), Real.floor, lambda x, y: 0.0),
    "ceil": Unary((math.ceil, np.ceil), Real.ceil, lambda x, y: 0.0),
}

_FIRST_IF_AT_LEAST: tuple[Any, Any] = (lambda a, b, y: 1.0 if a >= b else 0.0, lambda a, b, y: 0.0 if a >= b else 1.0)
_FIRST_IF_AT_MOST: tuple[Any, Any] = (lambda a, b, y: 1.0 if a <= b else 0.0, lambda a, b, y: 0.0 if a <= b else 1.0)

BINARY: dict[str, Binary] = {
    "atan2": Binary(
        (math.atan2, np.arctan2), maths.atan2,
        lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b),
    ),
    "hypot": Binary((math.hypot, np.hypot), maths.hypot, lambda a, b, y: a / y, lambda a, b, y: b / y),
    "copysign": Binary(
        (math.copysign, np.copysign), Real.copysign,
        lambda a, b, y: math.copysign(1.0, a) * math.copysign(1.0, b), lambda a, b, y: 0.0,
    ),
    "max": Binary((max,), maths.maximum, *_FIRST_IF_AT_LEAST),
    "min": Binary((min,), maths.minimum, *_FIRST_IF_AT_MOST),
    "maximum": Binary((np.maximum,), maths.numpy_maximum, *_FIRST_IF_AT_LEAST),
    "minimum": Binary((np.minimum,), maths.numpy_minimum, *_FIRST_IF_AT_MOST),
    "logaddexp": Binary(
        (np.logaddexp,), maths.logaddexp, lambda a, b, y: sigmoid(a - b), lambda a, b, y: sigmoid(b - a)
    ),
}
