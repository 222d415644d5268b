"""Rules of descent against slow twins in plain floats, and the ends of their schedules."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import refused

from fastebm.training import SGD, Adam

rates = st.floats(1e-6, 10.0)
numbers = st.floats(-1e6, 1e6)
courses = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(numbers, min_size=n, max_size=n),
        st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=6),
    )
)


def descend(rule, theta, gradients):
    """Where the rule leads from theta with these gradients, step by step."""
    theta = np.array(theta)
    carried = rule.begin(len(theta))
    path = []
    for step, gradient in enumerate(gradients):
        theta = rule.step(theta, np.array(gradient), carried, step, len(gradients))
        path.append(theta)
    return np.array(path)


def schedule(first, last, step, n_steps):
    """Geometric from first to last."""
    share = step / (n_steps - 1) if n_steps > 1 else 0.0
    return math.exp((1.0 - share) * math.log(first) + share * math.log(last))


def sgd_twin(theta, gradients, first, last, momentum, sign=1.0):
    path, theta, v = [], list(theta), [0.0] * len(theta)
    for step, gradient in enumerate(gradients):
        rate = schedule(first, last, step, len(gradients))
        for i, g in enumerate(gradient):
            v[i] = momentum * v[i] - sign * rate * g
            theta[i] += v[i]
        path.append(list(theta))
    return np.array(path)


def adam_twin(theta, gradients, first, last, beta1, beta2, epsilon, late=1):
    """Kingma and Ba's algorithm 1; `late` is the number that the first step has in the corrections of the means."""
    path, theta = [], list(theta)
    m, v = [0.0] * len(theta), [0.0] * len(theta)
    for step, gradient in enumerate(gradients):
        rate = schedule(first, last, step, len(gradients))
        for i, g in enumerate(gradient):
            m[i] = beta1 * m[i] + (1.0 - beta1) * g
            v[i] = beta2 * v[i] + (1.0 - beta2) * g * g
            mean, square = m[i] / (1.0 - beta1 ** (step + late)), v[i] / (1.0 - beta2 ** (step + late))
            theta[i] -= rate * mean / (math.sqrt(square) + epsilon)
        path.append(list(theta))
    return np.array(path)


def same(path, twin):
    """Equal but for rounding, which sums of large numbers of both signs magnify."""
    return np.allclose(path, twin, rtol=1e-9, atol=1e-9 * (1.0 + np.abs(twin).max()))


class TestTwins:
    @given(courses, rates, rates, st.floats(0.0, 0.99))
    def test_sgd(self, course, first, last, momentum):
        assert same(descend(SGD(first, last, momentum=momentum), *course), sgd_twin(*course, first, last, momentum))

    @given(courses, rates, rates, st.floats(0.01, 0.99), st.floats(0.01, 0.9999), st.floats(1e-12, 1.0))
    def test_adam(self, course, first, last, beta1, beta2, epsilon):
        rule = Adam(first, last, beta1=beta1, beta2=beta2, epsilon=epsilon)
        assert same(descend(rule, *course), adam_twin(*course, first, last, beta1, beta2, epsilon))

    @given(courses, rates)
    def test_sgd_without_momentum_follows_the_negative_gradient(self, course, rate):
        theta, gradients = course
        path = descend(SGD(rate), theta, gradients)
        before = np.vstack([theta, path[:-1]])
        assert same(path - before, -rate * np.array(gradients))

    @pytest.mark.parametrize("mutant", [
        lambda *course: sgd_twin(*course, 0.1, 0.01, 0.5, sign=-1.0),
        lambda *course: sgd_twin(*course, 0.1, 0.01, 0.4),
        lambda *course: sgd_twin(*course, 0.1, 0.1, 0.5),
    ], ids=["sign", "momentum", "schedule"])
    def test_a_wrong_sgd_would_be_seen(self, mutant):
        course = ([1.0, 2.0], [[0.5, -1.0], [0.3, 2.0], [0.1, 0.1]])
        assert not same(descend(SGD(0.1, 0.01, momentum=0.5), *course), mutant(*course))

    @pytest.mark.parametrize("changes", [{"late": 2}, {"beta1": 0.999, "beta2": 0.9}, {"epsilon": 1e-2}, {"last": 0.1}],
                             ids=["bias correction", "betas", "epsilon", "schedule"])
    def test_a_wrong_adam_would_be_seen(self, changes):
        course = ([1.0, 2.0], [[0.5, -1.0], [0.3, 2.0], [0.1, 0.1]])
        right = {"first": 0.1, "last": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
        path = descend(Adam(0.1, 0.01), *course)
        assert same(path, adam_twin(*course, **right))
        assert not same(path, adam_twin(*course, **right | changes))

    @given(st.floats(1e-3, 1e3), st.booleans(), rates)
    def test_adams_first_step_is_the_rate_whatever_the_size_of_the_gradient(self, size, is_negative, rate):
        slope = -size if is_negative else size
        step = descend(Adam(rate, epsilon=1e-12), [0.0], [[slope]])[0, 0]
        assert step == pytest.approx(-math.copysign(rate, slope), rel=1e-6)


class TestSchedule:
    @given(rates, rates, st.integers(2, 10_000))
    def test_starts_and_ends_as_asked(self, first, last, n_steps):
        rule = SGD(first, last)
        assert rule.rate(0, n_steps) == first
        assert rule.rate(n_steps - 1, n_steps) == last

    @given(rates, rates, st.integers(3, 100))
    def test_each_step_has_the_same_ratio(self, first, last, n_steps):
        logs = np.log([Adam(first, last).rate(step, n_steps) for step in range(n_steps)])
        assert np.diff(logs) == pytest.approx(np.log(last / first) / (n_steps - 1), abs=1e-9)

    def test_one_step_has_the_first_rate(self):
        assert SGD(0.3, 0.1).rate(0, 1) == 0.3

    @given(rates, st.integers(1, 50))
    def test_without_a_final_rate_it_stays(self, rate, n_steps):
        assert [Adam(rate).rate(step, n_steps) for step in range(n_steps)] == pytest.approx([rate] * n_steps)


class TestArguments:
    @pytest.mark.parametrize("rule", [SGD, Adam])
    @pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf, "fast", None])
    def test_rates_are_above_zero(self, rule, rate):
        refused(lambda: rule(rate), "learning_rate", repr(rate))
        if rate is not None:
            refused(lambda: rule(0.1, rate), "final_rate", repr(rate))

    @pytest.mark.parametrize("momentum", [-0.1, 1.0, math.nan, True])
    def test_momentum(self, momentum):
        refused(lambda: SGD(momentum=momentum), "momentum")

    @pytest.mark.parametrize("changes", [{"beta1": 1.0}, {"beta1": 0.0}, {"beta2": math.nan}, {"epsilon": 0.0}])
    def test_adams_numbers(self, changes):
        refused(lambda: Adam(**changes), next(iter(changes)))

    @pytest.mark.parametrize("rule", [SGD(0.1, 0.01, momentum=0.5), Adam(0.2, beta1=0.8)])
    def test_repr_makes_the_rule_again(self, rule):
        assert vars(eval(repr(rule))) == vars(rule)
