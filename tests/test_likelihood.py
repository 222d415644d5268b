"""The exact gradient of the likelihood: against differences of the likelihood itself, and at a known maximum."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.exact import quadrature
from fastebm.training import likelihood

GRADIENT = eb.MaximumLikelihood().gradient


@eb.energy(dim=1, theta={"stiffness": 1.3, "tilt": [0.2, -0.1]}, domain=[(-1.0, math.inf)])
def walled(x, theta):
    return theta.stiffness * x[0] ** 4 + theta.tilt[0] * x[0] + theta.tilt[1] * math.sin(3.0 * x[0])


ENERGIES = {
    "double well": eb.DoubleWell(1, barrier=1.5, location=1.3, tilt=0.4),
    "mixture": eb.GaussianMixture([[-1.0, 0.5], [1.5, 0.0]], [[[1.0, 0.3], [0.3, 0.5]], np.eye(2)], [0.7, 0.6]),
    "perceptron": eb.MLP(1, (2,), center=0.3, scale=1.4, rng=2),
    "walls": walled,
    "tempered product": 0.7 * (eb.DoubleWell(2, tilt=-0.3) + eb.Gaussian([0.5, -0.2], [2.0, 0.8])),
}


def mean_log_likelihood(energy, theta, data):
    moved = energy.with_theta(theta)
    return -moved.energy(data).mean() - eb.log_partition(moved, rtol=1e-9).value


def differences(energy, data, step=5e-3):
    """Fourth-order central differences of minus the mean log-likelihood in each parameter."""
    slopes = np.empty(energy.n_params)
    for k in range(energy.n_params):
        move = step * np.eye(energy.n_params)[k]
        at = {n: -mean_log_likelihood(energy, energy.theta + n * move, data) for n in (-2, -1, 1, 2)}
        slopes[k] = (8.0 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12.0 * step)
    return slopes


def agrees(gradient, slopes):
    return np.allclose(gradient, slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ENERGIES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=1)
def test_gradient_is_the_slope_of_the_exact_likelihood(name, seed):
    rng = np.random.default_rng(seed)
    energy = ENERGIES[name]
    energy = energy.with_theta(energy.theta + 0.1 * rng.standard_normal(energy.n_params))
    data = np.abs(rng.normal(0.3, 1.0, (5, energy.dim)))
    gradient = GRADIENT(energy, data)
    slopes = differences(energy, data)
    assert agrees(gradient, slopes)
    assert not agrees(-gradient, slopes)
    assert not agrees(energy.mean_grad_theta(data), slopes)  # the model's side left out


@given(seed=st.integers(0, 2**32), dim=st.integers(1, 2))
@settings(max_examples=10)
def test_it_vanishes_where_a_gaussian_has_the_moments_of_the_data(seed, dim):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((dim + 5, dim)) @ rng.standard_normal((dim, dim)) + rng.normal(0.0, 3.0, dim)
    best = eb.Gaussian(data.mean(axis=0), np.atleast_2d(np.cov(data.T, bias=True)))
    spread = np.abs(best.grad_theta(data)).mean()
    allowed = 1e-7 * spread
    assert np.abs(GRADIENT(best, data)).max() < allowed
    factor = np.atleast_2d(best.unpack()["precision_factor"])
    elsewhere = best.with_theta(mean=data.mean(axis=0) + np.linalg.solve(factor.T, np.ones(dim)))  # |L^T move|**2 = dim
    assert np.abs(GRADIENT(elsewhere, data)).max() > allowed


class TestNodes:
    def test_old_nodes_give_the_gradient_of_new_ones(self):
        energy, data = ENERGIES["mixture"], np.array([[0.3, -0.2], [1.0, 1.0]])
        estimator = eb.MaximumLikelihood().begin(energy, data, 0, 1)
        for step in range(5):
            moved = energy.with_theta(energy.theta + 0.01 * step)
            assert estimator.gradient(moved, data) == pytest.approx(GRADIENT(moved, data), abs=1e-7)

    def test_they_are_searched_anew_from_time_to_time(self, monkeypatch):
        laid = []
        grid = quadrature.grid
        monkeypatch.setattr(quadrature, "grid", lambda *given, **named: laid.append(1) or grid(*given, **named))
        monkeypatch.setattr(likelihood, "_OLDEST", 3)
        energy, data = eb.DoubleWell(), np.array([[0.3]])
        estimator = eb.MaximumLikelihood().begin(energy, data, 0, 1)
        for _ in range(8):
            estimator.gradient(energy, data)
        assert len(laid) == 2

    def test_notes(self):
        energy, data = eb.Gaussian([0.5], 4.0), np.array([[2.5], [0.5]])
        estimator = eb.MaximumLikelihood().begin(energy, data, 0, 1)
        estimator.gradient(energy, data)
        assert estimator.energy_gap == pytest.approx(0.25 - 0.5)  # the energy has mean 1/2 and variance 1/2
        assert estimator.energy_spread == pytest.approx(math.sqrt(0.5))
        assert math.isnan(estimator.acceptance_rate)
        assert estimator.particles is None


class TestRefusals:
    def test_high_dimension(self):
        refused(lambda: GRADIENT(eb.Gaussian(np.zeros(4)), np.zeros((2, 4))), "dim=4", "PersistentCD")

    def test_no_finite_integral(self):
        plane = eb.energy(1, {"slope": 0.0})(lambda x, theta: theta.slope * x[0])
        refused(lambda: GRADIENT(plane, [[0.0]]), "finite", kind=eb.NotNormalisableError)
