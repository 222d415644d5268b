"""Arithmetic of energies: values and slopes are those of the parts, at any size, fresh or from the disk."""

import math

import numba
import numpy as np
import pytest
from energy_laws import holds_what_every_energy_promises, same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.energies import algebra
from fastebm.energies.algebra import Observed, Sum, Tempered, Walled

seeds = st.integers(0, 2**64 - 1)


def gaussian(seed, dim):
    generator = np.random.default_rng(seed)
    A = generator.standard_normal((dim, dim))
    return eb.Gaussian(generator.standard_normal(dim), A @ A.T + np.eye(dim))


def well(seed, dim):
    barrier, location, tilt = np.random.default_rng(seed).uniform(0.5, 2.0, 3)
    return eb.DoubleWell(dim, barrier, location, tilt)


def points(seed, dim, n=5):
    return np.random.default_rng(seed).standard_normal((n, dim))


class TestSum:
    @given(seeds, st.integers(1, 3))
    @settings(max_examples=30)
    def test_values_and_slopes_add(self, seed, dim):
        one, two, X = gaussian(seed, dim), well(seed, dim), points(seed, dim)
        E = one + two
        np.testing.assert_allclose(E.energy(X), one.energy(X) + two.energy(X), rtol=1e-14)
        np.testing.assert_allclose(E.grad(X), one.grad(X) + two.grad(X), rtol=1e-13, atol=1e-14)
        assert same(E.grad_theta(X), np.hstack([one.grad_theta(X), two.grad_theta(X)]))
        assert same(E.theta, np.concatenate([one.theta, two.theta]))

    def test_a_product_of_gaussians_is_gaussian(self):
        one, two, X = gaussian(1, 2), gaussian(2, 2), points(3, 2)
        factors = [E.unpack()["precision_factor"] for E in (one, two)]
        precisions = [factor @ factor.T for factor in factors]
        pull = precisions[0] @ one.unpack()["mean"] + precisions[1] @ two.unpack()["mean"]
        cov = np.linalg.inv(sum(precisions))
        product = eb.Gaussian(cov @ pull, (cov + cov.T) / 2.0)
        np.testing.assert_allclose((one + two).log_ratio(X, X[:1]), product.log_ratio(X, X[:1]), rtol=1e-10, atol=1e-10)

    def test_new_parameters_reach_both_parts(self):
        one, two, X = gaussian(1, 2), gaussian(2, 2), points(3, 2)
        E = one + two
        assert list(E.unpack()) == ["mean_1", "precision_factor_1", "mean_2", "precision_factor_2"]
        moved = E.with_theta(mean_2=[5.0, 6.0])
        assert same(moved.energy(X), (one + two.with_theta(mean=[5.0, 6.0])).energy(X))
        doubled = one.with_theta(2.0 * one.theta) + two.with_theta(2.0 * two.theta)
        assert same(E.with_theta(2.0 * E.theta).energy(X), doubled.energy(X))

    @pytest.mark.parametrize("grouping", [
        lambda a, b, c, d: ((a + b) + c) + d, lambda a, b, c, d: a + (b + (c + d)),
        lambda a, b, c, d: (a + b) + (c + d), lambda a, b, c, d: (a + (b + c)) + d,
    ])
    def test_parts_of_equal_names_keep_their_parameters_apart(self, grouping):
        parts, x = [gaussian(k, 1) for k in range(4)], [0.7]
        E = grouping(*parts)
        assert E.energy(x) == pytest.approx(sum(part.energy(x) for part in parts), rel=1e-13)
        assert len(E.unpack()) == 8
        assert E.theta.shape == (E.n_params,) == (8,)
        assert sorted(E.theta) == sorted(np.concatenate([part.theta for part in parts]))
        for name, value in E.unpack().items():
            changed = E.with_theta(**{name: value + 1.0})
            assert np.count_nonzero(changed.theta != E.theta) == 1

    def test_the_common_domain(self):
        left = eb.energy(1, domain=[(-1.0, 1.0)])(lambda x: x[0])
        right = eb.energy(1, domain=[(0.0, math.inf)])(lambda x: x[0])
        assert (left + right).domain.tolist() == [[0.0, 1.0]]
        assert (left + eb.Gaussian([0.0])).domain.tolist() == [[-1.0, 1.0]]
        assert (left + right).energy([[-0.5], [0.5], [2.0]])[[0, 2]].tolist() == [math.inf, math.inf]
        far = eb.energy(1, domain=[(2.0, 3.0)])(lambda x: x[0])
        refused(lambda: left + far, "common domain")


