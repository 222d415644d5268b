"""Contrasts in compiled code against their definitions in plain NumPy, and their names."""

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from fastebm.testing.contrasts import DEGREES, LEVELS, Contrasts

seeds = st.integers(0, 2**64 - 1)


def made(q, is_reversible=True):
    return Contrasts(tuple(f"c{a}" for a in range(q)), is_reversible)


def plain_functions(u, pairs):
    columns = [
        np.sqrt(2 * k + 1) * scipy.special.eval_legendre(k, 2.0 * u[:, a] - 1.0)
        for a in range(u.shape[1]) for k in range(1, DEGREES + 1)
    ]
    columns += [columns[DEGREES * a] * columns[DEGREES * b] for a, b in pairs]
    return np.stack(columns, axis=1)


def plain_sets(u, pairs):
    columns = [u[:, a] > level for a in range(u.shape[1]) for level in LEVELS]
    for a, b in pairs:
        columns += [u[:, a] + u[:, b] > 1.0, u[:, a] > u[:, b]]
    return np.stack(columns, axis=1).astype(float)


def plain(contrasts, u, v, means, slopes):
    """All contrasts (n, n_contrasts) of chains with shares u at the start and v at the end."""
    f, g = plain_functions(u, contrasts.pairs), plain_functions(v, contrasts.pairs)
    swaps = [f[:, one] * g[:, other] - f[:, other] * g[:, one] for one, other in contrasts.swaps]
    return np.hstack([
        g - means - slopes * (f - means),
        plain_sets(v, contrasts.pairs) - plain_sets(u, contrasts.pairs),
        np.stack(swaps, axis=1) if swaps else np.zeros((len(u), 0)),
    ])


@given(seeds, st.integers(1, 4), st.booleans(), st.sampled_from([1, 3, 8]))
@settings(max_examples=20)
def test_the_sums_are_those_of_the_definitions(seed, q, is_reversible, group_size):
    generator = np.random.default_rng(seed)
    contrasts = made(q, is_reversible)
    u, v = generator.random((2, 120, q))
    means = 0.1 * generator.standard_normal(contrasts.n_moments)
    slopes = generator.random(contrasts.n_moments)
    groups = plain(contrasts, u, v, means, slopes).reshape(-1, group_size, contrasts.n).sum(axis=1)
    found = contrasts.sums(u, v, means, slopes, group_size)
    assert found.n == len(groups)
    for k in range(4):
        scale = (abs(groups) ** (k + 1)).sum(axis=0).max()
        np.testing.assert_allclose(found.powers[k], (groups ** (k + 1)).sum(axis=0), rtol=1e-11, atol=1e-13 * scale)


@given(seeds, st.integers(1, 4))
@settings(max_examples=20)
def test_functions_slopes_and_expectations(seed, q):
    generator = np.random.default_rng(seed)
    contrasts = made(q)
    u, v = generator.random((2, 200, q))
    f, g = plain_functions(u, contrasts.pairs), plain_functions(v, contrasts.pairs)
    np.testing.assert_allclose(contrasts.functions(u), f, rtol=1e-11, atol=1e-12)
    means = 0.1 * generator.standard_normal(contrasts.n_moments)
    wanted = ((f - means) * (g - means)).sum(axis=0) / ((f - means) ** 2).sum(axis=0)
    np.testing.assert_allclose(contrasts.slopes(u, v, means), wanted, rtol=1e-9, atol=1e-12)
    weights = generator.random(200)
    weights /= weights.sum()
    mean, variance = contrasts.expectations(u, weights)
    np.testing.assert_allclose(mean, weights @ f, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(variance, weights @ (f - weights @ f) ** 2, rtol=1e-9, atol=1e-12)


def test_functions_have_mean_0_and_variance_1_on_even_shares():
    contrasts = made(2)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    one, other = (0.5 * (1.0 + part.ravel()) for part in np.meshgrid(nodes, nodes))
    mean, variance = contrasts.expectations(np.column_stack([one, other]), np.outer(weights, weights).ravel() / 4.0)
    np.testing.assert_allclose(mean, 0.0, atol=1e-13)
    np.testing.assert_allclose(variance, 1.0, atol=1e-12)


@pytest.mark.parametrize("q", [1, 2, 3, 8, 9, 30])
@pytest.mark.parametrize("is_reversible", [True, False])
def test_every_contrast_has_a_name_of_its_own(q, is_reversible):
    contrasts = made(q, is_reversible)
    names = contrasts.names()
    assert len(names) == contrasts.n == len(set(names))
    assert any(name.startswith("exchange") for name in names) == is_reversible
    assert contrasts.n < 200 * q, "the number of pairs must not grow as the square of many columns"


def test_exchanges_are_zero_for_a_chain_that_stands_and_change_sign_backwards():
    generator = np.random.default_rng(0)
    contrasts = made(2)
    u, v = generator.random((2, 50, 2))
    zero = np.zeros(contrasts.n_moments)
    first = contrasts.n_moments + contrasts.n_fluxes
    forwards, backwards, standing = (contrasts.sums(a, b, zero, zero, 1).powers[0, first:] for a, b in
                                     ((u, v), (v, u), (u, u)))
    np.testing.assert_allclose(forwards, -backwards, atol=1e-12)
    np.testing.assert_allclose(standing, 0.0, atol=1e-12)
