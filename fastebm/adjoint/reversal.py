"""Statements forwards and backwards: the lines that compute a derivative by reverse accumulation.

What a block computes is done again where it is read backwards, from the values that its loop carried at the start of
the iteration. So only these are stored, of arrays the elements that an iteration changes, and in short loops what takes
long to compute; sums that nobody reads need no storage at all. Lines that turn out to be idle are left out afterwards
(`lines.needed`). A loop that only adds up what the result needs runs backwards only.

References
----------
A. Griewank and A. Walther (2008), Evaluating Derivatives, doi:10.1137/1.9780898717761 (chapters 3 and 12).
"""

import ast
from collections.abc import Iterable, Iterator, Mapping

from fastebm.adjoint import rules, totals
from fastebm.adjoint.lines import Code, Fork, Line, Loop, Until, every_line, names, needed, renamed
from fastebm.adjoint.plans import Kept, Plan, count, counter, dear, plan_of, stored, used_inside
from fastebm.adjoint.statements import Block, Carry, Count, For, If, Let, Load, Operand, Room, Statement, Store


def reversed_lines(
    block: Block, result: Operand, seed: str, shapes: Mapping[str, tuple[int, ...]], outputs: frozenset[str],
    *, gives_result: bool,
) -> list[Code]:
    """The lines that add seed * d result / d x to x_bar, or to theta_bar, without those that are not needed.

    Parameters
    ----------
    shapes : of the parts of theta_bar.
    outputs : what the lines are for: x_bar, or the parts of theta_bar.
    gives_result : whether they also let `energy` be the result.
    """
    plan = plan_of(block)
    loops = {id(one): one for one in block.statements if isinstance(one, For)}
    forward = [[*_forward(Block([one]), plan)] for one in block.statements]
    backward = _backward(block, plan, result, seed, shapes)
    used = {id(line) for line in every_line(needed([*_joined(forward), *backward], outputs)[0])}
    twice = {
        id(one) for one, part in zip(block.statements, forward, strict=True)
        if id(one) in loops and _is_used(_without_counting(part), used)
    }
    late: list[Statement] = []
    if gives_result:
        plan.late = {key for key, loop in loops.items() if totals.only_adds(loop) and key not in twice}
        late = totals.behind(block, plan.late)
        others = [one for one in late if id(one) not in plan.late]
        is_alive = any(
            _is_used(part, used) for one, part in zip(block.statements, forward, strict=True) if one in others
        )
        if is_alive or not all(isinstance(one, Let) for one in others):
            plan.late, late = set(), []
        twice = loops.keys() - plan.late
    for key in twice:
        plan.dear |= dear(loops[key])
    first: list[Code] = []
    last: list[Line] = []
    for one in block.statements:
        if isinstance(one, For) and id(one) in plan.late:
            first += _counting(one)
            last += (
                Line(carry.name, carry.first.text, is_sum=True) for carry in one.carries if carry.first.text != "0.0"
            )
        elif isinstance(one, Let) and one in late:
            last.append(Line(one.name, one.text))
        else:
            first += _forward(Block([one]), plan)
    if not gives_result:
        return needed([*first, *_backward(block, plan, result, seed, shapes)], outputs)[0]
    (last if late else first).append(Line("energy", result.text))
    backward = _backward(block, plan, result, seed, shapes)
    first += _saved(last, backward, {carry.name for one in late if isinstance(one, For) for carry in one.carries})
    return needed([*first, *backward, *last], outputs | {"energy"})[0]


def _saved(last: list[Line], backward: list[Code], made: set[str]) -> list[Line]:
    """Copies of what the last lines read and the way back changes, for which they then ask; `made` is made there."""
    changed = {line.target for line in every_line(backward) if not line.array} - made
    saved = sorted(changed & {name for line in last for name in names(line.text)})
    for line in last:
        line.text = renamed(line.text, {name: f"{name}_kept" for name in saved})
    return [Line(f"{name}_kept", name) for name in saved]


