"""What every objective promises: one gradient from a seed, for any class of user."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.training import Objective
from fastebm.training.objective import Estimator

OBJECTIVES = [eb.MaximumLikelihood(), eb.ContrastiveDivergence(3), eb.PersistentCD(2, 50)]
DATA = np.random.default_rng(1).normal(0.5, 1.2, (40, 1))


class MeanEnergy(Estimator):
    def gradient(self, energy, batch):
        self.energy_gap = float(energy.energy(batch).mean())
        return energy.mean_grad_theta(batch)


class LowEnergy(Objective):
    """An objective that a user writes: the mean energy of the data, whatever the model's side."""

    def begin(self, energy, data, seed, n_threads):
        return MeanEnergy()


class TestGradient:
    @pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
    @given(seed=st.integers(0, 2**70))
    @settings(max_examples=5)
    def test_same_seed_same_bits(self, objective, seed):
        energy = eb.DoubleWell()
        first, again = (objective.gradient(energy, DATA, rng=seed) for _ in range(2))
        assert first.shape == (energy.n_params,)
        assert first.tobytes() == again.tobytes()

    @pytest.mark.parametrize("objective", OBJECTIVES[1:], ids=repr)
    def test_other_seeds_other_chains(self, objective):
        first, other = (objective.gradient(eb.DoubleWell(), DATA, rng=seed) for seed in (1, 2))
        assert not np.array_equal(first, other)

    def test_a_generator_moves_on(self):
        rng = np.random.default_rng(3)
        first, other = (OBJECTIVES[1].gradient(eb.DoubleWell(), DATA, rng=rng) for _ in range(2))
        assert not np.array_equal(first, other)

    def test_energy_and_batch_stay_as_they_are(self):
        energy, batch = eb.DoubleWell(), DATA.copy()
        theta = energy.theta.copy()
        for objective in OBJECTIVES:
            objective.gradient(energy, batch, rng=0)
        assert np.array_equal(batch, DATA)
        assert np.array_equal(energy.theta, theta)

    @pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
    def test_bad_batches(self, objective):
        energy = eb.DoubleWell()
        refused(lambda: objective.gradient(energy, [[1.0], [math.nan]]), "batch[1, 0]", "nan")
        refused(lambda: objective.gradient(energy, np.ones((3, 2))), "batch", "(3, 2)", "dim=1")
        refused(lambda: objective.gradient(energy, np.ones((0, 1))), "batch")
        refused(lambda: objective.gradient(energy, [["a"]]), "batch", "dtype", kind=TypeError)
        refused(lambda: objective.gradient(energy, DATA, rng=-1), "rng", "-1")

    def test_a_fit_is_not_an_energy(self):
        fit = eb.fit(eb.Gaussian([0.0]), DATA, eb.MaximumLikelihood(), n_steps=1)
        message = refused(lambda: eb.MaximumLikelihood().gradient(fit, DATA), "energy", "Fit", kind=TypeError)
        assert "fit.energy" in message


def test_an_objective_of_the_users_own_is_followed():
    energy = eb.energy(1, {"k": 1.0})(quadratic)
    fit = eb.fit(energy, DATA, LowEnergy(), optimizer=eb.SGD(0.1), n_steps=7, batch_size=len(DATA), rng=0)
    slope = 0.5 * float(np.mean(DATA**2))
    assert fit.energy.unpack()["k"] == pytest.approx(1.0 - 7 * 0.1 * slope, rel=1e-12)
    assert fit.particles is None
    assert fit.history["energy_gap"][0] == pytest.approx(slope)


def quadratic(x, theta):
    return 0.5 * theta.k * x[0] ** 2
