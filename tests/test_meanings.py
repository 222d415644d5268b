"""The words that energies have beyond Python's, in compiled code: on lanes, on single numbers and on duals."""

import math

import numpy as np
import pytest

import fastebm as eb

X = np.random.default_rng(1).standard_normal((37, 2))


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_functions_on_lanes_and_their_slopes(name):
    function = getattr(eb, name)
    one = eb.energy(dim=2)(lambda x: function(3.0 * x[0]) + x[1])
    np.testing.assert_allclose(one.energy(X), [function(3.0 * a) + b for a, b in X], rtol=1e-14)
    step = 1e-5
    differences = [(function(3.0 * (a + step)) - function(3.0 * (a - step))) / (2.0 * step) for a in X[:, 0]]
    np.testing.assert_allclose(one.grad(X)[:, 0], differences, rtol=1e-8)


class TestWhere:
    def test_takes_the_place_of_a_branch(self):
        one = eb.energy(dim=2)(lambda x: eb.where(x[0] > 0.0, x[0] ** 2, -x[1]))
        np.testing.assert_array_equal(one.energy(X), np.where(X[:, 0] > 0.0, X[:, 0] ** 2, -X[:, 1]))
        slopes = np.where((X[:, 0] > 0.0)[:, None], np.column_stack([2.0 * X[:, 0], 0.0 * X[:, 0]]), [0.0, -1.0])
        np.testing.assert_array_equal(one.grad(X), slopes)

    def test_the_branch_not_taken_leaves_no_nan(self):
        one = eb.energy(dim=2)(lambda x: eb.where(x[0] > 0.0, np.sqrt(x[0]), 0.0) + x[1] ** 2)
        assert np.isfinite(one.energy(X)).all()
        assert np.isfinite(one.grad(X)).all()

    def test_conditions_of_every_kind(self):
        limit = 0.2
        one = eb.energy(dim=2)(lambda x: (
            eb.where((x[0] > limit) & ~(x[1] < 0.0), 1.0, 2) + eb.where(limit > 0.0, x[0], math.nan)
            + eb.where((x[0] < 0.0) | (x[1] == 7.0), x[1], 3.0 * x[0])
        ))
        a, b = X.T
        np.testing.assert_allclose(
            one.energy(X), np.where((a > 0.2) & (b >= 0.0), 1.0, 2.0) + a + np.where(a < 0.0, b, 3.0 * a), rtol=1e-15
        )

    def test_tests_of_numbers(self):
        one = eb.energy(dim=2)(lambda x: (
            eb.where(math.isnan(x[0]) | np.isnan(x[1]), 7.0, x[0] ** 2) + 3.0 * math.isfinite(x[1])
            + eb.where(math.isinf(x[0]), 1.0, 2.0 * x[1])
        ))
        points = np.array([[2.0, 3.0], [math.nan, 3.0], [2.0, math.nan], [2.0, math.inf], [math.inf, 3.0]])
        np.testing.assert_array_equal(one.energy(points), [13.0, 16.0, math.nan, math.inf, math.inf])
        np.testing.assert_array_equal(one.grad([2.0, 3.0]), [4.0, 2.0])

    def test_infinity_out_of_the_support(self):
        disc = eb.energy(dim=2)(lambda x: eb.where(x[0] ** 2 + x[1] ** 2 < 1.0, 0.0, math.inf))
        np.testing.assert_array_equal(np.isinf(disc.energy(X)), (X**2).sum(axis=1) >= 1.0)


class TestZeros:
    @staticmethod
    def cumulative(n):
        @eb.energy(dim=n, theta={"rate": 0.5})
        def energy(x, theta):
            sums = eb.zeros(n, like=x)
            squares = eb.zeros(len(x), like=x[0])
            for i in range(n):
                sums[i] = theta.rate * x[i] + sums[i - 1]
                squares[i] += sums[i] ** 2
            total = 0.0
            for square in squares:
                total += square
            return total

        return energy

    @pytest.mark.parametrize("n", [1, 2, 7])
    def test_temporaries_begin_at_zero_for_every_chain(self, n):
        points = np.random.default_rng(n).standard_normal((70, n))
        one = self.cumulative(n)
        sums = 0.5 * np.cumsum(points, axis=1)
        np.testing.assert_allclose(one.energy(points), (sums**2).sum(axis=1), rtol=1e-13)
        np.testing.assert_allclose(one.grad_theta(points)[:, 0], 4.0 * (sums**2).sum(axis=1), rtol=1e-13)
        grads = np.cumsum(sums[:, ::-1], axis=1)[:, ::-1]
        np.testing.assert_allclose(one.grad(points), grads, rtol=1e-12, atol=1e-13)


class TestChainByChain:
    """On single numbers, where the energy cannot run on lanes: here for the branch on x."""

    @pytest.mark.filterwarnings("ignore:.*chain by chain")
    @pytest.mark.parametrize("choose", [eb.where, np.where], ids=["eb", "NumPy"])
    def test_the_words_mean_the_same(self, choose):
        @eb.energy(dim=2)
        def branching(x):
            sums = eb.zeros(2, like=x)
            sums[0] = choose(x[0] > 0.0, eb.sigmoid(x[0]), eb.softplus(x[1]))
            sums[-1] = choose(len(x) == 2, sums[0], 7.0)
            if x[1] > 0.0:
                return sums[0] + sums[1]
            return choose((x[0] > 0.0) & (x[1] < -1.0), 1.0, 2.0) * sums[1]

        wanted = [
            2.0 * (eb.sigmoid(a) if a > 0.0 else eb.softplus(b)) * (0.5 if b <= 0.0 and a > 0.0 and b < -1.0 else 1.0)
            for a, b in X
        ]
        np.testing.assert_allclose(branching.energy(X), wanted, rtol=1e-14)

    @pytest.mark.filterwarnings("ignore:.*chain by chain")
    def test_where_on_arrays_of_data(self):
        counts = np.array([3.0, 0.0, 2.0])

        @eb.energy(dim=1)
        def branching(x):
            shares = np.where(counts > 0.0, counts, 1.0)
            return shares[1] * x[0] if x[0] > 0.0 else shares[0]

        assert branching.energy([[2.0], [-2.0]]).tolist() == [2.0, 3.0]
