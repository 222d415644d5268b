"""Sums that only the result needs are made on the way back; where anything else needs them, they are not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastebm.adjoint.functions import adjoint_of


def plain(x):
    total = 0.0
    for i in range(len(x)):
        total += math.sin(x[i])
    return total


def onwards(x):
    total = 1.5
    for i in range(len(x)):
        total += math.sin(x[i])
    for i in range(len(x)):
        total -= x[i] ** 2
    return 2.0 * total + x[0]


def nested(x):
    total = 0.0
    for i in range(len(x)):
        for j in range(i):
            total += math.cos(x[i] - x[j])
        total += x[i]
    return total


def several(x):
    total, square = 0.0, 0.0
    for i in range(len(x)):
        total = math.exp(-x[i]) + total
        square += x[i] ** 2
        total += 1.0
    return total - 3.0 * square


def looked_at(x):
    total = 0.0
    for i in range(len(x)):
        total += math.sin(x[i]) * total + x[i]
    return total


def bent(x):
    total = 1.0
    for i in range(len(x)):
        total += x[i] ** 2
    return math.log(total)


def kept(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] ** 2
    weighted = 0.0
    for i in range(len(x)):
        weighted += total * x[i]
    return total + math.exp(-weighted)


def chosen(x):
    total = 0.0
    for i in range(len(x)):
        if i % 2 == 0:
            total += x[i] ** 3
        else:
            total -= math.cos(x[i])
    return total


def doubled(x):
    total, other = 0.0, 0.0
    for i in range(len(x)):
        other += total
        total += x[i] ** 2
    return other


SLOPES = {
    plain: lambda x: np.cos(x),
    onwards: lambda x: 2.0 * np.cos(x) - 4.0 * x + np.eye(len(x))[0],
    nested: lambda x: 1.0 - np.sin(x[:, None] - x[None, :]).sum(axis=1),
    several: lambda x: -np.exp(-x) - 6.0 * x,
    bent: lambda x: 2.0 * x / (1.0 + (x**2).sum()),
    chosen: lambda x: np.where(np.arange(len(x)) % 2 == 0, 3.0 * x**2, np.sin(x)),
    doubled: lambda x: 2.0 * x * (len(x) - 1.0 - np.arange(len(x))),
    kept: lambda x: 2.0 * x - math.exp(-(x**2).sum() * x.sum()) * (2.0 * x * x.sum() + (x**2).sum()),
    looked_at: lambda x: np.array([
        (1.0 + math.cos(x[i]) * _before(x, i)) * math.prod(1.0 + math.sin(one) for one in x[i + 1 :])
        for i in range(len(x))
    ]),
}
LOOPS_ONCE = {plain: 1, onwards: 2, several: 1, nested: 3}  # loops in the text: none runs forwards and backwards


def _before(x, i):
    total = 0.0
    for one in x[:i]:
        total += math.sin(one) * total + one
    return total


@pytest.mark.parametrize("function", SLOPES)
@given(st.data())
def test_result_and_slopes(function, data):
    x = np.array(data.draw(st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=5)))
    x_bar = np.zeros(len(x))
    adjoint = adjoint_of(function, "x", len(x), None, {}, {})
    assert adjoint.function(x, None, None, x_bar, 2.0) == pytest.approx(function(x), rel=1e-13, abs=1e-13)
    np.testing.assert_allclose(x_bar, 2.0 * SLOPES[function](x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("function", LOOPS_ONCE)
def test_terms_are_computed_once(function):
    assert adjoint_of(function, "x", 3, None, {}, {}).text.count("for ") == LOOPS_ONCE[function]


@pytest.mark.parametrize("function", [looked_at, bent])
def test_sums_that_a_slope_depends_on_are_there_before(function):
    text = adjoint_of(function, "x", 3, None, {}, {}).text
    assert text.index("for ") < text.index("energy =") < text.rindex("for ")
