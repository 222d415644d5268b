"""Affine changes of variables against plain NumPy: densities, slopes, walls, exact Z, and what cannot be undone."""

import math

import numpy as np
import pytest
import scipy
from algebra_parts import bumps, closed_forms_hold, gaussian, points, well
from curvature import curves_as_its_slopes_change
from energy_laws import holds_what_every_energy_promises, same
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb

seeds = st.integers(0, 2**64 - 1)
factors = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


def full(seed, dim):
    """A matrix of condition number 10 at most, and a shift."""
    generator = np.random.default_rng(seed)
    turns = [np.linalg.qr(generator.standard_normal((dim, dim)))[0] for _ in range(2)]
    return turns[0] * generator.uniform(0.3, 3.0, dim) @ turns[1], 3.0 * generator.standard_normal(dim)


class TestAgainstPlainNumPy:
    @given(seeds, st.sampled_from([1, 3]))  # one that has no other coordinate, and one that has several
    @settings(max_examples=30)
    def test_a_matrix(self, seed, dim):
        E, X = well(seed, dim), points(seed, dim)
        A, b = full(seed, dim)
        mapped, Y = E.affine(A, b), X @ A.T + b
        inverse = np.linalg.inv(A)
        np.testing.assert_allclose(
            mapped.energy(Y), E.energy(X) + np.linalg.slogdet(A)[1], rtol=1e-11, atol=1e-11
        )
        size = 1.0 + np.abs(E.grad(X)).max()
        np.testing.assert_allclose(mapped.grad(Y), E.grad(X) @ inverse, atol=1e-11 * size)
        np.testing.assert_allclose(mapped.grad_theta(Y), E.grad_theta(X), rtol=1e-10, atol=1e-10)
        hessian = np.einsum("ki,nkl,lj->nij", inverse, E.hessian(X), inverse)
        np.testing.assert_allclose(mapped.hessian(Y), hessian, atol=1e-11 * (1.0 + np.abs(hessian).max()))

    @given(seeds, st.integers(1, 2), st.data())
    @settings(max_examples=30)
    def test_a_diagonal_is_the_matrix_with_zeros_beside_it(self, seed, dim, data):
        E, Y = gaussian(seed, dim), points(seed, dim)
        a = np.array([data.draw(factors) for _ in range(dim)])
        one, other = E.affine(a, 0.5), E.affine(np.diag(a), np.full(dim, 0.5))
        for face in ("energy", "grad", "grad_theta", "hessian"):
            got, wanted = getattr(one, face)(Y), getattr(other, face)(Y)
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12 * (1.0 + np.abs(wanted).max()))

    @given(seeds, factors)
    @settings(max_examples=20)
    def test_one_number_is_a_diagonal(self, seed, a):
        E, Y = gaussian(seed, 2), points(seed, 2)
        assert same(E.affine(a, 2.0).energy(Y), E.affine([a, a], [2.0, 2.0]).energy(Y))

    @given(seeds)
    @settings(max_examples=10)
    def test_two_maps_in_a_row(self, seed):
        E, Y = gaussian(seed, 2), points(seed, 2)
        (A, a), (B, b) = full(seed, 2), full(seed + 1, 2)
        np.testing.assert_allclose(
            E.affine(A, a).affine(B, b).energy(Y), E.affine(B @ A, B @ a + b).energy(Y), rtol=1e-9, atol=1e-9
        )

    def test_a_density_of_scipy(self):
        density = scipy.stats.t(4.0, loc=-1.0, scale=2.5)
        E, Y = eb.StudentT(0.0, df=4.0).affine(2.5, -1.0), points(0, 1)
        np.testing.assert_allclose(eb.log_likelihood(E, Y), density.logpdf(Y[:, 0]), rtol=1e-12)

    def test_curvature(self):
        curves_as_its_slopes_change(well(1, 2).affine(*full(0, 2)), points(0, 2, 20))


class TestWalls:
    @given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), factors, st.floats(-1e3, 1e3))
    @settings(max_examples=200)
    def test_a_diagonal_moves_them_and_all_between_is_inside(self, lower, width, a, b):
        upper = lower + width
        assume(lower < upper)
        mapped = eb.Gaussian([0.0]).restricted([(lower, upper)]).affine(a, b)
        ends = mapped.domain[0]
        wanted = sorted((a * lower + b, a * upper + b))
        np.testing.assert_allclose(ends, wanted, rtol=1e-13, atol=1e-13 * (abs(a) * max(-lower, upper) + abs(b)))
        assert np.isfinite(mapped.energy(ends[:, None])).all()
        beyond = abs(a) * 1e-9 * (1.0 + abs(lower) + abs(upper)) + 1e-9 * abs(b)
        assert (mapped.energy([[ends[0] - beyond], [ends[1] + beyond]]) == math.inf).all()

    def test_one_sided(self):
        E = well(0, 2).restricted([(0.0, math.inf), (-math.inf, math.inf)]).affine([-2.0, 3.0], 1.0)
        assert E.domain.tolist() == [[-math.inf, 1.0], [-math.inf, math.inf]]

    def test_a_matrix_leaves_no_box(self):
        box = well(0, 2).restricted([(0.0, 1.0), (0.0, 1.0)])
        A, b = full(3, 2)
        mapped = box.affine(A, b)
        assert mapped.domain is None
        X = np.array([[0.5, 0.5], [0.1, 0.9], [1.1, 0.5], [-0.1, 0.5]])
        assert np.isfinite(mapped.energy(X @ A.T + b)).tolist() == [True, True, False, False]


