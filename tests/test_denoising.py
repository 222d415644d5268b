"""Noise taken away: against posteriors in closed form, with a stated error rate for the means.

A point is denoised many times at once, each time by chains of its own: their spread is the error of the mean. The
chains forget the noisy point where they start, since the posteriors here have one mode.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from means import mean_may_be
from messages import refused
from scipy.stats import multivariate_normal, norm

import fastebm as eb

MEAN, COV = np.array([1.0, -0.5]), np.array([[1.5, 0.7], [0.7, 0.8]])
GAUSSIAN = eb.Gaussian(MEAN, COV)
WEIGHTS = np.array([0.4, 0.9, 0.3])  # they do not sum to one: Z cancels
MEANS = np.array([[-1.0, 0.0], [0.8, 0.6], [0.5, -1.2]])
COVS = np.array([[[0.6, 0.2], [0.2, 0.4]], [[0.3, -0.1], [-0.1, 0.5]], [[0.5, 0.0], [0.0, 0.2]]])
MIXTURE = eb.GaussianMixture(MEANS, COVS, WEIGHTS)
N = 300


@eb.energy(dim=1, theta={"rate": 1.5}, domain=[(0.0, math.inf)])
def waiting(x, theta):
    return theta.rate * x[0]


@eb.energy(dim=1)
def two_islands(x):
    return eb.where(abs(x[0]) > 1.0, x[0] ** 2, math.inf)


def gaussian_posterior_mean(y, noise, mean=MEAN, cov=COV):
    return mean + cov @ np.linalg.solve(cov + noise**2 * np.eye(len(mean)), y - mean)


def mixture_posterior_mean(y, noise):
    """Tweedie's formula, y + noise**2 times the slope of the log density of y, which for a mixture is this sum."""
    wide = COVS + noise**2 * np.eye(2)
    shares = WEIGHTS * [multivariate_normal.pdf(y, mean, cov) for mean, cov in zip(MEANS, wide, strict=True)]
    parts = [gaussian_posterior_mean(y, noise, mean, cov) for mean, cov in zip(MEANS, COVS, strict=True)]
    return shares @ parts / shares.sum()


def estimates(energy, y, noise, n=N):
    """Independent posterior means of one noisy point, (n, dim)."""
    return eb.denoise(energy, np.tile(np.asarray(y, float), (n, 1)), noise, n_draws=400)


class TestMean:
    CASES = (
        (GAUSSIAN, gaussian_posterior_mean, [2.5, 1.0], 0.8),
        (GAUSSIAN, gaussian_posterior_mean, [-4.0, 3.0], 2.0),
        (MIXTURE, mixture_posterior_mean, [-0.3, -0.4], 0.5),
        (MIXTURE, mixture_posterior_mean, [1.5, 1.5], 0.9),
    )

    @pytest.mark.parametrize(("energy", "truth", "y", "noise"), CASES)
    def test_closed_forms(self, energy, truth, y, noise):
        samples = estimates(energy, y, noise)
        assert mean_may_be(truth(np.array(y), noise), samples)
        assert not mean_may_be(truth(np.array(y), 1.1 * noise), samples)
        assert not mean_may_be(np.array(y), samples)

    def test_tweedies_formula_is_the_posterior_mean(self):
        """The closed form above against the integral that it stands for."""
        y, noise = np.array([-0.3, -0.4]), 0.5
        side = np.linspace(-6.0, 6.0, 401)
        x = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
        weight = np.exp(-MIXTURE.energy(x) - ((x - y) ** 2).sum(axis=1) / (2.0 * noise**2))
        assert mixture_posterior_mean(y, noise) == pytest.approx(weight @ x / weight.sum(), abs=1e-10)

    @pytest.mark.parametrize("y", [-1.0, 0.4, 2.0])
    def test_a_wall(self, y):
        """An exponential law seen through noise leaves a normal law cut at 0."""
        noise = 0.7
        middle = y - 1.5 * noise**2
        truth = middle + noise * norm.pdf(middle / noise) / norm.cdf(middle / noise)
        samples = estimates(waiting, [y], noise)
        assert (samples > 0.0).all()
        assert mean_may_be(truth, samples)
        assert not mean_may_be(max(middle, 0.0), samples)

    def test_every_point_has_its_own_posterior(self):
        """Also where draws are kept in several pieces."""
        ys = np.array([[0.0, 0.0], [4.0, -2.0], [-3.0, 1.0]])
        samples = eb.denoise(GAUSSIAN, np.tile(ys, (N, 1)), 0.8, n_draws=400).reshape(N, 3, 2)
        for place, y in enumerate(ys):
            assert mean_may_be(gaussian_posterior_mean(y, 0.8), samples[:, place])

    def test_pieces_do_not_matter(self, monkeypatch):
        y = np.array([[0.3, 0.2], [1.0, 2.0]])
        whole = eb.denoise(GAUSSIAN, y, 0.5, n_draws=60, rng=1)
        monkeypatch.setattr("fastebm.tasks.denoising._NUMBERS_AT_ONCE", 1000)
        assert eb.denoise(GAUSSIAN, y, 0.5, n_draws=60, rng=1) == pytest.approx(whole, rel=1e-12)

    def test_same_seed_same_bits(self):
        y = np.array([[0.3, 0.2], [1.0, 2.0]])
        first, again, other = (eb.denoise(MIXTURE, y, 0.5, n_draws=50, rng=seed) for seed in (4, 4, 5))
        assert first.tobytes() == again.tobytes()
        assert not np.array_equal(first, other)