class TestTempered:
    @given(seeds, st.integers(1, 4), st.floats(0.01, 100.0))
    @settings(max_examples=30)
    def test_everything_is_multiplied(self, seed, dim, beta):
        E, X = gaussian(seed, dim), points(seed, dim)
        hot = beta * E
        assert same(hot.energy(X), beta * E.energy(X))
        assert same(hot.grad(X), beta * E.grad(X))
        np.testing.assert_allclose(hot.grad_theta(X), beta * E.grad_theta(X), rtol=1e-12, atol=1e-13)
        assert same(hot.theta, E.theta)
        assert same((beta * hot).energy(X), beta * (beta * E.energy(X)))

    def test_another_temperature_and_other_parameters_share_the_code(self):
        E = gaussian(0, 2)
        assert (0.5 * E).program is (0.25 * E).program
        other = (0.5 * E).with_theta(mean=[1.0, 1.0])
        assert same(other.energy(points(1, 2)), 0.5 * E.with_theta(mean=[1.0, 1.0]).energy(points(1, 2)))

    def test_walls_stay_walls(self):
        walled = 0.1 * eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0])
        assert walled.domain.tolist() == [[0.0, 1.0]]
        assert walled.energy([[0.5], [1.5]]).tolist() == [0.05, math.inf]


class TestWalled:
    @given(seeds, st.integers(1, 3))
    @settings(max_examples=30)
    def test_infinite_outside_and_unchanged_inside(self, seed, dim):
        E, X = gaussian(seed, dim), points(seed, dim, 40)
        walls = np.sort(np.random.default_rng(seed + 1).standard_normal((dim, 2)), axis=1)
        inside = ((walls[:, 0] <= X) & (walls[:, 1] >= X)).all(axis=1)
        walled = Walled(E, walls)
        assert same(walled.energy(X), np.where(inside, E.energy(X), math.inf))
        assert same(walled.grad(X), E.grad(X))
        assert same(walled.domain, walls)
        assert same(walled.with_theta(2.0 * E.theta).energy(X[inside]), E.with_theta(2.0 * E.theta).energy(X[inside]))

    def test_walls_in_walls(self):
        inner = Walled(Walled(gaussian(0, 1), np.array([[-1.0, 1.0]])), np.array([[0.0, 2.0]]))
        assert inner.domain.tolist() == [[0.0, 1.0]]
        assert np.isfinite(inner.energy([[-0.5], [0.5], [1.5]])).tolist() == [False, True, False]


class TestObserved:
    @given(seeds, st.integers(1, 3), st.floats(0.1, 10.0))
    @settings(max_examples=30)
    def test_a_normal_likelihood_is_added(self, seed, dim, noise):
        E, X, Y = gaussian(seed, dim), points(seed, dim), points(seed + 1, dim)
        posterior = Observed(E, noise)
        away = (Y - X) / noise
        np.testing.assert_allclose(
            posterior.energy(np.hstack([X, Y])), E.energy(X) + 0.5 * (away**2).sum(axis=1), rtol=1e-12
        )
        slope = posterior.grad(np.hstack([X, Y]))
        np.testing.assert_allclose(slope[:, :dim], E.grad(X) - away / noise, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(slope[:, dim:], away / noise, rtol=1e-12, atol=1e-12)
        assert same(posterior.grad_theta(np.hstack([X, Y])), E.grad_theta(X))

    def test_walls_hold_for_x_alone(self):
        posterior = Observed(Walled(gaussian(0, 1), np.array([[0.0, 1.0]])), 0.5)
        assert posterior.domain.tolist() == [[0.0, 1.0], [-math.inf, math.inf]]
        assert np.isfinite(posterior.energy([[0.5, 9.0], [-0.5, 0.5]])).tolist() == [True, False]

    def test_noise_is_positive(self):
        refused(lambda: Observed(gaussian(0, 1), 0.0), "noise is 0.0")


@pytest.mark.parametrize("combine", [
    lambda E: Sum(E, gaussian(5, E.dim)), lambda E: Tempered(E, 0.3), lambda E: Observed(E, 0.7),
    lambda E: Walled(E, np.array([[-9.0, 9.0]] * E.dim)), lambda E: 0.5 * (E + 0.25 * (E + E)),
], ids=["sum", "tempered", "observed", "walled", "nested"])
def test_what_every_energy_promises(combine, monkeypatch):
    holds_what_every_energy_promises(combine(well(0, 2)), monkeypatch)


def test_sizes_are_told_apart_on_the_disk(tmp_path, monkeypatch):
    """The code of a part may serve every dimension, that of a sum does not: its file must not be found by another."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    for programs in (algebra._sum_program, algebra._tempered_program):
        programs.cache_clear()  # as in a new process
    for dim in (1, 2):
        E, X = eb.Gaussian(np.arange(float(dim)), np.ones(dim)), points(dim, dim)
        assert same((0.5 * E).energy(X), 0.5 * E.energy(X))
        assert same((E + E).energy(X), 2.0 * E.energy(X))
    for kind in ("sum", "tempered"):
        assert len(list((tmp_path / "fastebm").glob(f"energy_of_{kind}*"))) == 2
