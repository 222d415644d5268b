"""Functions as syntax: what they are called with, and their statements with one way out."""

import ast
import copy
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class NoSource(Exception):
    """The source of a function is not to be had, or is not what Python runs."""


class CannotReverse(Exception):
    """The source does something that the transformation has no rule for; `line` of the user's file, None if unknown."""

    def __init__(self, what: str, line: int | None) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


@dataclass(frozen=True, eq=False)
class Function:
    """A function's syntax with what its names stand for.

    Attributes
    ----------
    defaults : values of the last parameters.
    namespace : global names, and those that it closes over.
    depth : how many functions deep it stands in calls.
    """

    name: str
    parameters: tuple[str, ...]
    body: tuple[ast.stmt, ...]
    namespace: Mapping[str, Any]
    defaults: tuple[Any, ...] = ()
    enclosing: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0

    def bound(self, arguments: Sequence[Any], keywords: Mapping[str, Any], line: int | None) -> dict[str, Any]:
        """The values by the names of the parameters."""
        env = dict(zip(self.parameters, arguments, strict=False))
        known = {*self.parameters}
        if len(arguments) > len(known) or keywords.keys() & env.keys() or keywords.keys() - known:
            raise CannotReverse(f"the call of {self.name!r}", line)
        env.update(keywords)
        for name, value in zip(self.parameters[::-1], self.defaults[::-1], strict=False):
            env.setdefault(name, value)
        if len(env) < len(self.parameters):
            raise CannotReverse(f"the call of {self.name!r}", line)
        return env


def assigned(statements: Sequence[ast.AST]) -> set[str]:
    """Names that the statements give values to; those inside of functions are their own."""
    names: set[str] = set()
    for node in _walk(statements):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
    return names


def _walk(statements: Sequence[ast.AST]) -> Iterator[ast.AST]:
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def without_early_return(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The same statements, where what follows an `if` with a return in it stands in the branches that go on."""
    return _one_way(body, (ast.Return, ast.Raise))


def without_continue(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A loop's body, where what follows an `if` with a continue in it stands in the branches that go on."""
    return _one_way(body, (ast.Continue,))


def _one_way(body: Sequence[ast.stmt], kinds: tuple[type[ast.stmt], ...]) -> list[ast.stmt]:
    done: list[ast.stmt] = []
    for place, statement in enumerate(body):
        if isinstance(statement, ast.Continue) and ast.Continue in kinds:
            return done
        done.append(statement)
        if isinstance(statement, kinds):
            return done
        if isinstance(statement, ast.If) and any(isinstance(node, kinds) for node in _inside(statement, kinds)):
            rest = list(body[place + 1 :])
            branches = [
                _one_way([*branch, *rest], kinds) or [ast.copy_location(ast.Pass(), statement)]
                for branch in (statement.body, statement.orelse)
            ]
            done[-1] = ast.copy_location(ast.If(statement.test, *branches), statement)
            return done
    return done


def _inside(statement: ast.stmt, kinds: tuple[type[ast.stmt], ...]) -> Iterator[ast.AST]:
    """The nodes of a statement that leave the same function, or continue the same loop."""
    own = (ast.FunctionDef, ast.Lambda, *((ast.For, ast.While) if ast.Continue in kinds else ()))
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, own):
            waiting += ast.iter_child_nodes(node)


def function_of(function: types.FunctionType, convert: Callable[[Any, str], Any]) -> Function:
    """The syntax of a Python function; `convert` makes values of what its parameters have as defaults."""
    node = definition(function.__code__)
    if node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
        raise CannotReverse("arguments of any number", function.__code__.co_firstlineno)
    names = tuple(one.arg for one in [*node.args.posonlyargs, *node.args.args])
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    namespace = dict(function.__globals__) | {name: cell.cell_contents for name, cell in cells}
    defaults = tuple(convert(value, "default") for value in function.__defaults__ or ())
    return Function(function.__name__, names, tuple(node.body), namespace, defaults)


class Definition(NamedTuple):
    """The syntax of a function."""

    name: str
    args: ast.arguments
    body: Sequence[ast.stmt]


def definition(code: types.CodeType) -> Definition:
    """The syntax of a function or lambda, from the file that it was compiled from."""
    try:
        lines = _lines(code)
        try:
            tree, codes = _parsed("".join(lines), code.co_filename)
        except SyntaxError:  # a page of text with code in it
            tree, codes = _by_itself(code, lines)
    except (OSError, TypeError, SyntaxError) as fault:
        raise NoSource from fault
    if code not in codes:
        raise NoSource  # the file has changed since it was read, or something rewrote its functions
    starts = {(position[0], position[2]) for position in code.co_positions()}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            name, body, is_it = node.name, node.body, first == code.co_firstlineno
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>":
            name, body = "energy_", [ast.copy_location(ast.Return(node.body), node.body)]
            is_it = (node.body.lineno, node.body.col_offset) in starts and node.lineno == code.co_firstlineno
        else:
            continue
        if is_it:
            return copy.deepcopy(Definition(name, node.args, body))
    raise NoSource


def _lines(code: types.CodeType) -> list[str]:
    """The file that a function was compiled from, or the command line, which Python 3.12 and earlier do not keep."""
    try:
        return inspect.findsource(code)[0]
    except OSError:
        words = sys.orig_argv
        if code.co_filename != "<string>" or "-c" not in words[:-1]:
            raise
        return words[words.index("-c") + 1].splitlines(keepends=True)  # if it is not from there, its code will not fit


def _by_itself(code: types.CodeType, lines: Sequence[str]) -> tuple[ast.Module, set[types.CodeType]]:
    """As `_parsed`, of one function on its line; with and without imports, which change how Python compiles calls."""
    before = code.co_firstlineno - 1
    block = "\n" * before + "".join(inspect.getblock(list(lines[before:])))
    tree, codes = _parsed(block, code.co_filename)
    if before and code.co_names:
        codes = codes | _parsed(f"import {', '.join(code.co_names)}{block}", code.co_filename)[1]
    return tree, codes


@functools.lru_cache(maxsize=16)
def _parsed(text: str, filename: str) -> tuple[ast.Module, set[types.CodeType]]:
    """The syntax tree of a file, and the code of every function in it."""
    codes, waiting = set(), [compile(text, filename, "exec", dont_inherit=True)]
    while waiting:
        code = waiting.pop()
        codes.add(code)
        waiting += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return ast.parse(text), codes


def name_of(node: ast.AST) -> str:
    """A piece of syntax in words."""
    return {
        "Try": "try", "With": "with", "Delete": "del", "Break": "break", "Return": "return",
        "Expr": "a call without a result", "JoinedStr": "a formatted string", "ListComp": "a comprehension",
        "GeneratorExp": "a generator",
    }.get(type(node).__name__, f"syntax of the kind {type(node).__name__}")
