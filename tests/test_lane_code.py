"""Programs on lanes against the same source run as plain Python, point by point: values, branches, refusals.

An operator or function is exact to the 2 units in the last place of `lanes.maths`, and products and sums may fuse; how
far that can move a result is computed along with it (`rounding`).
"""

import math
import re
import warnings

import mpmath
import numpy as np
import pytest
from energy_laws import same
from hypothesis import example, given, settings
from hypothesis import strategies as st
from messages import refused
from rounding import bounds, disagreements
from written_energies import precise

import fastebm as eb
from fastebm.energies import lane_code
from fastebm.lanes import maths
from fastebm.lanes.maths import exponentials
from fastebm.lanes.primitives import UNARY
from fastebm.tiles import LANES

TABLE = np.arange(9.0).reshape(3, 3) - 2.5
COUNTS = np.array([2, 0, 1])
LEVEL, COUNT = np.array(0.7), np.array(3)
MATRIX = np.array([[1.0, 0.4, -0.3], [0.2, 2.0, 0.6], [0.0, -1.0, 3.0]])
THETA = {"k": 1.7, "b": np.array([0.3, -1.2, 0.8]), "W": MATRIX}
HOSTILE = [math.nan, math.inf, -math.inf, 1e308, -1e308, 1e-320, -0.0, 0.0, 1.0, -1.0, 0.5, 3e5, 1e17]


class Parts:
    """Theta for plain Python."""

    def __init__(self, values):
        vars(self).update(values)


def square(a):
    return a * a


def shifted(a, by=1.0, times=2.0):
    return times * (a + by)


def double_loop(x, theta):
    total = 0
    for i in range(len(x)):
        for j in range(i + 1):
            total += theta.W[i, j] * (x[i] - theta.b[j]) * x[j] / (1.0 + abs(x[i]))
    return total


def reversed_loop(x, theta):
    total = 1.0
    for i in range(len(x) - 1, -1, -2):
        total = total * 0.5 + x[i] - x[-i - 1]
    return total


def branches_on_numbers(x, theta):
    total = 0.0
    for i in range(3):
        if i % 2 == 0 and COUNTS[i] > 0:
            total += x[i] * COUNTS[i]
        elif TABLE[i, 0] > 0.0 or theta.k < 0.0:
            total -= x[i]
        else:
            continue
        if total is None:
            break
    return total


def temporaries(x, theta):
    sums = eb.zeros(len(x) + 1, like=x)
    for i in range(len(x)):
        sums[i + 1] = sums[i] + x[i]
    sums[0] += 2.0
    sums[-1] *= 0.5
    total = 0.0
    for one in sums:
        total += one
    return total


def iteration(x, theta):
    total = 0.0
    for i, v in enumerate(x):
        total += (i + 1) * v
    for v, b in zip(x, theta.b):  # noqa: B905 (Numba has no strict)
        total += b * v
    return total


def accumulated_by_choice(x, theta):
    total = 0.0
    for i in range(len(x)):
        total = np.where(x[i] > theta.b[i], total + x[i], total)
        total = eb.where(total > 3.0, 3.0, total)
    return total


def countdown(x, theta):
    n, total = 3, 0.0
    while n > 0:
        n -= 1
        total += x[n] * n
    return total


def swapped(x, theta):
    a, b = x[0], x[1]
    a, b = b, a + 1.0
    (c, d), e = (a * 2.0, b), x[2]
    return c - d + e


def logistic_map(x, theta):
    state = eb.sigmoid(x[0])
    for _ in range(4):
        state = 2.5 * state * (1.0 - state)
    return state + x[1] - x[2]


