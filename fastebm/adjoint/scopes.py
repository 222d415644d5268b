"""What is known while a function is lowered: values by name, blocks within blocks, and loads that are shared."""

import ast
import builtins
import math
import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastebm.adjoint.statements import Block, Let, Load, Operand, Statement, Store
from fastebm.adjoint.syntax import CannotReverse, Function
from fastebm.lanes.primitives import BINARY, UNARY, WORDS

_MOST_STATEMENTS = 20_000
_RESERVED = {"x", "x_bar", "theta", "theta_bar", "data", "weight", "energy", *WORDS}
_RESERVED |= {"zeros", "damped", "wrapped", "inf", "nan"}
_ENDS = ("_bar", "_before", "_end", "_next", "_count", "_counts", "_kept")  # of names that the way back makes


@dataclass(frozen=True)
class Scalar:
    """A number: a name, a literal, or an expression of what is not active."""

    text: str
    is_active: bool = False


@dataclass(frozen=True)
class Array:
    """Numbers by index: lengths of its axes as texts, and the indices given so far.

    `kind` is "x", "theta", "data", or "room" for one that the function made and may write to. `is_whole`: of integers.
    """

    name: str
    kind: str
    sizes: tuple[str, ...]
    indices: tuple[str, ...] = ()
    is_whole: bool = False


@dataclass(frozen=True)
class Record:
    """Theta, or the data behind it: arrays and numbers by name."""

    name: str
    kind: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Thing:
    """A Python object: a function, a module, a text."""

    value: Any


Value = Scalar | Array | Record | Thing | Function | tuple[Any, ...]


