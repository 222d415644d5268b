"""Mixtures against plain NumPy: values, slopes, curvature; parts that are far away, +inf, or nan as well."""

import math

import numpy as np
import pytest
from algebra_parts import bumps, closed_forms_hold, gaussian, independent, points, well
from curvature import curves_as_its_slopes_change
from energy_laws import holds_what_every_energy_promises, same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb

seeds = st.integers(0, 2**64 - 1)
pairs = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=2)


@eb.energy(dim=1, theta={"shape": 3.0}, domain=[(0.0, math.inf)])
def gamma(x, theta):
    return x[0] - (theta.shape - 1.0) * math.log(x[0]) + math.sqrt(x[0])


def slow(parts, weights, X):
    """Energy, slopes along x and theta, Hessian, all points one by one."""
    rows = []
    for x in X:
        exponents = np.array([math.log(w) - E.energy(x) for w, E in zip(weights, parts, strict=True)])
        value = -np.logaddexp.reduce(exponents)
        shares = np.exp(exponents + value)
        slopes = [E.grad(x) for E in parts]
        slope = sum(share * one for share, one in zip(shares, slopes, strict=True))
        slope_theta = [-shares, *(share * E.grad_theta(x) for share, E in zip(shares, parts, strict=True))]
        hessian = sum(
            share * (E.hessian(x) - np.outer(one - slope, one - slope))
            for share, one, E in zip(shares, slopes, parts, strict=True)
        )
        rows.append((value, slope, np.concatenate(slope_theta), hessian))
    return [np.array(column) for column in zip(*rows, strict=True)]


def close(got, wanted, size):
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12 * size)


class TestAgainstPlainNumPy:
    @given(seeds, st.integers(1, 2), pairs, st.floats(0.1, 5.0))
    @settings(max_examples=40)
    def test_values_and_slopes(self, seed, dim, weights, width):
        parts, X = [gaussian(seed, dim), well(seed + 1, dim)], width * points(seed, dim)
        E = eb.mixture(parts, weights)
        value, slope, slope_theta, hessian = slow(parts, weights, X)
        size = 1.0 + max(np.abs(part.energy(X)).max() for part in parts)  # its digits are lost in every exponent
        close(E.energy(X), value, size)
        close(E.grad(X), slope, size * max(np.abs(part.grad(X)).max() for part in parts))
        close(E.grad_theta(X), slope_theta, size * (1.0 + max(np.abs(part.grad_theta(X)).max() for part in parts)))
        close(E.hessian(X), hessian, size * (1.0 + max(np.abs(part.grad(X)).max() ** 2 for part in parts)))

    @given(seeds, st.sampled_from([1, 3]))
    @settings(max_examples=20)
    def test_gaussians_make_the_mixture_of_the_catalogue(self, seed, n):
        catalogue, X = bumps(seed, 2, n), 2.0 * points(seed, 2)
        log_weights, means, factors = catalogue.unpack().values()
        parts = [eb.Gaussian(mean, np.linalg.inv(L @ L.T)) for mean, L in zip(means, factors, strict=True)]
        E = eb.mixture(parts, [
            math.exp(log_weight - part.closed_log_partition())
            for log_weight, part in zip(log_weights, parts, strict=True)
        ])
        np.testing.assert_allclose(E.energy(X), catalogue.energy(X), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(E.grad(X), catalogue.grad(X), rtol=1e-8, atol=1e-8)
        assert E.closed_log_partition() == pytest.approx(catalogue.closed_log_partition(), rel=1e-9, abs=1e-9)
        for got, wanted in zip(E.closed_moments(), catalogue.closed_moments(), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8)

    def test_equal_forms_in_a_row_and_apart(self):
        a, b, w = gaussian(0, 1), gaussian(1, 1), well(2, 1)
        parts, weights = [a, b, w, a, w, w, b], [0.5, 1.0, 2.0, 0.1, 0.3, 4.0, 0.7]
        E, X = eb.mixture(parts, weights), points(0, 1, 9)
        value, slope, slope_theta, hessian = slow(parts, weights, X)
        for got, wanted in (
            (E.energy(X), value), (E.grad(X), slope), (E.grad_theta(X), slope_theta), (E.hessian(X), hessian),
        ):
            np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)

    def test_curvature(self):
        curves_as_its_slopes_change(eb.mixture([gaussian(0, 2), well(1, 2)], [0.4, 3.0]), points(0, 2, 20))


