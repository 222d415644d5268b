"""Anomaly scores are energies, and the threshold keeps its promise for every n and every rate, exactly."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import refused

import fastebm as eb

LINE = eb.Gaussian([0.0])  # E(x) = x**2 / 2 grows with |x|
shares = st.integers(2, 400).flatmap(lambda below: st.integers(1, below - 1).map(lambda above: Fraction(above, below)))
rates = st.one_of(st.sampled_from([Fraction(5, 100), Fraction(1, 100), Fraction(1, 10), Fraction(1, 3)]), shares)


def alarms(threshold_of, scores, rate):
    """How many of exchangeable points exceed the threshold that the others give, each held out once."""
    points = np.sqrt(2.0 * np.asarray(scores, float))[:, None]
    total = 0
    for i in range(len(points)):
        threshold = threshold_of(np.delete(points, i, axis=0), rate)
        total += LINE.energy(points[i]) > threshold
    return total


def conformal(points, rate):
    return eb.anomaly_threshold(LINE, points, float(rate))


def quantile(points, rate):
    return float(np.quantile(LINE.energy(points), 1.0 - float(rate)))


def one_rank_lower(points, rate):
    n = len(points)
    place = math.ceil((n + 1) * (1 - rate)) - 1
    return np.sort(LINE.energy(points))[place - 1] if 1 <= place <= n else math.inf


class TestScore:
    @given(st.lists(st.floats(-1e100, 1e100), max_size=5))
    def test_it_is_the_energy(self, x):
        X = np.array(x).reshape(-1, 1)
        assert np.array_equal(eb.anomaly_score(LINE, X), LINE.energy(X))

    def test_a_single_point_and_odd_ones(self):
        walled = eb.energy(1, domain=[(0.0, 1.0)])(lambda x: 3.0 * x[0])
        assert eb.anomaly_score(walled, [0.5]) == 1.5
        scores = eb.anomaly_score(walled, [[2.0], [-1.0], [math.nan]])
        assert scores[:2].tolist() == [math.inf, math.inf]
        assert not scores[2] < math.inf

    def test_wrong_arguments(self):
        refused(lambda: eb.anomaly_score(LINE, np.zeros((2, 3))), "X", "(2, 3)", "dim=1")
        fit = eb.fit(LINE, [[1.0], [2.0]], n_steps=1)
        message = refused(lambda: eb.anomaly_score(fit, [[1.0]]), "of type Fit", kind=TypeError)
        assert "fit.energy" in message


class TestThreshold:
    @given(n=st.integers(2, 60), rate=rates, seed=st.integers(0, 2**32))
    def test_the_law_of_ranks(self, n, rate, seed):
        """Of n exchangeable points each is as likely the new one: exactly floor(rate n) of n give a false alarm."""
        scores = 1.0 + np.random.default_rng(seed).permutation(n)
        assert alarms(conformal, scores, rate) == math.floor(rate * n)

    @given(scores=st.lists(st.integers(0, 5), min_size=2, max_size=30), rate=rates)
    def test_ties_give_fewer_alarms_never_more(self, scores, rate):
        assert alarms(conformal, scores, rate) <= math.floor(rate * len(scores))

    @pytest.mark.parametrize("wrong", [quantile, one_rank_lower])
    def test_a_wrong_rank_would_be_seen(self, wrong):
        rate, scores = Fraction(1, 10), 1.0 + np.arange(20)
        assert alarms(conformal, scores, rate) == 2
        assert alarms(wrong, scores, rate) > 2

    @given(n=st.integers(1, 400), rate=rates)
    def test_too_few_points_give_no_threshold(self, n, rate):
        threshold = conformal(1.0 + np.arange(n)[:, None], rate)
        assert (threshold == math.inf) == (n < 1 / rate - 1)

    def test_points_without_a_finite_energy_are_the_last(self):
        hole = eb.energy(1)(lambda x: eb.where(x[0] > 5.0, math.inf, x[0]))
        assert eb.anomaly_threshold(hole, [[1.0], [2.0], [9.0]], 0.5) == 2.0
        assert eb.anomaly_threshold(hole, [[1.0], [9.0], [9.0]], 0.3) == math.inf

    def test_order_does_not_matter(self):
        points = np.random.default_rng(0).normal(size=(99, 1))
        assert eb.anomaly_threshold(LINE, points) == eb.anomaly_threshold(LINE, points[::-1])
        assert eb.anomaly_threshold(LINE, points) == np.sort(LINE.energy(points))[94]

    @pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.nan, "5 %"])
    def test_rates(self, rate):
        refused(lambda: eb.anomaly_threshold(LINE, [[1.0]], rate), "false_alarm_rate", repr(rate))

    def test_bad_points(self):
        refused(lambda: eb.anomaly_threshold(LINE, [[math.nan]]), "X[0, 0]", "nan")
        refused(lambda: eb.anomaly_threshold(LINE, np.zeros((0, 1))), "X", "no rows")
        half = eb.energy(1)(lambda x: math.log(x[0]))
        refused(lambda: eb.anomaly_threshold(half, [[1.0], [-2.0]]), "nan at X[1]", "-2.0")
        refused(lambda: eb.anomaly_threshold("model", [[1.0]]), "energy", "str", kind=TypeError)
