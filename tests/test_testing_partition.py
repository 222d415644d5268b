"""check_log_partition: right estimators pass, at their stated error rate; wrong values, errors and weights are seen."""

import itertools
import math

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.testing import check_log_partition

WELL = eb.DoubleWell(1, barrier=1.7, tilt=0.3)
NORMAL = eb.Gaussian([0.5], [[1.7]])
LOG_Z = eb.log_partition(NORMAL).value


def importance(energy, seed, n=200, shift=0.0, claim=1.0):
    """Importance sampling from a normal law of standard deviation 2: the mean weight is Z without bias."""
    x = 2.0 * np.random.default_rng(seed).standard_normal(n)
    weights = np.exp(0.5 * (x / 2.0) ** 2 + math.log(2.0 * math.sqrt(2.0 * math.pi)) - energy.energy(x[:, None]))
    mean = weights.mean()
    return math.log(mean) + shift, claim * weights.std(ddof=1) / math.sqrt(n) / mean


BETAS = np.linspace(0.0, 1.0, 4)


def annealed(energy, seed, n=400, wrong=""):
    """Annealed importance sampling (R. M. Neal 2001, doi:10.1023/A:1008923215028) from a normal law of s.d. 3."""
    generator = np.random.default_rng(seed)
    x = 3.0 * generator.standard_normal((n, 1))

    def prior(x):
        return 0.5 * (x[:, 0] / 3.0) ** 2

    log_w = np.full(n, math.log(3.0 * math.sqrt(2.0 * math.pi)))
    for before, beta in itertools.pairwise(BETAS):
        if not (wrong == "last increment" and beta == 1.0):
            log_w -= (beta - before) * (energy.energy(x) - prior(x))
        at = before if wrong == "index" else beta
        y = x + generator.standard_normal(x.shape)
        gain = (1.0 - at) * (prior(x) - prior(y)) + at * (energy.energy(x) - energy.energy(y))
        x = np.where((-generator.standard_exponential(n) < gain)[:, None], y, x)
        if wrong == "after":
            log_w -= (beta - before) * (energy.energy(x) - prior(x))
    weights = np.exp(log_w)
    return math.log(weights.mean()), weights.std(ddof=1) / math.sqrt(n) / weights.mean()


class TestRight:
    @pytest.mark.parametrize("E", [WELL, NORMAL, eb.Ring()], ids=lambda E: E.name)
    def test_quadrature(self, E):
        report = check_log_partition(lambda energy, seed: eb.log_partition(energy, method="quadrature"), E, n_runs=20)
        assert report.passed, str(report)

    def test_importance_sampling(self):
        report = check_log_partition(importance, WELL, is_unbiased=True)
        assert report.passed, str(report)
        assert {tier.name for tier in report.ran} == {"coverage", "weights"}

    def test_annealed_importance_sampling(self):
        report = check_log_partition(annealed, WELL, is_unbiased=True)
        assert report.passed, str(report)


class TestWrong:
    @pytest.mark.parametrize(("estimate", "words"), [
        (lambda E, seed: eb.log_partition(E, bounds=[(-2.0, 1.0)]), "from the exact"),  # the tails dropped from Z
        (lambda E, seed: (LOG_Z + 1e-3, 1e-4), "from the exact"),
        (lambda E, seed: (0.0, 1e-6), "from the exact"),  # without the normalising constant
        (lambda E, seed: importance(E, seed, shift=0.5), "have to"),
        (lambda E, seed: importance(E, seed, claim=0.1), "claim larger errors"),
        (lambda E, seed: (math.nan, 0.1), "finite value"),
        (lambda E, seed: (1.0, -0.1), "finite error of at least 0"),
        (lambda E, seed: (1.0, None), "finite error"),
        (lambda E, seed: (math.inf, 0.1), "finite value"),
    ])
    def test_values_and_errors(self, estimate, words):
        report = check_log_partition(estimate, NORMAL)
        assert report.verdict == "failed"
        assert words in report.faults[0], report.faults

    @pytest.mark.parametrize("wrong", ["last increment", "index", "after"])
    def test_weights_of_annealing(self, wrong):
        def estimate(energy, seed):
            value, error = annealed(energy, seed, wrong=wrong)
            return value, 100.0 * error  # so that coverage says nothing

        report = check_log_partition(estimate, WELL, is_unbiased=True)
        assert any("the weights are biased" in fault for fault in report.faults), str(report)

    def test_a_random_one_that_ignores_its_seed(self):
        report = check_log_partition(lambda E, seed: importance(E, 3), WELL, is_unbiased=True)
        assert "use the seed" in report.faults[0]


def test_weights_of_which_a_few_outweigh_all_others_are_not_judged():
    def estimate(energy, seed):
        return LOG_Z + 8.0 * np.random.default_rng(seed).standard_normal(), 20.0

    report = check_log_partition(estimate, NORMAL, is_unbiased=True)
    assert report.verdict == "not judged"
    assert report.skipped == {"weights": report.unjudged}
    assert "outweigh" in report.unjudged


def test_what_cannot_be_judged():
    E = eb.energy(4)(lambda x: x[0] ** 4 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2)
    report = check_log_partition(lambda energy, seed: (0.0, 1.0), E)
    assert report.verdict == "not judged"
    assert "exact log Z is not to be had" in report.unjudged
    refused(lambda: check_log_partition(importance, 3), "energy", kind=TypeError)
    refused(lambda: check_log_partition(importance, WELL, n_runs=5), "n_runs")
    refused(lambda: check_log_partition(importance, WELL, alpha=2.0), "alpha")
