"""A function's body, statement by statement, into the small language: helpers are inlined, names assigned once.

What the language has no words for is refused by its line with `CannotReverse`; nothing is guessed.
"""

import ast
import builtins
import copy
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import FunctionType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from fastebm.adjoint.plans import loaded, stored
from fastebm.adjoint.scopes import Array, Record, Scalar, Scopes, Thing, Value
from fastebm.adjoint.statements import Block, Carry, Count, For, If, Merge, Operand, Room, Store
from fastebm.adjoint.syntax import (
    CannotReverse,
    Function,
    assigned,
    function_of,
    without_continue,
    without_early_return,
)
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
_MOST_CALLS = 40  # functions that call functions; more is one that calls itself


class Body:
    """The body of one call, with the values of its names."""

    def __init__(self, scopes: Scopes, function: Function, env: Mapping[str, Value]) -> None:
        self.scopes = scopes
        self.function = function
        self.env: dict[str, Value | None] = dict(env)  # None: has a value in some branches only

    def result(self) -> Value:
        returned = self.run(without_early_return(self.function.body))
        if returned is None:
            raise CannotReverse("a function that may end without a result", None)
        return returned

    # ---- statements ----

    def run(self, statements: Sequence[ast.stmt]) -> Value | None:
        """Lower statements in order; the value of the return, None if there is none."""
        for statement in statements:
            returned = self.statement(statement)
            if returned is not None:
                return returned
        return None

    def statement(self, node: ast.stmt) -> Value | None:
        match node:
            case ast.Return(value=ast.expr() as value):
                return self.value(value)
            case ast.Assign(targets=targets, value=value):
                found = self.value(value, _hint(targets[0]))
                for target in targets:
                    self.assign(target, found)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, self.value(value, _hint(target)))
            case ast.AugAssign():
                self.augmented(node)
            case ast.For():
                self.loop(node)
            case ast.While():
                self.repetition(node)
            case ast.If():
                return self.condition(node)
            case ast.FunctionDef(name=name):
                self.env[name] = self.local(node)
            case ast.Raise():
                return Scalar("nan")
            case ast.Pass() | ast.Assert() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise CannotReverse(_name_of(node), node.lineno)
        return None

    def assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(id=name):
                self.env[name] = value
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for k, part in enumerate(parts):
                    self.assign(part, self.part(value, k, len(parts), target))
            case ast.Subscript():
                self.store(target, self.number(value, target), is_sum=False)
            case _:
                raise CannotReverse(_name_of(target), target.lineno)

    def part(self, value: Value, k: int, n: int, node: ast.AST) -> Value:
        if isinstance(value, tuple) and len(value) == n:
            return value[k]
        if isinstance(value, Array):
            return self.scopes.element(value, str(k))
        raise CannotReverse("what is unpacked here", node.lineno)

    def augmented(self, node: ast.AugAssign) -> None:
        sign = _SIGNS[type(node.op)]
        more = self.number(self.value(node.value), node)
        if isinstance(node.target, ast.Subscript) and sign in "+-":
            if sign == "-":
                more = self.operation("less", "-", (more,))
            self.store(node.target, more, is_sum=True)
            return
        before = self.number(self.value(_loaded(node.target)), node)
        self.assign(node.target, self.operation(_hint(node.target), sign, (before, more)))

    def store(self, target: ast.Subscript, value: Scalar, *, is_sum: bool) -> None:
        array = self.value(target.value)
        if not (isinstance(array, Array) and array.kind == "room"):
            raise CannotReverse("an array that was not made by eb.zeros and changes", target.lineno)
        (index,) = self.indices(target)
        self.scopes.emit(Store(array.name, index, Operand(value.text, value.is_active), is_sum))

    def local(self, node: ast.FunctionDef | ast.Lambda) -> Function:
        """A function in a function; it sees the names as they are where it is called."""
        arguments = node.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            raise CannotReverse("arguments of any number", node.lineno)
        body = (ast.copy_location(ast.Return(node.body), node),) if isinstance(node, ast.Lambda) else tuple(node.body)
        return Function(
            getattr(node, "name", "lambda"), tuple(one.arg for one in [*arguments.posonlyargs, *arguments.args]), body,
            self.function.namespace, tuple(self.value(one) for one in arguments.defaults), self.env,
            self.function.depth,
        )

    # ---- conditions and loops ----

    def condition(self, node: ast.If) -> Value | None:
        """Both branches, and a name for each value that they leave different; the returned value if both return."""
        test = self.text(self.value(node.test), node.test)
        return self.branches(test, lambda: self.run(node.body), lambda: self.run(node.orelse), node)

    def branches(
        self, test: str, then: Callable[[], Value | None], otherwise: Callable[[], Value | None], node: ast.AST
    ) -> Value | None:
        """What either way returns; both may be empty-handed, but not one of them."""
        before = dict(self.env)
        blocks: list[Block] = []
        ends: list[dict[str, Value | None]] = []
        returned: list[Value | None] = []
        for branch in (then, otherwise):
            self.env = dict(before)
            with self.scopes.inner() as block:
                returned.append(branch())
                blocks.append(block)
                ends.append(self.env)
        self.env = before
        merges: list[Merge] = []
        if (returned[0] is None) != (returned[1] is None):
            raise CannotReverse("a return in one branch only", getattr(node, "lineno", None))
        for name in ends[0].keys() | ends[1].keys():
            self.env[name] = self.merged(name, ends[0].get(name), ends[1].get(name), merges)
        result = None if returned[0] is None else self.merged("result", returned[0], returned[1], merges)
        self.scopes.emit(If(test, blocks[0], blocks[1], tuple(merges)))
        if returned[0] is not None and result is None:
            raise CannotReverse("a result of two kinds", getattr(node, "lineno", None))
        return result

    def merged(self, name: str, one: Value | None, other: Value | None, merges: list[Merge]) -> Value | None:
        if one == other:
            return one
        if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
            parts = tuple(self.merged(name, a, b, merges) for a, b in zip(one, other, strict=True))
            return None if None in parts else parts
        if not (isinstance(one, Scalar) and isinstance(other, Scalar)):
            return None
        merge = Merge(
            self.scopes.fresh(name), Operand(one.text, one.is_active), Operand(other.text, other.is_active)
        )
        merges.append(merge)
        return Scalar(merge.name, merge.is_active)

    def loop(self, node: ast.For) -> None:
        if node.orelse:
            raise CannotReverse("a loop with an else", node.lineno)
        body, target = without_continue(node.body), assigned([node.target])
        source = node.iter
        called = self.value(source.func) if isinstance(source, ast.Call) else None
        kind = called.value if isinstance(called, Thing) else None
        hint = _hint(node.target, "i")
        if kind is range and isinstance(source, ast.Call):
            texts = [self.text(self.value(one), one) for one in source.args]
            start, stop, step = (["0", *texts, "1"] if len(texts) == 1 else [*texts, "1"])[:3]
            self.counted(body, target, (start, stop, step), lambda i: self.assign(node.target, Scalar(i)), node, hint)
            return
        values = [self.value(one) for one in (source.args if kind in (zip, enumerate) else [source])]  # type: ignore[attr-defined]
        if kind is None and isinstance(values[0], tuple):
            for value in values[0]:
                self.assign(node.target, value)
                self.run(body)
            return
        arrays = [one for one in values if isinstance(one, Array)]
        if not arrays or len(arrays) < len(values) or (kind is enumerate and len(arrays) > 1):
            raise CannotReverse("what this loop runs over", node.lineno)
        lengths = sorted({one.sizes[len(one.indices)] for one in arrays})
        stop = lengths[0] if len(lengths) == 1 else f"min({', '.join(lengths)})"

        def take(i: str) -> None:
            found = tuple(self.scopes.element(one, i) for one in arrays)
            value = (Scalar(i), found[0]) if kind is enumerate else found if kind is zip else found[0]
            self.assign(node.target, value)

        self.counted(body, target, ("0", stop, "1"), take, node, hint)

    def repetition(self, node: ast.While) -> None:
        """A loop that ends when a test fails: first it is counted how often it runs, then it runs as often."""
        if node.orelse:
            raise CannotReverse("a loop with an else", node.lineno)
        body = without_continue(node.body)
        before = dict(self.env)
        tests: list[str] = []
        sizes: list[int] = []

        def start(block: Block) -> None:
            tests.append(self.text(self.value(node.test), node.test))
            sizes.append(len(block.statements))

        block, carries = self.repeated(body, assigned(body), start, node)
        if stored(block) & loaded(block):
            raise CannotReverse("while, with an array that changes and is read", node.lineno)
        times = self.scopes.fresh("n_times")
        self.scopes.emit(Count(times, tests[-1], sizes[-1], block, carries))
        self.env = before
        self.counted(body, set(), ("0", times, "1"), lambda _: None, node, "step")

    def counted(
        self, body: list[ast.stmt], more: set[str], bounds: tuple[str, str, str], start: Callable[[str], None],
        node: ast.For | ast.While, hint: str,
    ) -> None:
        """A loop over indices, which begins every iteration with start(index)."""
        variable = self.scopes.fresh(hint)

        def begin(_block: Block) -> None:
            with self.scopes.inside(variable):
                start(variable)

        block, carries = self.repeated(body, assigned(body) | more, begin, node, variable)
        self.scopes.emit(For(variable, bounds, block, carries))

    def repeated(
        self, body: list[ast.stmt], changed: set[str], start: Callable[[Block], None], node: ast.For | ast.While,
        *variables: str,
    ) -> tuple[Block, tuple[Carry, ...]]:
        """A loop's body and what it carries, which is active if it is so after any iteration."""
        if any(isinstance(one, ast.Break) for statement in body for one in ast.walk(statement)):
            raise CannotReverse("break", node.lineno)
        before = dict(self.env)
        names = changed & {key for key, value in before.items() if value is not None}
        active = {name for name in names if _is_active(before[name])}
        while True:  # until nothing more turns out to be active
            self.env = dict(before)
            carried = {}
            for name in sorted(names):
                if isinstance(before[name], Scalar):
                    carried[name] = self.scopes.fresh(name)
                    self.env[name] = Scalar(carried[name], name in active)
                else:
                    self.env[name] = None  # an array or the like: the body has to make it anew
            after = {name: value for name, value in self.env.items() if name in before}
            with self.scopes.inner() as block, self.scopes.inside(*variables, *carried.values()):
                start(block)
                if self.run(body) is not None:
                    raise CannotReverse("a return in a loop", node.lineno)
            ends = {name: self.env[name] for name in carried}
            newly = {name for name in carried if _is_active(ends[name])} - active
            if not newly:
                break
            active |= newly
        carries = []
        for name, fresh in carried.items():
            first, end = before[name], ends[name]
            if isinstance(first, Scalar) and isinstance(end, Scalar):
                carries.append(Carry(
                    fresh, Operand(first.text, first.is_active), Operand(end.text, end.is_active), name in active
                ))
            else:
                after[name] = None
        self.env = after
        return block, tuple(carries)

    # ---- expressions ----

    def value(self, node: ast.expr, hint: str = "t") -> Value:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return Scalar(_literal(number))
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
                return self.operation(hint, _sign(node.op, node), tuple(both))
            case ast.UnaryOp():
                return self.operation(hint, _sign(node.op, node), (self.number(self.value(node.operand), node),))
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
                raise CannotReverse(_name_of(node), node.lineno)

    def named(self, name: str, node: ast.expr) -> Value:
        if name in self.env:
            found = self.env[name]
            if found is None:
                raise CannotReverse(f"{name!r}, which has a value on some ways only,", node.lineno)
            return found
        if name in self.function.enclosing:
            return self.function.enclosing[name]
        if name in self.function.namespace:
            return self.thing(self.function.namespace[name], name)
        builtin = getattr(builtins, name, None)
        if builtin is None:
            raise CannotReverse(f"{name!r}, which has no value yet,", node.lineno)
        return Thing(builtin)

    def thing(self, value: Any, hint: str) -> Value:
        return self.converted(self.scopes, value, hint)

    @classmethod
    def converted(cls, scopes: Scopes, value: Any, hint: str) -> Value:
        """A Python object as a value: numbers as literals, arrays by a name of their own or as data."""
        if isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
            return Scalar(_literal(value.item() if isinstance(value, np.generic) else value))
        if isinstance(value, tuple):
            return tuple(cls.converted(scopes, one, hint) for one in value)
        if isinstance(value, np.ndarray):
            if id(value) in scopes.data:
                return scopes.data[id(value)]
            return Array(scopes.constant(value, hint), "constant", tuple(map(str, value.shape)))
        return Thing(value)

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
            return self.thing(getattr(owner.value, node.attr), node.attr)
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
            word = " and " if isinstance(node.op, ast.And) else " or "
            # parts that are not reached in Python are computed here, without harm: they have no effects
            return self.flat("(" + word.join(self.number(self.value(one), one).text for one in node.values) + ")")
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
            return self.inlined(function_of(called.value.py_func, self.thing), arguments, keywords, node)
        return self.known(called.value, arguments, keywords, node, hint)

    def inlined(
        self, function: Function, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call
    ) -> Value:
        depth = self.function.depth + 1
        if depth > _MOST_CALLS:
            raise CannotReverse("a function that calls itself", node.lineno)
        env = function.bound(arguments, keywords, node.lineno)
        return Body(self.scopes, replace(function, depth=depth), env).result()

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


