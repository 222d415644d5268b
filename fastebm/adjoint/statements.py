"""The small language that a scalar function is lowered to before it is reversed.

Every scalar name is assigned once in a block, apart from those that a loop carries from one iteration to the next. A
value is active if the result's derivative along it is wanted. Operands are texts: names, literals, or expressions of
values that are not active.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Operand:
    """A value by its text."""

    text: str
    is_active: bool = False


@dataclass(frozen=True)
class Let:
    """name = text, where text is one operation on operands.

    `operation` is an operator's sign, "where", "min" and the like: a key of `rules.RULES`; "" if nothing is active.
    """

    name: str
    text: str
    operation: str = ""
    operands: tuple[Operand, ...] = ()

    @property
    def is_active(self) -> bool:
        return any(operand.is_active for operand in self.operands)


@dataclass(frozen=True)
class Load:
    """name = array[index]."""

    name: str
    array: str
    index: str
    is_active: bool


@dataclass(frozen=True)
class Room:
    """array = zeros(size, like=x)."""

    array: str
    size: str


@dataclass(frozen=True)
class Store:
    """array[index] = value, or += with `is_sum`."""

    array: str
    index: str
    value: Operand
    is_sum: bool


@dataclass(frozen=True)
class Carry:
    """A name that a loop carries: what it is at first, what the body makes of it, and its value after the loop.

    `is_fractional` if it is known to be a double; else it may be a whole number.
    """

    name: str
    first: Operand
    last: Operand
    is_active: bool
    is_fractional: bool


@dataclass(frozen=True)
class For:
    """for variable in range(*bounds)."""

    variable: str
    bounds: tuple[str, str, str]  # start, stop, step
    body: "Block"
    carries: tuple[Carry, ...]


@dataclass(frozen=True)
class Count:
    """name = how often the body runs while a test holds, which `n_of_test` statements of the body compute first."""

    name: str
    test: str
    n_of_test: int
    body: "Block"
    carries: tuple[Carry, ...]


@dataclass(frozen=True)
class Merge:
    """The name for what either branch of a condition gives."""

    name: str
    then: Operand
    otherwise: Operand

    @property
    def is_active(self) -> bool:
        return self.then.is_active or self.otherwise.is_active


@dataclass(frozen=True)
class If:
    """if test: ... else: ..., with a test that nothing is differentiated through."""

    test: str
    then: "Block"
    otherwise: "Block"
    merges: tuple[Merge, ...]


Statement = Let | Load | Room | Store | For | Count | If


@dataclass
class Block:
    """Statements in order."""

    statements: list[Statement] = field(default_factory=list)