def _backward(
    block: Block, plan: Plan, result: Operand, seed: str, shapes: Mapping[str, tuple[int, ...]]
) -> list[Code]:
    backward = _Backward(plan, shapes, set())
    backward.add(result, seed)
    backward.block(block)
    return backward.lines


def _joined(parts: list[list[Code]]) -> list[Code]:
    return [line for part in parts for line in part]


def _without_counting(part: list[Code]) -> list[Code]:
    return [one for one in part if isinstance(one, Loop)]


def _is_used(part: list[Code], used: set[int]) -> bool:
    return any(id(line) in used for line in every_line(part))


# ---- forwards ----


def _forward(
    block: Block, plan: Plan, unread: frozenset[str] = frozenset(), *, is_again: bool = False
) -> Iterator[Code]:
    """The statements as they were, with what the way back wants to know; without stores into `unread` arrays.

    `is_again` if they are on the way back, where dear values are there already.
    """
    for one in block.statements:
        if isinstance(one, Let):
            place = plan.dear.get(id(one), "")
            yield Line(one.name, place if place and is_again else one.text)
            if place and not is_again:
                yield Line(place, one.name, array=f"{one.name}_tape")
        elif isinstance(one, Load):
            yield Line(one.name, _place(one.array, one.index))
        elif isinstance(one, Room):
            yield _room(one.array, one.size)
        elif isinstance(one, Store):
            if one.array not in unread:
                place = _place(one.array, one.index)
                if id(one) in plan.undone:
                    yield Line(plan.undone[id(one)], place)
                yield Line(place, one.value.text, one.is_sum, one.array)
        elif isinstance(one, For):
            yield from _forward_loop(one, plan, unread)
        elif isinstance(one, Count):
            yield from _counting_until(one, plan, unread)
        else:
            yield from _taken(plan.kept[id(one)])
            yield Fork(
                one.test,
                [*_forward(one.then, plan, unread), *(Line(merge.name, merge.then.text) for merge in one.merges)],
                [
                    *_forward(one.otherwise, plan, unread),
                    *(Line(merge.name, merge.otherwise.text) for merge in one.merges),
                ],
            )


def _forward_loop(one: For, plan: Plan, unread: frozenset[str]) -> Iterator[Code]:
    kept, n = plan.kept[id(one)], counter(one)
    yield from _counting(one)
    body = _variable(one)
    for carry in one.carries:
        tape = f"{carry.name}_before"
        yield Line(carry.name, carry.first.text)
        if carry.is_active or (carry.is_fractional and carry.name in plan.of_x):
            yield _room(tape, count(one))
        else:  # it may be whole, or be asked for in a condition
            yield Line(tape, f"[{carry.first.text}] * {count(one)}")
        body.append(Line(f"{tape}[{n}]", carry.name, array=tape))
    for cell in kept.cells:
        yield _room(cell.tape, count(one))
        body.append(Line(f"{cell.tape}[{n}]", _place(cell.array, cell.index), array=cell.tape))
    for whole in kept.wholes:
        yield _room(whole.tape, f"({count(one)}) * ({whole.size})")
        place = f"{whole.tape}[{n} * ({whole.size}) + place]"
        body.append(Loop("place", f"range({whole.size})", [Line(place, f"{whole.array}[place]", array=whole.tape)]))
    for each in one.body.statements:
        if isinstance(each, Let) and id(each) in plan.dear:
            yield _room(f"{each.name}_tape", count(one))
    body += _forward(one.body, plan, unread)
    body += _moves(one.carries)
    yield Loop(n, f"range({count(one)})", body)


def _counting_until(one: Count, plan: Plan, unread: frozenset[str]) -> Iterator[Code]:
    for carry in one.carries:
        yield Line(carry.name, carry.first.text)
    yield Line(one.name, "0")
    tested = Block(one.body.statements[: one.n_of_test])
    rest = Block(one.body.statements[one.n_of_test :])
    untouched = unread | stored(one.body)  # counting leaves arrays as they are
    body = [*_forward(rest, plan, untouched), *_moves(one.carries), Line(one.name, "1", is_sum=True)]
    yield Until(list(_forward(tested, plan, untouched)), one.test, body)


