"""What loops keep for the way back: dear values of short loops, once computed; nothing of long ones."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastebm as eb
from fastebm.adjoint.functions import adjoint_of
from fastebm.adjoint.plans import _LONGEST_TAPE

CENTRES = np.array([-1.5, 0.2, 0.9, 2.5])
X = np.array([[0.5, 0.7, 1.5], [-0.3, 1.1, 0.2]])


def mixture(x):
    total = 0.0
    for k in range(len(CENTRES)):
        total += math.exp(-0.5 * (x[0] - CENTRES[k]) ** 2)
    return -math.log(total)


def backwards(x):
    """A loop that does not count from 0 by ones keeps nothing."""
    total = 0.0
    for k in range(len(CENTRES) - 1, 0, -2):
        total += math.exp(x[0] * CENTRES[k])
    return total**2


def nested(x):
    total = 0.0
    for k in range(len(CENTRES)):
        inner = 0.0
        for j in range(k):
            inner += math.exp(x[0] * CENTRES[j])
        total += math.tan(inner)
    return total**2


def chosen(x):
    total = 0.0
    for k in range(len(CENTRES)):
        if CENTRES[k] > 0.0:
            total += math.exp(x[0] * CENTRES[k])
        else:
            total += math.cos(x[0]) * CENTRES[k]
    return total**2


SLOPES = {
    mixture: lambda x: np.average(x - CENTRES, weights=np.exp(-0.5 * (x - CENTRES) ** 2)),
    backwards: lambda x: 2.0 * np.exp(x * CENTRES[[3, 1]]).sum() * (CENTRES * np.exp(x * CENTRES))[[3, 1]].sum(),
    nested: lambda x: 2.0 * sum(math.tan(_inner(x, k)[0]) for k in range(4))
    * sum(_inner(x, k)[1] / math.cos(_inner(x, k)[0]) ** 2 for k in range(4)),
    chosen: lambda x: 2.0 * (np.exp(x * CENTRES[1:]).sum() + math.cos(x) * CENTRES[0])
    * ((CENTRES * np.exp(x * CENTRES))[1:].sum() - math.sin(x) * CENTRES[0]),
}


def _inner(x, k):
    terms = np.exp(x * CENTRES[:k])
    return terms.sum(), (CENTRES[:k] * terms).sum()


def adjoint(function, data=CENTRES):
    return adjoint_of(function, "x", 1, None, {"CENTRES": data}, {})


@pytest.mark.parametrize("function", SLOPES)
@given(x=st.floats(-1.5, 1.5))
def test_slopes(function, x):
    bar = np.zeros(1)
    adjoint(function).function(np.array([x]), None, SimpleNamespace(CENTRES=CENTRES), bar, 1.0)
    assert bar[0] == pytest.approx(SLOPES[function](x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("function", "word"), [(mixture, "exp("), (nested, "tan(")])
def test_what_is_dear_is_computed_once(function, word):
    text = adjoint(function).text
    assert text.count(f" {word}") == 1
    assert text.count("_tape = zeros(4, like=x)") == 1
    assert "_tape" not in adjoint(backwards).text


def of_length(n):
    def powers(x):
        total = 0.0
        for k in range(n):
            total += math.exp(-x[0] * k)
        return math.log(total)

    return adjoint_of(powers, "x", 1, None, {}, {})


@pytest.mark.parametrize("excess", [0, 1])
def test_long_loops_keep_nothing(excess):
    n = _LONGEST_TAPE + excess
    made, bar, terms = of_length(n), np.zeros(1), np.exp(-0.1 * np.arange(n))
    made.function(np.array([0.1]), None, None, bar, 1.0)
    assert bar[0] == pytest.approx(-(np.arange(n) * terms).sum() / terms.sum(), rel=1e-12)
    assert made.text.count("exp(") == 1 + excess


def test_what_is_computed_in_one_pass_keeps_nothing():
    def once(x):
        total = 0.0
        for i in range(len(x)):
            total += math.exp(x[i])
        return total

    assert "_tape" not in adjoint_of(once, "x", 3, None, {}, {}).text


class TestCarried:
    """What a loop carries and no derivative is taken along: on lanes too it may differ from chain to chain, or not."""

    def test_a_number_of_x_along_theta(self):
        @eb.energy(3, {"a": 0.7})
        def power(x, theta):
            p, total = 1, 0.0
            for i in range(3):
                if i == 3:
                    continue
                p *= x[i]
                total += p * (p - theta.a) ** 2
            return total

        p = np.cumprod(X, axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = power.grad_theta(X)
        np.testing.assert_allclose(got[:, 0], (-2.0 * p * (p - 0.7)).sum(axis=1), rtol=1e-12)

    def test_a_number_of_data_that_a_condition_asks_for(self):
        @eb.energy(3, {"a": 0.7})
        def switched(x, theta):
            level, total = 0.0, 0.0
            for i in range(3):
                level += CENTRES[i]
                if level > -1.4:
                    total += theta.a * x[i] * total + x[i]
            return total

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = switched.grad_theta(X), switched.grad(X)
        np.testing.assert_allclose(got[0][:, 0], X[:, 1] * X[:, 2], rtol=1e-12)  # levels are -1.5, -1.3, -0.4
        assert got[1].shape == X.shape
