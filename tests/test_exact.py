"""Quadrature and exact draws against closed forms: the error that is claimed holds, and what has no Z gets none."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from means import fresh_seed, mean_may_be
from messages import refused
from scipy import special, stats

import fastebm as eb
from fastebm.exact import exact_draws, quadrature

ROUNDING = 1e-13
seeds = st.integers(0, 2**32 - 1)


def energy(dim, **options):
    return eb.energy(dim=dim, **options)


quartic = energy(1)(lambda x: x[0] ** 4)
cauchy = energy(1)(lambda x: math.log(1.0 + x[0] ** 2))
laplace = energy(1)(lambda x: abs(x[0] - 3.3))
logistic = energy(1)(lambda x: x[0] + 2.0 * math.log1p(math.exp(-x[0])))
gumbel = energy(1)(lambda x: x[0] + math.exp(-x[0]))
student = energy(1, theta={"nu": 2.0})(lambda x, theta: 0.5 * (theta.nu + 1.0) * math.log1p(x[0] ** 2 / theta.nu))
rosenbrock = energy(2)(lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2)
gamma = energy(1, domain=[(0.0, math.inf)])(lambda x: x[0] - 1.5 * math.log(x[0]))
arcsine = energy(1, domain=[(0.0, 1.0)])(lambda x: 0.5 * math.log(x[0]) + 0.5 * math.log(1.0 - x[0]))
brick = energy(3, domain=[(0.0, 1.0), (0.0, 2.0), (-1.0, 1.0)])(lambda x: 0.0)
ring = energy(2)(lambda x: 0.5 * ((math.sqrt(x[0] ** 2 + x[1] ** 2) - 4.0) / 0.5) ** 2)
half = energy(1)(lambda x: eb.where(x[0] > 0.0, x[0], math.inf))


def student_log_z(nu):
    return 0.5 * math.log(nu * math.pi) + special.gammaln(nu / 2.0) - special.gammaln((nu + 1.0) / 2.0)


RING_LOG_Z = math.log(
    2.0 * math.pi * (0.25 * math.exp(-32.0) + 2.0 * math.sqrt(math.pi / 2.0) * (1.0 + math.erf(8.0 / math.sqrt(2.0))))
)
CLOSED = [
    (quartic, math.log(2.0 * math.gamma(1.25))),
    (cauchy, math.log(math.pi)),
    (student, student_log_z(2.0)),
    (student.with_theta(nu=0.5), student_log_z(0.5)),
    (student.with_theta(nu=5.0), student_log_z(5.0)),
    (laplace, math.log(2.0)),
    (logistic, 0.0),
    (gumbel, 0.0),
    (rosenbrock, math.log(math.pi / 10.0)),
    (gamma, math.log(math.gamma(2.5))),
    (arcsine, math.log(math.pi)),
    (brick, math.log(4.0)),
    (ring, RING_LOG_Z),
    (half, 0.0),
    (eb.GaussianMixture([[0.0, 0.0], [300.0, -200.0]], 1.0, [0.3, 0.7]), 0.0),
    (eb.GaussianMixture([[-50.0], [50.0]], 1e-2), 0.0),
]


def grid_of(model, **options):
    """The grid, without the warning that an error above rtol has; the error itself is what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eb.FastebmWarning)
        return quadrature.grid(model, **options)


@pytest.mark.parametrize(("model", "truth"), CLOSED)
def test_the_claimed_error_holds(model, truth):
    grid = grid_of(model)
    assert abs(grid.log_partition - truth) <= grid.error + ROUNDING * max(1.0, abs(truth))
    assert grid.error < 1e-3
    assert grid.probabilities.sum() == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=20)
@given(seed=seeds, dim=st.integers(1, 3), log_condition=st.floats(0.0, 6.0), log_scale=st.floats(-6.0, 6.0))
def test_gaussians_of_any_shape_and_place(seed, dim, log_condition, log_scale):
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.standard_normal((dim, dim)))[0]
    spread = 10.0 ** (2.0 * log_scale) * np.geomspace(1.0, 10.0**-log_condition, dim)
    cov = (turn * spread) @ turn.T
    mean = 30.0 * 10.0**log_scale * generator.standard_normal(dim)
    model = eb.Gaussian(mean, (cov + cov.T) / 2.0)
    grid = grid_of(model)
    assert abs(grid.log_partition - model.closed_log_partition()) <= grid.error + ROUNDING * 40.0
    assert grid.error < 1e-5
    np.testing.assert_allclose((grid.mean - mean) / math.sqrt(spread[0]), 0.0, atol=1e-6)
    np.testing.assert_allclose(grid.cov / spread[0], cov / spread[0], atol=1e-6)


