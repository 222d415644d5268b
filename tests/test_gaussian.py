"""The Gaussian energy against NumPy's linear algebra, against its own source in exact arithmetic, and by duals."""

import math

import numpy as np
import pytest
from energy_laws import agrees_with_its_source, holds_what_every_energy_promises
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from written_energies import gaussian, independent_gaussian, written

import fastebm as eb

seeds = st.integers(0, 2**64 - 1)
# Dimensions are those of `test_what_every_energy_promises`: each is compiled anew, and found on disk the second time.


def draw(seed, dim):
    """A mean, a covariance matrix of condition number up to 100 or so, and points about them."""
    generator = np.random.default_rng(seed)
    A = generator.standard_normal((dim, dim))
    scales = 10.0 ** generator.uniform(-1.0, 1.0, dim)
    cov = (A @ A.T + 0.3 * np.eye(dim)) * np.outer(scales, scales)
    mean = 3.0 * generator.standard_normal(dim)
    return mean, (cov + cov.T) / 2.0, mean + generator.standard_normal((4, dim)) * np.sqrt(np.diag(cov))


@given(seeds, st.sampled_from([1, 2, 3, 5]))
def test_full_covariance(seed, dim):
    mean, cov, X = draw(seed, dim)
    E = eb.Gaussian(mean, cov)
    pulls = np.linalg.solve(cov, (X - mean).T).T
    np.testing.assert_allclose(E.energy(X), 0.5 * ((X - mean) * pulls).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(E.grad(X), pulls, rtol=1e-9, atol=1e-9 * np.abs(pulls).max())
    assert E.closed_log_partition() == pytest.approx(
        0.5 * np.linalg.slogdet(2.0 * np.pi * cov)[1], rel=1e-10, abs=1e-10
    )


@given(seeds, st.sampled_from([1, 2, 3, 5]))
def test_variances(seed, dim):
    mean, cov, X = draw(seed, dim)
    variances = np.diag(cov)
    E, full = eb.Gaussian(mean, variances), eb.Gaussian(mean, np.diag(variances))
    np.testing.assert_allclose(E.energy(X), full.energy(X), rtol=1e-12)
    np.testing.assert_allclose(E.grad(X), full.grad(X), rtol=1e-12)
    assert E.closed_log_partition() == pytest.approx(full.closed_log_partition(), rel=1e-12)
    assert E.n_params == 2 * dim
    one = eb.Gaussian(mean, 2.5)
    np.testing.assert_allclose(one.energy(X), ((X - mean) ** 2).sum(axis=1) / 5.0, rtol=1e-13)


@given(seeds, st.sampled_from([1, 2, 3]))
@settings(max_examples=15)
def test_every_slope(seed, dim):
    mean, cov, X = draw(seed, dim)
    agrees_with_its_source(eb.Gaussian(mean, cov), gaussian, X[:2])
    agrees_with_its_source(eb.Gaussian(mean, np.diag(cov)), independent_gaussian, X[:2])


@given(seeds)
@settings(max_examples=20)
def test_every_slope_by_duals(seed):
    mean, cov, X = draw(seed, 3)
    E = eb.Gaussian(mean, cov)
    user = USERS.with_theta(E.theta)
    for face in ("energy", "grad", "grad_theta"):
        wanted = getattr(E, face)(X)
        np.testing.assert_allclose(getattr(user, face)(X), wanted, rtol=1e-11, atol=1e-12 * (1 + np.abs(wanted).max()))


USERS = written(gaussian, eb.Gaussian(np.zeros(3), np.eye(3)))


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 30])
@pytest.mark.parametrize("is_full", [True, False])
def test_what_every_energy_promises(dim, is_full, monkeypatch):
    mean, cov, _ = draw(dim, dim)
    holds_what_every_energy_promises(eb.Gaussian(mean, cov if is_full else np.diag(cov)), monkeypatch)


def test_a_number_is_a_mean_in_one_dimension():
    assert eb.Gaussian(2.0, 4.0).energy([3.0]) == 0.125
    assert eb.Gaussian(2.0).closed_log_partition() == pytest.approx(0.5 * math.log(2.0 * math.pi))


def test_the_upper_triangle_is_ignored_and_signs_of_the_diagonal_do_not_matter():
    E = eb.Gaussian([0.0, 0.0], [[2.0, 0.5], [0.5, 1.0]])
    factor = E.unpack()["precision_factor"]
    factor[0, 1] = 123.0
    other = E.with_theta(precision_factor=factor)
    X = np.array([[1.0, 2.0], [-3.0, 0.5]])
    assert (other.energy(X) == E.energy(X)).all()
    assert (other.grad_theta(X)[:, 3] == 0.0).all()
    mirrored = E.with_theta(precision_factor=-E.unpack()["precision_factor"])
    assert mirrored.closed_log_partition() == E.closed_log_partition()
    assert (mirrored.energy(X) == E.energy(X)).all()


def test_a_zero_on_the_diagonal_has_no_finite_log_partition():
    assert eb.Gaussian([0.0, 0.0]).with_theta(precision_factor=[1.0, 0.0]).closed_log_partition() == math.inf


def test_a_covariance_that_is_symmetric_to_rounding_is_taken():
    """A rotation of a diagonal matrix leaves rounding errors where zeros would be, of either sign."""
    eb.Gaussian([0.0, 0.0], [[1.0, 3e-17], [-2e-17, 1.0]])
    eb.Gaussian([0.0, 0.0], [[1e-20, 3e-18], [3e-18, 1.0]])


@pytest.mark.parametrize(("arguments", "words"), [
    (([[0.0]],), ["mean has shape (1, 1)"]),
    (([],), ["mean has shape (0,)"]),
    (([0.0, math.nan],), ["mean[1] is nan"]),
    (([0.0, 0.0], np.eye(3)), ["cov has shape (3, 3)", "(2, 2)"]),
    (([0.0, 0.0], [[1.0, 0.1], [0.2, 1.0]]), ["cov is not symmetric", "(cov + cov.T) / 2"]),
    (([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]), ["eigenvalue -1", "positive definite"]),
    (([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]]), ["eigenvalue", "positive definite"]),
    (([0.0], [[-1.0]]), ["eigenvalue -1"]),
    (([0.0, 0.0], [1.0, 0.0]), ["variance 0.0"]),
    (([0.0], -2.0), ["variance -2.0"]),
    (([0.0], [[math.inf]]), ["cov[0, 0] is inf"]),
])
def test_what_is_refused(arguments, words):
    refused(lambda: eb.Gaussian(*arguments), *words)