def _moves(carries: tuple[Carry, ...]) -> Iterator[Code]:
    """What is carried goes on to the next iteration, all at once."""
    moved = [carry for carry in carries if carry.last.text != carry.name]
    carried = {carry.name for carry in moved}
    crossing = {carry.name for carry in moved if names(carry.last.text) & (carried - {carry.name})}
    for carry in moved:
        if carry.name in crossing:
            yield Line(f"{carry.name}_next", carry.last.text)
    for carry in moved:
        yield Line(carry.name, f"{carry.name}_next" if carry.name in crossing else carry.last.text)


def _counting(one: For) -> Iterator[Code]:
    """The number of iterations, for a loop that does not count from 0 itself."""
    if counter(one) != one.variable:
        yield Line(count(one), f"len(range({', '.join(one.bounds)}))")


def _variable(one: For) -> list[Code]:
    if counter(one) == one.variable:
        return []
    return [Line(one.variable, f"{one.bounds[0]} + {counter(one)} * ({one.bounds[2]})")]


def _taken(kept: Kept) -> Iterator[Code]:
    """What is kept of arrays before a condition."""
    for cell in kept.cells:
        yield Line(cell.tape, _place(cell.array, cell.index))
    for whole in kept.wholes:
        yield _room(whole.tape, whole.size)
        copied = Line(f"{whole.tape}[place]", f"{whole.array}[place]", array=whole.tape)
        yield Loop("place", f"range({whole.size})", [copied])


def _restored(kept: Kept, n: str | None = None) -> Iterator[Code]:
    """Arrays as they were before iteration n, or before a condition."""
    for cell in reversed(kept.cells):
        yield Line(_place(cell.array, cell.index), cell.tape if n is None else f"{cell.tape}[{n}]", array=cell.array)
    for whole in kept.wholes:
        place = f"{whole.tape}[place]" if n is None else f"{whole.tape}[{n} * ({whole.size}) + place]"
        yield Loop("place", f"range({whole.size})", [Line(f"{whole.array}[place]", place, array=whole.array)])


# ---- backwards ----