@settings(max_examples=7)
@given(shift=st.floats(-100.0, 100.0), barrier=st.floats(0.5, 20.0), tilt=st.floats(-2.0, 2.0))
def test_a_constant_in_the_energy_moves_log_z_by_as_much(shift, barrier, tilt):
    well = eb.DoubleWell(2, barrier, 1.3, tilt)
    lifted = grid_of(_Lifted(well, shift))
    plain = grid_of(well)
    assert abs(lifted.log_partition - (plain.log_partition - shift)) <= lifted.error + plain.error + 1e-11


class _Lifted:
    """An energy plus a constant, through the face that quadrature asks for."""

    values = None

    def __init__(self, model, constant):
        self.dim, self.domain, self.name, self.n_params = model.dim, model.domain, model.name, model.n_params
        self.energy = lambda X: model.energy(X) + constant
        self.grad = model.grad


@pytest.mark.parametrize("function", [
    lambda x: 0.0,
    lambda x: x[0],
    lambda x: -(x[0] ** 2),
    lambda x: 0.5 * math.log(1.0 + x[0] ** 2),
    lambda x: math.log(x[0] ** 2),
])
def test_what_cannot_be_normalised_on_a_line_is_refused(function):
    refused(lambda: quadrature.grid(energy(1)(function)), kind=eb.NotNormalisableError)


@pytest.mark.parametrize("function", [
    lambda x: x[0] ** 2 * x[1] ** 2, lambda x: (x[0] - x[1]) ** 2, lambda x: x[0] ** 2 - x[1] ** 2
])
def test_what_cannot_be_normalised_in_a_plane_is_refused(function):
    refused(lambda: quadrature.grid(energy(2)(function)), kind=eb.NotNormalisableError)


def test_other_refusals():
    refused(lambda: quadrature.grid(eb.DoubleWell(4)), "dim=4")
    refused(lambda: quadrature.grid(energy(1)(lambda x: x[0] ** 2 + 0.0 * math.log(x[0]))), "nan at x=")
    refused(lambda: quadrature.grid(eb.DoubleWell(), rtol=0.0), "rtol is 0.0")


def test_an_error_above_the_wanted_one_is_announced():
    with pytest.warns(eb.FastebmWarning, match="known to"):
        assert quadrature.grid(half).error > 1e-8


@settings(max_examples=5)
@given(seed=seeds, drift=st.floats(-0.02, 0.02))
def test_a_grid_serves_similar_energies(seed, drift):
    start = eb.DoubleWell(2, 3.0, 1.3, 0.2)
    near = start.with_theta(start.theta + drift)
    again = grid_of(start).reweighted(near)
    anew = grid_of(near)
    if again is not None:
        assert abs(again.log_partition - anew.log_partition) <= again.error + anew.error + 1e-11
    assert grid_of(start).reweighted(start.with_theta(location=60.0)) is None


DRAWN = [
    (cauchy, stats.cauchy.cdf), (arcsine, stats.beta(0.5, 0.5).cdf), (gumbel, stats.gumbel_r.cdf),
    (eb.Gaussian([1e4], 1e-4), stats.norm(1e4, 1e-2).cdf),
]


@pytest.mark.parametrize(("model", "cdf"), DRAWN)
def test_draws_have_the_law(model, cdf):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eb.FastebmWarning)
        draws = exact_draws(model, 100_000, fresh_seed())[:, 0]
    assert stats.kstest(draws, cdf).pvalue > 1e-9


def test_draws_in_space_have_the_law_and_those_of_another_do_not():
    model = eb.DoubleWell(3, 3.0, 1.4, 0.3)
    grid = grid_of(model)

    def fits(draws):
        return mean_may_be(grid.mean, draws) and mean_may_be(np.diag(grid.cov) + grid.mean**2, draws**2)

    assert fits(exact_draws(model, 200_000, fresh_seed()))
    assert not fits(exact_draws(0.95 * model, 200_000, fresh_seed()))


def test_draws_repeat_and_bad_arguments_are_refused():
    model = eb.DoubleWell(2)
    np.testing.assert_array_equal(exact_draws(model, 100, 7), exact_draws(model, 100, 7))
    assert not np.array_equal(exact_draws(model, 100, 7), exact_draws(model, 100, 8))
    refused(lambda: exact_draws(model, 0, 1), "n is 0")
    refused(lambda: exact_draws(eb.DoubleWell(4), 1, 1), "dim=4")
