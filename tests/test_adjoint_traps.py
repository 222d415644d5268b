"""Traps for a transformation that reads source: each is handled, with right numbers, or refused by its line."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_adjoints import differences, energy_and_grad

import fastebm as eb
from fastebm.adjoint.syntax import CannotReverse

TABLE = np.array([0.5, -1.5, 2.0])
NEXT = np.array([2, 0, 1])
points = st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3).map(np.array)


# ---- closures see names as they are when they are called ----


def late_binding(x):
    scale = 1.0

    def scaled(a):
        return a * scale

    total = 0.0
    for i in range(3):
        scale = scale + x[i]
        total += scaled(x[i])
    return total


def two_functions_deep(x):
    a = x[0]

    def outer(b):
        c = 2.0 * b

        def inner(d):
            return a * c * d

        return inner(x[1]) + c

    a = a * x[2]
    return outer(x[1])


def another_name_of_its_own(x):
    def doubled(a):
        total = 2.0 * a
        return total

    total = x[1]
    return doubled(x[0]) * total


# ---- what is read only where there is something to read ----


def next_in_a_branch(x):
    total = 0.0
    for i in range(3):
        if i + 1 < 3:
            total += TABLE[i + 1] * x[i] * x[i + 1] ** 2
    return total


def next_behind_and(x):
    total = 0.0
    for i in range(3):
        if i + 1 < 3 and TABLE[i + 1] > 0.0:
            total += x[i] ** 2
        if i + 1 == 3 or not TABLE[i + 1] > 0.0:
            total += x[i] ** 3
    return total


def next_in_a_loop_that_ends_before(x):
    total = 0.0
    for i in range(3):
        for j in range(i + 1, 3):
            total += TABLE[i + 1] * x[i + 1] * (x[i] - x[j]) ** 2
    return total


def beyond_the_end_of_a_while(x):
    n, total = 0, 0.0
    while n < 3 and TABLE[n] < 1.0:
        total += x[n] ** 2 * TABLE[n]
        n += 1
    if n < 3:
        total += TABLE[n] * x[0] * x[n]
    return total


def never_so_long(x):
    total = x[0]
    if len(x) > 3:
        total += x[3] * TABLE[3]
    for j in range(len(x) - 3):
        total += x[j + 3]
    return total


# ---- sums that are looked at on their way ----


def sums_of_sums(x):
    total, inner = 0.0, 0.0
    for i in range(3):
        inner += x[i] ** 2
        total += inner
    return total


def sums_of_sums_within(x):
    total, inner = 0.0, 0.0
    for i in range(3):
        for j in range(2):
            inner += x[i] ** 2 * x[j]
        total += inner
    return total


def the_sum_at_a_step(x):
    inner, total = x[0], 0.0
    for i in range(3):
        inner = inner + x[i] ** 2
        total += inner if i == 2 else 0.0
    return total


def left_as_it_is(x):
    inner, total = x[0], 0.0
    for i in range(3):
        inner = inner
        total += inner + x[i] ** 2
    return total


# ---- whole numbers ----


def all_powers(x):
    total = 0.0
    for k in range(4):
        total += (k + 1.0) * x[0] ** k + x[1] ** NEXT[k % 3]
    return total + x[2] ** 0.0 + x[2] ** 1.0


def whole_numbers_that_part(x):
    scale, n, top, total = 1, 0, -3, 0.0
    for i in range(3):
        for _ in range(2):
            total = total * scale + x[n % 3] * top
            n += 1
        scale = scale * 0.5
        top = max(top, TABLE[i])
    return total * scale


def whole_numbers_that_stay(x):
    k, n, total = 0, 7, 0.0
    for i in range(5):
        k = NEXT[k]
        n = (i - n // 2) % 3
        total = total * x[k] + x[n] * n
    return total


def never_raised(x):
    if TABLE[0] > 1.0:
        raise ValueError("not this table")
    return x[0] ** 2 + x[1] * x[2]


HANDLED = [
    late_binding, two_functions_deep, another_name_of_its_own, next_in_a_branch, next_behind_and,
    next_in_a_loop_that_ends_before, beyond_the_end_of_a_while, never_so_long, sums_of_sums, sums_of_sums_within,
    the_sum_at_a_step, left_as_it_is, all_powers, whole_numbers_that_part, whole_numbers_that_stay, never_raised,
]


def adjoint(function, x):
    """E and dE/dx."""
    with np.errstate(all="ignore"):  # of what `where` does not choose
        return energy_and_grad(function)(x)


@pytest.mark.parametrize("function", HANDLED, ids=lambda function: function.__name__)
@given(points)
@settings(max_examples=15)
def test_what_is_handled(function, x):
    energy, bar = adjoint(function, x)
    np.testing.assert_allclose(energy, function(x), rtol=1e-13, atol=1e-13)
    wanted = differences(function, x)
    np.testing.assert_allclose(bar, wanted, rtol=1e-7, atol=1e-7 * (1.0 + abs(wanted).max()))


def test_powers_have_their_slopes_at_zero():
    energy, bar = adjoint(all_powers, np.zeros(3))
    assert energy == 1.0 + 1.0 + 1.0
    assert bar.tolist() == [2.0, 1.0, 1.0]


@pytest.mark.parametrize("function", [
    whole_numbers_that_part, whole_numbers_that_stay, next_in_a_branch, beyond_the_end_of_a_while, all_powers,
], ids=lambda function: function.__name__)
def test_the_same_compiled(function):
    """On lanes, without a warning: with second derivatives, which have nothing to fall back to."""
    E = eb.energy(3)(function)
    X = np.vstack([np.zeros(3), np.random.default_rng(0).standard_normal((4, 3))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slopes, bent = E.grad(X), E.hessian(X)
    for x, slope, matrix in zip(X, slopes, bent, strict=True):
        np.testing.assert_allclose(slope, differences(function, x), rtol=1e-7, atol=1e-7)
        columns = [differences(lambda x, k=k: adjoint(function, x)[1][k], x) for k in range(3)]
        np.testing.assert_allclose(matrix, columns, rtol=1e-7, atol=1e-7)


# ---- refusals ----


def returns_in_a_loop_over_a_tuple(x):
    for a in (x[0], x[1]):
        return a * a
    return x[2]


def returns_either_way(x):
    for a in (x[0], x[1]):
        if TABLE[0] > 0.0:
            return a * a
        else:
            return a * 3.0
    return x[2]


def counts_from_one(x):
    total = 0.0
    for i, a in enumerate(x, start=1):
        total += i * a
    return total


def changing(parts, k, a):
    parts[k] = 2.0 * a
    return parts[k] ** 2


def changes_what_it_adds_to(x):
    parts = eb.zeros(3, like=x)
    parts[0] = x[0]
    parts[0] += changing(parts, 0, x[1])
    return parts[0]


def value_of_or(x):
    a = x[0] or 1.0
    return a * x[1]


@pytest.mark.parametrize(("function", "words"), [
    (returns_in_a_loop_over_a_tuple, "a return in a loop"), (returns_either_way, "a return in a loop"),
    (counts_from_one, "keyword"), (changes_what_it_adds_to, "read before"), (value_of_or, "a number of x"),
], ids=lambda part: getattr(part, "__name__", ""))
def test_what_is_refused(function, words):
    with pytest.raises(CannotReverse, match=words):
        energy_and_grad(function)


def test_what_is_refused_is_said_with_a_remedy():
    E = eb.energy(3)(returns_either_way)
    where = r"line \d+ .*, since its source cannot be read backwards \(a return in a loop\); write plain loops .*\.$"
    with pytest.raises(eb.EnergyCompileError, match=where):
        E.hvp(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"cannot be shown, .*\(a return in a loop\) at line \d+; write .*\.$"):
        E.show("grad")




MINE = np.zeros(3)


def changes_data(x):
    for i in range(3):
        MINE[i] = x[i] ** 2
    return MINE[0] * MINE[1]


def changes_theta(x, theta):
    if x[0] > 50.0:
        theta.w[0] = 3.0
    return theta.w[0] * x[0] ** 2


@pytest.mark.parametrize(("function", "theta"), [(changes_data, None), (changes_theta, {"w": [1.0]})])
def test_changes_of_data_or_parameters_are_refused_with_a_remedy(function, theta):
    words = r"line \d+ \((MINE\[i\]|theta\.w\[0\]) = .*\): data or parameters are changed, .*eb\.zeros.*\.$"
    with pytest.raises(eb.EnergyCompileError, match=words):
        eb.energy(3, theta)(function).grad(np.ones(3))
