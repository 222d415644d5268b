"""Lines of Python to be written: with what they define and use, so that those nobody needs can be left out."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Line:
    """target = text, or += with `is_sum`; `array` is what the target is an element of, if it is one."""

    target: str
    text: str
    is_sum: bool = False
    array: str = ""


@dataclass
class Loop:
    """for variable in range(...): lines."""

    variable: str
    range: str
    body: list["Code"] = field(default_factory=list)


@dataclass
class Fork:
    """if test: lines, else: lines."""

    test: str
    then: list["Code"] = field(default_factory=list)
    otherwise: list["Code"] = field(default_factory=list)


@dataclass
class Until:
    """while True: before; if not (test): break; lines."""

    before: list["Code"]
    test: str
    body: list["Code"] = field(default_factory=list)


Code = Line | Loop | Fork | Until


@functools.lru_cache(maxsize=4096)
def names(text: str) -> frozenset[str]:
    """The names in an expression; of theta.mean it is `theta.mean`."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(text, mode="eval")] if text else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name):
            found.add(node.id)
        else:
            waiting += ast.iter_child_nodes(node)
    return frozenset(found)


def needed(code: list[Code], wanted: frozenset[str]) -> tuple[list[Code], frozenset[str]]:
    """The lines that `wanted` names hang on, in order, and the names that are wanted before them."""
    kept: list[Code] = []
    live = wanted
    for one in reversed(code):
        if isinstance(one, Line):
            root = one.array or one.target
            if root not in live:
                continue
            if not one.array and not one.is_sum:
                live -= {root}
            live |= names(one.text) | (names(one.target) if one.array else frozenset())
            kept.append(one)
        elif isinstance(one, Fork):
            then, live_then = needed(one.then, live)
            otherwise, live_otherwise = needed(one.otherwise, live)
            if then or otherwise:
                kept.append(Fork(one.test, then, otherwise))
                live = live_then | live_otherwise | names(one.test)
        elif isinstance(one, Until):
            if not _defined(one.body) & live:
                continue
            after = live | names(one.test)
            while True:
                second, between = needed(one.body, after)
                first, before = needed(one.before, between | names(one.test) | after)
                if before <= after:
                    break
                after |= before
            kept.append(Until(first, one.test, second))
            live = after
        else:
            after = live
            while True:  # what an iteration wants, the one before has to give
                body, before = needed(one.body, after)
                before -= {one.variable}
                if before <= after:
                    break
                after |= before
            if body:
                kept.append(Loop(one.variable, one.range, body))
                live = after | names(one.range)
    return kept[::-1], live


def _defined(code: list[Code]) -> set[str]:
    """Names that the lines give values to."""
    found: set[str] = set()
    for one in code:
        if isinstance(one, Line):
            found.add(one.array or one.target)
        elif isinstance(one, Fork):
            found |= _defined(one.then) | _defined(one.otherwise)
        elif isinstance(one, Until):
            found |= _defined(one.before) | _defined(one.body)
        else:
            found |= _defined(one.body)
    return found


def written(code: list[Code], depth: int = 1) -> Iterator[str]:
    """The lines as text."""
    indent = "    " * depth
    for one in code:
        if isinstance(one, Line):
            yield f"{indent}{one.target} {'+=' if one.is_sum else '='} {one.text}"
        elif isinstance(one, Loop):
            yield f"{indent}for {one.variable} in {one.range}:"
            yield from written(one.body, depth + 1)
        elif isinstance(one, Until):
            yield f"{indent}while True:"
            yield from written(one.before, depth + 1)
            yield f"{indent}    if not ({one.test}):"
            yield f"{indent}        break"
            yield from written(one.body, depth + 1)
        else:
            yield f"{indent}if {one.test}:"
            yield from written(one.then, depth + 1) if one.then else [f"{indent}    pass"]
            if one.otherwise:
                yield f"{indent}else:"
                yield from written(one.otherwise, depth + 1)
