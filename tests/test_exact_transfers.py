"""Transfer matrices against quadrature, closed forms and differences; draws against the nodes of quadrature."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from means import ALPHA, fresh_seed, mean_may_be
from messages import refused
from scipy import stats

import fastebm as eb
from fastebm.energies.energy import Links
from fastebm.exact import exact_draws, quadrature, transfers
from fastebm.exact.transfers import Transfer, transfer
from fastebm.testing import check_kernel


class Normal:
    """A chain of normal numbers, E = sum of a x_i**2 / 2 + sum of c (x_{i+1} - x_i)**2 / 2, through its links."""

    name = "normal chain"

    def __init__(self, dim, a, c, far=0.0):
        self.dim, self.a, self.c, self.far = dim, a, c, far
        self.precision = a * np.eye(dim)
        for i in range(dim - 1):
            self.precision[i : i + 2, i : i + 2] += c * np.array([[1.0, -1.0], [-1.0, 1.0]])

    def links(self):
        return Links(
            lambda x: 0.5 * self.a * (x - self.far) ** 2,
            lambda x, y: 0.5 * self.c * (x - y) ** 2,
            lambda x: [0.5 * (x - self.far) ** 2, 0.0],
            lambda x, y: [0.0, 0.5 * (x - y) ** 2],
        )

    def mean_grad_theta(self):
        """<dE/da> and <dE/dc>, by the covariance of the coordinates."""
        cov = np.linalg.inv(self.precision)
        steps = np.diff(np.eye(self.dim), axis=0)
        return 0.5 * np.array([np.trace(cov), np.trace(steps @ cov @ steps.T)])

    def log_z(self):
        return 0.5 * self.dim * math.log(2.0 * math.pi) - 0.5 * np.linalg.slogdet(self.precision)[1]


@settings(max_examples=12)
@given(dim=st.integers(1, 60), log_a=st.floats(-2.0, 4.0), log_c=st.floats(-3.0, 4.0), far=st.floats(-3.0, 3.0))
def test_normal_chains_of_any_length(dim, log_a, log_c, far):
    chain = Normal(dim, math.exp(log_a), math.exp(log_c), far)
    found = transfer(chain)
    assert abs(found.log_partition - chain.log_z()) <= found.error + 1e-12 * dim


@settings(max_examples=7)
@given(dim=st.integers(1, 3), barrier=st.floats(0.05, 10.0), coupling=st.floats(-1.5, 10.0), beta=st.floats(0.2, 3.0))
def test_log_z_is_that_of_quadrature(dim, barrier, coupling, beta):
    for E in (eb.QuarticChain(dim, barrier, coupling), beta * eb.QuarticChain(dim, barrier, coupling)):
        z, grid = eb.log_partition(E, method="transfer"), quadrature.grid(E)
        assert z.method == "transfer"
        assert abs(z.value - grid.log_partition) <= z.error + grid.error
        assert z.error < 1e-7


@settings(max_examples=12)
@given(dim=st.integers(1, 40), log_a=st.floats(-2.0, 4.0), log_c=st.floats(-3.0, 4.0), far=st.floats(-3.0, 3.0))
def test_gradients_of_normal_chains(dim, log_a, log_c, far):
    chain = Normal(dim, math.exp(log_a), math.exp(log_c), far)
    truth = chain.mean_grad_theta()
    np.testing.assert_allclose(transfer(chain).mean_grad_theta(), truth, rtol=1e-9, atol=1e-12)


@settings(max_examples=8)
@given(dim=st.integers(1, 3), barrier=st.floats(0.3, 6.0), coupling=st.floats(-0.5, 4.0), beta=st.floats(0.3, 3.0))
def test_gradients_are_those_of_quadrature(dim, barrier, coupling, beta):
    one, other = eb.QuarticChain(dim, barrier, coupling), eb.QuarticChain(dim, 0.6, 0.9)
    for E in (one, beta * (one + 0.7 * other)):
        np.testing.assert_allclose(
            -transfer(E).mean_grad_theta(), eb.log_partition_grad(E), rtol=1e-6, atol=1e-7
        )


def test_gradients_of_long_chains_are_slopes_of_log_z():
    """By differences of fourth order, which see a bond left out at one end and a theta in another's place."""
    one, step = eb.QuarticChain(16, 1.2, 0.9), 1e-2
    for E in (one, 0.8 * (one + eb.QuarticChain(16, 0.4, -0.3))):

        def log_z(move, E=E):
            return eb.log_partition(E.with_theta(E.theta + move)).value

        slopes = np.array([
            (8.0 * (log_z(move) - log_z(-move)) - (log_z(2.0 * move) - log_z(-2.0 * move))) / (12.0 * step)
            for move in step * np.eye(E.n_params)
        ])
        found = eb.log_partition_grad(E)
        np.testing.assert_allclose(found, slopes, rtol=1e-5)
        assert not np.allclose(found.reshape(-1, 2)[:, ::-1].ravel(), slopes, rtol=1e-3)
    assert not np.allclose(eb.log_partition_grad(eb.QuarticChain(15, 1.2, 0.9)), eb.log_partition_grad(one), rtol=1e-3)
    refused(lambda: eb.log_partition_grad(one, bounds=[(-1.0, 1.0)] * 16), "dim=16")
    refused(lambda: eb.log_partition_grad(eb.DoubleWell(5)), "dim=5")


