"""Closed forms of what is made of Gaussians, against 60 digits and against the energies that they are of."""

import math

import mpmath
import numpy as np
import pytest
from algebra_parts import ROUNDING, bumps, closed_forms_hold, gaussian, independent, points, well
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm.energies.quadratics import Quadratic, mixed_moments

seeds = st.integers(0, 2**64 - 1)


def drawn(generator, dim, is_diagonal):
    """Any scale in each direction: standard deviations from 1/1000 to 1000."""
    sizes = np.exp(generator.uniform(math.log(1e-3), math.log(1e3), dim))
    turn = np.linalg.qr(generator.standard_normal((dim, dim)))[0]
    root = sizes if is_diagonal else np.linalg.qr((turn * sizes) @ turn.T)[1]
    return Quadratic(10.0 * generator.standard_normal(dim), root, float(generator.standard_normal()))


def square(root):
    return np.diag(root) if root.ndim == 1 else root


def exact(*terms):
    """log of the integral of exp(-sum of the terms) in mpmath's digits, by precisions."""
    dim = terms[0].mean.size
    precision, pull, constant = mpmath.zeros(dim), mpmath.zeros(dim, 1), mpmath.mpf(0)
    for term in terms:
        root, mean = mpmath.matrix(square(term.root).tolist()), mpmath.matrix(term.mean.tolist())
        precision += root.T * root
        pull += root.T * (root * mean)
        constant += term.least + ((root * mean).T * (root * mean))[0] / 2
    inner = (pull.T * mpmath.lu_solve(precision, pull))[0] / 2
    return float(
        dim * mpmath.log(2 * mpmath.pi) / 2 - mpmath.log(mpmath.det(precision)) / 2 + inner - constant
    )


@given(seeds, st.integers(1, 4), st.booleans(), st.booleans())
@settings(max_examples=100)
def test_sums_to_the_digit_that_is_claimed(seed, dim, one_is_diagonal, other_is_diagonal):
    generator = np.random.default_rng(seed)
    one, other = drawn(generator, dim, one_is_diagonal), drawn(generator, dim, other_is_diagonal)
    for left, right in ((one, other), (other, one)):
        wanted = exact(left, right)
        both = left.plus(right)
        assert abs(both.log_partition() - wanted) <= ROUNDING * both.condition * (1.0 + abs(wanted))
        assert both.condition == 1.0 or not (one_is_diagonal and other_is_diagonal)


@given(seeds, st.integers(1, 4), st.booleans(), st.floats(0.01, 100.0))
@settings(max_examples=50)
def test_multiples(seed, dim, is_diagonal, beta):
    one = drawn(np.random.default_rng(seed), dim, is_diagonal)
    wanted = exact(Quadratic(one.mean, math.sqrt(beta) * one.root, beta * one.least))
    assert abs(one.times(beta).log_partition() - wanted) <= ROUNDING * (1.0 + abs(wanted))
    assert one.times(beta).condition == one.condition
    assert one.times(beta).mean is one.mean
    np.testing.assert_allclose(one.times(beta).covariance(), one.covariance() / beta, rtol=1e-9, atol=1e-9)


