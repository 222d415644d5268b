"""The table of primitives: what an energy may call, formula and derivative side by side.

`UNARY` maps each function's name to the callables that users write for it, to its formula over `vectors` and to its
derivative, an expression of the argument x and the value y = f(x). `BINARY` does the same for functions of two
arguments a and b, with both partial derivatives. Expressions use the functions of `WORDS`; they serve duals and
adjoints alike. At a kink the derivative is one-sided: that of abs at 0 is 0, and max and min follow their first
argument on a tie.
A new primitive is one entry here, and the tests read the table.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastebm.lanes import maths
from fastebm.lanes.language import digamma, sigmoid, softplus, trigamma, where
from fastebm.lanes.vectors import Real

WORDS: dict[str, Callable[..., Any]] = {
    "where": where, "sigmoid": sigmoid, "digamma": digamma, "trigamma": trigamma, "exp": math.exp,
    "log": math.log, "sqrt": math.sqrt,
    "sin": math.sin, "cos": math.cos, "sinh": math.sinh, "cosh": math.cosh, "copysign": math.copysign,
    "floor": math.floor, "square": np.square,
}


class Unary(NamedTuple):
    """A function of one argument: the callables that name it, its formula, and its derivative as of x and y."""

    callables: tuple[Callable[..., Any], ...]
    formula: Callable[[Real], Real]
    derivative: str


class Binary(NamedTuple):
    """A function of two arguments: the callables that name it, its formula, and its derivatives as of a, b and y."""

    callables: tuple[Callable[..., Any], ...]
    formula: Callable[[Real, Real], Real]
    first: str
    second: str


def function_of(derivative: str, *arguments: str) -> Callable[..., Any]:
    """An expression of the table as a plain function of the arguments named."""
    return eval(f"lambda {', '.join(arguments)}: {derivative}", dict(WORDS))  # type: ignore[no-any-return]


UNARY: dict[str, Unary] = {
    "exp": Unary((math.exp, np.exp), maths.exp, "y"),
    "expm1": Unary((math.expm1, np.expm1), maths.expm1, "exp(x)"),
    "exp2": Unary((np.exp2,), maths.exp2, "y * 0.6931471805599453"),
    "log": Unary((math.log, np.log), maths.log, "1.0 / x"),
    "log1p": Unary((math.log1p, np.log1p), maths.log1p, "1.0 / (1.0 + x)"),
    "log2": Unary((math.log2, np.log2), maths.log2, "1.4426950408889634 / x"),
    "log10": Unary((math.log10, np.log10), maths.log10, "0.4342944819032518 / x"),
    "sqrt": Unary((math.sqrt, np.sqrt), maths.sqrt, "0.5 / y"),
    "square": Unary((np.square,), lambda x: x * x, "2.0 * x"),
    "sin": Unary((math.sin, np.sin), maths.sin, "cos(x)"),
    "cos": Unary((math.cos, np.cos), maths.cos, "-sin(x)"),
    "tan": Unary((math.tan, np.tan), maths.tan, "1.0 + y * y"),
    "asin": Unary((math.asin, np.arcsin), maths.asin, "1.0 / sqrt(1.0 - x * x)"),
    "acos": Unary((math.acos, np.arccos), maths.acos, "-1.0 / sqrt(1.0 - x * x)"),
    "atan": Unary((math.atan, np.arctan), maths.atan, "1.0 / (1.0 + x * x)"),
    "sinh": Unary((math.sinh, np.sinh), maths.sinh, "cosh(x)"),
    "cosh": Unary((math.cosh, np.cosh), maths.cosh, "sinh(x)"),
    "tanh": Unary((math.tanh, np.tanh), maths.tanh, "4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x)"),  # cosh overflows
    "sigmoid": Unary((sigmoid,), maths.sigmoid, "y * sigmoid(-x)"),
    "softplus": Unary((softplus,), maths.softplus, "sigmoid(x)"),
    "erf": Unary((math.erf,), maths.erf, "1.1283791670955126 * exp(-x * x)"),
    "erfc": Unary((math.erfc,), lambda x: x.each("erfc"), "-1.1283791670955126 * exp(-x * x)"),
    "lgamma": Unary((math.lgamma,), maths.lgamma, "digamma(x)"),
    "abs": Unary(
        (abs, math.fabs, np.abs, np.fabs), abs, "where(x == 0.0, 0.0, copysign(1.0, x))"
    ),
    "sign": Unary((np.sign,), maths.sign, "0.0"),
    "floor": Unary((math.floor, np.floor), Real.floor, "0.0"),
    "ceil": Unary((math.ceil, np.ceil), Real.ceil, "0.0"),
}

_FIRST_IF_AT_LEAST = ("where(a >= b, 1.0, 0.0)", "where(a >= b, 0.0, 1.0)")
_FIRST_IF_AT_MOST = ("where(a <= b, 1.0, 0.0)", "where(a <= b, 0.0, 1.0)")

BINARY: dict[str, Binary] = {
    "atan2": Binary(
        (math.atan2, np.arctan2), maths.atan2,
        "b / (a * a + b * b)", "-a / (a * a + b * b)",
    ),
    "hypot": Binary((math.hypot, np.hypot), maths.hypot, "a / y", "b / y"),
    "copysign": Binary(
        (math.copysign, np.copysign), Real.copysign,
        "copysign(1.0, a) * copysign(1.0, b)", "0.0",
    ),
    "max": Binary((max,), maths.maximum, *_FIRST_IF_AT_LEAST),
    "min": Binary((min,), maths.minimum, *_FIRST_IF_AT_MOST),
    "maximum": Binary((np.maximum,), maths.numpy_maximum, *_FIRST_IF_AT_LEAST),
    "minimum": Binary((np.minimum,), maths.numpy_minimum, *_FIRST_IF_AT_MOST),
    "logaddexp": Binary(
        (np.logaddexp,), maths.logaddexp, "sigmoid(a - b)", "sigmoid(b - a)"
    ),
}
