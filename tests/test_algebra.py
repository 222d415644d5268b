"""The algebra of energies: values and slopes are those of the parts, at any size, fresh or from the disk.

Mixtures, affine maps and conditioning, whose laws are more, have test files of their own.
"""

import math

import numba
import numpy as np
import pytest
from algebra_parts import closed_forms_hold, gaussian, independent, points, well
from curvature import curves_as_its_slopes_change
from energy_laws import holds_what_every_energy_promises, same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.energies.algebra import (
    Observed,
    Sum,
    Tempered,
    Walled,
    affine_maps,
    conditionals,
    mixtures,
    multiples,
    sums,
)

seeds = st.integers(0, 2**64 - 1)
dims = st.sampled_from([1, 3])  # one that has no other coordinate, and one that has several; each is compiled anew


class TestSum:
    @given(seeds, dims)
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


    def test_other_dimensions_and_other_things(self):
        refused(lambda: gaussian(0, 1) + gaussian(0, 2), "dim=1", "dim=2")
        with pytest.raises(TypeError):
            gaussian(0, 1) + 1.0

    @given(seeds, st.floats(0.1, 10.0))
    @settings(max_examples=5)
    def test_closed_forms(self, seed, beta):
        closed_forms_hold(gaussian(seed, 2) + beta * independent(seed + 1, 2))


class TestTempered:
    @given(seeds, dims, st.floats(0.01, 100.0))
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
    @given(seeds, dims)
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

    def test_the_method(self):
        E = gaussian(0, 2)
        assert E.restricted([(0.0, math.inf), (-1.0, 2.0)]).domain.tolist() == [[0.0, math.inf], [-1.0, 2.0]]
        assert E.restricted([(-math.inf, math.inf)] * 2) is E
        refused(lambda: E.restricted([(0.0, 1.0)]), "bounds has shape (1, 2)")
        refused(lambda: E.restricted([(0.0, 1.0), (1.0, 1.0)]), "bounds[1] is (1.0, 1.0)")
        refused(lambda: E.restricted([(0.0, 1.0), (math.nan, 1.0)]), "bounds[1] is (nan, 1.0)")
        refused(lambda: E.restricted([(0.0, 1.0)] * 2).restricted([(2.0, 3.0)] * 2), "common domain")

    def test_walls_in_walls(self):
        inner = Walled(Walled(gaussian(0, 1), np.array([[-1.0, 1.0]])), np.array([[0.0, 2.0]]))
        assert inner.domain.tolist() == [[0.0, 1.0]]
        assert np.isfinite(inner.energy([[-0.5], [0.5], [1.5]])).tolist() == [False, True, False]


class TestObserved:
    @given(seeds, dims, st.floats(0.1, 10.0))
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
        refused(lambda: gaussian(0, 1).observed(0.0), "noise is 0.0")
        refused(lambda: gaussian(0, 1).observed(math.nan), "noise is nan")

    @given(seeds, st.floats(0.1, 10.0))
    @settings(max_examples=10)
    def test_closed_forms(self, seed, noise):
        E = gaussian(seed, 1).observed(noise)
        closed_forms_hold(E)
        by_terms = np.logaddexp.reduce([term.log_partition() for term in E.quadratics()])
        assert E.closed_log_partition() == pytest.approx(by_terms, rel=1e-12, abs=1e-12)
        assert well(0, 1).observed(noise).closed_log_partition() is None
        assert math.isfinite(eb.Funnel(2).observed(noise).closed_log_partition())


def quadratic_of_data(a, b):
    """A user's energy with parameters and data, whose lengths differ."""
    data = np.array([a, b, 1.5])

    @eb.energy(dim=2, theta={"scale": 0.7})
    def own(x, theta):
        return theta.scale * (data[0] * x[0] ** 2 + data[1] * x[1] ** 2 + data[2] * x[0])

    return own


@pytest.mark.parametrize("combine", [
    lambda E, other: E + 0.5 * other, lambda E, other: eb.mixture([E, other, E]),
], ids=["sum", "mixture"])
def test_parts_with_data_behind_their_parameters(combine):
    own, other = quadratic_of_data(2.0, 3.0), gaussian(0, 2)
    plain = eb.energy(2, {"scale": 0.7})(
        lambda x, theta: theta.scale * (2.0 * x[0] ** 2 + 3.0 * x[1] ** 2 + 1.5 * x[0])
    )
    one, two = combine(own, other), combine(plain, other)
    X = points(0, one.dim)
    assert len(one.packed) == one.program.n_packed
    for face in (lambda E: E.energy(X), lambda E: E.grad(X), lambda E: E.grad_theta(X)):
        np.testing.assert_allclose(face(one), face(two), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("combine", [
    lambda: gaussian(0, 2) + well(1, 2), lambda: 0.3 * well(0, 2), lambda: well(0, 1).observed(0.7),
    lambda: well(0, 2).restricted([(-9.0, 9.0)] * 2),
], ids=["sum", "tempered", "observed", "walled"])
def test_curvature(combine):
    curves_as_its_slopes_change(combine(), points(0, 2, 20))


def test_one_direction_for_all_points_or_one_each():
    E, X, v = well(0, 2), points(0, 2), np.array([0.5, -2.0])
    assert same(E.hvp(X, v), E.hvp(X, np.tile(v, (5, 1))))
    assert same(E.hvp(X, np.asfortranarray(np.tile(v, (5, 1)))), E.hvp(X, v))
    for wrong in (np.ones((5, 3)), np.ones((4, 2)), np.ones(3), "up"):
        with pytest.raises((ValueError, TypeError), match=r"^V has .*pass .*"):
            E.hvp(X, wrong)


@pytest.mark.parametrize("combine", [
    lambda E: Sum(E, gaussian(5, E.dim)), lambda E: Tempered(E, 0.3), lambda E: Observed(E, 0.7),
    lambda E: Walled(E, np.array([[-9.0, 9.0]] * E.dim)), lambda E: 0.5 * (E + 0.25 * (E + E)),
], ids=["sum", "tempered", "observed", "walled", "nested"])
def test_what_every_energy_promises(combine, monkeypatch):
    holds_what_every_energy_promises(combine(well(0, 2)), monkeypatch)


def test_sizes_are_told_apart_on_the_disk(tmp_path, monkeypatch):
    """The code of a part may serve every dimension, that of a sum does not: its file must not be found by another."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    for module in (sums, multiples, mixtures, affine_maps, conditionals):
        module._program.cache_clear()  # as in a new process
    for dim in (1, 2):
        E, X = eb.Gaussian(np.arange(float(dim)), np.ones(dim)), points(dim, dim)
        assert same((0.5 * E).energy(X), 0.5 * E.energy(X))
        assert same((E + E).energy(X), 2.0 * E.energy(X))
        np.testing.assert_allclose(eb.mixture([E, E]).energy(X), E.energy(X), rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(E.affine(1.0).energy(X), E.energy(X), rtol=1e-14, atol=1e-14)
    three = eb.Gaussian(np.zeros(3), np.ones(3))
    for clamped in ({0: 1.0}, {0: 1.0, 1: 2.0}):
        free = 3 - len(clamped)
        wanted = 0.5 * sum(value**2 for value in clamped.values())
        assert three.conditioned(clamped).energy(np.zeros(free)) == pytest.approx(wanted)
    for kind in ("sum", "tempered", "mixture", "affine_diagonal", "conditioned"):
        assert len(list((tmp_path / "fastebm").glob(f"energy_of_{kind}*"))) == 2