@given(seeds, st.integers(1, 3))
@settings(max_examples=20)
def test_a_diagonal_is_the_matrix_with_zeros_beside_it(seed, dim):
    generator = np.random.default_rng(seed)
    one, other = drawn(generator, dim, True), drawn(generator, dim, True)
    pairs = [(one.plus(other), one._replace(root=np.diag(one.root)).plus(other))]
    if dim > 1:
        is_free, values = np.arange(dim) > 0, generator.standard_normal(1)
        full = one._replace(root=np.diag(one.root))
        pairs.append((one.conditioned(is_free, values), full.conditioned(is_free, values)))
    for a, b in pairs:
        assert a.log_partition() == pytest.approx(b.log_partition(), rel=1e-11, abs=1e-11)
        np.testing.assert_allclose(a.mean, b.mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(a.covariance(), b.covariance(), rtol=1e-9, atol=1e-12)


def as_written(terms, X):
    """-log sum_k exp(-q_k) at points."""
    values = [
        term.least + 0.5 * ((X - term.mean) @ square(term.root).T) ** 2 @ np.ones(X.shape[1]) for term in terms
    ]
    return -np.logaddexp.reduce(-np.array(values), axis=0)


COMBINATIONS = {
    "sum": lambda a, b, c: a + b,
    "product of mixtures": lambda a, b, c: c + 0.5 * a + c,
    "posterior": lambda a, b, c: c.observed(0.7).conditioned({2: 0.3, 3: -1.0}),
    "map of a mixture of maps": lambda a, b, c: eb.mixture([a.affine([2.0, -0.5], 1.0), c + b], [0.3, 2.0]).affine(
        [[1.0, 0.5], [-0.3, 2.0]], [0.5, -0.7]
    ),
}


@pytest.mark.parametrize("kind", COMBINATIONS)
def test_terms_are_those_of_the_energy(kind):
    """Not only the shape: every constant has to be right, as log Z has."""

    @given(seeds)
    @settings(max_examples=10)
    def law(seed):
        E = COMBINATIONS[kind](gaussian(seed, 2), independent(seed + 1, 2), bumps(seed + 2, 2))
        X = points(seed, 2)
        np.testing.assert_allclose(E.energy(X), as_written(E.quadratics(), X), rtol=1e-9, atol=1e-9)

    law()


@pytest.mark.parametrize("kind", COMBINATIONS)
@given(seed=seeds)
@settings(max_examples=3)
def test_against_quadrature(kind, seed):
    closed_forms_hold(COMBINATIONS[kind](gaussian(seed, 2), independent(seed + 1, 2), bumps(seed + 2, 2)))


def test_the_kalman_update():
    """Prior N(1, 4), noise 0.5, seen 3: what every textbook has."""
    posterior = eb.Gaussian([1.0], 4.0).observed(0.5).conditioned({1: 3.0})
    gain = 4.0 / 4.25
    assert posterior.closed_moments().mean[0] == pytest.approx(1.0 + gain * 2.0, rel=1e-14)
    assert posterior.closed_moments().cov[0, 0] == pytest.approx((1.0 - gain) * 4.0, rel=1e-14)
    evidence = posterior.closed_log_partition() - eb.Gaussian([1.0], 4.0).observed(0.5).closed_log_partition()
    assert evidence == pytest.approx(-0.5 * math.log(2.0 * math.pi * 4.25) - 0.5 * 4.0 / 4.25, rel=1e-13)


@given(seeds, st.integers(1, 4), st.floats(-100.0, 100.0))
@settings(max_examples=50)
def test_conditioning_to_the_digit_that_is_claimed(seed, dim, value):
    generator = np.random.default_rng(seed)
    whole = drawn(generator, dim + 1, False)
    is_free = np.arange(dim + 1) != generator.integers(dim + 1)
    part = whole.conditioned(is_free, np.array([value]))
    # at the clamped value, by a term so sharp that nothing else is left: 80 digits below the others
    with mpmath.workdps(120):
        sharp = mpmath.mpf(10) ** 40
        wanted = conditional(whole, is_free, value, sharp)
    assert abs(part.log_partition() - wanted) <= ROUNDING * part.condition * (1.0 + abs(wanted))


def conditional(whole, is_free, value, sharp):
    """log of the integral over the free coordinates, in mpmath's digits, by the whole with a sharp term beside it."""
    dim = whole.mean.size
    clamped = int(np.flatnonzero(~is_free)[0])
    root, mean = mpmath.matrix(whole.root.tolist()), mpmath.matrix(whole.mean.tolist())
    precision = root.T * root
    pull = precision * mean
    precision[clamped, clamped] += sharp**2
    pull[clamped] += sharp**2 * value
    constant = whole.least + ((root * mean).T * (root * mean))[0] / 2 + sharp**2 * mpmath.mpf(value) ** 2 / 2
    inner = (pull.T * mpmath.lu_solve(precision, pull))[0] / 2
    log_z = dim * mpmath.log(2 * mpmath.pi) / 2 - mpmath.log(mpmath.det(precision)) / 2 + inner - constant
    return float(log_z - mpmath.log(2 * mpmath.pi) / 2 + mpmath.log(sharp))


def test_many_dimensions_at_little_cost():
    n = 20_000
    mirrored = eb.Gaussian(np.ones(n), np.full(n, 2.0)).affine(np.full(n, -1.0))
    E = eb.Gaussian(np.zeros(n), np.full(n, 4.0)) + 2.0 * mirrored
    wanted = n * (0.5 * math.log(2.0 * math.pi / 1.25) - 0.5 * 0.25 / 1.25)  # precisions 1/4 and 1, means 0 and -1
    assert E.closed_log_partition() == pytest.approx(wanted, rel=1e-13)


class TestWhereThereIsNoFormula:
    def test_others(self):
        for E in (
            well(0, 2), gaussian(0, 2) + well(0, 2), 0.5 * bumps(0, 2), gaussian(0, 2).restricted([(0.0, 1.0)] * 2),
            gaussian(0, 2) + gaussian(1, 2).restricted([(0.0, 1.0)] * 2), 2.0 * well(0, 2), well(0, 2).observed(1.0),
        ):
            assert E.quadratics() is None
            assert E.closed_log_partition() is None
            assert E.closed_moments() is None

    def test_constant_along_a_line(self):
        flat = gaussian(0, 2).with_theta(precision_factor=[[1.0, 0.0], [0.0, 0.0]])
        thin = independent(0, 2).with_theta(precision_factor=[1.0, 0.0])
        for E in (flat, thin):
            assert E.closed_log_partition() == math.inf
            assert np.isinf(E.closed_moments().cov).all()
            assert (E + E).closed_log_partition() is None
            assert E.conditioned({0: 1.0}).closed_log_partition() in (None, math.inf)
            assert math.isfinite((E + gaussian(1, 2)).closed_log_partition())
            assert math.isfinite(E.conditioned({1: 1.0}).closed_log_partition())

    def test_products_of_too_many_terms(self):
        many = eb.GaussianMixture(points(0, 2, 40))
        assert (many + many).closed_log_partition() is None
        few = eb.GaussianMixture(points(0, 2, 20))
        assert math.isfinite((few + few).closed_log_partition())


def test_moments_of_mixtures():
    mean, cov = mixed_moments(np.log([1.0, 3.0]) + 800.0, [np.zeros(1), np.full(1, 4.0)], [np.eye(1), np.eye(1)])
    assert mean.tolist() == pytest.approx([3.0])
    assert cov[0].tolist() == pytest.approx([1.0 + 0.75 * 0.25 * 16.0])