PROGRAMS = {
    "arithmetic": lambda x, theta: 2 * x[0] - x[1] / 3 + (x[2] - 1) * x[0] * theta.k,
    "whole powers": lambda x, theta: x[0] ** 2 + x[1] ** 3 - x[2] ** -2 + x[0] ** 0 + x[1] ** 9,
    "real powers": lambda x, theta: abs(x[0]) ** 0.5 + abs(x[1]) ** theta.k + (1.5 + x[2] ** 2) ** x[0] + 2.0 ** x[1],
    "remainders": lambda x, theta: x[0] % 1.5 + x[1] // 0.7 - (-x[2]) % 2.0,
    "signs": lambda x, theta: -x[0] + +x[1] - abs(-x[2]),
    "a constant": lambda x, theta: 0.0,
    "a whole number": lambda x, theta: 3,
    "a parameter": lambda x, theta: theta.W[-1, 2] + theta.b[-3] * len(theta.b),
    "one mask": lambda x, theta: x[0] > theta.k,
    "masks": lambda x, theta: (x[0] > 0) * x[1] + (x[0] <= 0.0) * 3 + ((x[1] != x[2]) & ~(x[0] < x[1])) * 1.0,
    "or": lambda x, theta: ((x[0] > 1.0) | (x[1] > 1.0) | (theta.k > 9.0)) * 2.0 + (True ^ (x[0] > 0.0)),
    "extremes": lambda x, theta: max(0.0, x[0]) + min(x[1], x[2], 0.5) + np.maximum(x[0], x[1]) - np.minimum(1, x[2]),
    "choice": lambda x, theta: np.where(x[0] > 0, x[0], -x[1]) + eb.where((x[1] > 0) & (x[2] > 0), 1, x[2] ** 2),
    "choice by a number": lambda x, theta: eb.where(theta.k > 0.0, x[0], 7.0) + np.where(len(x) == 3, 1.0, x[1]),
    "helpers": lambda x, theta: square(x[0]) + square(theta.k) + shifted(x[1]) + shifted(x[2], 0.5, times=theta.k),
    "data": lambda x, theta: TABLE[1, 2] * x[0] + TABLE[-1, COUNTS[0] - 1] * x[1] + COUNTS[2] * x[2],
    "parts of tuples": lambda x, theta: (x[0], x[1])[0] * (1.0, 2.0)[1],
    "conversions": lambda x, theta: float(x[0]) + float(2) * x[1] + bool(1) * x[2],
    "sizes": lambda x, theta: x[0] * len(x) + x.size * x[1] - x.shape[0] * x[2] + theta.W.shape[1],
    "NumPy's names of operators": lambda x, theta: (
        np.add(x[0], 1) - np.multiply(x[1], theta.k) + np.subtract(2.0, x[2]) + np.divide(x[0], 3.0) + np.negative(x[1])
        + np.less(x[0], 0.3) * x[1] + np.greater_equal(x[0], 0.3) * x[2] + np.logical_not(np.equal(x[0], x[1]))
    ),
    "a number in an array": lambda x, theta: LEVEL * x[0] - COUNT * x[1],
    "a lambda": lambda x, theta: (lambda a: a + 1.0)(x[0]) * x[1],
    "double loop": double_loop, "reversed loop": reversed_loop, "branches on numbers": branches_on_numbers,
    "temporaries": temporaries, "iteration": iteration, "accumulated by choice": accumulated_by_choice,
    "countdown": countdown, "swapped": swapped, "logistic map": logistic_map,
}
points = st.lists(
    st.tuples(*[st.floats(-8.0, 8.0) | st.sampled_from([0.0, -0.0, 1.0, 0.5])] * 3), min_size=1, max_size=2 * LANES + 3
)