class TestPartsThatAreOut:
    def test_a_part_beyond_its_walls_counts_for_nothing_even_where_it_is_nan(self):
        part = gaussian(1, 1)
        E, out = eb.mixture([gamma, part, gamma], [0.3, 0.5, 0.2]), np.array([[-1.0], [-0.01], [-30.0]])
        for face in (gamma.grad, gamma.grad_theta, gamma.hessian):
            assert np.isnan(face(out)).all()  # logarithms and roots of negative numbers
        np.testing.assert_allclose(E.energy(out), part.energy(out) - math.log(0.5), rtol=1e-15)
        assert same(E.grad(out), part.grad(out))
        assert same(E.hessian(out), part.hessian(out))
        wanted = np.column_stack([[0.0] * 3, [-1.0] * 3, [0.0] * 3, [0.0] * 3, part.grad_theta(out), [0.0] * 3])
        assert same(E.grad_theta(out), wanted)

    def test_sums_over_points_in_and_out(self):
        E, X = eb.mixture([gaussian(1, 1), gamma]), points(0, 1, 200)
        rows = np.array([E.grad_theta(x) for x in X])
        assert np.isfinite(rows).all()
        assert (X < 0.0).any()
        assert (X > 0.0).any()
        np.testing.assert_allclose(E.mean_grad_theta(X), rows.mean(axis=0), rtol=1e-12, atol=1e-14)

    def test_where_all_are_out(self):
        boxes = [well(0, 2).restricted([(0.0, 1.0), (0.0, 1.0)]), gaussian(0, 2).restricted([(2.0, 3.0), (2.0, 4.0)])]
        E = eb.mixture(boxes)
        assert E.domain.tolist() == [[0.0, 3.0], [0.0, 4.0]]
        X = np.array([[0.5, 0.5], [1.5, 1.5], [2.5, 2.5], [9.0, 9.0]])
        assert np.isfinite(E.energy(X)).tolist() == [True, False, True, False]
        assert (E.energy(X[[1, 3]]) == math.inf).all()
        for face in (E.grad, E.grad_theta, E.hessian):
            assert (face(X[[1, 3]]) == 0.0).all()
            assert (face(X[[0, 2]]) != 0.0).any(axis=tuple(range(1, face(X).ndim))).all()

    def test_nothing_overflows_far_away(self):
        near, far = eb.Gaussian([0.0]), eb.Gaussian([1e4], 1e-4)
        E = eb.mixture([near, far], [0.5, 0.25])
        X = np.array([[0.0], [1e4], [1e6], [-1e150]])
        np.testing.assert_allclose(
            E.energy(X), [math.log(2.0), math.log(4.0), 0.5e12 + math.log(2.0), 0.5e300], rtol=1e-15
        )
        np.testing.assert_allclose(E.grad(X), [[0.0], [0.0], [1e6], [-1e150]], rtol=1e-15)
        np.testing.assert_allclose(E.hessian(X)[:, 0, 0], [1.0, 1e4, 1.0, 1.0], rtol=1e-15)

    def test_a_part_that_is_nan_is_not_hidden(self):
        root = eb.energy(dim=1)(lambda x: math.sqrt(1.0 + x[0]))
        E = eb.mixture([eb.Gaussian([0.0]), root])
        assert np.isnan(E.energy([[-2.0], [1.0]])).tolist() == [True, False]
        assert np.isnan(E.grad([-2.0])).all()

    def test_walls_are_those_of_all_or_none(self):
        left, right = gaussian(0, 1).restricted([(-math.inf, 0.0)]), gaussian(0, 1).restricted([(-1.0, math.inf)])
        assert eb.mixture([left, left]).domain.tolist() == [[-math.inf, 0.0]]
        assert eb.mixture([left, right]).domain is None
        assert eb.mixture([left, gaussian(1, 1)]).domain is None


