"""The mixture against SciPy's densities, against its own source in exact arithmetic, and by duals."""

import math

import numpy as np
import pytest
import scipy
from energy_laws import agrees_with_its_source, holds_what_every_energy_promises
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from written_energies import mixture, written

import fastebm as eb

seeds = st.integers(0, 2**64 - 1)
SHAPES = [(1, 1), (3, 2), (8, 2), (2, 5)]  # components and coordinates; every pair of them is compiled anew


def draw(seed, n, dim):
    """Means, covariances and weights of n components, and points about them."""
    generator = np.random.default_rng(seed)
    A = generator.standard_normal((n, dim, dim))
    covs = A @ A.transpose(0, 2, 1) + 0.3 * np.eye(dim)
    means = 3.0 * generator.standard_normal((n, dim))
    weights = generator.uniform(0.1, 2.0, n)
    return means, covs, weights, means[generator.integers(0, n, 5)] + generator.standard_normal((5, dim))


@given(seeds, st.sampled_from([(1, 3), *SHAPES]))
def test_densities(seed, shape):
    n, dim = shape
    means, covs, weights, X = draw(seed, n, dim)
    E = eb.GaussianMixture(means, covs, weights)
    density = sum(
        w * scipy.stats.multivariate_normal(m, c).pdf(X) for m, c, w in zip(means, covs, weights, strict=True)
    )
    np.testing.assert_allclose(E.energy(X), -np.log(density), rtol=1e-9, atol=1e-9)
    assert E.closed_log_partition() == pytest.approx(math.log(weights.sum()), rel=1e-12, abs=1e-14)


@given(seeds)
def test_one_component_is_a_gaussian(seed):
    means, covs, _, X = draw(seed, 1, 3)
    one, gaussian = eb.GaussianMixture(means, covs, [1.0]), eb.Gaussian(means[0], covs[0])
    np.testing.assert_allclose(one.energy(X), gaussian.energy(X) + gaussian.closed_log_partition(), rtol=1e-10)
    np.testing.assert_allclose(one.grad(X), gaussian.grad(X), rtol=1e-9, atol=1e-12)
    assert eb.GaussianMixture(means).energy(X) == pytest.approx(eb.GaussianMixture(means, 1.0, [1.0]).energy(X))


@given(seeds, st.sampled_from([(1, 1), (1, 3), (3, 2)]))
@settings(max_examples=15)
def test_every_slope(seed, shape):
    n, dim = shape
    means, covs, weights, X = draw(seed, n, dim)
    agrees_with_its_source(eb.GaussianMixture(means, covs, weights), mixture, X[:2])


@given(seeds)
@settings(max_examples=20)
def test_every_slope_by_duals(seed):
    means, covs, weights, X = draw(seed, 3, 2)
    E = eb.GaussianMixture(means, covs, weights)
    user = USERS.with_theta(E.theta)
    for face in ("energy", "grad", "grad_theta"):
        wanted = getattr(E, face)(X)
        np.testing.assert_allclose(getattr(user, face)(X), wanted, rtol=1e-10, atol=1e-11 * (1 + np.abs(wanted).max()))


USERS = written(mixture, eb.GaussianMixture(np.arange(6.0).reshape(3, 2)))


@pytest.mark.parametrize(("n", "dim"), SHAPES)
def test_what_every_energy_promises(n, dim, monkeypatch):
    means, covs, weights, _ = draw(n, n, dim)
    holds_what_every_energy_promises(eb.GaussianMixture(means, covs, weights), monkeypatch)


def test_far_out_the_nearest_component_stays():
    """Where every density underflows, the energy and its slope still do not."""
    E = eb.GaussianMixture([[-2.0], [2.0]], 1.0)
    assert E.energy([1e4]) == pytest.approx(0.5 * (1e4 - 2.0) ** 2 + math.log(2.0) + 0.5 * math.log(2.0 * math.pi))
    assert E.grad([1e4]) == pytest.approx([1e4 - 2.0])
    assert E.energy([1e200]) == math.inf
    assert math.isnan(E.energy([math.nan]))


@pytest.mark.parametrize(("arguments", "words"), [
    (([0.0, 1.0],), ["means has shape (2,)", "(n_components, dim)"]),
    ((np.zeros((0, 2)),), ["means has shape (0, 2)"]),
    (([[0.0], [math.inf]],), ["means[1, 0] is inf"]),
    (([[0.0], [1.0]], [1.0, 2.0]), ["covs has shape (2,)", "(2, 1, 1)"]),
    (([[0.0], [1.0]], [[[1.0]], [[-1.0]]]), ["covs[1]", "eigenvalue -1"]),
    (([[0.0], [1.0]], -1.0), ["covs[0]", "eigenvalue -1"]),
    (([[0.0], [1.0]], 1.0, [1.0]), ["weights has shape (1,)"]),
    (([[0.0], [1.0]], 1.0, [1.0, 0.0]), ["weights has the entry 0.0"]),
])
def test_what_is_refused(arguments, words):
    refused(lambda: eb.GaussianMixture(*arguments), *words)
