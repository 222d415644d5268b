"""The catalogue's younger energies: each against its formula in NumPy, its log Z and moments against independent truth.

Gaussian, GaussianMixture, DoubleWell and MLP have files of their own.
"""

import math

import mpmath
import numpy as np
import pytest
import scipy
from energy_laws import agrees_with_its_source, holds_what_every_energy_promises
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.energies.catalogue import banana, funnel, quartic_chain, ring, rosenbrock, student_t
from fastebm.exact import quadrature

seeds = st.integers(0, 2**64 - 1)
sizes = st.floats(0.3, 4.0)
shifts = st.floats(-2.0, 2.0)
FEATURES = np.array([[1.0, 0.4], [1.0, -1.3], [1.0, 2.2], [1.0, 0.1], [1.0, -0.6]])
LABELS = np.array([1.0, 0.0, 1.0, 0.0, 0.0])


# ---- each formula once more, in NumPy, for points X (n, dim) ----


def ring_of(X, radius, width):
    return 0.5 * ((np.linalg.norm(X, axis=1) - radius) / width) ** 2


def rosenbrock_of(X, a, b):
    return (b * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (a - X[:, :-1]) ** 2).sum(axis=1)


def hybrid_of(X, mu, a, b):
    blocks = X[:, 1:].reshape(len(X), *b.shape)
    before = np.concatenate([np.repeat(X[:, :1, None], b.shape[0], axis=1), blocks[:, :, :-1]], axis=2)
    return a * (X[:, 0] - mu) ** 2 + (b * (blocks - before**2) ** 2).sum(axis=(1, 2))


def student_of(X, mean, factor, log_df):
    df, dim = math.exp(log_df), X.shape[1]
    return 0.5 * (df + dim) * np.log1p((((X - mean) @ np.tril(factor)) ** 2).sum(axis=1) / df)


def funnel_of(X, scale):
    z, rest = X[:, 0], X[:, 1:]
    return -scipy.stats.norm(0.0, scale).logpdf(z) - scipy.stats.norm(0.0, np.exp(z / 2.0)[:, None]).logpdf(
        rest
    ).sum(axis=1) - 0.5 * X.shape[1] * math.log(2.0 * math.pi) - math.log(scale)


def banana_of(X, bend, scale):
    straight = X.copy()
    straight[:, 1] += bend * (X[:, 0] ** 2 - scale**2)
    straight[:, 0] /= scale
    return 0.5 * (straight**2).sum(axis=1)


def chain_of(X, barrier, coupling):
    return barrier * ((X**2 - 1.0) ** 2).sum(axis=1) + 0.5 * coupling * (np.diff(X, axis=1) ** 2).sum(axis=1)


def logistic_of(X, prior_scale):
    z = X @ FEATURES.T
    return (np.logaddexp(0.0, z) - LABELS * z).sum(axis=1) + 0.5 * (X**2).sum(axis=1) / prior_scale**2


def student(seed, dim, df):
    generator = np.random.default_rng(seed)
    A = generator.standard_normal((dim, dim))
    return eb.StudentT(generator.standard_normal(dim), A @ A.T + 0.5 * np.eye(dim), df)


ENERGIES = {  # strategies of an energy of each kind, with its formula
    "Ring": (st.builds(eb.Ring, sizes, sizes), ring_of),
    "Rosenbrock": (st.builds(eb.Rosenbrock, st.integers(2, 4), shifts, sizes), rosenbrock_of),
    "HybridRosenbrock": (
        st.sampled_from([(2, 1), (3, 2), (4, 3)]).flatmap(  # every shape is compiled anew
            lambda shape: st.builds(eb.HybridRosenbrock, *map(st.just, shape), mu=shifts, a=sizes, b=sizes)
        ), hybrid_of,
    ),
    "StudentT": (st.builds(student, seeds, st.integers(1, 3), sizes), student_of),
    "Funnel": (st.builds(eb.Funnel, st.integers(2, 4), sizes), funnel_of),
    "Banana": (st.builds(eb.Banana, st.integers(2, 4), shifts, sizes), banana_of),
    "QuarticChain": (st.builds(eb.QuarticChain, st.integers(1, 4), sizes, shifts), chain_of),
    "LogisticPosterior": (st.builds(lambda scale: eb.LogisticPosterior(FEATURES, LABELS, scale), sizes), logistic_of),
}