class TestMode:
    @given(y=st.lists(st.floats(-20.0, 20.0), min_size=2, max_size=2), noise=st.floats(0.01, 30.0))
    @settings(max_examples=30)
    def test_of_a_gaussian_it_is_the_mean(self, y, noise):
        found = eb.denoise(GAUSSIAN, y, noise, method="mode")
        assert found == pytest.approx(gaussian_posterior_mean(np.array(y), noise), abs=1e-6)

    @given(unit=st.floats(1e-9, 1e9))
    @settings(max_examples=30)
    def test_units_do_not_matter(self, unit):
        energy = eb.Gaussian(unit * MEAN, unit**2 * COV)
        found = eb.denoise(energy, unit * np.array([3.0, -2.0]), 0.7 * unit, method="mode")
        truth = gaussian_posterior_mean(np.array([3.0, -2.0]), 0.7)
        assert found / unit == pytest.approx(truth, abs=1e-6)
        assert np.abs(truth - [3.0, -2.0]).min() > 0.1

    @pytest.mark.parametrize("y", [-2.0, -0.4, 0.2, 1.9])
    def test_it_is_the_well_on_the_side_of_the_point(self, y):
        well, noise = eb.DoubleWell(1, barrier=3.0, location=1.2), 0.6
        x = eb.denoise(well, [y], noise, method="mode")
        assert well.grad(x) + (x - y) / noise**2 == pytest.approx(0.0, abs=1e-5)
        assert x[0] * y > 0.0
        posterior = lambda at: well.energy([at]) + 0.5 * ((at - y) / noise) ** 2  # noqa: E731
        assert posterior(x[0]) < min(posterior(x[0] - 0.01), posterior(x[0] + 0.01))

    @pytest.mark.parametrize(("y", "truth"), [(-3.0, 0.0), (0.5, 0.0), (2.0, 2.0 - 1.5 * 0.49)])
    def test_a_wall(self, y, truth):
        assert eb.denoise(waiting, [y], 0.7, method="mode")[0] == pytest.approx(truth, abs=1e-9)

    @given(low=st.floats(-3.0, 3.0), y=st.floats(-9.0, 9.0), noise=st.floats(0.05, 2.0))
    @settings(max_examples=30)
    def test_rounding_steps_over_no_wall(self, low, y, noise):
        walled = eb.energy(1, domain=[(low, low + 1.0)])(slope)
        x = eb.denoise(walled, [y], noise, method="mode")
        assert math.isfinite(walled.energy(x))
        assert x[0] == pytest.approx(min(max(y - noise**2, low), low + 1.0), abs=1e-6)


def slope(x):
    return x[0]


class TestArguments:
    @pytest.mark.parametrize("method", ["mean", "mode"])
    def test_shapes(self, method):
        one = eb.denoise(GAUSSIAN, [0.0, 1.0], 0.5, method=method, n_draws=30)
        many = eb.denoise(GAUSSIAN, np.zeros((3, 2)), 0.5, method=method, n_draws=30)
        none = eb.denoise(GAUSSIAN, np.zeros((0, 2)), 0.5, method=method)
        assert (one.shape, many.shape, none.shape) == ((2,), (3, 2), (0, 2))

    def test_the_points_stay_as_they_are(self):
        X = np.ones((2, 2))
        for method in ("mean", "mode"):
            eb.denoise(GAUSSIAN, X, 0.5, method=method, n_draws=30)
        assert (X == 1.0).all()

    @pytest.mark.parametrize("method", ["mean", "mode"])
    def test_bad_points(self, method):
        refused(lambda: eb.denoise(GAUSSIAN, [[0.0, 1.0], [0.0, math.nan]], 0.5, method=method), "X[1, 1]", "nan")
        refused(lambda: eb.denoise(GAUSSIAN, [math.inf, 0.0], 0.5, method=method), "X", "inf")
        refused(lambda: eb.denoise(GAUSSIAN, np.zeros((2, 3)), 0.5, method=method), "X", "(2, 3)", "dim=2")

    @pytest.mark.parametrize("method", ["mean", "mode"])
    def test_nothing_finite_near(self, method):
        refused(lambda: eb.denoise(two_islands, [[2.0], [0.1]], 1e-3, method=method), "two_islands", "X[1]", "0.1")

    def test_other_arguments(self):
        for noise in (0.0, -1.0, math.nan, math.inf, "much"):
            refused(lambda noise=noise: eb.denoise(GAUSSIAN, [0.0, 0.0], noise), "noise", repr(noise))
        refused(lambda: eb.denoise(GAUSSIAN, [0.0, 0.0], 0.5, method="median"), "'median'", "'mean'", "'mode'")
        refused(lambda: eb.denoise(GAUSSIAN, [0.0, 0.0], 0.5, n_draws=0), "n_draws", "0")
        refused(lambda: eb.denoise(GAUSSIAN, [0.0, 0.0], 0.5, rng=-1), "rng", "-1")
        fit = eb.fit(eb.Gaussian([0.0]), [[1.0], [2.0]], n_steps=1)
        refused(lambda: eb.denoise(fit, [0.0], 0.5), "of type Fit", "fit.energy", kind=TypeError)
