"""check_optimiser: the rules of the library pass, and each slip in them is seen."""

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.testing import check_optimiser
from fastebm.training.optimisers import Optimiser


class NoCorrection(eb.Adam):
    """Adam without its corrections for the start at 0."""

    def step(self, theta, gradient, carried, step, n_steps):
        carried[0] = self.beta1 * carried[0] + (1.0 - self.beta1) * gradient
        carried[1] = self.beta2 * carried[1] + (1.0 - self.beta2) * gradient**2
        return theta - self.rate(step, n_steps) * carried[0] / (np.sqrt(carried[1]) + self.epsilon)


class LateCorrection(eb.Adam):
    """Corrections that count from 2."""

    def step(self, theta, gradient, carried, step, n_steps):
        moved = super().step(theta, gradient, carried, step + 1, n_steps)
        return theta + (moved - theta) * self.rate(step, n_steps) / self.rate(step + 1, n_steps)


class EpsilonInside(eb.Adam):
    def step(self, theta, gradient, carried, step, n_steps):
        super().step(theta, gradient, carried, step, n_steps)
        mean = carried[0] / (1.0 - self.beta1 ** (step + 1))
        square = carried[1] / (1.0 - self.beta2 ** (step + 1))
        return theta - self.rate(step, n_steps) * mean / np.sqrt(square + self.epsilon)


class Forgetful(eb.SGD):
    """Momentum that is never kept."""

    def step(self, theta, gradient, carried, step, n_steps):
        carried[0] = np.zeros_like(theta)
        return super().step(theta, gradient, carried, step, n_steps)


class Uphill(eb.SGD):
    def step(self, theta, gradient, carried, step, n_steps):
        return super().step(theta, -gradient, carried, step, n_steps)


class Broken(eb.SGD):
    def step(self, theta, gradient, carried, step, n_steps):
        return np.full_like(theta, np.nan)


class Other(Optimiser):
    def begin(self, n_params):
        return []

    def step(self, theta, gradient, carried, step, n_steps):
        return theta


@pytest.mark.parametrize("rule", [
    eb.Adam(1e-2), eb.Adam(0.3, 1e-4, beta1=0.8, beta2=0.95, epsilon=1e-3), eb.SGD(0.1), eb.SGD(1.0, 0.01, momentum=0.7)
], ids=repr)
def test_rules_of_the_library(rule):
    report = check_optimiser(rule)
    assert report.passed, str(report)
    assert check_optimiser(rule, rng=report.seed) == report


@pytest.mark.parametrize("rule", [
    NoCorrection(0.1), LateCorrection(0.1), EpsilonInside(0.1, epsilon=1e-6), Forgetful(0.1, momentum=0.5), Uphill(0.1),
    Broken(0.1),
], ids=lambda rule: type(rule).__name__)
def test_slips(rule):
    report = check_optimiser(rule)
    assert report.verdict == "failed"
    assert "where the algorithm is at" in report.faults[0]


def test_other_rules_are_not_judged():
    report = check_optimiser(Other(0.1))
    assert report.verdict == "not judged"
    assert "Other has no slow twin" in report.unjudged
    refused(lambda: check_optimiser(3), "optimiser", kind=TypeError)
