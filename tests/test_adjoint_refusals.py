"""What the transformation refuses, by its line, and what becomes of such energies."""

import inspect
import math
import warnings

import numpy as np
import pytest
from plain_adjoints import energy_and_grad

import fastebm as eb
from fastebm.adjoint.syntax import CannotReverse

TABLE = np.array([0.5, -1.5, 2.0])


def shaped(a, sharpness=2.0, *, offset=0.5):
    return math.tanh(sharpness * a) + offset


def scaled(a):
    return 0.25 * a


def recursive(x, n=3):
    return x[0] if n == 0 else x[1] * recursive(x, n - 1)


def with_break(x):
    total = 0.0
    for i in range(3):
        if i == 2:
            break
        total += x[i] ** 2
    return total


def while_on_x(x):
    y = x[0]
    while y < 3.0:
        y = y + 1.0 + x[1] ** 2
    return y


def with_try(x):
    try:
        return x[0] ** 2
    except ValueError:
        return 0.0


def index_of_x(x):
    return x[int(x[0])] + TABLE[int(x[1])]


def returns_in_a_loop(x):
    for i in range(3):
        if TABLE[i] > 1.0:
            return x[i] ** 2
    return x[0]


def with_slice(x):
    return x[1:][0] ** 2


def with_comprehension(x):
    return sum([a * a for a in x])


def undefined_on_a_way(x):
    if TABLE[0] > 0.0:
        y = x[0]
    return y


def with_stars(x):
    parts = (x[0], x[1])
    return scaled(*parts)


def keyword_only(x):
    return shaped(x[0], offset=0.1)


REFUSED = {
    recursive: "calls itself", with_break: "break", with_try: "try", returns_in_a_loop: "return",
    with_slice: "slice", with_comprehension: "comprehension", undefined_on_a_way: "'y'", with_stars: "*",
    keyword_only: "arguments of any number",
}


@pytest.mark.parametrize("function", REFUSED, ids=lambda function: function.__name__)
def test_what_is_refused_names_its_line(function):
    with pytest.raises(CannotReverse) as caught:
        energy_and_grad(function)
    assert REFUSED[function] in caught.value.what
    lines, first = inspect.getsourcelines(function)
    if function is not keyword_only:  # whose line is that of the helper
        assert first <= caught.value.line < first + len(lines)


def test_a_loop_with_break_runs_on_duals_with_one_warning():
    E = eb.energy(3)(with_break)
    X = np.array([[0.5, -1.0, 2.0], [0.1, 0.2, 0.3]])
    with pytest.warns(eb.FastebmWarning, match=r"grad of with_break .*refusals.py, line \d+ .*break.*;.*\.") as told:
        assert (E.grad(X) == 2.0 * X * [1.0, 1.0, 0.0]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (E.grad(X) == 2.0 * X * [1.0, 1.0, 0.0]).all()
    assert len(told) == 1


def test_a_loop_that_ends_by_a_value_of_x_is_right_or_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        E = eb.energy(3)(while_on_x)
        assert E.grad([0.5, 0.5, 1.0]).tolist() == [1.0, 2 * 2 * 0.5, 0.0]


@pytest.mark.parametrize("function", [with_break, recursive, returns_in_a_loop], ids=lambda function: function.__name__)
def test_second_derivatives_of_what_is_refused_raise_in_one_sentence(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        E = eb.energy(3)(function)
        with pytest.raises(eb.EnergyCompileError) as caught:
            E.hvp(np.ones(3), np.ones(3))
    message = str(caught.value)
    assert "hvp" in message
    assert "line" in message
    assert "\n" not in message
    assert message.endswith(".")


def test_data_and_arguments_that_change_are_refused_at_definition():
    def changes_x(x):
        x[0] = 2.0
        return x[0]

    with pytest.raises(eb.EnergyCompileError, match="changes the numbers in its arguments"):
        eb.energy(3)(changes_x)
    mine = np.array([1.0, 2.0])

    def changes_data(x):
        mine[0] = 5.0
        return x[0] * mine[0]

    with pytest.raises(CannotReverse, match="changes"):
        energy_and_grad(changes_data)