def energy_of(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        E = eb.energy(3, THETA)(function)
        E.energy(np.zeros((1, 3)))
    return E


def plainly(function, X):
    """The function itself at each row; nan where its numbers are out of range."""
    values = []
    with np.errstate(all="ignore"):
        for x in X:
            try:
                values.append(float(function(x, Parts(THETA))))
            except (ArithmeticError, ValueError):
                values.append(math.nan)
    return np.array(values)


def differs(function, X):
    """Rows of X where the energy on lanes is not what rounding makes of the plain function, and where that is known."""
    wanted, allowed = bounds(function, X, Parts(THETA))
    is_known = np.isfinite(allowed)
    assert same(wanted[is_known], plainly(function, X)[is_known])
    return disagreements(energy_of(function).energy(X), wanted, allowed), is_known


@pytest.mark.parametrize("name", PROGRAMS)
@given(points)
@settings(max_examples=20)
def test_a_program_on_lanes_is_the_program(name, X):
    wrong, _ = differs(PROGRAMS[name], np.array(X))
    assert not len(wrong), np.array(X)[wrong]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_bounds_are_bounds_and_not_wide(name):
    """Exact arithmetic is within them where mpmath can follow, and they leave nearly all digits."""
    X = np.random.default_rng(8).uniform(-2.0, 2.0, (30, 3))
    wanted, allowed = bounds(PROGRAMS[name], X, Parts(THETA))
    assert np.mean(allowed <= 3e-14 * (1.0 + np.abs(wanted))) > 0.9
    if name in ("arithmetic", "whole powers", "double loop", "reversed loop", "iteration", "swapped", "countdown"):
        with mpmath.workprec(300):
            exact = [PROGRAMS[name](precise(x), Parts(THETA)) for x in X]
            assert all(abs(one - value) <= bound / 2 for one, value, bound in zip(exact, wanted, allowed, strict=True))


SUMS = "x[0]", "x[1]", "x[2]", "theta.k", "theta.b[1]", "2.0", "3", "TABLE[0, 1]"
expressions = st.recursive(
    st.sampled_from(SUMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda a: f"np.tanh({a})"), inner.map(lambda a: f"math.atan({a})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"eb.where({t[0]} > 0.5, {t[1]}, {t[2]})"),
        inner.map(lambda a: f"square(math.sin({a}))"),
    ),
    max_leaves=8,
)


@given(expressions, st.integers(0, 2**64 - 1))
@settings(max_examples=12)
def test_any_expression(text, seed):
    """At random points; where comparisons may go either way, since both sides are as good as equal, all is allowed."""
    function = eval(f"lambda x, theta: {text}", {"math": math, "np": np, "eb": eb, "TABLE": TABLE, "square": square})
    X = np.random.default_rng(seed).uniform(-2.0, 2.0, (LANES + 1, 3))
    wrong, _ = differs(function, X)
    assert not len(wrong), X[wrong]


@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_numbers_take_the_way_of_plain_ones(name):
    """nan, infinities, huge and tiny numbers."""
    X = np.array([[a, b, c] for a in HOSTILE for b in HOSTILE[:7] for c in (0.25, math.nan, -math.inf)])
    wrong, is_known = differs(PROGRAMS[name], X)
    assert not len(wrong), X[wrong]
    assert is_known.mean() > 0.1


def test_a_wrong_formula_would_be_seen(monkeypatch):
    """The table's tanh a little off, as a mutant."""
    function = eval("lambda x, theta: math.tanh(x[0]) - 1e-3 * x[1]", {"math": math})
    X = np.random.default_rng(0).standard_normal((20, 3))
    wanted, allowed = bounds(function, X, Parts(THETA))
    assert not len(disagreements(energy_of(function).energy(X), wanted, allowed))
    assert UNARY["tanh"].formula is maths.tanh
    first, second, *others = exponentials._TANH
    monkeypatch.setattr(exponentials, "_TANH", (first, second * (1.0 + 1e-9), *others))
    E = eb.energy(3, THETA)(function)
    E.program.energy.key = None  # a mutant leaves nothing on disk
    assert len(disagreements(E.energy(X), wanted, allowed))


@given(st.integers(1, 3 * LANES + 1))
@example(1)
@example(LANES)
def test_any_number_of_points(n):
    E, X = energy_of(double_loop), np.random.default_rng(n).standard_normal((n, 3))
    assert same(E.energy(X), [E.energy(x) for x in X])


def with_return(x):
    if x[0] > 0.3:
        return x[0] ** 2
    return -x[1]


def with_while(x):
    a, n = abs(x[0]) + 0.1, 0
    while a < 2.0:
        a *= 1.7
        n += 1
    return n + a


def with_range(x):
    total = 0.0
    for i in range(int(abs(x[0])) + 1):
        total += i + x[1]
    return total


def with_print(x):
    print(x[0])
    return x[0]


def with_array(x):
    squares = np.zeros(3)
    for i in range(3):
        squares[i] = x[i] ** 2
    return squares[0] - squares[2]


BRANCHING = {
    "if": (with_return, "if x[0] > 0.3:"),
    "ternary": (lambda x: x[0] ** 2 if x[1] > 0.0 else x[2], "x[1] > 0.0"),
    "chained comparison": (lambda x: 1.0 * (0.0 < x[0] < 1.0) + x[1], "0.0 < x[0] < 1.0"),
    "and": (lambda x: 1.0 * (x[0] > 0.0 and x[1] > 0.0) + x[2], "x[0] > 0.0 and"),
    "or": (lambda x: 2.0 * (x[0] > 0.0 or x[1] > 0.0) + x[2], "x[0] > 0.0 or"),
    "not": (lambda x: 1.0 * (not x[0] > 0.0), "not x[0]"),
    "int": (lambda x: int(x[0]) + x[1], "int(x[0])"),
    "round": (lambda x: round(x[0]) + x[1], "round(x[0])"),
    "index": (lambda x: TABLE[1, int(abs(x[0])) % 3] * x[1], "TABLE[1"),
    "while": (with_while, "while a < 2.0:"),
    "range": (with_range, "range(int(abs(x[0])) + 1)"),
    "in": (lambda x: 1.0 * (x[0] in (0.5, 1.0)) + x[1], ""),
    "print": (with_print, "print(x[0])"),
    "a function of single numbers": (lambda x: math.gamma(1.5 + x[0] ** 2) + np.cbrt(x[1]), "math.gamma"),
    "an attribute of single numbers": (lambda x: x[0].real + x[1], "x[0].real"),
    "a conversion": (lambda x: np.float32(1.0) * np.float64(x[0]), "np.float64(x[0])"),
    "an array of single numbers": (with_array, "squares[i] = x[i] ** 2"),
    "the smallest": (lambda x: min(x) + x[0], "min(x)"),
}


@pytest.mark.parametrize("name", BRANCHING)
def test_what_hangs_on_one_chain_is_right_and_said_once(name):
    function, text = BRANCHING[name]
    X = np.random.default_rng(5).uniform(-2.0, 2.0, (40, 3))
    E = eb.energy(3)(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            np.testing.assert_allclose(E.energy(X), [float(function(x)) for x in X], rtol=1e-14)
    (warning,) = caught
    assert warning.category is eb.FastebmWarning
    assert warning.filename == __file__, "it must point at the user's line"
    message = str(warning.message)
    assert "chain by chain" in message
    assert "eb.where" in message
    assert text in message
    assert re.search(rf"{re.escape(__file__)}, line \d+", message)


def test_an_assertion_about_x():
    """Typed in, since pytest rewrites the assertions of its own files."""
    scope = {}
    exec("def bounded(x):\n    assert x[0] < 9.0\n    return x[0] + float(x[1] > 0.0)", scope)
    E = eb.energy(2)(scope["bounded"])
    with pytest.warns(eb.FastebmWarning, match=r"<string>, line 2 a condition needs the value of one chain"):
        assert E.energy([[1.0, 2.0], [1.0, -2.0]]).tolist() == [2.0, 1.0]
    with pytest.raises(AssertionError):
        E.energy([9.5, 0.0])


def with_try(x):
    try:
        return x[0]
    except ZeroDivisionError:
        return 0.0


def with_slice(x):
    return x[1:][0]


@pytest.mark.parametrize(("function", "words"), [
    (lambda x: np.sum(TABLE @ x), ["'matmul' takes x as a whole"]),
    (with_slice, ["no slices", "x[1:][0]"]),
    (lambda x: np.sum(x**2), ["'pow' takes x as a whole"]),
    (lambda x: (x + 1.0)[0], ["'add' takes x as a whole"]),
    (lambda x: sum(v * v for v in x), ["yield"]),
    (lambda x: x.sum(), ["'sum' takes x as a whole"]),
    (lambda x: math.fsum([x[0], x[1]]), ["math.fsum is not known in compiled code"]),
    (lambda x: 1.0 * any([x[0] > 0.0, x[1] > 0.0]), ["'any' is not known in compiled code"]),
    (with_try, ["ZeroDivisionError"]),
])
def test_what_is_not_scalar_code_is_refused_with_a_loop_as_the_remedy(function, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(eb.EnergyCompileError) as caught:
            eb.energy(3)(function).energy(np.zeros((1, 3)))
    message = str(caught.value)
    assert all(word in message for word in [*words, f"{__file__}, line ", "; write plain scalar code: loops over x[i]"])
    assert "\n" not in message


def hides(x):
    return x[0] if hasattr(x[0], "real") else 100.0


def prints(x):
    return x[0] + len(str(x[0]))


class TestWordsOfAnotherMeaning:
    """What Numba compiles, but not as Python means it, shows at the points where the plain function was tried out."""

    def test_many_chains_at_a_time(self):
        X = np.random.default_rng(0).standard_normal((5, 3))
        E = eb.energy(3)(hides)
        with pytest.warns(eb.FastebmWarning, match="another meaning for many chains"):
            assert same(E.energy(X), X[:, 0])

    def test_compiled_code_of_any_kind(self):
        message = refused(lambda: eb.energy(3)(prints).energy([1.0, 2.0, 3.0]), "other numbers than as plain Python",
                          "strings", kind=eb.EnergyCompileError)
        assert f"{__file__}, line {prints.__code__.co_firstlineno}" in message

    def test_rounding_that_a_function_magnifies_is_no_other_meaning(self):
        """An orbit of the logistic map forgets its start after 60 steps, whatever computes it."""
        def chaotic(x):
            state = eb.sigmoid(x[0])
            for _ in range(200):
                state = 3.99 * state * (1.0 - state)
            return state

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert 0.0 <= eb.energy(1)(chaotic).energy([0.3]) <= 1.0


@pytest.mark.parametrize(("function", "words"), [
    (lambda x: None, ["nothing"]), (lambda x: (x[0], x[1]), ["one number"]), (lambda x: x, ["one number"]),
    (lambda: 0.0, ["TypeError", "argument"]), (lambda x, theta, more: 0.0, ["TypeError", "more"]),
    (lambda x: x[3], ["IndexError"]), (lambda x: x[0] + undefined, ["NameError", "undefined"]),  # noqa: F821
    (lambda x: 1j * x[0], ["one number"]), (lambda x: "high", ["one number"]),
])
def test_mistakes_are_told_when_the_energy_is_defined(function, words):
    refused(lambda: eb.energy(3)(function), *words, __file__, kind=eb.EnergyCompileError)


class TestIndexOutOfRange:
    """Found where only other points or parameters lead to it: never a number from elsewhere in memory."""

    def test_of_lanes_gives_nan(self):
        """Samplers report an energy that is nan with its x."""
        E = eb.energy(1, {"n": 1.0})(lambda x, theta: x[0] + eb.zeros(1, like=x)[int(theta.n) - 1])
        assert E.energy([2.0]) == 2.0
        assert math.isnan(E.with_theta(n=5.0).energy([2.0]))

    @pytest.mark.parametrize("n", [3.0, -4.0, 1e9])
    def test_of_parameters_and_data_is_told(self, n):
        for read in (lambda x, theta: theta.b[int(theta.n)] * x[0], lambda x, theta: COUNTS[int(theta.n)] * x[0]):
            E = eb.energy(1, {"n": 1.0, "b": np.ones(3)})(read)
            assert E.energy([2.0]) in (2.0, 0.0)
            wrong = E.with_theta(n=n)
            calls = [
                lambda wrong=wrong: wrong.energy([2.0]), lambda wrong=wrong: wrong.grad([2.0]),
                lambda wrong=wrong: eb.sample(wrong, n_draws=2, init=[0.0], rng=0, progress=False),
            ]
            if "b" in read.__code__.co_names:  # else the slope along theta is 0 whatever is read
                calls += [
                    lambda wrong=wrong: wrong.mean_grad_theta([[2.0]]), lambda wrong=wrong: wrong.grad_theta([2.0]),
                ]
            for call in calls:
                message = refused(call, "beyond its end", __file__, kind=IndexError)
                assert f"line {read.__code__.co_firstlineno} " in message

    @pytest.mark.filterwarnings("ignore:.*chain by chain")
    def test_of_an_index_made_from_x_is_told(self):
        E = eb.energy(1)(lambda x: TABLE[0, int(abs(x[0]))])
        assert E.energy([1.0]) == TABLE[0, 1]
        refused(lambda: E.energy([7.0]), "beyond its end", __file__, kind=IndexError)


def test_the_loop_over_lanes_is_the_whole_tile():
    called = []
    lane_code.tile_energy_of(lambda x, parts: called.append(x), lambda packed: packed, 2)
    assert not called, "nothing runs before it is compiled"
