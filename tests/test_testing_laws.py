"""Exact laws as tests of samplers need them: transforms, draws and means against closed forms."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

import fastebm as eb
from fastebm.testing import laws
from fastebm.testing.contrasts import Contrasts
from fastebm.testing.laws import law_of
from fastebm.testing.reports import NotRun

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
