"""A function's body, statement by statement, into the small language: helpers are inlined, names assigned once.

What the language has no words for is refused by its line with `CannotReverse`; nothing is guessed.
"""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from fastebm.adjoint.expressions import Expressions, sign_of
from fastebm.adjoint.plans import loaded, stored
from fastebm.adjoint.scopes import Array, Scalar, Thing, Value
from fastebm.adjoint.statements import Block, Carry, Count, For, If, Merge, Operand, Store
from fastebm.adjoint.syntax import CannotReverse, Function, assigned, name_of, without_continue, without_early_return

_MOST_CALLS = 40  # functions that call functions; more is one that calls itself


class _Names(Mapping[str, "Value | None"]):
    """What a local function sees of the functions around it, as it stands when it is called."""

    def __init__(self, around: Expressions) -> None:
        self.around = around

    def __getitem__(self, name: str) -> Value | None:
        env = self.around.env
        return env[name] if name in env else self.around.function.enclosing[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.around.function.enclosing, **self.around.env})

    def __len__(self) -> int:
        return len({*self})


class Body(Expressions):
    """The body of one call, with the values of its names."""

    def result(self) -> Value:
        returned = self.run(without_early_return(self.function.body))
        if returned is None:
            raise CannotReverse("a function that may end without a result", None)
        return returned

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
                raise CannotReverse(name_of(node), node.lineno)
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
                raise CannotReverse(name_of(target), target.lineno)

    def part(self, value: Value, k: int, n: int, node: ast.expr) -> Value:
        if isinstance(value, tuple) and len(value) == n:
            return cast(Value, value[k])
        if isinstance(value, Array):
            return self.scopes.element(value, str(k))
        raise CannotReverse("what is unpacked here", node.lineno)

    def augmented(self, node: ast.AugAssign) -> None:
        sign = sign_of(node.op, node.target)
        n_stores = self.scopes.n_stores
        more = self.number(self.value(node.value), node)
        if isinstance(node.target, ast.Subscript) and self.scopes.n_stores > n_stores:
            raise CannotReverse("an element that is read before a function changes arrays", node.lineno)
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
            self.function.namespace, tuple(self.value(one) for one in arguments.defaults), _Names(self),
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
            with self.scopes.inner(is_certain=False) as block:
                returned.append(branch())
                blocks.append(block)
                ends.append(self.env)
        self.env = before
        merges: list[Merge] = []
        if (returned[0] is None) != (returned[1] is None):
            raise CannotReverse("a return in one branch only", getattr(node, "lineno", None))
        for name in sorted(ends[0].keys() | ends[1].keys()):
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
        self.scopes.note(merge.name, is_fractional=any(map(self.scopes.is_fractional, (one.text, other.text))))
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
                if self.run(body) is not None:
                    raise CannotReverse("a return in a loop", node.lineno)
            return
        arrays = [one for one in values if isinstance(one, Array)]
        if isinstance(source, ast.Call) and source.keywords:
            raise CannotReverse("a keyword argument here", node.lineno)
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

        block, carries = self.repeated(body, assigned(body), start, node, is_certain=False)
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
        is_certain = self.scopes.runs_through(variable, bounds)

        def begin(_block: Block) -> None:
            with self.scopes.inside(variable):
                start(variable)

        block, carries = self.repeated(body, assigned(body) | more, begin, node, variable, is_certain=is_certain)
        self.scopes.emit(For(variable, bounds, block, carries))

    def repeated(
        self, body: list[ast.stmt], changed: set[str], start: Callable[[Block], None], node: ast.For | ast.While,
        *variables: str, is_certain: bool,
    ) -> tuple[Block, tuple[Carry, ...]]:
        """A loop's body and what it carries, which is active if it is so after any iteration."""
        if any(isinstance(one, ast.Break) for statement in body for one in ast.walk(statement)):
            raise CannotReverse("break", node.lineno)
        before = dict(self.env)
        names = changed & {key for key, value in before.items() if value is not None}
        active = {name for name in names if _is_active(before[name])}
        while True:  # until nothing more turns out to be active, or to start whole and not to stay so
            self.env = dict(before)
            carried = {}
            for name in sorted(names):
                if isinstance(first := before[name], Scalar):
                    carried[name] = self.scopes.fresh(name)
                    self.scopes.note(carried[name], is_fractional=self.scopes.is_fractional(first.text))
                    self.env[name] = Scalar(carried[name], name in active)
                else:
                    self.env[name] = None  # an array or the like: the body has to make it anew
            after = {name: value for name, value in self.env.items() if name in before}
            with self.scopes.inner(is_certain=is_certain) as block, self.scopes.inside(*variables, *carried.values()):
                start(block)
                if self.run(body) is not None:
                    raise CannotReverse("a return in a loop", node.lineno)
            ends = {name: self.env[name] for name in carried}
            newly = {name for name in carried if _is_active(ends[name])} - active
            active |= newly
            parted = [name for name in carried if name not in active and self.is_parted(before[name], ends[name])]
            if not newly and not parted:
                break
            for name in parted:  # what is kept of such a number is a list of doubles then
                text = cast(Scalar, before[name]).text
                before[name] = Scalar(f"{text}.0" if text.isdigit() else f"float({text})")
        carries = []
        for name, fresh in carried.items():
            first, end = before[name], ends[name]
            if isinstance(first, Scalar) and isinstance(end, Scalar):
                carries.append(Carry(
                    fresh, Operand(first.text, first.is_active), Operand(end.text, end.is_active), name in active,
                    self.scopes.is_fractional(end.text),
                ))
            else:
                after[name] = None
        self.env = after
        return block, tuple(carries)

    def is_parted(self, first: Value | None, end: Value | None) -> bool:
        """Whether a number is whole before a loop and a double after an iteration."""
        return (
            isinstance(first, Scalar) and isinstance(end, Scalar)
            and self.scopes.is_fractional(end.text) and not self.scopes.is_fractional(first.text)
        )

    def inlined(
        self, function: Function, arguments: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call
    ) -> Value:
        depth = self.function.depth + 1
        if depth > _MOST_CALLS:
            raise CannotReverse("a function that calls itself", node.lineno)
        env = function.bound(arguments, keywords, node.lineno)
        return Body(self.scopes, replace(function, depth=depth), env).result()


def _is_active(value: Value | None) -> bool:
    return isinstance(value, Scalar) and value.is_active


def _hint(target: ast.expr, otherwise: str = "t") -> str:
    return target.id if isinstance(target, ast.Name) else otherwise


def _loaded(target: ast.expr) -> ast.expr:
    """The place that an augmented assignment reads."""
    copied = copy.copy(target)
    vars(copied)["ctx"] = ast.Load()
    return copied
