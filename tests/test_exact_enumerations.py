"""Sums over all states against plain sums, transfer matrices and differences."""

import itertools
import math

import numpy as np
import pytest
from means import ALPHA, fresh_seed
from messages import refused
from scipy import stats

import fastebm as eb
from fastebm.exact import enumeration, enumerations, exact_draws


def ring(n, coupling=0.6, field=0.2):
    @eb.energy(n, {"coupling": coupling, "field": field}, values=(-1, 1))
    def ising(x, theta):
        total = 0.0
        for i in range(len(x)):
            total -= theta.field * x[i] + theta.coupling * x[i] * x[i - 1]
        return total

    return ising


def ring_log_z(n, coupling=0.6, field=0.2):
    """By the transfer matrix of R. J. Baxter (1982), Exactly Solved Models in Statistical Mechanics, section 2.1."""
    spins = np.array([-1.0, 1.0])
    step = np.exp(coupling * np.outer(spins, spins) + 0.5 * field * (spins + spins[:, None]))
    return math.log((np.linalg.eigvalsh(step) ** n).sum())


@eb.energy(3, {"pull": 0.8, "heights": [0.1, -0.4, 0.9]}, values=3)
def potts(x, theta):
    total = 0.0
    for i in range(3):
        total -= theta.pull * (x[i] == x[i - 1])
        for k in range(3):
            total += eb.where(x[i] == k, theta.heights[k] * (i + 1), 0.0)
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 10, 18])
def test_log_z_of_rings_of_spins(n):
    z = eb.log_partition(ring(n))
    assert z.method == "enumeration"
    assert z.n_evaluations == 2**n
    assert abs(z.value - ring_log_z(n)) <= z.error
    assert z.error < 1e-11


def test_states_and_probabilities_of_categories():
    found = enumeration(potts)
    states = [*itertools.product(range(3), repeat=3)]
    np.testing.assert_array_equal(found.states, states)
    masses = np.exp([-potts.energy(np.array(x, dtype=float)) for x in states])
    np.testing.assert_allclose(found.probabilities, masses / masses.sum(), rtol=1e-13)
    assert found.log_partition == pytest.approx(math.log(masses.sum()), abs=found.error)
    assert eb.log_partition(potts, method="enumeration").value == found.log_partition
    energies = -np.log(masses)
    mean = masses @ energies / masses.sum()
    assert found.mean_energy == pytest.approx(mean)
    assert found.energy_spread == pytest.approx(math.sqrt(masses @ (energies - mean) ** 2 / masses.sum()))


def test_huge_energies_do_not_overflow():
    E = eb.energy(2, values=2)(lambda x: -1e5 - 3e4 * x[0] * x[1])
    assert eb.log_partition(E).value == pytest.approx(1.3e5)
    assert enumeration(E).probabilities.tolist() == [0.0, 0.0, 0.0, 1.0]


def test_impossible_states_count_for_nothing():
    E = eb.energy(2, {"a": 0.5}, values=2)(lambda x, theta: eb.where(x[0] + x[1] > 1.5, math.inf, theta.a * x[0]))
    assert enumeration(E).probabilities[3] == 0.0
    assert eb.log_partition(E).value == pytest.approx(math.log(2.0 + math.exp(-0.5)))
    np.testing.assert_allclose(eb.log_partition_grad(E), [-math.exp(-0.5) / (2.0 + math.exp(-0.5))])
    assert np.isposinf(-eb.log_likelihood(E, [1.0, 1.0]))


@pytest.mark.parametrize("E", [ring(17), potts, 0.7 * potts, eb.mixture([ring(3), ring(3, -0.2, 0.5)], [0.3, 2.0])],
                         ids=["in parts", "categories", "tempered", "mixture"])
def test_gradients_of_log_z_are_its_differences(E):
    step = 1e-4
    for k, slope in enumerate(eb.log_partition_grad(E)):
        move = step * (np.arange(E.n_params) == k)
        above, below = (eb.log_partition(E.with_theta(E.theta + sign * move)).value for sign in (1.0, -1.0))
        assert slope == pytest.approx((above - below) / (2.0 * step), abs=1e-6)


def test_log_likelihoods_sum_to_one():
    found = enumeration(potts)
    assert np.exp(eb.log_likelihood(potts, found.states)).sum() == pytest.approx(1.0)
    assert eb.log_likelihood(potts, [0.5, 0.0, 0.0]) == -math.inf


@pytest.mark.parametrize("E", [potts, ring(6)], ids=["categories", "spins"])
def test_draws_have_the_law_and_those_of_another_do_not(E):
    found = enumeration(E)
    numbers = {tuple(x): k for k, x in enumerate(found.states)}

    def fits(draws):
        counts = np.bincount([numbers[tuple(x)] for x in draws], minlength=found.n_states)
        return stats.chisquare(counts, found.probabilities * len(draws)).pvalue > ALPHA

    assert fits(exact_draws(E, 100_000, fresh_seed()))
    assert not fits(exact_draws(0.9 * E, 100_000, fresh_seed()))
    np.testing.assert_array_equal(exact_draws(E, 5, 3), exact_draws(E, 5, 3))


class TestMaximumLikelihood:
    def test_the_gradient_is_that_of_the_likelihood(self):
        data = exact_draws(potts, 50, 1)
        step = 1e-4
        gradient = eb.MaximumLikelihood().gradient(potts, data)
        for k, slope in enumerate(gradient):
            move = step * (np.arange(potts.n_params) == k)
            above, below = (
                -eb.log_likelihood(potts.with_theta(potts.theta + sign * move), data).mean() for sign in (1.0, -1.0)
            )
            assert slope == pytest.approx((above - below) / (2.0 * step), abs=1e-6)

    def test_training_finds_the_moments_of_the_data(self):
        """The likelihood is largest where the means of the statistics are those of the data."""
        data = exact_draws(ring(6, 0.5, -0.3), 400, 2)
        fit = eb.fit(
            ring(6, 0.0, 0.1), data, eb.MaximumLikelihood(), optimizer=eb.Adam(5e-2), n_steps=400, batch_size=400,
            validation=data, rng=0,
        )
        np.testing.assert_allclose(-eb.log_partition_grad(fit.energy), fit.energy.mean_grad_theta(data), atol=1e-3)
        scores = fit.history["log_likelihood"]
        assert scores[-1] == pytest.approx(eb.log_likelihood(fit.energy, data).mean())
        assert scores[-1] > scores[0]
        assert fit.particles is None


class TestRefusals:
    def test_too_many_states(self):
        refused(lambda: eb.log_partition(ring(23)), "2**23 states", "4,194,304")
        refused(lambda: exact_draws(ring(23), 1, 0), "2**23 states")
        assert enumerations.n_states(ring(23)) == 2**23

    def test_continuous_energies(self):
        refused(lambda: enumeration(eb.Gaussian([0.0])), "continuous")
        refused(lambda: eb.log_partition(eb.Gaussian([0.0]), method="enumeration"), "continuous")

    def test_energies_that_are_none(self):
        bad = eb.energy(1, {"a": -1.0}, values=2)(lambda x, theta: x[0] * math.log(theta.a))
        refused(lambda: enumeration(bad), "nan at x=[0.0]")
        bad = eb.energy(1, {"a": 0.0}, values=2)(lambda x, theta: eb.where(x[0] > 0.5, math.log(theta.a), 0.0))
        refused(lambda: enumeration(bad), "-inf at x=[1.0]", kind=eb.NotNormalisableError)
        refused(lambda: enumeration(eb.energy(1, values=2)(lambda x: math.inf)), "Z is 0", kind=eb.NotNormalisableError)
