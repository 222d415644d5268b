"""Arithmetic of dual numbers in compiled code, expression by expression, against derivatives by mpmath.

All expressions stand in one compiled function, which is kept on disk under its own text.
"""

import math

import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from fastebm._compile import FLAGS, TILE, Compiled
from fastebm.lanes import meanings  # noqa: F401 (registers words of the language)
from fastebm.lanes.duals import DUAL, as_duals, derivative_of, make_dual, value_of
from fastebm.lanes.primitives import BINARY, UNARY

# Expressions of a in (0.2, 0.9) and b in (1.1, 1.9), where every function of the table is smooth.
OPERATORS = [
    "a % b", "2 % b", "-a % b", "b % 2.0",
    "a + b", "a - b", "a * b", "a / b", "b / a", "a ** b", "b ** a", "-a", "+a", "a + 2", "2 - a", "3 * a", "a / 4",
    "5 / a", "a ** 2", "a ** 3", "a ** -1", "a ** 0.5", "a ** 0", "2 ** a", "2.5 ** a", "pow(a, b)", "pow(a, 3)",
    "a + 1.5", "1.5 - b", "True * a", "b * False", "a * (b > a)", "abs(a - b)", "float(a) + b", "+a - -b",
    "(a * b - a / b) ** 2", "a if a > b else b * b", "a if a < b and b >= 1 else b", "a * b if a != b else 0.0",
    "b if a == b else a", "b if 1 <= a else a / b", "max(a, b)", "min(a, b)", "max(a, 1.0)", "min(2.0, b)", "max(1, a)",
    "a * a * a * a * b", "1.0", "2",
]
NAMES = {f"f{k}": function for k, function in enumerate(
    function for entry in (*UNARY.values(), *BINARY.values()) for function in entry.callables
)}
ORACLES = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "exp2": lambda x: mpmath.mpf(2) ** x, "log": mpmath.log,
    "log1p": mpmath.log1p, "log2": lambda x: mpmath.log(x, 2), "log10": mpmath.log10, "sqrt": mpmath.sqrt,
    "square": lambda x: x * x, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "asin": mpmath.asin,
    "acos": mpmath.acos, "atan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh,
    "erf": mpmath.erf, "erfc": mpmath.erfc, "lgamma": mpmath.loggamma, "abs": abs, "floor": mpmath.floor,
    "ceil": mpmath.ceil, "atan2": mpmath.atan2, "hypot": mpmath.hypot, "max": max, "min": min,
    "maximum": max, "minimum": min,
    "logaddexp": lambda a, b: mpmath.log(mpmath.exp(a) + mpmath.exp(b)), "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)), "sign": mpmath.sign,
    "copysign": lambda a, b: abs(a) * mpmath.sign(b),
}
ORACLE_OF = {"float": mpmath.mpf} | {
    f"f{k}": ORACLES[name] for k, name in enumerate(
        name for name, entry in (UNARY | BINARY).items() for _ in entry.callables
    )
}
IN_TABLE = [
    text
    for name, function in NAMES.items()
    for text in (
        [f"{name}(a)"] if any(function in entry.callables for entry in UNARY.values())
        else [f"{name}(a, b)", f"{name}(b, a)", f"{name}(a, 1.05)", f"{name}(1.05, a)"]
    )
]
EXPRESSIONS = [*OPERATORS, *IN_TABLE]


def made(expressions):
    """A compiled function: out[k] = value and slope of expression k, with a, da, b, db from numbers[k]."""
    lines = [
        f"    a, b = make_dual(numbers[{k}, 0], numbers[{k}, 1]), make_dual(numbers[{k}, 2], numbers[{k}, 3])\n"
        f"    y = {text}\n"
        f"    out[{k}, 0], out[{k}, 1] = the_value(y), the_slope(y)"
        for k, text in enumerate(expressions)
    ]
    text = "\n".join(["def run(numbers, out):", *lines])
    scope = {**NAMES, "__name__": __name__, "make_dual": make_dual, "the_value": the_value, "the_slope": the_slope}

    def build():
        exec(text, scope)
        return scope["run"]

    return Compiled(build, types.void(TILE, TILE), text, "test of duals")


@numba.njit(**FLAGS)
def the_value(y):
    return value_of(as_dual(y))


