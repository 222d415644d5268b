"""Draws in closed form: marginals and rotated marginals against distribution functions, and laws that must fail."""

import math

import numpy as np
import pytest
from means import ALPHA, fresh_seed, mean_may_be
from messages import refused
from scipy import stats

import fastebm as eb
from fastebm.exact import draws, exact_draws, quadrature

N = 200_000
COV = np.array([[1.5, 0.4, 0.2], [0.4, 0.6, -0.1], [0.2, -0.1, 2.0]])
MEAN = np.array([0.5, -1.0, 2.0])


def fits(values, cdf):
    """Whether independent values may have the distribution function; false for a true one once in 1/ALPHA."""
    return bool(stats.kstest(values, cdf).pvalue > ALPHA)


# name: energy, function of a point, distribution function of its value, the same energy a little wrong
LAWS = {
    "Gaussian": (
        eb.Gaussian(MEAN, COV), lambda x: (x - MEAN) @ [1.0, -2.0, 0.5],
        stats.norm(0.0, math.sqrt(np.array([1.0, -2.0, 0.5]) @ COV @ [1.0, -2.0, 0.5])).cdf,
        eb.Gaussian(MEAN, COV * [[1, 0.6, 1], [0.6, 1, 1], [1, 1, 1]]),
    ),
    "diagonal Gaussian": (
        eb.Gaussian([1.0] * 20, [0.5] * 20), lambda x: 2.0 * ((x - 1.0) ** 2).sum(axis=1), stats.chi2(20).cdf,
        eb.Gaussian([1.0] * 20, [0.52] * 20),
    ),
    "GaussianMixture": (
        eb.GaussianMixture([[-1.0, 3.0], [2.0, 0.0]], 0.5, [0.6, 1.4]), lambda x: x[:, 0],
        lambda t: 0.3 * stats.norm.cdf(t, -1.0, math.sqrt(0.5)) + 0.7 * stats.norm.cdf(t, 2.0, math.sqrt(0.5)),
        eb.GaussianMixture([[-1.0, 3.0], [2.0, 0.0]], 0.5, [0.7, 1.3]),
    ),
    "mixture of parts that are not normalised": (
        eb.mixture([eb.Gaussian([0.0] * 4, 4.0), eb.StudentT([3.0] * 4, 1.0, 5.0)], [0.02, 1.0]),
        lambda x: x[:, 2],
        lambda t: (lambda w: w * stats.norm.cdf(t, 0.0, 2.0) + (1.0 - w) * stats.t.cdf(t - 3.0, 5.0))(
            0.02 * (8.0 * math.pi) ** 2
            / (0.02 * (8.0 * math.pi) ** 2 + math.exp(eb.StudentT([3.0] * 4, 1.0, 5.0).closed_log_partition()))
        ),
        eb.mixture([eb.Gaussian([0.0] * 4, 4.0), eb.StudentT([3.0] * 4, 1.0, 5.0)], [0.024, 1.0]),
    ),
    "StudentT": (
        eb.StudentT(MEAN, COV, 2.5), lambda x: (((x - MEAN) @ np.linalg.inv(COV)) * (x - MEAN)).sum(axis=1) / 3.0,
        stats.f(3, 2.5).cdf, eb.StudentT(MEAN, COV, 3.5),
    ),
    "Funnel": (
        eb.Funnel(10, 1.7), lambda x: (x[:, 1:] ** 2).sum(axis=1) * np.exp(-x[:, 0]), stats.chi2(9).cdf, None,
    ),
    "Funnel's width": (eb.Funnel(10, 1.7), lambda x: x[:, 0], stats.norm(0.0, 1.7).cdf, eb.Funnel(10, 1.85)),
    "Banana": (
        eb.Banana(3, 0.07, 3.0), lambda x: x[:, 1] + 0.07 * (x[:, 0] ** 2 - 9.0), stats.norm.cdf,
        eb.Banana(3, 0.05, 3.0),
    ),
    "Rosenbrock": (
        eb.Rosenbrock(2, 1.3, 20.0), lambda x: math.sqrt(40.0) * (x[:, 1] - x[:, 0] ** 2), stats.norm.cdf,
        eb.Rosenbrock(2, 1.3, 17.0),
    ),
    "HybridRosenbrock": (
        eb.HybridRosenbrock(3, 2, mu=0.4, a=0.5, b=[[5.0, 3.0], [2.0, 7.0]]),
        lambda x: math.sqrt(14.0) * (x[:, 4] - x[:, 3] ** 2), stats.norm.cdf,
        eb.HybridRosenbrock(3, 2, mu=0.4, a=0.5, b=[[5.0, 3.0], [7.0, 2.0]]),
    ),
    "affine map": (
        eb.Funnel(4, 1.0).affine([2.0, -1.0, 1.0, 1.0], 3.0), lambda x: (x[:, 0] - 3.0) / 2.0, stats.norm.cdf,
        eb.Funnel(4, 1.0).affine([2.0, -1.0, 1.0, 1.0], 3.2),
    ),
    "observed": (
        eb.StudentT([0.0, 0.0], 1.0, 4.0).observed(0.5), lambda x: (x[:, 3] - x[:, 1]) / 0.5, stats.norm.cdf,
        eb.StudentT([0.0, 0.0], 1.0, 4.0).observed(0.55),
    ),
    "sum, multiple and condition": (
        (0.5 * eb.Gaussian(MEAN, COV) + eb.Gaussian(MEAN, COV)).conditioned({2: 2.0}), lambda x: x[:, 0] - 0.5,
        stats.norm(0.0, math.sqrt((1.5 - 0.2**2 / 2.0) / 1.5)).cdf,
        (0.5 * eb.Gaussian(MEAN, COV) + eb.Gaussian(MEAN, COV)).conditioned({2: 2.5}),
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_draws_have_the_law_and_those_of_another_do_not(name):
    energy, value, cdf, wrong = LAWS[name]
    assert energy.closed_draws(1, np.random.default_rng(0)) is not None, "drawn by rejection"
    points = exact_draws(energy, N, fresh_seed())
    assert points.shape == (N, energy.dim)
    assert np.isfinite(energy.energy(points)).all()
    assert fits(value(points), cdf)
    if wrong is not None:
        assert not fits(value(exact_draws(wrong, N, fresh_seed())), cdf)


@pytest.mark.parametrize("energy", [
    eb.Gaussian(MEAN, COV), eb.Banana(2, 0.1, 2.0), eb.Funnel(2, 1.0), eb.Rosenbrock(2, 1.0, 5.0),
    eb.HybridRosenbrock(2, 2, a=1.0), eb.StudentT([1.0, 2.0], [[1.0, 0.3], [0.3, 2.0]], 12.0),
    eb.mixture([eb.Funnel(2, 0.5), eb.Gaussian([2.0, 1.0])], [2.0, 1.0]),
    eb.Banana(2, 0.1, 2.0).affine([[0.8, -0.6], [0.6, 0.8]], [1.0, 0.0]),
], ids=lambda energy: energy.name)
def test_formulas_agree_with_quadrature(energy):
    """Bounded functions of all coordinates and of the energy, whose means the nodes give."""
    grid = quadrature.grid(energy)

    def functions(x):
        return np.column_stack([np.tanh(x), np.tanh(x) ** 2, np.tanh(x[:, 0] * x[:, 1]), np.exp(-energy.energy(x))])

    assert mean_may_be(grid.expectation(functions(grid.points)), functions(exact_draws(energy, N, fresh_seed())))
    assert not mean_may_be(
        grid.expectation(functions(grid.points)), functions(1.02 * exact_draws(energy, N, fresh_seed()))
    )


def test_a_seed_gives_the_same_points_and_another_seed_others():
    for energy in (eb.Gaussian(MEAN, COV), eb.GaussianMixture([[0.0], [1.0]]), eb.DoubleWell()):
        np.testing.assert_array_equal(exact_draws(energy, 50, 3), exact_draws(energy, 50, 3))
        assert not np.array_equal(exact_draws(energy, 50, 3), exact_draws(energy, 50, 4))


@pytest.mark.parametrize("energy", [
    eb.Gaussian([0.0, 0.0], [[1.0, 0.2], [0.2, 1.0]]).with_theta(precision_factor=np.zeros((2, 2))),
    eb.StudentT([0.0]).with_theta(precision_factor=[[0.0]]),
    eb.StudentT([0.0], 1.0, 0.05),
    eb.Banana().with_theta(scale=0.0),
    eb.Funnel(3, 1000.0),
    eb.Rosenbrock(2).with_theta(b=-1.0),
    eb.Rosenbrock(4),
    eb.Gaussian([0.0]).restricted([(0.0, 1.0)]),
    eb.mixture([eb.Gaussian([0.0]), eb.DoubleWell()]),
    eb.DoubleWell().observed(1.0),
    eb.DoubleWell().affine(2.0),
], ids=lambda energy: energy.name)
def test_laws_without_a_formula_or_without_a_z_are_left_to_others(energy):
    assert energy.closed_draws(3, np.random.default_rng(0)) is None


def test_bounds_stay_with_the_grid(monkeypatch):
    E = eb.Ring(2.0, 0.4)
    grid = quadrature.grid(E)
    first = draws.draws_on(grid, 100, 5)
    monkeypatch.setattr(draws, "_bounded", None)
    np.testing.assert_array_equal(draws.draws_on(grid, 100, 5), first)
    monkeypatch.undo()
    np.testing.assert_array_equal(draws.draws_on(quadrature.grid(E), 100, 5), first)


@pytest.mark.parametrize(
    "E", [eb.Ring(2.0, 0.4), eb.Banana(2, 0.1, 3.0), eb.DoubleWell(2), eb.StudentT([0.0], 1.0, 1.5)],
    ids=lambda E: E.name,
)
def test_bounds_are_bounds(E):
    """At points in all cells: the density is never above the height of the envelope that no proposal contradicted."""
    grid = quadrature.grid(E)
    draws.draws_on(grid, 1_000_000, 0)
    envelope = grid.envelopes[max(grid.envelopes)]
    generator = np.random.default_rng(0)
    corners = np.stack(np.unravel_index(np.arange(len(envelope.log_heights)), [len(e) - 1 for e in envelope.edges]))
    for _ in range(3):
        y = np.column_stack([
            e[k] + generator.random(len(k)) * (e[k + 1] - e[k]) for e, k in zip(envelope.edges, corners, strict=True)
        ])
        heights = envelope.lattice.density.log(envelope.lattice.chart.v(y))
        has_mass = np.diff(envelope.cumulative, prepend=0.0) > 1e-7  # one of 1e7 points
        assert (heights <= envelope.log_heights)[has_mass].all()


def test_what_cannot_be_drawn_is_refused_in_a_sentence():
    message = refused(lambda: exact_draws(eb.DoubleWell(4), 3, 0), "dim=4", "Gaussian")
    assert "dim <= 3" in message
    refused(lambda: exact_draws(eb.Gaussian([0.0]), 0), "n is 0")


def test_the_testing_kit_has_the_same_function():
    from fastebm import testing

    assert testing.exact_draws is exact_draws is draws.exact_draws