class Scopes:
    """Blocks within blocks, whose names are all different.

    Parameters
    ----------
    wrt : the kind of array that is active: "x" or "theta".
    data : arrays of the function's surroundings that are data of the energy, by id.
    """

    def __init__(self, wrt: str, data: Mapping[int, Array]) -> None:
        self.wrt = wrt
        self.data = data
        self.constants: dict[str, Any] = {}
        self.top = Block()
        self._taken = set(_RESERVED)
        self._blocks = [self.top]
        self._loads: list[dict[tuple[str, str], Scalar]] = [{}]
        self._are_certain = [True]
        self._ranges: dict[str, range] = {}
        self._fractional: set[str] = set()
        self._depths: dict[str, int] = {}
        self.n_stores = 0
        self._n_statements = 0

    def fresh(self, hint: str) -> str:
        """A name that nothing has yet, defined in the block at hand."""
        hint = f"{hint}_" if hint.endswith(_ENDS) else hint
        name, n = hint, 1
        while name in self._taken or hasattr(builtins, name):
            name, n = f"{hint}_{n}", n + 1
        self._taken.add(name)
        self._depths[name] = len(self._blocks) - 1
        return name

    def constant(self, value: Any, hint: str) -> str:
        """A name by which the finished function knows a Python object."""
        known: dict[str, Any] = {**WORDS, **self.constants}
        for name, one in known.items():
            if one is value:
                return name
        name = self.fresh(hint)
        self._depths[name] = 0
        self.constants[name] = value
        return name

    def value_of(self, value: Any, hint: str) -> Value:
        """A Python object as a value: numbers as literals, arrays by a name of their own or as data."""
        if isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
            return Scalar(literal(value.item() if isinstance(value, np.generic) else value))
        if isinstance(value, tuple):
            return tuple(self.value_of(one, hint) for one in value)
        if isinstance(value, np.ndarray):
            if id(value) in self.data:
                return self.data[id(value)]
            return array_of(value, self.constant(value, hint), "constant")
        return Thing(value)

    def emit(self, statement: Statement) -> None:
        self._n_statements += 1
        self.n_stores += isinstance(statement, Store)
        if self._n_statements > _MOST_STATEMENTS:
            raise CannotReverse("its length", None)
        self._blocks[-1].statements.append(statement)

    def let(self, hint: str, text: str, operation: str = "", *operands: Scalar) -> Scalar:
        """A new name for one operation."""
        made = Let(self.fresh(hint), text, operation, tuple(Operand(one.text, one.is_active) for one in operands))
        self.emit(made)
        self.note(made.name, is_fractional=made.is_active or self.is_fractional(text))
        return Scalar(made.name, made.is_active)

    @contextmanager
    def inner(self, *, is_certain: bool) -> Iterator[Block]:
        """A block of its own for the statements to come, and whether it runs wherever the block around it does."""
        block = Block()
        self._blocks.append(block)
        self._loads.append({})
        self._are_certain.append(is_certain)
        try:
            yield block
        finally:
            self._blocks.pop()
            self._loads.pop()
            self._are_certain.pop()

    @contextmanager
    def inside(self, *names: str) -> Iterator[None]:
        """Names of the block around, which change from one iteration of the block at hand to the next."""
        depths = {name: self._depths[name] for name in names}
        self._depths.update(dict.fromkeys(names, len(self._blocks) - 1))
        yield
        self._depths.update(depths)

    def note(self, name: str, *, is_fractional: bool) -> None:
        if is_fractional:
            self._fractional.add(name)

    def is_fractional(self, text: str) -> bool:
        """Whether compiled code is known to have a double for it, not a whole number."""
        return self._is_fractional(ast.parse(text, mode="eval").body)

    def _is_fractional(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=float()) | ast.BinOp(op=ast.Div()):
                return True
            case ast.Name(id=name):
                return name in self._fractional or name in ("inf", "nan")
            case ast.BinOp(left=left, right=right):
                return self._is_fractional(left) or self._is_fractional(right)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self._is_fractional(operand)
            case ast.Call(func=ast.Name(id=called), args=arguments):
                word = re.sub(r"_\d+$", "", called)  # min_1, as `fresh` names it
                if word in ("min", "max", "abs", "where"):
                    return any(map(self._is_fractional, arguments))
                return word == "float" or (word in UNARY | BINARY and word not in ("floor", "ceil"))
        return False

    def runs_through(self, variable: str, bounds: tuple[str, str, str]) -> bool:
        """Note the values that a loop's variable takes; whether it takes any, as far as is known."""
        start, stop = self._values(bounds[0]), self._values(bounds[1])
        if start is None or stop is None or bounds[2] != "1":
            return False
        self._ranges[variable] = range(start[0], stop[-1])
        return start[-1] < stop[0]

    def element(self, array: Array, index: str) -> Scalar | Array:
        """array[index]: an array with an axis less, or a number."""
        indices = (*array.indices, index)
        if len(indices) < len(array.sizes):
            return replace(array, indices=indices)
        text = ", ".join(indices)
        hint = f"{array.name.replace('.', '_')}_{_word(text)}"
        if array.kind == "room":  # others may write to it before it is read again
            name = self.fresh(hint)
            self.emit(Load(name, array.name, text, is_active=True))
            self._fractional.add(name)
            return Scalar(name, is_active=True)
        is_inside = all(
            (found := self._values(one)) is not None and -int(size) <= found[0] and found[-1] < int(size)
            for one, size in zip(indices, array.sizes, strict=True)
        )
        number = self._load(array.name, text, hint, is_active=array.kind == self.wrt, is_inside=is_inside)
        self.note(number.text, is_fractional=not array.is_whole)
        return number

    def parameter(self, record: Record, name: str) -> Scalar:
        """A number of theta or of the data."""
        found = self._load(
            f"{record.name}.{name}", "", f"{record.name}_{name}", is_active=record.kind == self.wrt, is_inside=True
        )
        self.note(found.text, is_fractional=True)
        return found

    def _load(self, array: str, index: str, hint: str, *, is_active: bool, is_inside: bool) -> Scalar:
        """What nobody writes to is loaded once, in the outermost block that knows the index.

        If the index may be beyond the array's end, only blocks are left that run wherever the blocks around them do.
        """
        for known in self._loads:
            if (array, index) in known:
                return known[array, index]
        depth = self._home(index)
        if not is_inside:
            depth = max([depth, *(k for k, is_certain in enumerate(self._are_certain) if not is_certain)])
        name = self.fresh(hint)
        self._depths[name] = depth
        self._blocks[depth].statements.append(Load(name, array, index, is_active))
        self._loads[depth][array, index] = Scalar(name, is_active)
        return Scalar(name, is_active)

    def _home(self, text: str) -> int:
        """The outermost block in which all names of the text have their value."""
        names = [node.id for node in ast.walk(ast.parse(text or "()", mode="eval")) if isinstance(node, ast.Name)]
        return max((self._depths.get(name, 0) for name in names), default=0)


    def _values(self, text: str) -> range | None:
        """A range, not empty, with all values of a whole number in it; None if none is known."""
        return self._values_of(ast.parse(text, mode="eval").body)

    def _values_of(self, node: ast.expr) -> range | None:
        match node:
            case ast.Constant(value=int() as number):
                return range(number, number + 1)
            case ast.Name(id=name):
                return self._ranges.get(name) or None
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                found = self._values_of(operand)
                return found and range(-found[-1], -found[0] + 1)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as sign, right=right):
                first, second = self._values_of(left), self._values_of(right)
                if first is None or second is None:
                    return None
                operation = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}[type(sign)]
                ends = [operation(a, b) for a in (first[0], first[-1]) for b in (second[0], second[-1])]
                return range(min(ends), max(ends) + 1)
        return None


def array_of(values: Any, name: str, kind: str) -> Array:
    """An array of numbers that stands under a name."""
    return Array(name, kind, tuple(map(str, np.shape(values))), is_whole=np.asarray(values).dtype.kind != "f")


def _word(text: str) -> str:
    """A text as a part of a name."""
    return re.sub(r"\W+", "_", text).strip("_")[:12] or "i"


def literal(number: float) -> str:
    """A number as Python writes it; infinities and nan by their names."""
    if isinstance(number, float) and not math.isfinite(number):
        return "nan" if math.isnan(number) else "inf" if number > 0.0 else "(-inf)"
    return repr(number) if number >= 0 else f"({number!r})"