def _is_active(value: Value | None) -> bool:
    return isinstance(value, Scalar) and value.is_active


def _literal(number: float) -> str:
    """A number as Python writes it; infinities and nan by their names."""
    if isinstance(number, float) and not math.isfinite(number):
        return "nan" if math.isnan(number) else "inf" if number > 0.0 else "(-inf)"
    return repr(number) if number >= 0 else f"({number!r})"


def _sign(operator: ast.AST, node: ast.expr) -> str:
    if type(operator) not in _SIGNS:
        raise CannotReverse("this operator", node.lineno)
    return _SIGNS[type(operator)]


def _hint(target: ast.expr, otherwise: str = "t") -> str:
    return target.id if isinstance(target, ast.Name) else otherwise


def _loaded(target: ast.expr) -> ast.expr:
    """The place that an augmented assignment reads."""
    copied = copy.copy(target)
    vars(copied)["ctx"] = ast.Load()
    return copied


def _name_of(node: ast.AST) -> str:
    """A piece of syntax in words."""
    return {
        "Try": "try", "With": "with", "Delete": "del", "Break": "break", "Return": "return",
        "Expr": "a call without a result", "JoinedStr": "a formatted string", "ListComp": "a comprehension",
        "GeneratorExp": "a generator",
    }.get(type(node).__name__, f"syntax of the kind {type(node).__name__}")
