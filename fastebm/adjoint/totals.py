"""Loops that only add up what the result needs: their sums are made on the way back, where terms are computed again."""

from collections.abc import Container, Iterator

from fastebm.adjoint.lines import names
from fastebm.adjoint.plans import inside
from fastebm.adjoint.statements import Block, Count, For, If, Let, Load, Merge, Room, Statement, Store


def only_adds(loop: For) -> bool:
    """Whether every number that the loop carries is a sum that its body does not look at, and no array changes."""
    made = {one.array for one in inside(loop.body) if isinstance(one, Room)}
    if any(isinstance(one, Store) and one.array not in made for one in inside(loop.body)):
        return False
    return all(carry.is_active and _is_sum(loop.body, carry.name, carry.last.text) for carry in loop.carries)


def behind(block: Block, loops: Container[int]) -> list[Statement]:
    """The loops of a block with these ids, and the statements that hang on their sums, in order."""
    found: set[str] = set()
    late: list[Statement] = []
    for one in block.statements:
        if id(one) in loops or _read([one]) & found:
            late.append(one)
            found |= _made(one)
    return late


def _is_sum(body: Block, start: str, end: str) -> bool:
    """Whether `end` is `start` plus terms, and nothing else reads either of them or what is in between."""
    readers_of = {start: 1 if end != start else 0}
    n_after = 0  # what the body ends with is read by nobody there, what leads to it by the next step
    while end != start:
        one = next((one for one in body.statements if end in _made(one)), None)
        if isinstance(one, Let) and one.operation in ("+", "-"):
            first, second = (operand.text for operand in one.operands)
            candidates = [first] if one.operation == "-" else [first, second]
            before = [text for text in candidates if _leads_to(body, text, start)]
            if len(before) != 1:
                return False
            readers_of[end] = n_after
            end = before[0]
        elif isinstance(one, For):
            carry = next(carry for carry in one.carries if carry.name == end)
            if not _is_sum(one.body, carry.name, carry.last.text):
                return False
            readers_of[end] = n_after + 1  # the inner loop is one of them
            end = carry.first.text
        else:
            return False
        n_after = 1
    read = [names(text) for one in inside(body) for text in _texts(one)]
    return all(sum(name in one for one in read) <= n for name, n in readers_of.items())


def _leads_to(body: Block, text: str, start: str) -> bool:
    """Whether a name is the start, or made of it by steps that `_is_sum` knows."""
    if text == start:
        return True
    one = next((one for one in body.statements if text in _made(one)), None)
    if isinstance(one, Let):
        return any(_leads_to(body, operand.text, start) for operand in one.operands)
    if isinstance(one, For):
        return any(carry.name == text and _leads_to(body, carry.first.text, start) for carry in one.carries)
    return False


def _made(one: Statement) -> set[str]:
    """Names and arrays that a statement of a block gives a value to, for those behind it."""
    if isinstance(one, Let | Load):
        return {one.name}
    if isinstance(one, Room | Store):
        return {one.array}
    if isinstance(one, If):
        arrays = {each.array for each in inside(Block([one])) if isinstance(each, Store)}
        return {merge.name for merge in one.merges} | arrays
    arrays = {each.array for each in inside(one.body) if isinstance(each, Store)}
    return {carry.name for carry in one.carries} | arrays | ({one.name} if isinstance(one, Count) else set())


def _read(statements: list[Statement]) -> frozenset[str]:
    return frozenset().union(*(names(text) for one in inside(Block(statements)) for text in _texts(one)))


def _texts(one: Statement) -> Iterator[str]:
    """What a statement reads, as expressions; without the statements inside of it."""
    if isinstance(one, Let):
        yield one.text
    elif isinstance(one, Load):
        yield f"{one.array}[{one.index}]" if one.index else one.array
    elif isinstance(one, Room):
        yield one.size
    elif isinstance(one, Store):
        yield from (f"{one.array}[{one.index}]", one.value.text)
    elif isinstance(one, If):
        yield one.test
        for merge in one.merges:
            yield from _ends(merge)
    else:
        yield from one.bounds if isinstance(one, For) else (one.test,)
        for carry in one.carries:
            yield from (carry.first.text, carry.last.text)


def _ends(merge: Merge) -> tuple[str, str]:
    return merge.then.text, merge.otherwise.text
