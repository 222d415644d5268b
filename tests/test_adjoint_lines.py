"""What is left out of written lines: the names that are wanted keep their values, whatever the lines are."""

from hypothesis import given
from hypothesis import strategies as st

from fastebm.adjoint.lines import (
    Fork,
    Line,
    Loop,
    names,
    needed,
    set_in_one_loop,
    without_copies,
    without_empty_sums,
    written,
)

NAMES = ["a", "b", "c", "d", "e", "s_bar", "t_bar"]
EXPRESSIONS = ["0.0", "1.5", "{0}", "{0}", "-{0}", "{0} + {1}", "{0} * {1} + 0.5", "v[1] - {0}"]


@st.composite
def lines(draw, known, depth=0):
    """Lines that read only what has a value by then; `known` grows."""
    code = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["line"] * 6 + ["array", "loop", "fork"]))
        operands = [draw(st.sampled_from(sorted(known))) for _ in range(2)]
        text = draw(st.sampled_from(EXPRESSIONS)).format(*operands)
        if kind == "array":
            code.append(Line(f"v[{draw(st.integers(0, 2))}]", text, draw(st.booleans()), "v"))
        elif kind == "loop" and depth < 2:
            body = draw(lines(known | {f"i{depth}"}, depth + 1))
            code.append(Loop(f"i{depth}", f"range({draw(st.integers(0, 3))})", body))
        elif kind == "fork" and depth < 2:
            ways = [draw(lines(set(known), depth + 1)) for _ in range(2)]
            code.append(Fork(f"{operands[0]} > 0.3", *ways))
        else:
            target = draw(st.sampled_from(NAMES))
            code.append(Line(target, text, target in known and draw(st.booleans())))
            known.add(target)
    return code


def run(code):
    """The values after the lines have run."""
    scope = {"v": [0.25, -1.0, 2.0], "start": 0.75}
    exec("\n".join(["if True:", *written(code), "    pass"]), scope)
    return {name: scope.get(name) for name in [*NAMES, "v"]}


def as_text(code):
    return "\n".join(written(code))


@given(st.data())
def test_what_is_wanted_stays_as_it_is(data):
    known = {"start"}
    code = data.draw(lines(known))
    wanted = frozenset(data.draw(st.sets(st.sampled_from([*sorted(known - {"start"}), "v"]), min_size=1)))
    before = run(code)
    kept, _ = needed(code, wanted)
    assert {name: run(kept)[name] for name in wanted} == {name: before[name] for name in wanted}
    shorter = without_copies(kept, wanted)
    assert {name: run(shorter)[name] for name in wanted} == {name: before[name] for name in wanted}
    shortest = without_empty_sums(shorter)
    assert {name: run(shortest)[name] for name in wanted} == {name: before[name] for name in wanted}
    assert len(as_text(shortest)) <= len(as_text(code))


def test_idle_lines_are_left_out():
    code = [Line("a", "start"), Line("b", "2 * start"), Loop("i", "range(3)", [Line("c", "i * 1.0")]), Line("d", "a")]
    assert as_text(needed(code, frozenset({"d"}))[0]) == "    a = start\n    d = a"


def test_copies_give_way_to_what_they_are_copies_of():
    code = [Line("a", "start"), Line("b", "a * 2"), Line("c", "b"), Line("d", "c + theta.c")]
    assert as_text(without_copies(code, frozenset({"d"}))) == "    a = start\n    b = a * 2\n    d = b + theta.c"


def test_names_of_the_wanted_are_kept():
    code = [Line("b", "start * 2"), Line("c", "b")]
    assert as_text(without_copies(code, frozenset({"c"}))) == "    b = start * 2\n    c = b"


def test_sums_start_with_their_first_term():
    code = [Line("s_bar", "0.0"), Line("a", "start"), Line("s_bar", "a", True), Line("s_bar", "a", True)]
    assert as_text(without_empty_sums(code)) == "    a = start\n    s_bar = a\n    s_bar += a"


def test_a_sum_that_may_stay_empty_starts_at_zero():
    code = [Line("s_bar", "0.0"), Loop("i", "range(0)", [Line("s_bar", "1.5", True)])]
    assert as_text(without_empty_sums(code)) == as_text(code)


def test_only_a_loop_over_all_elements_that_alone_adds_to_them_sets_them():
    def of(range_of="range(3 - 1, -1, -1)", target="s_bar[i]", others=()):
        code = [Loop("i", range_of, [Line(target, "a", True, "s_bar")]), *others]
        is_set = set_in_one_loop(code, "s_bar", 3)
        assert code[0].body[0].is_sum != is_set
        return is_set

    assert of()
    assert not of(range_of="range(2 - 1, -1, -1)")
    assert not of(target="s_bar[i + 1]")
    assert not of(target="s_bar[j]")
    assert not of(others=[Line("s_bar[0]", "a", True, "s_bar")])
    inner = Loop("i", "range(3 - 1, -1, -1)", [Line("s_bar[i]", "a", True, "s_bar")])
    assert not set_in_one_loop([Fork("a > 0.0", [inner])], "s_bar", 3)
    assert not set_in_one_loop([Loop("k", "range(2)", [inner])], "s_bar", 3)
    assert not set_in_one_loop([], "s_bar", 3)


def test_names_of_an_expression():
    assert names("theta.mean[i, 2] * f(x) + y_1") == {"theta.mean", "i", "f", "x", "y_1"}
