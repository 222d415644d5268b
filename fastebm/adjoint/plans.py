"""What the way back has to know before it is taken: which values an iteration keeps, and what can be dropped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastebm.adjoint.lines import names
from fastebm.adjoint.rules import DEAR
from fastebm.adjoint.statements import Block, Count, For, If, Let, Load, Operand, Room, Statement, Store

_LONGEST_TAPE = 64  # iterations


@dataclass(frozen=True)
class Cell:
    """An element of an array that every iteration changes; `tape` keeps what it was before."""

    tape: str
    array: str
    index: str


@dataclass(frozen=True)
class Whole:
    """An array of which an iteration may change any element."""

    tape: str
    array: str
    size: str


@dataclass(frozen=True)
class Kept:
    """What is kept of arrays before a block that is run again on the way back, and which need not be filled again."""

    cells: tuple[Cell, ...] = ()
    wholes: tuple[Whole, ...] = ()
    unread: frozenset[str] = frozenset()


@dataclass
class Plan:
    """What is kept for all loops and conditions, by their id.

    Attributes
    ----------
    undone : the name that keeps what a store writes over, for stores outside of loops that have to be undone.
    of_x : names of numbers that differ from chain to chain.
    lengths : of the ranges from 0 that loops run through, by the name of their variable.
    late : ids of the loops whose sums are made on the way back; see `totals`.
    dear : where loops keep what is dear to compute again, by the id of the statement that makes it.
    chosen : names that `where` may drop. Their derivative is 0 then, and times any slope, nan too, it has to stay 0.
    larger : names that max or min may drop. For the sake of speed only times slopes that may be infinite by themselves.
    """

    kept: dict[int, Kept] = field(default_factory=dict)
    undone: dict[int, str] = field(default_factory=dict)
    of_x: set[str] = field(default_factory=set)
    lengths: dict[str, str] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    dear: dict[int, str] = field(default_factory=dict)
    chosen: set[str] = field(default_factory=set)
    larger: set[str] = field(default_factory=set)


def plan_of(block: Block) -> Plan:
    plan = Plan(chosen=_behind(block, {"where"}), larger=_behind(block, {"max", "min", "maximum", "minimum"}))
    plan.of_x = _of_x(block)
    plan.lengths = {
        one.variable: one.bounds[1] for one in inside(block)
        if isinstance(one, For) and one.bounds[0] == "0" and one.bounds[2] == "1"
    }
    sizes = {one.array: one.size for one in inside(block) if isinstance(one, Room)}
    _plan_block(block, frozenset(), sizes, plan)
    return plan


def _plan_block(block: Block, seen: frozenset[str], sizes: dict[str, str], plan: Plan) -> None:
    """Plan what stands in a block; `seen` are arrays that are read before it, by what will be run again."""
    for one in block.statements:
        if isinstance(one, Store):
            if one.array in seen:
                plan.undone[id(one)] = f"{one.array}_undo_{len(plan.undone)}"
            continue
        blocks: list[Block] = []
        if isinstance(one, If):
            blocks = [one.then, one.otherwise]
        elif isinstance(one, For | Count):
            blocks = [one.body]
        if isinstance(one, For | If):
            plan.kept[id(one)] = _kept(one, blocks, seen, sizes, len(plan.kept))
        for inner in blocks:
            _plan_block(inner, frozenset(), sizes, plan)  # what comes before is kept for all of the loop or condition
            seen |= loaded(inner)


def _kept(one: For | If, blocks: list[Block], seen: frozenset[str], sizes: dict[str, str], number: int) -> Kept:
    every = [each for block in blocks for each in inside(block)]
    read = {each.array for each in every if isinstance(each, Load)}
    made_inside = {name for block in blocks for name in defined(block)}
    cells: list[Cell] = []
    wholes: list[Whole] = []
    written = {each.array for each in every if isinstance(each, Store)}
    written -= {each.array for each in every if isinstance(each, Room)}
    for array in sorted(written):
        if array not in read and array not in seen:
            continue
        if isinstance(one, For) and array not in seen and _is_refilled(one.body, array):
            continue
        indices = dict.fromkeys(each.index for each in every if isinstance(each, Store) and each.array == array)
        if any(names(f"({index},)") & made_inside for index in indices):
            wholes.append(Whole(f"{array}_tape_{number}", array, sizes[array]))
        else:
            cells += [Cell(f"{array}_tape_{number}_{k}", array, index) for k, index in enumerate(indices)]
    return Kept(tuple(cells), tuple(wholes), frozenset(written - read))


def dear(loop: For) -> dict[int, str]:
    """The places for the dear values of a short loop, none for a long one, whose tapes would not stay in the cache."""
    if not re.fullmatch(r"[\d\s+*-]+", count(loop)) or eval(count(loop)) > _LONGEST_TAPE:
        return {}
    lets = (one for one in loop.body.statements if isinstance(one, Let) and one.is_active and one.operation in DEAR)
    return {id(one): f"{one.name}_tape[{counter(loop)}]" for one in lets}


def counter(one: For) -> str:
    """The name that counts iterations from 0: the loop's variable, if it does."""
    return one.variable if one.bounds[0] == "0" and one.bounds[2] == "1" else f"{one.variable}_count"