class TestExactZ:
    @given(seeds)
    @settings(max_examples=4)
    def test_closed_forms(self, seed):
        A, b = full(seed, 2)
        closed_forms_hold(gaussian(seed, 2).affine(A, b))
        closed_forms_hold(bumps(seed, 2).affine([-0.5, 2.0], b))

    def test_z_does_not_change(self):
        for E in (well(0, 2), gaussian(0, 2), eb.StudentT([0.0, 1.0], df=1.5)):
            mapped = E.affine(*full(1, 2))
            assert mapped.closed_log_partition() == E.closed_log_partition()
        z, mapped = eb.log_partition(well(0, 2)), eb.log_partition(well(0, 2).affine(*full(1, 2)))
        assert abs(z.value - mapped.value) <= z.error + mapped.error

    def test_no_moments(self):
        assert well(0, 1).affine(2.0).closed_moments() is None
        assert np.isinf(eb.StudentT([0.0, 1.0], df=1.5).affine([-2.0, 2.0]).closed_moments().cov).any()


def test_other_numbers_share_the_code_and_the_part_its_parameters():
    E, Y = gaussian(0, 2), points(0, 2)
    one, other = E.affine(*full(1, 2)), E.affine(*full(2, 2))
    assert one.program is other.program
    assert list(one.unpack()) == ["mean", "precision_factor"]
    moved = one.with_theta(mean=[3.0, 4.0])
    assert same(moved.energy(Y), E.with_theta(mean=[3.0, 4.0]).affine(*full(1, 2)).energy(Y))


def test_what_is_passed_in_may_change_later():
    A, b = full(0, 2)
    E, Y = gaussian(0, 2).affine(A, b), points(0, 2)
    before = E.energy(Y)
    A[:], b[:] = 7.0, 7.0
    assert same(E.energy(Y), before)
    assert E.describe() == gaussian(0, 2).affine(*full(0, 2)).describe()


@pytest.mark.parametrize("matrix", [2.0, [[1.0, 2.0], [-0.5, 0.3]]], ids=["diagonal", "full"])
def test_what_every_energy_promises(matrix, monkeypatch):
    holds_what_every_energy_promises(well(0, 2).affine(matrix, [0.5, -1.0]), monkeypatch)


def test_units_do_not_make_a_matrix_singular():
    A = np.array([[1e-12, 2e-3], [3e-15, 4e3]])
    E = gaussian(0, 2).affine(A)
    x = points(0, 2)[0]
    assert E.energy(A @ x) == pytest.approx(gaussian(0, 2).energy(x) + np.linalg.slogdet(A)[1], rel=1e-9)


@pytest.mark.parametrize(("matrix", "shift", "words", "kind"), [
    ([[1.0, 2.0], [2.0, 4.0]], 0.0, "singular, of rank 1", ValueError),
    ([[0.1, 0.3], [0.3, 0.9]], 0.0, "singular", ValueError),
    (np.zeros((2, 2)), 0.0, "singular, of rank 0", ValueError),
    ([1.0, 0.0], 0.0, "diagonal entry 0.0", ValueError),
    (0.0, 0.0, "diagonal entry 0.0", ValueError),
    ([1e-320, 1.0], 0.0, "diagonal entry", ValueError),
    (np.eye(3), 0.0, "matrix has shape (3, 3)", ValueError),
    (np.ones(3), 0.0, "matrix has shape (3,)", ValueError),
    ([[1.0, math.nan], [0.0, 1.0]], 0.0, "matrix[0, 1] is nan", ValueError),
    (math.inf, 0.0, "matrix is inf", ValueError),
    (1j, 0.0, "matrix has dtype", TypeError),
    (1.0, [1.0], "shift has shape (1,)", ValueError),
    (1.0, [1.0, math.inf], "shift[1] is inf", ValueError),
])
def test_what_is_no_map(matrix, shift, words, kind):
    refused(lambda: gaussian(0, 2).affine(matrix, shift), words, kind=kind)