class _Backward:
    """A block read backwards: derivatives of the result along its values, as names that end in _bar.

    `known` are names whose derivatives have a value already, to which more is added.
    """

    def __init__(self, plan: Plan, shapes: Mapping[str, tuple[int, ...]], known: set[str]) -> None:
        self.plan = plan
        self.shapes = shapes
        self.known = set(known)
        self.lines: list[Code] = []

    def add(self, operand: Operand, text: str) -> None:
        """Add to the derivative along an operand."""
        if operand.is_active and text != "0.0":
            self.lines.append(Line(f"{operand.text}_bar", text, is_sum=operand.text in self.known))
            self.known.add(operand.text)

    def start(self, active: Iterable[str]) -> None:
        """Let derivatives that have no value yet be 0, before blocks that may or may not add to them."""
        for name in sorted({*active} - self.known):
            self.lines.append(Line(f"{name}_bar", "0.0"))
            self.known.add(name)

    def block(self, block: Block) -> None:
        self.lines += [_room(f"{one.array}_bar", one.size) for one in block.statements if isinstance(one, Room)]
        for one in reversed(block.statements):
            if isinstance(one, For):
                self.loop(one)
            elif isinstance(one, If):
                self.fork(one)
            elif isinstance(one, Store):
                self.store(one)
            elif isinstance(one, Load) and one.is_active and one.name in self.known:
                array = _bar(one.array)
                self.lines.append(Line(self.place(one), f"{one.name}_bar", is_sum=True, array=array))
            elif isinstance(one, Let) and one.name in self.known:
                is_guarded = one.name in self.plan.chosen or (
                    one.name in self.plan.larger and one.operation in rules.STEEP
                )
                for operand, text in rules.slopes(one, f"{one.name}_bar", is_guarded=is_guarded):
                    self.add(operand, text)

    def place(self, one: Load) -> str:
        """Where the derivative along an element stands; that along a part of theta in a row, whatever its shape."""
        shape = self.shapes.get(one.array)
        if shape is None:
            return _place(_bar(one.array), one.index)
        indices = ast.parse(f"({one.index},)" if one.index else "()", mode="eval").body
        assert isinstance(indices, ast.Tuple)
        row = "0"
        for index, size in zip(map(ast.unparse, indices.elts), shape, strict=True):
            is_inside = self.plan.lengths.get(index) == str(size) or (index.isdigit() and int(index) < size)
            inner = index if is_inside else f"wrapped({index}, {size})"
            row = inner if row == "0" else f"({row}) * {size} + {inner}"
        return f"{_bar(one.array)}[{row}]"

    def store(self, one: Store) -> None:
        array = _bar(one.array)
        self.add(one.value, _place(array, one.index))
        if not one.is_sum:
            self.lines.append(Line(_place(array, one.index), "0.0", array=array))
        if id(one) in self.plan.undone:
            self.lines.append(Line(_place(one.array, one.index), self.plan.undone[id(one)], array=one.array))

    def fork(self, one: If) -> None:
        kept = self.plan.kept[id(one)]
        merges = [merge for merge in one.merges if merge.is_active and merge.name in self.known]
        ends = ([merge.then for merge in merges], [merge.otherwise for merge in merges])
        blocks = (one.then, one.otherwise)
        self.start(name for block, last in zip(blocks, ends, strict=True) for name in used_inside(block, last))
        ways = []
        for block, last in zip(blocks, ends, strict=True):
            inner = _Backward(self.plan, self.shapes, self.known)
            inner.lines += _restored(kept)
            inner.lines += _forward(block, self.plan, kept.unread)
            for merge, end in zip(merges, last, strict=True):
                inner.add(end, f"{merge.name}_bar")
            inner.block(block)
            inner.lines += _restored(kept)
            ways.append(inner.lines)
        self.lines.append(Fork(one.test, ways[0], ways[1]))

    def loop(self, one: For) -> None:
        kept, n = self.plan.kept[id(one)], counter(one)
        carries = [carry for carry in one.carries if carry.is_active]
        self.start({carry.name for carry in carries} | used_inside(one.body, [carry.last for carry in carries]))
        inner = _Backward(self.plan, self.shapes, self.known)
        inner.lines += _variable(one)
        if id(one) in self.plan.late:
            self.lines += [Line(carry.name, "0.0") for carry in one.carries]
        else:
            inner.lines += [Line(carry.name, f"{carry.name}_before[{n}]") for carry in one.carries]
        inner.lines += _restored(kept, n)
        inner.lines += _forward(one.body, self.plan, kept.unread, is_again=True)
        if id(one) in self.plan.late:
            inner.lines += _moves(one.carries)
        for carry in carries:
            inner.lines.append(Line(f"{carry.name}_end_bar", f"{carry.name}_bar"))
            inner.lines.append(Line(f"{carry.name}_bar", "0.0"))
        for carry in carries:
            inner.add(carry.last, f"{carry.name}_end_bar")
        inner.block(one.body)
        inner.lines += _restored(kept, n)
        self.lines.append(Loop(n, f"range({count(one)} - 1, -1, -1)", inner.lines))
        for carry in carries:
            self.add(carry.first, f"{carry.name}_bar")


def _room(array: str, size: str) -> Line:
    return Line(array, f"zeros({size}, like=x)")


def _place(array: str, index: str) -> str:
    return f"{array}[{index}]" if index else array


def _bar(array: str) -> str:
    """x_bar of x, theta_bar.mean of theta.mean."""
    owner, _, name = array.partition(".")
    return f"{owner}_bar.{name}" if name else f"{owner}_bar"
