"""The derivative of a function as a function: source to source."""

import ast
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastebm._compile import inlined
from fastebm.adjoint import rules
from fastebm.adjoint.bodies import Body
from fastebm.adjoint.lines import set_in_one_loop, without_copies, without_empty_sums, written
from fastebm.adjoint.reversal import reversed_lines
from fastebm.adjoint.scopes import Array, Record, Scalar, Scopes, Value, array_of
from fastebm.adjoint.statements import Operand
from fastebm.adjoint.syntax import CannotReverse, function_of
from fastebm.lanes.language import zeros
from fastebm.lanes.primitives import WORDS

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Adjoint:
    """A derivative as Python source, and as the plain function that it defines.

    `sets_all` if it gives every element of x_bar its value, whatever that was before.
    """

    text: str
    function: Any
    sets_all: bool = False


def adjoint_of(
    function: types.FunctionType, wrt: str, dim: int, theta: Shapes | None, data: Mapping[str, Any], bound: Shapes
) -> Adjoint:
    """The derivative of a scalar function along x, or along theta.

    Parameters
    ----------
    function : of x (dim,), and of theta if that is not None; it may have a last parameter for data.
    wrt : "x" or "theta".
    theta : shapes of the parameters by name.
    data : arrays that the function closes over, which the derivative finds in its argument `data`, by name.
    bound : shapes of data that the function has as its last parameter, by name.

    Returns
    -------
    A function (x, theta, data, x_bar, weight), or with theta_bar, that adds weight times the derivative to x_bar or to
    the parts of theta_bar, each in a row; and along x gives the function's own value. Where one loop adds to every
    element of x_bar once, and nothing else does, it puts the derivative there instead: x_bar must be 0 before.

    Raises
    ------
    CannotReverse, NoSource : the source is out of reach.
    """
    scopes = Scopes(wrt, {id(array): array_of(array, f"data.{name}", "data") for name, array in data.items()})
    arguments: list[Value] = [Array("x", "x", (str(dim),))]
    if theta is not None:
        arguments.append(Record("theta", "theta", theta))
    if bound:
        arguments.append(Record("data", "data", bound))
    body = Body(scopes, function_of(function, scopes.value_of), {})
    env = body.function.bound(arguments, {}, function.__code__.co_firstlineno)
    result = Body(scopes, body.function, env).result()
    if not isinstance(result, Scalar):
        raise CannotReverse("a result that is not one number", function.__code__.co_firstlineno)
    shapes = {f"theta.{name}": shape for name, shape in (theta or {}).items()}
    outputs = frozenset({"x_bar"} if wrt == "x" else {f"theta_bar.{name}" for name in theta or ()})
    operand = Operand(result.text, result.is_active)
    lines = reversed_lines(scopes.top, operand, "weight", shapes, outputs, gives_result=wrt == "x")
    lines = without_empty_sums(without_copies(lines, outputs | {"energy"}))
    sets_all = set_in_one_loop(lines, "x_bar", dim)
    last = ["    return energy"] if wrt == "x" else [] if lines else ["    pass"]
    head = f"def {function.__name__.strip('<>')}_{wrt}_bar(x, theta, data, {wrt}_bar, weight):"
    text = ast.unparse(ast.parse("\n".join([head, *written(lines), *last])))
    helpers = {"damped": inlined(rules.damped), "wrapped": inlined(rules.wrapped), "zeros": zeros}
    namespace: dict[str, Any] = {**WORDS, **helpers, "inf": np.inf, "nan": np.nan, **scopes.constants}
    exec(compile(text, f"<adjoint of {function.__name__}>", "exec"), namespace)
    return Adjoint(text, namespace[head[4 : head.index("(")]], sets_all)