def test_sums_and_multiples_are_chains():
    one, other = eb.QuarticChain(5, 1.2, 0.4), eb.QuarticChain(5, 0.3, -0.2)
    x = np.random.default_rng(0).standard_normal((20, 5))
    for E in (one, one + other, 0.7 * (one + other), (2.0 * one).with_theta(barrier=0.6)):
        links = E.links()
        total = sum(links.site(x[:, i]) for i in range(5)) + sum(links.bond(x[:, i], x[:, i + 1]) for i in range(4))
        np.testing.assert_allclose(E.energy(x), total, rtol=1e-12)
        slopes = np.zeros((20, E.n_params))
        for i in range(5):
            slopes += np.column_stack([slope + np.zeros(20) for slope in links.site_grad_theta(x[:, i])])
        for i in range(4):
            slopes += np.column_stack([slope + np.zeros(20) for slope in links.bond_grad_theta(x[:, i], x[:, i + 1])])
        np.testing.assert_allclose(E.grad_theta(x), slopes, rtol=1e-11, atol=1e-12)
    assert (one + eb.Gaussian([0.0] * 5)).links() is None
    assert eb.Gaussian([0.0] * 5).links() is None


def test_auto_takes_it_above_three_dimensions():
    assert eb.log_partition(eb.QuarticChain(3)).method == "quadrature"
    z = eb.log_partition(eb.QuarticChain(16))
    assert z.method == "transfer"
    assert z.error < 1e-10
    assert z.n_evaluations > 0
    assert eb.log_partition(eb.QuarticChain(1, 2.0), method="transfer").value == pytest.approx(
        eb.log_partition(eb.QuarticChain(1, 2.0)).value, abs=1e-8
    )
    np.testing.assert_allclose(
        eb.log_likelihood(eb.QuarticChain(16), np.zeros(16)), -16.0 - z.value, rtol=1e-12
    )


SHORT = [eb.QuarticChain(2, 1.5, 0.8), eb.QuarticChain(3, 0.5, -0.7), 0.6 * eb.QuarticChain(3, 4.0, 6.0)]


@pytest.mark.parametrize("E", SHORT, ids=["two", "repulsive", "tempered"])
def test_draws_have_the_law_and_those_of_another_do_not(E):
    grid = quadrature.grid(E)

    def functions(x):
        return np.column_stack([x**2, x[:, 0] * x[:, 1], x[:, 0] * x[:, -1], x[:, -1] ** 4, E.energy(x)])

    def fits(draws):
        return mean_may_be(grid.expectation(functions(grid.points)), functions(draws))

    assert fits(transfer(E, for_draws=True).draws(200_000, np.random.default_rng(fresh_seed())))
    other = E.with_theta(coupling=1.2 * E.unpack()["coupling"])
    assert not fits(transfer(other, for_draws=True).draws(200_000, np.random.default_rng(fresh_seed())))


