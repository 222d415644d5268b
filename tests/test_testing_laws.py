"""Exact laws as tests of samplers need them: transforms, draws and means against closed forms."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

import fastebm as eb
from fastebm.testing import check_kernel, laws
from fastebm.testing.contrasts import Contrasts
from fastebm.testing.laws import law_of
from fastebm.testing.reports import NotRun
from fastebm.testing.steps import KernelStep

GAUSSIAN = eb.Gaussian([1.0, -0.5], [2.0, 0.5])


def test_shares_of_a_normal_law_are_its_distribution_functions():
    law = law_of(GAUSSIAN)
    assert law.columns == ("x[0]", "x[1]", "the energy")
    X = np.random.default_rng(0).standard_normal((1000, 2)) * np.sqrt([2.0, 0.5]) + [1.0, -0.5]
    z = (X - [1.0, -0.5]) / np.sqrt([2.0, 0.5])
    wanted = np.column_stack([scipy.stats.norm.cdf(z), scipy.stats.chi2(2).cdf((z**2).sum(axis=1))])
    assert abs(law.shares(X) - wanted).max() < 1e-3  # tables of a thousand quantiles


def test_means_over_nodes_are_those_of_draws():
    """A million draws, 60 functions: within six and a half standard errors, a false alarm in 2e8."""
    law = law_of(eb.Banana())
    contrasts = Contrasts(law.columns, False)
    means, variances = law.moments(contrasts)
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    sums = contrasts.sums(*[law.shares(law.draws(1_000_000, seed))] * 2, 0 * means, 0 * means, 1)
    found = sums.powers[0, : contrasts.n_moments] / sums.n
    assert (abs(found - means) < 6.5 * np.sqrt(variances / sums.n)).all(), f"seed {seed}"
    assert abs(means[:24]).max() < 2e-3  # Legendre polynomials of shares that are nearly even
    assert abs(variances[:24] - 1.0).max() < 1e-2


def test_nodes_give_moments_to_quadrature_precision():
    law = law_of(GAUSSIAN)
    np.testing.assert_allclose(law.probabilities @ law.points, [1.0, -0.5], atol=1e-9)
    np.testing.assert_allclose(law.probabilities @ law.points**2, [3.0, 0.75], atol=1e-9)
    assert len(law.points) >= 2**17


@pytest.mark.parametrize("E", [eb.Ring(1.6, 0.4), eb.DoubleWell(2, tilt=0.0)], ids=repr)
def test_means_of_products_are_zero_where_the_law_is_symmetric(E):
    """Though nodes stand in planes: shares that followed each plane gave -0.002 for the ring."""
    law = law_of(E)
    contrasts = Contrasts(law.columns, False)
    means = law.moments(contrasts)[0]
    assert abs(means[contrasts.names().index("x[0] times x[1]")]) < 1e-5


def test_a_law_is_computed_once_for_each_energy():
    assert law_of(GAUSSIAN) is law_of(GAUSSIAN)
    assert law_of(GAUSSIAN.with_theta(GAUSSIAN.theta)) is not law_of(GAUSSIAN)


def test_what_is_constant_is_left_out():
    flat = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 0.0)
    law = law_of(flat)
    assert law.columns == ("x[0]",)
    np.testing.assert_allclose(law.shares(np.array([[0.5], [1.5]]))[:, 0], [0.25, 0.75], atol=1e-3)


def test_visited_parts():
    law = law_of(GAUSSIAN)
    everywhere = (np.arange(64) + 0.5) / 64
    assert law.visited(everywhere, 0, 16).all()
    assert law.visited(everywhere[everywhere < 0.5], 0, 16).tolist() == [True] * 8 + [False] * 8


@pytest.mark.parametrize("E", [
    eb.energy(1)(lambda x: math.log(1.0 + abs(x[0]))),
    eb.energy(4)(lambda x: x[0] ** 4 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2),
])
def test_a_law_that_cannot_be_computed_is_named_as_such(E):
    with pytest.raises(NotRun, match="exact law cannot be computed"):
        law_of(E)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=30), st.lists(st.floats(-12, 12), min_size=1, max_size=30))
def test_looking_up_is_the_middle_of_two_counts(knots, values):
    """Between quantiles the share grows in proportion; among equal ones it is that of their middle."""
    table = np.sort(np.array(knots))
    found = np.empty((len(values), 1))
    laws._look_up(np.array(values)[:, None], table[None], found)
    for value, share in zip(values, found[:, 0], strict=True):
        below, through = np.searchsorted(table, value, "left"), np.searchsorted(table, value, "right")
        if through > below:
            wanted = 0.5 * (below + through - 1)
        elif 0 < below < len(table):
            wanted = below - 1 + (value - table[below - 1]) / (table[below] - table[below - 1])
        else:
            wanted = max(0, below - 1)
        assert share == pytest.approx(wanted / (len(table) - 1), abs=1e-12)


@eb.energy(6, {"coupling": 0.4, "field": 0.25}, values=(-1, 1))
def ring(x, theta):
    total = 0.0
    for i in range(len(x)):
        total -= theta.field * x[i] + theta.coupling * x[i] * x[i - 1]
    return total


def gibbs(states, k, seed, coupling=0.4, last=6):
    """Every spin in turn from its law given its neighbours, P(+1) = 1 / (1 + exp(-2 (field + coupling sum)))."""
    generator = np.random.default_rng(seed)
    x = states.copy()
    for _ in range(k):
        for i in range(last):
            pull = 0.25 + coupling * (x[:, i - 1] + x[:, (i + 1) % 6])
            x[:, i] = np.where(generator.random(len(x)) < 1.0 / (1.0 + np.exp(-2.0 * pull)), 1.0, -1.0)
    return x


def off_the_values(states, k, seed):
    return np.where(np.random.default_rng(seed).random(states.shape) < 0.01, 0.0, states)


class TestDiscrete:
    def test_nodes_are_the_states(self):
        law = law_of(ring)
        assert law.has_means
        assert not law.is_continuous
        assert len(law.points) == 64
        np.testing.assert_allclose(law.probabilities @ law.points, eb.log_partition_grad(ring)[1] / 6.0)
        assert set(np.unique(law.draws(1000, 3))) == {-1.0, 1.0}

    def test_shares_stand_in_the_middle_of_their_probability(self):
        E = eb.energy(1, {"a": 1.0, "b": 0.3}, values=3)(
            lambda x, theta: eb.where(x[0] == 0, 0.0, eb.where(x[0] == 1, theta.a, theta.b))
        )
        p = np.exp([0.0, -1.0, -0.3])
        p /= p.sum()
        found = law_of(E).shares(np.array([[0.0], [1.0], [2.0]]))[:, 0]
        np.testing.assert_allclose(found, np.cumsum(p) - 0.5 * p, atol=2e-3)

    def test_impossible_states_are_no_nodes(self):
        E = eb.energy(2, values=2)(lambda x: eb.where(x[0] + x[1] > 1.5, math.inf, x[0]))
        assert len(law_of(E).points) == 3

    def test_a_right_step_passes(self):
        report = check_kernel(gibbs, ring)
        assert report.passed, str(report)
        assert report.n_chains > 100_000

    @pytest.mark.parametrize(("options", "words"), [
        ({"coupling": 0.37}, "transition"), ({"last": 5}, "x[5] never changes"),
    ], ids=["another conditional", "a spin that is left out"])
    def test_a_wrong_step_fails(self, options, words):
        report = check_kernel(lambda states, k, seed: gibbs(states, k, seed, **options), ring)
        assert report.verdict == "failed"
        assert any(words in fault for fault in report.faults), str(report)

    def test_a_step_off_the_values_fails(self):
        report = check_kernel(off_the_values, ring, delta=0.2)
        assert report.verdict == "failed"
        assert "energy is inf" in report.faults[0]

    def test_many_states_have_a_reference_sample(self):
        E = eb.energy(18, {"field": 0.3}, values=2)(independent)
        law = law_of(E)
        assert not law.has_means
        assert not law.is_continuous
        p = 1.0 / (1.0 + math.exp(0.3))
        np.testing.assert_allclose(law.draws(200_000, 1).mean(axis=0), p, atol=6.2 * math.sqrt(p * (1.0 - p) / 2e5))


def independent(x, theta):
    total = 0.0
    for i in range(len(x)):
        total += theta.field * x[i]
    return total


WIDE = eb.Gaussian(np.linspace(-1.0, 1.0, 10), np.diag(np.linspace(0.5, 2.0, 10)) + 0.3)


def cold(states, k, seed):
    return KernelStep(eb.RandomWalk(0.4), 0.9 * WIDE, 0)(states, k, seed)


class TestReferenceSamples:
    def test_shares_are_nearly_distribution_functions(self):
        """Off by what the quantiles of 2**17 draws are: by more than 0.9 % for one of 11 columns once in 7e7."""
        law = law_of(WIDE)
        assert not law.has_means
        assert law.columns[-1] == "the energy"
        X = law.draws(1000, 5)
        z = (X - np.linspace(-1.0, 1.0, 10)) / np.sqrt(np.linspace(0.5, 2.0, 10) + 0.3)
        wanted = np.column_stack([scipy.stats.norm.cdf(z), scipy.stats.chi2(10).cdf(2.0 * WIDE.energy(X))])
        assert abs(law.shares(X) - wanted).max() < 0.01

    def test_starts_are_not_the_reference_sample(self):
        law = law_of(WIDE)
        assert not np.isin(law.draws(1000, 5), law.points).any()

    @pytest.mark.parametrize(("kernel", "E"), [
        (eb.RandomWalk(0.4), WIDE),
        (eb.RandomWalk(0.6), eb.GaussianMixture([[0.0] * 5, [1.5] * 5], 1.0, [0.4, 0.6])),
        (eb.MALA(0.2), eb.Funnel(10, 1.0)),
    ], ids=["Gaussian", "mixture", "funnel"])
    def test_right_kernels_pass(self, kernel, E):
        report = check_kernel(kernel, E)
        assert report.passed, str(report)
        assert report.n_chains > 100_000

    def test_a_colder_law_is_seen(self):
        report = check_kernel(cold, WIDE)
        assert report.verdict == "failed"
        assert "the energy is too high" in str(report)
