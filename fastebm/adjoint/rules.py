"""What each operation hands back: the derivative along its result, times the slope along each of its operands."""

import ast
import functools
from collections.abc import Iterator

from fastebm.adjoint.statements import Let, Operand
from fastebm.lanes.language import vanishes, where
from fastebm.lanes.primitives import BINARY, UNARY

_PRODUCTS = {  # slopes along a and b of what y stands for, as factors
    "*": ("b", "a"),
    "/": ("1.0 / b", "-y / b"),
    "**": ("where(b == 0, 0.0, b * a ** (b - 1))", "where(a > 0.0, y * log(a), 0.0)"),
    "%": ("1.0", "-floor(a / b)"),
}
STEEP = {  # operations whose slope is infinite at finite operands
    "/", "**", "log", "log1p", "log2", "log10", "sqrt", "tan", "asin", "acos", "atan2", "hypot", "lgamma",
}

# operations that take longer than to keep their results and to read them again
DEAR = (UNARY.keys() | BINARY.keys()) - {
    "abs", "sqrt", "square", "floor", "ceil", "sign", "copysign", "min", "max", "minimum", "maximum",
}


def damped(bar: float, slope: float) -> float:
    """bar * slope, and 0 where bar is: of what a choice has dropped nothing remains, even if its slope is infinite."""
    return where(vanishes(bar), 0.0, bar * slope)  # type: ignore[no-any-return]


def wrapped(index: int, size: int) -> int:
    """An index that may count from the end, from the start; no array of lanes would say that it is beyond the end."""
    if index < -size or index >= size:
        raise IndexError("index is out of bounds")
    return index + size if index < 0 else index


def slopes(let: Let, bar: str, *, is_guarded: bool) -> Iterator[tuple[Operand, str]]:
    """Active operands with what is to be added to the derivatives along them."""
    for place, operand in enumerate(let.operands):
        if operand.is_active:
            yield operand, _term(let, place, bar, is_guarded)


def _term(let: Let, place: int, bar: str, is_guarded: bool) -> str:
    texts = [operand.text for operand in let.operands]
    operation = let.operation
    if operation == "+":
        return bar
    if operation == "-":
        return bar if place == 0 else f"-{bar}"
    if operation == "negative":
        return f"-{bar}"
    if operation == "where":
        return f"where({texts[0]}, {bar}, 0.0)" if place == 1 else f"where({texts[0]}, 0.0, {bar})"
    factor = _factor(let, place)
    if factor in ("0.0", "1.0"):
        return "0.0" if factor == "0.0" else bar
    return f"damped({bar}, {factor})" if is_guarded else f"{bar} * ({factor})"


def _factor(let: Let, place: int) -> str:
    texts = [operand.text for operand in let.operands]
    if let.operation == "**" and place == 0 and (n := _literal(texts[1])) is not None:
        if isinstance(n, float) and n != 0.0:
            return f"{texts[1]} * {texts[0]} ** ({texts[1]} - 1)"
        return {0: "0.0", 1: "1.0", 2: f"2.0 * {texts[0]}"}.get(int(n), f"{n}.0 * {texts[0]} ** {n - 1}")
    if let.operation in UNARY:
        return _with(UNARY[let.operation].derivative, x=texts[0], y=let.name)
    if let.operation in BINARY:
        rule = BINARY[let.operation]
        return _with((rule.first, rule.second)[place], a=texts[0], b=texts[1], y=let.name)
    return _with(_PRODUCTS[let.operation][place], a=texts[0], b=texts[1], y=let.name)


def _literal(text: str) -> float | None:
    """The number that a text is; None if it is an expression."""
    try:
        number = ast.literal_eval(text)
    except ValueError:
        return None
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def _with(text: str, **replaced: str) -> str:
    """An expression with other expressions in the place of its names."""

    class Replacing(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return _parsed(replaced[node.id]) if node.id in replaced else node

    return ast.unparse(Replacing().visit(ast.parse(text, mode="eval")))


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