class TestParameters:
    def test_names_and_new_values(self):
        one, two, w, X = gaussian(1, 2), gaussian(2, 2), well(3, 2), points(0, 2)
        E = eb.mixture([one, w, two], [0.2, 0.3, 0.5])
        assert list(E.unpack()) == [
            "log_weights", "mean_1", "precision_factor_1", "barrier", "location", "tilt",
            "mean_3", "precision_factor_3",
        ]
        moved = E.with_theta(log_weights=np.log([1.0, 2.0, 3.0]), mean_3=[5.0, 6.0])
        again = eb.mixture([one, w, two.with_theta(mean=[5.0, 6.0])], [1.0, 2.0, 3.0])
        assert same(moved.energy(X), again.energy(X))
        assert again.program is E.program

    def test_mixtures_of_mixtures(self):
        a, b, c, X = gaussian(0, 1), gaussian(1, 1), gaussian(2, 1), points(3, 1)
        inner = eb.mixture([a, b], [0.2, 0.5])
        E = eb.mixture([inner, c], [2.0, 0.7])
        assert list(E.unpack())[:2] == ["log_weights", "log_weights_1"]
        flat = eb.mixture([a, b, c], [0.4, 1.0, 0.7])
        np.testing.assert_allclose(E.energy(X), flat.energy(X), rtol=1e-13, atol=1e-13)
        assert E.closed_log_partition() == pytest.approx(flat.closed_log_partition(), rel=1e-13)

    def test_the_order_does_not_matter(self):
        a, b, X = gaussian(0, 1), well(1, 1), points(3, 1)
        one, other = eb.mixture([a, b], [0.2, 0.5]), eb.mixture([b, a], [0.5, 0.2])
        np.testing.assert_allclose(one.energy(X), other.energy(X), rtol=1e-14, atol=1e-14)

    def test_one_part(self):
        a, X = gaussian(0, 1), points(3, 1)
        np.testing.assert_allclose(eb.mixture([a], [3.0]).energy(X), a.energy(X) - math.log(3.0), rtol=1e-14)
        assert same(eb.mixture([a]).grad(X), a.grad(X))


class TestClosedForms:
    @given(seeds, pairs)
    @settings(max_examples=5)
    def test_against_quadrature(self, seed, weights):
        closed_forms_hold(eb.mixture([gaussian(seed, 2), eb.StudentT(points(seed, 2)[0], df=8.0)], weights))

    def test_only_if_all_are_known(self):
        E = eb.mixture([gaussian(0, 1), well(0, 1)])
        assert E.closed_log_partition() is None
        assert E.closed_moments() is None
        assert E.quadratics() is None
        z, parts = eb.log_partition(E), [eb.log_partition(part) for part in E.parts]
        wanted = np.logaddexp(parts[0].value, parts[1].value) - math.log(2.0)
        assert abs(z.value - wanted) <= z.error + parts[1].error + 1e-12

    def test_no_moments(self):
        E = eb.mixture([gaussian(0, 1), eb.StudentT(0.0, df=1.5)])
        assert math.isfinite(E.closed_log_partition())
        assert np.isinf(E.closed_moments().cov).all()
        assert np.isfinite(E.closed_moments().mean).all()


def test_what_every_energy_promises(monkeypatch):
    holds_what_every_energy_promises(eb.mixture([well(0, 2), independent(1, 2)], [0.3, 0.6]), monkeypatch)


def test_save_and_load(tmp_path):
    E = eb.mixture([well(0, 1), 0.5 * gaussian(1, 1)], [0.3, 0.6])
    E.save(tmp_path / "model.npz")
    again, X = eb.load(tmp_path / "model.npz"), points(0, 1)
    assert same(again.energy(X), E.energy(X))
    assert again.describe() == E.describe()
    mine = eb.mixture([gamma, gaussian(1, 1)])
    mine.save(tmp_path / "mine.npz")
    refused(lambda: eb.load(tmp_path / "mine.npz"), "'gamma'")
    assert same(eb.load(tmp_path / "mine.npz", energy=mine).energy(X), mine.energy(X))


@pytest.mark.parametrize(("energies", "weights", "words", "kind"), [
    ([], None, "energies is empty", ValueError),
    (gaussian(0, 1), None, "type Gaussian", TypeError),
    (3.0, None, "type float", TypeError),
    ([gaussian(0, 1), 3.0], None, "energies[1] is of type float", TypeError),
    ([gaussian(0, 1), gaussian(0, 2)], None, "energies[1] has dim=2", ValueError),
    ([gaussian(0, 1)] * 2, [1.0], "weights has shape (1,)", ValueError),
    ([gaussian(0, 1)] * 2, 1.0, "weights has shape ()", ValueError),
    ([gaussian(0, 1)] * 2, [1.0, 0.0], "weights has the entry 0.0", ValueError),
    ([gaussian(0, 1)] * 2, [1.0, -2.0], "weights has the entry -2.0", ValueError),
    ([gaussian(0, 1)] * 2, [1.0, math.nan], "weights[1] is nan", ValueError),
    ([gaussian(0, 1)] * 2, [math.inf, 1.0], "weights[0] is inf", ValueError),
    ([gaussian(0, 1)] * 2, ["a", "b"], "weights has dtype", TypeError),
])
def test_what_is_no_mixture(energies, weights, words, kind):
    refused(lambda: eb.mixture(energies, weights), words, kind=kind)
