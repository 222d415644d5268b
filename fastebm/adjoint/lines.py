"""Lines of Python to be written: with what they define and use, so that those nobody needs can be left out."""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace


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


def set_in_one_loop(code: list[Code], array: str, size: int) -> bool:
    """Whether one loop over all `size` elements adds to each of them once, and nothing else does; it then sets them."""
    found = [line for line in every_line(code) if line.array == array]
    if len(found) != 1:
        return False
    loops = [one for one in code if isinstance(one, Loop) and any(line is found[0] for line in one.body)]
    is_set = any(
        one.range == f"range({size} - 1, -1, -1)" and found[0].target == f"{array}[{one.variable}]" for one in loops
    )
    found[0].is_sum &= not is_set
    return is_set


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


def without_copies(code: list[Code], wanted: frozenset[str]) -> list[Code]:
    """The same lines, where names that are only other names for the same number give way to these; but for `wanted`."""
    definitions: dict[str, list[Line]] = {}
    for line in every_line(code):
        definitions.setdefault(line.array or line.target, []).append(line)
    once = {name: lines[0] for name, lines in definitions.items() if len(lines) == 1 and not lines[0].is_sum}
    others = {name: line.text for name, line in once.items() if line.text in once and not line.array}
    others = {name: other for name, other in others.items() if name not in wanted}
    for name in others:
        while others[name] in others:
            others[name] = others[others[name]]
    if not others:
        return code
    def rewritten(lines: list[Code]) -> list[Code]:
        kept: list[Code] = []
        for one in lines:
            if isinstance(one, Line):
                if one.target not in others:
                    kept.append(replace(one, target=renamed(one.target, others), text=renamed(one.text, others)))
            elif isinstance(one, Loop):
                kept.append(Loop(one.variable, renamed(one.range, others), rewritten(one.body)))
            elif isinstance(one, Fork):
                kept.append(Fork(renamed(one.test, others), rewritten(one.then), rewritten(one.otherwise)))
            else:
                kept.append(Until(rewritten(one.before), renamed(one.test, others), rewritten(one.body)))
        return kept

    return rewritten(code)


def without_empty_sums(code: list[Code]) -> list[Code]:
    """The same lines, where a sum that starts at 0.0 starts with its first term."""
    kept: list[Code] = []
    for place, one in enumerate(code):
        if isinstance(one, Loop):
            one = Loop(one.variable, one.range, without_empty_sums(one.body))
        elif isinstance(one, Fork):
            one = Fork(one.test, without_empty_sums(one.then), without_empty_sums(one.otherwise))
        elif isinstance(one, Until):
            one = Until(without_empty_sums(one.before), one.test, without_empty_sums(one.body))
        elif one.text == "0.0" and not one.is_sum and not one.array and (first := _next_use(code, place)) is not None:
            first.is_sum = False
            continue
        kept.append(one)
    return [one for place, one in enumerate(kept) if not (isinstance(one, Line) and _is_idle(kept, place, one))]


def _next_use(code: list[Code], place: int) -> Line | None:
    """The line that adds to what line `place` defines, if that is the first that has to do with it."""
    target = code[place].target  # type: ignore[union-attr]
    for one in code[place + 1 :]:
        if isinstance(one, Line) and one.target == target:
            return one if one.is_sum and target not in names(one.text) else None
        if target in _used([one]):
            return None
    return None


def _is_idle(code: list[Code], place: int, line: Line) -> bool:
    """Whether a line gives a name the value that it has: after a = b, b = a."""
    if line.is_sum or line.array:
        return False
    for one in reversed(code[:place]):
        if isinstance(one, Line) and (one.target, one.text, one.is_sum) == (line.text, line.target, False):
            return True
        if {line.target, line.text} & _defined([one]):
            return False
    return False


def _used(code: list[Code]) -> set[str]:
    """Names that lines read or write."""
    found: set[str] = set()
    for one in code:
        if isinstance(one, Line):
            found |= names(one.text) | names(one.target) | {one.array}
        elif isinstance(one, Loop):
            found |= names(one.range) | _used(one.body)
        elif isinstance(one, Fork):
            found |= names(one.test) | _used(one.then) | _used(one.otherwise)
        else:
            found |= names(one.test) | _used(one.before) | _used(one.body)
    return found


def renamed(text: str, others: Mapping[str, str]) -> str:
    """An expression with other names."""
    if not names(text) & others.keys():
        return text
    return re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda found: others.get(found.group(), found.group()), text)


def every_line(code: list[Code]) -> Iterator[Line]:
    """Every line, those inside of loops and branches too."""
    for one in code:
        if isinstance(one, Line):
            yield one
        elif isinstance(one, Loop):
            yield from every_line(one.body)
        elif isinstance(one, Fork):
            yield from every_line([*one.then, *one.otherwise])
        else:
            yield from every_line([*one.before, *one.body])


def _defined(code: list[Code]) -> set[str]:
    """Names that the lines give values to."""
    return {line.array or line.target for line in every_line(code)}


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