def count(one: For) -> str:
    return one.bounds[1] if counter(one) == one.variable else f"{one.variable}_counts"


def inside(block: Block) -> Iterator[Statement]:
    for one in block.statements:
        yield one
        if isinstance(one, For | Count):
            yield from inside(one.body)
        elif isinstance(one, If):
            yield from inside(one.then)
            yield from inside(one.otherwise)


def stored(block: Block) -> set[str]:
    return {one.array for one in inside(block) if isinstance(one, Store)}


def loaded(block: Block) -> set[str]:
    return {one.array for one in inside(block) if isinstance(one, Load)}


def defined(block: Block) -> set[str]:
    """Names that get their value in the block, or in one inside of it."""
    found: set[str] = set()
    for one in inside(block):
        if isinstance(one, Let | Load):
            found.add(one.name)
        elif isinstance(one, Room):
            found.add(one.array)
        elif isinstance(one, For):
            found |= {one.variable, *(carry.name for carry in one.carries)}
        elif isinstance(one, Count):
            found |= {one.name, *(carry.name for carry in one.carries)}
        elif isinstance(one, If):
            found |= {merge.name for merge in one.merges}
    return found


def used_inside(block: Block, ends: list[Operand]) -> set[str]:
    """Active names from outside of a block that it uses."""
    operands = list(ends)
    for one in inside(block):
        if isinstance(one, Let):
            operands += one.operands
        elif isinstance(one, Store):
            operands.append(one.value)
        elif isinstance(one, For):
            operands += [end for carry in one.carries for end in (carry.first, carry.last)]
        elif isinstance(one, If):
            operands += [end for merge in one.merges for end in (merge.then, merge.otherwise)]
    return {one.text for one in operands if one.is_active} - defined(block)


def _is_refilled(body: Block, array: str) -> bool:
    """Whether the first thing that an iteration does with an array is to write all that it reads of it."""
    for one in body.statements:
        if not _touches(one, array):
            continue
        if not isinstance(one, For) or one.bounds[0] != "0" or one.bounds[2] != "1":
            return False
        first = next(each for each in one.body.statements if _touches(each, array))
        is_filled = (
            isinstance(first, Store) and not first.is_sum and first.index == one.variable
        )
        if not is_filled:
            return False
        ranges = {each.variable: each.bounds for each in inside(body) if isinstance(each, For)}
        return all(
            ranges.get(each.index) == one.bounds for each in inside(body)
            if isinstance(each, Load | Store) and each.array == array
        )
    return False


def _touches(one: Statement, array: str) -> bool:
    return any(isinstance(each, Load | Store) and each.array == array for each in inside(Block([one])))


def _of_x(block: Block) -> set[str]:
    """Names that are made of x, or of arrays that the function made."""
    every = [*inside(block)]
    arrays = {"x", *(one.array for one in every if isinstance(one, Room))}
    found: set[str] = set()
    n = -1
    while len(found) > n:
        n = len(found)
        for one in every:
            if (isinstance(one, Let) and names(one.text) & found) or (isinstance(one, Load) and one.array in arrays):
                found.add(one.name)
            elif isinstance(one, For | Count):
                found |= {each.name for each in one.carries if _either(each.first, each.last) & found}
            elif isinstance(one, If):
                found |= {each.name for each in one.merges if _either(each.then, each.otherwise) & found}
    return found


def _either(first: Operand, second: Operand) -> frozenset[str]:
    return names(f"({first.text}, {second.text})")


def _behind(block: Block, operations: set[str]) -> set[str]:
    """The operands of these operations, and all that they are made of."""
    sources: dict[str, set[str]] = {}
    start: set[str] = set()
    for one in inside(block):
        if isinstance(one, Let):
            active = {operand.text for operand in one.operands if operand.is_active}
            sources.setdefault(one.name, set()).update(active)
            if one.operation in operations:
                start |= active
        elif isinstance(one, Load):
            sources.setdefault(one.name, set()).add(one.array)
        elif isinstance(one, Store):
            sources.setdefault(one.array, set()).add(one.value.text)
        elif isinstance(one, For):
            for carry in one.carries:
                sources.setdefault(carry.name, set()).update({carry.first.text, carry.last.text})
        elif isinstance(one, If):
            for merge in one.merges:
                sources.setdefault(merge.name, set()).update({merge.then.text, merge.otherwise.text})
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += sources.get(name, ())
    return found