def test_normal_chains_are_drawn_as_such():
    chain = Normal(6, 0.7, 2.0)
    draws = transfer(chain, for_draws=True).draws(100_000, np.random.default_rng(fresh_seed()))
    square = ((draws @ chain.precision) * draws).sum(axis=1)
    assert stats.kstest(square, stats.chi2(6).cdf).pvalue > ALPHA
    spread = math.sqrt(np.linalg.inv(chain.precision)[3, 3])
    assert stats.kstest(draws[:, 3] / spread, stats.norm.cdf).pvalue > ALPHA
    wrong = Normal(6, 0.7, 2.2)
    square = ((draws @ wrong.precision) * draws).sum(axis=1)
    assert stats.kstest(square, stats.chi2(6).cdf).pvalue < ALPHA


def test_draws_of_long_chains_agree_with_slopes_of_log_z():
    """<dE/dtheta> under the law is -d log Z / dtheta, here by differences of fourth order."""
    E, step = eb.QuarticChain(16, 1.2, 0.9), 1e-2

    def log_z(move):
        return eb.log_partition(E.with_theta(E.theta + move)).value

    slopes = [
        (8.0 * (log_z(move) - log_z(-move)) - (log_z(2.0 * move) - log_z(-2.0 * move))) / (12.0 * step)
        for move in step * np.eye(2)
    ]
    draws = exact_draws(E, 50_000, fresh_seed())
    assert mean_may_be(-np.array(slopes), E.grad_theta(draws))
    assert not mean_may_be(-1.02 * np.array(slopes), E.grad_theta(draws))
    np.testing.assert_array_equal(exact_draws(E, 20, 3), exact_draws(E, 20, 3))


def test_kernels_are_checked_on_chains():
    report = check_kernel(eb.RandomWalk(0.5), eb.QuarticChain(6, 0.5, 0.5), delta=0.05)
    assert report.passed, str(report)
    assert "invariance" in str(report)


def test_a_bound_that_is_too_low_is_noticed_and_raised():
    edges = np.linspace(-6.0, 6.0, 65)

    def log_density(x, y):
        return -0.5 * (y - 0.5 * x) ** 2

    bounds = transfers._log_bounds(log_density(edges[:, None], edges[None, :]), 1.0)
    inside = edges[:-1] + 0.37 * (edges[1] - edges[0])
    assert (log_density(inside[:, None], inside[None, :]) <= bounds).all()
    x, generator = np.zeros(5000), np.random.default_rng(0)
    assert transfers._tried(log_density, x, edges, bounds - 0.5, generator) is None
    assert stats.kstest(transfers._drawn(log_density, x, edges, generator), stats.norm.cdf).pvalue > ALPHA
    spiked = np.zeros((65, 65))
    with pytest.raises(ValueError, match="no bounds"):
        transfers._drawn(lambda x, y: spiked if x.ndim == 2 else np.full(len(x), 1e9), x, edges, generator)


def test_messages_are_nearly_exact_between_nodes():
    found = transfer(eb.QuarticChain(8, 3.0, 2.0), for_draws=True)
    fine = Transfer(found.links, 8, np.linspace(found.nodes[0], found.nodes[-1], 4 * len(found.nodes) - 3))
    from scipy.interpolate import CubicSpline

    missed = CubicSpline(found.nodes, found.log_messages, axis=1)(fine.nodes) - fine.log_messages
    assert abs(missed[fine._is_bulk]).max() < 1e-8


def test_refusals():
    refused(lambda: transfer(eb.DoubleWell(5)), "not known to be a chain")
    refused(lambda: eb.log_partition(eb.DoubleWell(5), method="transfer"), "not known to be a chain")
    refused(lambda: eb.log_partition(eb.QuarticChain(5), method="transfer", bounds=[(0, 1)] * 5), "no bounds")
    refused(lambda: eb.log_partition(eb.QuarticChain(5), rtol=0.0), "rtol is 0.0")
    for barrier in (0.0, -1.0):
        refused(
            lambda barrier=barrier: eb.log_partition(eb.QuarticChain(5).with_theta(barrier=barrier)),
            "no finite integral", kind=eb.NotNormalisableError,
        )
    refused(lambda: eb.log_partition(eb.QuarticChain(5, 1e8, 1e8)), "too narrow")