@numba.njit(**FLAGS)
def the_slope(y):
    return derivative_of(as_dual(y))


def as_dual(y):
    """A number as a dual one, in compiled code."""


@numba.extending.overload(as_dual)
def _as_dual(y):
    return (lambda y: y) if y is DUAL else (lambda y: make_dual(1.0 * y, 0.0))


SPECIAL = [  # expression, a and the slope there: a constant base or exponent adds nothing, not 0 * inf
    ("a ** 2.0", 0.0, 0.0), ("a ** 1.0", 0.0, 1.0), ("a ** 0.0", 0.0, 0.0), ("a ** 3", -2.0, 12.0),
    ("a ** -1", -2.0, -0.25), ("0.0 ** a", 2.0, 0.0), ("1.0 ** a", 2.0, 0.0), ("abs(a)", 0.0, 0.0),
    ("a * 1e200 * 1e200", 1.0, math.inf), ("a * a", math.nan, math.nan), ("a * a", math.inf, math.inf),
    ("a * a", -math.inf, -math.inf), ("max(a, a * a)", 1.0, 1.0), ("a ** 0.5", 0.0, math.inf),
]
run, run_special = made(EXPRESSIONS), made([text for text, _, _ in SPECIAL])
directions = st.sampled_from([(1.0, 0.0), (0.0, 1.0), (0.5, -2.0)])


@given(st.floats(0.2, 0.9), st.floats(1.1, 1.9), directions)
@settings(max_examples=12)
def test_every_expression(a, b, direction):
    out = np.empty((len(EXPRESSIONS), 2))
    run(np.tile([a, direction[0], b, direction[1]], (len(out), 1)), out)
    step = mpmath.mpf(2) ** -100
    with mpmath.workprec(400):
        sides = [
            ORACLE_OF | {"a": a + move * direction[0], "b": b + move * direction[1]} for move in (0, step, -step)
        ]
        for text, (value, slope) in zip(EXPRESSIONS, out, strict=True):
            here, above, below = (mpmath.mpf(eval(text, side)) for side in sides)
            assert value == pytest.approx(float(here), rel=1e-13, abs=1e-15), text
            assert slope == pytest.approx(float((above - below) / (2 * step)), rel=1e-12, abs=1e-12), text


def test_every_callable_of_the_table_is_there():
    n_unary, n_binary = (sum(len(entry.callables) for entry in table.values()) for table in (UNARY, BINARY))
    assert len(IN_TABLE) == n_unary + 4 * n_binary


def test_a_whole_quotient_is_a_number_without_slope():
    def rounded(pairs):
        view = as_duals(pairs)
        return view[0] // 2.0 + 7.0 // view[0] + np.floor_divide(view[0], 2.0)

    assert numba.njit(**FLAGS)(rounded)(np.array([[5.0, 1.0]])) == 5.0 // 2.0 + 7.0 // 5.0 + 2.0


def test_special_points():
    out = np.empty((len(SPECIAL), 2))
    run_special(np.array([[a, 1.0, 0.0, 0.0] for _, a, _ in SPECIAL]), out)
    for (text, a, slope), seen in zip(SPECIAL, out[:, 1], strict=True):
        np.testing.assert_equal(seen, slope, err_msg=f"{text} at {a}")


@numba.njit(**FLAGS)
def swapped(pairs):
    """Write through a view of duals: pairs (n, 2) become twice themselves in reverse, by values that own the memory."""
    view = as_duals(pairs)
    twice = [2.0 * dual for dual in view]
    for i in range(len(view)):
        view[i] = twice[len(view) - 1 - i]
    return view.shape[0]


@given(st.integers(0, 5))
def test_a_view_shares_its_pairs(n):
    pairs = np.arange(2.0 * n).reshape(n, 2)
    wanted = 2.0 * pairs[::-1]
    assert swapped(pairs) == n
    assert (pairs == wanted).all()


@numba.njit(**FLAGS)
def view_that_outlives_its_owner(n):
    view = as_duals(np.full((n, 2), 3.0))
    junk = np.full((n, 2), 7.0)
    total = 0.0
    for i in range(n):
        total += value_of(view[i]) + 0.0 * junk[i, 0]
    return total


def test_a_view_keeps_its_memory():
    for _ in range(200):
        assert view_that_outlives_its_owner(1000) == 3000.0
