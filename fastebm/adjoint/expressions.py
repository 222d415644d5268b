"""Expressions, into the small language: one operation at a time, and nothing where nothing is active."""

import abc
import ast
import builtins
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, cast

import numpy as np
from numba.core.dispatcher import Dispatcher

from fastebm.adjoint.scopes import Array, Record, Scalar, Scopes, Thing, Value, literal
from fastebm.adjoint.statements import Let, Room
from fastebm.adjoint.syntax import CannotReverse, Function, function_of, name_of
from fastebm.lanes import language
from fastebm.lanes.primitives import BINARY, UNARY

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Not: "not ",
}
_FLAT = ("//", "&", "|", "^", "~", "not ")  # slopes are 0 where there are any
_PRIMITIVES = {id(called): name for name, entry in (UNARY | BINARY).items() for called in entry.callables}
_POWERS = {id(called) for called in (pow, math.pow, np.power)}
_CHOICES = {id(called) for called in (language.where, np.where)}
_FLAT_FUNCTIONS = (
    int, bool, round, math.isnan, math.isinf, math.isfinite, np.isnan, np.isinf, np.isfinite, math.floor, math.ceil,
    np.floor, np.ceil, np.sign,
)


class Expressions(abc.ABC):
    """The expressions of one call of a function, with the values of its names."""

    def __init__(self, scopes: Scopes, function: Function, env: Mapping[str, Value]) -> None:
        self.scopes = scopes
        self.function = function
        self.env: dict[str, Value | None] = dict(env)  # None: has a value in some branches only

    @abc.abstractmethod
    def branches(
        self, test: str, then: Callable[[], Value | None], otherwise: Callable[[], Value | None], node: ast.AST
    ) -> Value | None:
        """What either of two ways gives."""

    @abc.abstractmethod
    def local(self, node: ast.FunctionDef | ast.Lambda) -> Function:
        """A function that is defined here."""

    @abc.abstractmethod
    def inlined(
        self, function: Function, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call
    ) -> Value:
        """What a function gives, whose statements stand here."""

    def value(self, node: ast.expr, hint: str = "t") -> Value:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return Scalar(literal(number))
            case ast.Constant(value=other):
                return Thing(other)
            case ast.Name(id=name):
                return self.named(name, node)
            case ast.Attribute():
                return self.attribute(node)
            case ast.Subscript():
                return self.subscript(node)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return tuple(self.value(part) for part in parts)
            case ast.BinOp():
                both = (self.number(self.value(one), one) for one in (node.left, node.right))
                return self.operation(hint, sign_of(node.op, node), tuple(both))
            case ast.UnaryOp():
                return self.operation(hint, sign_of(node.op, node), (self.number(self.value(node.operand), node),))
            case ast.Compare() | ast.BoolOp():
                return self.truth(node)
            case ast.IfExp():
                test = self.text(self.value(node.test), node.test)
                chosen = self.branches(test, lambda: self.value(node.body), lambda: self.value(node.orelse), node)
                assert chosen is not None  # since both branches have a value
                return chosen
            case ast.Call():
                return self.call(node, hint)
            case ast.Lambda():
                return self.local(node)
            case _:
                raise CannotReverse(name_of(node), node.lineno)

    def named(self, name: str, node: ast.expr) -> Value:
        for known in (self.env, self.function.enclosing):
            if name in known:
                found = known[name]
                if found is None:
                    raise CannotReverse(f"{name!r}, which has a value on some ways only,", node.lineno)
                return cast(Value, found)
        if name in self.function.namespace:
            return self.scopes.value_of(self.function.namespace[name], name)
        builtin = getattr(builtins, name, None)
        if builtin is None:
            raise CannotReverse(f"{name!r}, which has no value yet,", node.lineno)
        return Thing(builtin)

    def attribute(self, node: ast.Attribute) -> Value:
        owner = self.value(node.value)
        if isinstance(owner, Record) and node.attr in owner.shapes:
            shape = owner.shapes[node.attr]
            if shape == ():
                return self.scopes.parameter(owner, node.attr)
            return Array(f"{owner.name}.{node.attr}", owner.kind, tuple(map(str, shape)))
        if isinstance(owner, Array) and node.attr in ("shape", "size"):
            sizes = owner.sizes[len(owner.indices) :]
            return tuple(map(Scalar, sizes)) if node.attr == "shape" else Scalar(f"({' * '.join(sizes)})")
        if isinstance(owner, Thing) and hasattr(owner.value, node.attr):
            return self.scopes.value_of(getattr(owner.value, node.attr), node.attr)
        raise CannotReverse(f"the attribute {node.attr!r}", node.lineno)

    def subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        indices = self.indices(node)
        for index in indices:
            if isinstance(owner, Array) and len(owner.indices) < len(owner.sizes):
                owner = self.scopes.element(owner, index)
            elif isinstance(owner, tuple) and index.lstrip("-").isdigit() and -len(owner) <= int(index) < len(owner):
                owner = owner[int(index)]
            else:
                raise CannotReverse("what is indexed here", node.lineno)
        return owner

    def indices(self, node: ast.Subscript) -> tuple[str, ...]:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if any(isinstance(part, ast.Slice) for part in parts):
            raise CannotReverse("a slice", node.lineno)
        return tuple(self.text(self.value(part), part) for part in parts)

    def number(self, value: Value, node: ast.AST) -> Scalar:
        if isinstance(value, Scalar):
            return value
        raise CannotReverse("what is no number here", getattr(node, "lineno", None))

    def text(self, value: Value, node: ast.AST) -> str:
        """A number as a text that nothing is differentiated through."""
        found = self.number(value, node)
        if found.is_active:
            raise CannotReverse("an index or a condition that is a number of x", getattr(node, "lineno", None))
        return found.text

    def truth(self, node: ast.Compare | ast.BoolOp) -> Scalar:
        """Comparisons and what joins them: flat, whatever they compare."""
        if isinstance(node, ast.BoolOp):
            return self.joined(isinstance(node.op, ast.And), node.values)
        words = {
            ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
        }
        texts = [self.number(self.value(one), one).text for one in (node.left, *node.comparators)]
        if any(type(sign) not in words for sign in node.ops):
            raise CannotReverse("this comparison", node.lineno)
        pieces = [texts[0]]
        for sign, text in zip(node.ops, texts[1:], strict=True):
            pieces += [words[type(sign)], text]
        return self.flat(f"({' '.join(pieces)})")

    def joined(self, is_and: bool, parts: Sequence[ast.expr]) -> Scalar:
        """Conditions joined by `and` or `or`; arrays are read only where Python reads them, lest they end before."""
        first = self.text(self.value(parts[0]), parts[0])
        if len(parts) == 1:
            return Scalar(first)
        with self.scopes.inner(is_certain=False) as block:
            rest = self.joined(is_and, parts[1:])
        if all(isinstance(one, Let) for one in block.statements):
            for one in block.statements:
                self.scopes.emit(one)
            return self.flat(f"({first} {'and' if is_and else 'or'} {rest.text})")
        known = Scalar(str(not is_and))
        ways = (lambda: self.joined(is_and, parts[1:]), lambda: known)
        chosen = self.branches(first, *(ways if is_and else ways[::-1]), parts[0])
        return self.number(cast(Value, chosen), parts[0])

    def flat(self, text: str) -> Scalar:
        """A name for what has no slope."""
        return self.scopes.let("is_so", text)

    def operation(self, hint: str, sign: str, operands: tuple[Scalar, ...]) -> Scalar:
        texts = [one.text for one in operands]
        text = f"({sign}{texts[0]})" if len(texts) == 1 else f"({texts[0]} {sign} {texts[1]})"
        if not any(one.is_active for one in operands):
            return Scalar(text) if len(text) < 60 else self.scopes.let(hint, text)
        if sign in _FLAT:
            return self.scopes.let(hint, text)
        if len(texts) == 1 and sign == "+":
            return operands[0]
        return self.scopes.let(hint, text, sign if len(texts) == 2 else "negative", *operands)

    def call(self, node: ast.Call, hint: str) -> Value:
        called = self.value(node.func)
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            raise CannotReverse("a call with *", node.lineno)
        arguments = [self.value(one) for one in node.args]
        keywords = {str(one.arg): self.value(one.value) for one in node.keywords}
        if isinstance(called, Function):
            return self.inlined(called, arguments, keywords, node)
        if not isinstance(called, Thing):
            raise CannotReverse("what is called here", node.lineno)
        if isinstance(called.value, Dispatcher):
            return self.inlined(function_of(called.value.py_func, self.scopes.value_of), arguments, keywords, node)
        return self.known(called.value, arguments, keywords, node, hint)

    def known(
        self, called: Any, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call, hint: str
    ) -> Value:
        """The result of a function of the language, of the table of primitives, or of Python's own."""
        if called is language.zeros:
            size = self.text(arguments[0], node)
            room = self.scopes.fresh(hint if hint != "t" else "room")
            self.scopes.emit(Room(room, size))
            return Array(room, "room", (size,))
        if called is len and isinstance(arguments[0], Array):
            return Scalar(arguments[0].sizes[len(arguments[0].indices)])
        if called is len and isinstance(arguments[0], tuple):
            return Scalar(str(len(arguments[0])))
        if called in (sum, max, min) and len(arguments) == 1 and isinstance(arguments[0], tuple) and not keywords:
            parts = [self.number(one, node) for one in arguments[0]]
            if called is sum:
                return functools.reduce(lambda a, b: self.operation(hint, "+", (a, b)), parts, Scalar("0"))
            arguments = parts
        if called is float and len(arguments) == 1 and isinstance(arguments[0], Thing):  # of a text: float("inf")
            return self.scopes.value_of(float(arguments[0].value), hint)
        if isinstance(called, FunctionType) and id(called) not in _PRIMITIVES.keys() | _CHOICES:
            raise CannotReverse("a function that calls itself", node.lineno)  # all others came compiled
        numbers = tuple(self.number(one, node) for one in arguments)
        if keywords:
            raise CannotReverse("a keyword argument here", node.lineno)
        if id(called) in _CHOICES:
            condition = Scalar(numbers[0].text)
            return self.scopes.let(
                hint, f"where({', '.join(one.text for one in numbers)})", "where", condition, *numbers[1:]
            )
        if id(called) in _POWERS:
            return self.operation(hint, "**", numbers)
        if called is float:
            return numbers[0]
        name = _PRIMITIVES.get(id(called))
        if called in (max, min) and len(numbers) > 2:
            return functools.reduce(lambda a, b: self.primitive(hint, called, str(name), (a, b)), numbers)
        if name is not None:
            return self.primitive(hint, called, name, numbers)
        if called in _FLAT_FUNCTIONS or not any(one.is_active for one in numbers):
            word = self.scopes.constant(called, getattr(called, "__name__", "function"))
            return self.scopes.let(hint, f"{word}({', '.join(one.text for one in numbers)})")
        raise CannotReverse(f"{getattr(called, '__name__', 'this function')!r}", node.lineno)

    def primitive(self, hint: str, called: Any, name: str, numbers: tuple[Scalar, ...]) -> Scalar:
        word = self.scopes.constant(called, name)
        return self.scopes.let(hint, f"{word}({', '.join(one.text for one in numbers)})", name, *numbers)


def sign_of(operator: ast.AST, node: ast.expr) -> str:
    if type(operator) not in _SIGNS:
        raise CannotReverse("this operator", node.lineno)
    return _SIGNS[type(operator)]