@pytest.mark.parametrize("kind", ENERGIES)
@given(data=st.data(), seed=seeds)
@settings(max_examples=25)
def test_the_formula(kind, data, seed):
    energies, formula = ENERGIES[kind]
    E = data.draw(energies)
    X = 2.0 * np.random.default_rng(seed).standard_normal((7, E.dim))
    wanted = formula(X, *E.unpack().values())
    np.testing.assert_allclose(E.energy(X), wanted, rtol=1e-11, atol=1e-11 * (1.0 + np.abs(wanted).max()))


EXAMPLES = {
    "Ring": (eb.Ring(1.5, 0.7), ring.ring),
    "Rosenbrock": (eb.Rosenbrock(3, 0.8, 2.0), rosenbrock.rosenbrock),
    "HybridRosenbrock": (
        eb.HybridRosenbrock(3, 2, mu=0.4, a=1.3, b=[[1.0, 2.0], [0.7, 1.5]]), rosenbrock.hybrid_rosenbrock
    ),
    "StudentT": (student(5, 2, 2.5), student_t.student_t),
    "Funnel": (eb.Funnel(3, 1.4), funnel.funnel),
    "Banana": (eb.Banana(3, 0.3, 1.5), banana.banana),
    "QuarticChain": (eb.QuarticChain(3, 0.8, 1.2), quartic_chain.quartic_chain),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_formula_that_is_wrong_in_any_parameter_would_be_seen(kind):
    E, formula = EXAMPLES[kind][0], ENERGIES[kind][1]
    X = np.random.default_rng().standard_normal((7, E.dim))
    values = list(E.unpack().values())
    for place, value in enumerate(values):
        wrong = [*values[:place], value + 0.001, *values[place + 1 :]]
        assert not np.allclose(E.energy(X), formula(X, *wrong), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", EXAMPLES)
@given(seed=seeds)
@settings(max_examples=5)
def test_every_slope_in_exact_arithmetic(kind, seed):
    E, function = EXAMPLES[kind]
    agrees_with_its_source(E, function, np.random.default_rng(seed).standard_normal((2, E.dim)))


@pytest.mark.parametrize("E", [*(E for E, _ in EXAMPLES.values()), eb.LogisticPosterior(FEATURES, LABELS)], ids=repr)
def test_what_every_energy_promises(E, monkeypatch):
    holds_what_every_energy_promises(E, monkeypatch)


CLOSED = {
    "thick ring": eb.Ring(0.4, 1.5),
    "thin ring": eb.Ring(3.0, 0.4),
    "Rosenbrock": eb.Rosenbrock(2, 0.7, 3.0),
    "hybrid of two blocks": eb.HybridRosenbrock(2, 2, mu=0.5, a=1.5, b=[[2.0], [1.0]]),
    "hybrid of a long block": eb.HybridRosenbrock(3, 1, mu=0.3, a=8.0, b=[[4.0, 5.0]]),
    "StudentT": student(1, 2, 7.5),
    "StudentT of one dimension": eb.StudentT(1.0, 2.0, 9.0),
    "Funnel": eb.Funnel(2, 1.0),
    "Banana": eb.Banana(2, 0.2, 1.5),
    "Gaussian": eb.Gaussian([1.0, -0.5], [[2.0, 0.6], [0.6, 0.5]]),
    "independent Gaussian": eb.Gaussian([1.0, -0.5], [2.0, 0.3]),
    "GaussianMixture": eb.GaussianMixture([[0.0, 1.0], [2.0, -1.0]], [np.eye(2), [[0.5, 0.2], [0.2, 0.7]]], [0.6, 1.8]),
}


@pytest.mark.parametrize("name", CLOSED)
def test_log_partition_and_moments_by_quadrature(name):
    E = CLOSED[name]
    grid = quadrature.grid(E)
    assert E.closed_log_partition() == pytest.approx(grid.log_partition, abs=2.0 * grid.error + 1e-12)
    mean, cov = E.closed_moments()
    allowed = 3e-6 * (1.0 + np.abs(cov).max())
    np.testing.assert_allclose(mean, grid.mean, atol=allowed)
    np.testing.assert_allclose(cov, grid.cov, atol=allowed)


def hybrid_points(E, z):
    """Draws (n, dim) from standard normal numbers z (dim, n): each about the square of the one before."""
    mu, a, b = E.unpack().values()
    normals = iter(z)
    columns = [mu + next(normals) / math.sqrt(2.0 * a)]
    for block in b:
        before = columns[0]
        for steepness in block:
            before = before**2 + next(normals) / math.sqrt(2.0 * steepness)
            columns.append(before)
    return np.column_stack(columns)


class TestHybridRosenbrock:
    @pytest.mark.parametrize(("block_size", "n_blocks"), [(5, 1), (3, 2), (2, 4)])
    @given(seed=seeds)
    @settings(max_examples=5)
    def test_moments(self, block_size, n_blocks, seed):
        """Coordinates are polynomials of normal numbers; Gauss and Hermite's rule is exact for their products."""
        generator = np.random.default_rng(seed)
        b = generator.uniform(0.5, 5.0, (n_blocks, block_size - 1))
        E = eb.HybridRosenbrock(block_size, n_blocks, mu=generator.normal(), a=generator.uniform(0.5, 5.0), b=b)
        nodes, weights = np.polynomial.hermite_e.hermegauss(2 ** (block_size - 1) + 1)
        z = np.stack([one.ravel() for one in np.meshgrid(*[nodes] * E.dim)])
        w = np.prod([one.ravel() for one in np.meshgrid(*[weights] * E.dim)], axis=0)
        X = hybrid_points(E, z)
        mean, cov = E.closed_moments()
        size = np.sqrt((w @ X**2) / w.sum())
        np.testing.assert_allclose(mean / size, w @ X / w.sum() / size, atol=1e-11)
        second = (w * X.T) @ X / w.sum()
        scale = np.outer(size, size)
        np.testing.assert_allclose((cov + np.outer(mean, mean)) / scale, second / scale, atol=1e-11)

    def test_the_energy_is_the_one_of_the_draws(self):
        """E is minus the log density of those draws, but for log Z."""
        E = eb.HybridRosenbrock(4, 2, mu=0.3, a=2.0, b=3.0)
        X = hybrid_points(E, np.random.default_rng().standard_normal((7, 50)))
        density = scipy.stats.norm(0.3, 0.5).logpdf(X[:, 0])
        for first in (1, 4):
            before = X[:, 0]
            for column in range(first, first + 3):
                density += scipy.stats.norm(before**2, math.sqrt(1.0 / 6.0)).logpdf(X[:, column])
                before = X[:, column]
        np.testing.assert_allclose(eb.log_likelihood(E, X), density, rtol=1e-10, atol=1e-10)

    def test_one_block_of_two_is_the_usual_form(self):
        usual, hybrid = eb.Rosenbrock(2, 0.7, 3.0), eb.HybridRosenbrock(2, 1, mu=0.7, a=1.0, b=3.0)
        X = np.random.default_rng().standard_normal((20, 2))
        np.testing.assert_allclose(usual.energy(X), hybrid.energy(X), rtol=1e-12)
        assert usual.closed_log_partition() == pytest.approx(hybrid.closed_log_partition())

    def test_very_long_blocks_have_no_moments_in_closed_form(self):
        assert eb.HybridRosenbrock(8, 1).closed_moments() is None
        assert math.isfinite(eb.HybridRosenbrock(8, 1).closed_log_partition())


@given(st.integers(2, 40), sizes)
@settings(max_examples=10)
def test_log_partition_does_not_hang_on_the_dimension_in_a_wrong_way(dim, scale):
    """Both are normal but for a change of variables that keeps volumes, or for widths that log Z takes in."""
    wanted = 0.5 * dim * math.log(2.0 * math.pi) + math.log(scale)
    assert eb.Funnel(dim, scale).closed_log_partition() == pytest.approx(wanted)
    assert eb.Banana(dim, 0.3, scale).closed_log_partition() == pytest.approx(wanted)


@given(seeds, st.integers(1, 6), st.floats(0.1, 100.0))
def test_student_t_against_scipy(seed, dim, df):
    E = student(seed, dim, df)
    X = 3.0 * np.random.default_rng(seed + 1).standard_normal((5, dim))
    law = scipy.stats.multivariate_t(E.settings["mean"], E.settings["scale"], df)
    np.testing.assert_allclose(eb.log_likelihood(E, X), law.logpdf(X), rtol=1e-9, atol=1e-9)


@given(st.integers(1, 1000), st.floats(1e-3, 1e12))
def test_normalisation_of_student_t_in_exact_arithmetic(dim, df):
    E = eb.StudentT(np.zeros(dim), df=df)
    df = mpmath.exp(mpmath.mpf(E.unpack()["log_df"]))
    wanted = mpmath.loggamma(df / 2) - mpmath.loggamma((df + dim) / 2) + dim * mpmath.log(df * mpmath.pi) / 2
    assert E.closed_log_partition() == pytest.approx(float(wanted), rel=1e-12, abs=1e-11)


def test_few_degrees_of_freedom_have_no_moments():
    assert np.isinf(eb.StudentT([0.0, 0.0], df=1.5).closed_moments().cov).all()
    cauchy = eb.StudentT([0.0, 0.0], df=1.0).closed_moments()
    assert np.isnan(cauchy.mean).all()
    assert np.isnan(cauchy.cov).all()


@pytest.mark.parametrize("E", [
    eb.Ring().with_theta(radius=-1.0), eb.Ring().with_theta(width=0.0), eb.Rosenbrock().with_theta(b=-1.0),
    eb.HybridRosenbrock().with_theta(a=-1.0),
], ids=["radius", "width", "b", "a"])
def test_parameters_that_training_may_reach_make_no_wrong_numbers(E):
    assert E.closed_moments() is None
    assert E.closed_log_partition() in (None, math.inf)


class TestLogisticPosterior:
    def test_the_evidence_in_one_dimension(self):
        """exp(log Z) over the prior's normalisation is the probability of the labels: an integral by SciPy."""
        E = eb.LogisticPosterior(FEATURES[:, 1:], LABELS, 2.0)

        def likelihood(w):
            p = scipy.special.expit(FEATURES[:, 1] * w)
            return np.prod(np.where(LABELS == 1.0, p, 1.0 - p)) * scipy.stats.norm(0.0, 2.0).pdf(w)

        evidence = scipy.integrate.quad(likelihood, -40.0, 40.0, epsabs=0.0, epsrel=1e-11, limit=200)[0]
        log_z = eb.log_partition(E).value
        assert log_z - 0.5 * math.log(2.0 * math.pi * 4.0) == pytest.approx(math.log(evidence), abs=1e-8)

    def test_other_data_of_the_same_shape_share_the_code(self):
        one = eb.LogisticPosterior(FEATURES, LABELS)
        other = eb.LogisticPosterior(2.0 * FEATURES, 1.0 - LABELS)
        assert other.program is one.program
        assert other.energy([0.3, 0.1]) != one.energy([0.3, 0.1])

    def test_far_coefficients_do_not_overflow(self):
        assert eb.LogisticPosterior(FEATURES, LABELS).energy([1e5, -1e5]) == pytest.approx(
            logistic_of(np.array([[1e5, -1e5]]), 10.0)[0], rel=1e-12
        )


@pytest.mark.parametrize(("make", "words"), [
    (lambda: eb.Ring(radius=0.0), ["radius is 0.0"]),
    (lambda: eb.Ring(width=math.nan), ["width is nan"]),
    (lambda: eb.Rosenbrock(1), ["dim is 1", "2"]),
    (lambda: eb.Rosenbrock(2, b=-1.0), ["b is -1.0"]),
    (lambda: eb.HybridRosenbrock(1, 1), ["block_size is 1"]),
    (lambda: eb.HybridRosenbrock(3, 2, b=[1.0, 2.0]), ["b has shape (2,)"]),
    (lambda: eb.HybridRosenbrock(3, 1, b=[[1.0, 0.0]]), ["0.0", "above 0"]),
    (lambda: eb.StudentT([0.0, 0.0], df=0.0), ["df is 0.0"]),
    (lambda: eb.StudentT([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]), ["scale", "positive definite"]),
    (lambda: eb.StudentT([0.0, 0.0], [1.0, 2.0, 3.0]), ["scale has shape (3,)"]),
    (lambda: eb.Funnel(1), ["dim is 1"]),
    (lambda: eb.Funnel(3, scale=0.0), ["scale is 0.0"]),
    (lambda: eb.Banana(2, bend=math.inf), ["bend is inf"]),
    (lambda: eb.QuarticChain(0), ["dim is 0"]),
    (lambda: eb.QuarticChain(3, barrier=0.0), ["barrier is 0.0"]),
    (lambda: eb.LogisticPosterior([1.0, 2.0], [0, 1]), ["features has shape (2,)"]),
    (lambda: eb.LogisticPosterior(FEATURES, LABELS[:4]), ["labels has shape (4,)"]),
    (lambda: eb.LogisticPosterior(FEATURES, LABELS + 1.0), ["labels has the entry 2", "5 rows"]),
    (lambda: eb.LogisticPosterior(FEATURES, LABELS, 0.0), ["prior_scale is 0.0"]),
    (lambda: eb.LogisticPosterior(np.full((2, 2), math.nan), [0, 1]), ["features", "nan"]),
])
def test_what_is_refused(make, words):
    refused(make, *words)
