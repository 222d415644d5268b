"""Starts: as given, or drawn inside the domain from seed and chain alone, and always of finite energy."""

import math

import numpy as np
import pytest
import scipy
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.energies.algebra import Walled
from fastebm.sampling.starts import starts

seeds = st.integers(0, 2**64 - 1)
GAUSSIAN = eb.Gaussian([0.0, 0.0])


class TestGiven:
    def test_one_for_each_chain_or_one_for_all(self):
        X = np.arange(6.0).reshape(3, 2)
        assert same(starts(GAUSSIAN, X, 3, 0), X)
        assert same(starts(GAUSSIAN, [1.0, 2.0], 3, 0), [[1.0, 2.0]] * 3)
        assert same(starts(GAUSSIAN, [[1.0, 2.0]], 1, 0), [[1.0, 2.0]])

    @pytest.mark.parametrize(("init", "kind", "words"), [
        (np.zeros((2, 2)), ValueError, ["init has shape (2, 2)", "(3, 2)", "(2,)"]),
        (0.0, ValueError, ["init has shape ()"]),
        ([0.0, math.nan], ValueError, ["init[1] is nan"]),
        ("origin", TypeError, ["init has dtype"]),
    ])
    def test_what_is_refused(self, init, kind, words):
        refused(lambda: starts(GAUSSIAN, init, 3, 0), *words, kind=kind)

    def test_a_place_of_infinite_energy_is_named(self):
        walled = Walled(eb.Gaussian([0.0]), np.array([[0.0, 1.0]]))
        refused(lambda: starts(walled, [[0.5], [2.0], [-1.0]], 3, 0), "inf at init[1] = [2.0]", "finite")


class TestDrawn:
    @given(seeds, st.integers(1, 300), st.integers(1, 300))
    @settings(max_examples=25)
    def test_they_depend_on_seed_and_chain_alone(self, seed, n, more):
        fewer, many = starts(GAUSSIAN, None, min(n, more), seed), starts(GAUSSIAN, None, max(n, more), seed)
        assert same(fewer, many[: len(fewer)])
        assert not same(fewer, starts(GAUSSIAN, None, len(fewer), seed + 1))

    @given(seeds)
    @settings(max_examples=3)
    def test_without_walls_they_are_normal_with_standard_deviation_two(self, seed):
        X = starts(GAUSSIAN, None, 50_000, seed)
        for column in X.T:
            assert scipy.stats.kstest(column, "norm", (0.0, 2.0)).pvalue > 1e-9 / 2

    @given(seeds)
    @settings(max_examples=3)
    def test_between_two_walls_they_are_even_to_two_per_cent(self, seed):
        """The density of a normal number of standard deviation 1/2 modulo 1 is 1 +- 2 exp(-pi**2 / 2)."""
        walled = Walled(eb.Gaussian([0.0]), np.array([[10.0, 30.0]]))
        share = np.sort((starts(walled, None, 50_000, seed)[:, 0] - 10.0) / 20.0)
        distance = np.abs(share - (np.arange(50_000) + 0.5) / 50_000).max()
        assert distance < math.exp(-math.pi**2 / 2.0) / math.pi + scipy.stats.kstwo.isf(1e-9, 50_000)

    @given(seeds, st.floats(-1e6, 1e6), st.floats(0.01, 1e6), st.sampled_from(["left", "right", "both"]))
    @settings(max_examples=50)
    def test_they_are_inside_the_walls_and_near_them(self, seed, wall, width, sides):
        walls = {"left": (wall, math.inf), "right": (-math.inf, wall), "both": (wall, wall + width)}[sides]
        flat = Walled(eb.Gaussian([0.0], 1e12), np.array([walls]))
        X = starts(flat, None, 50, seed)
        assert ((walls[0] <= X) & (walls[1] >= X)).all()
        if sides != "both":
            inside = walls[0] <= 0.0 <= walls[1]
            assert (np.abs(X - (0.0 if inside else wall)) < 40.0).all(), "about 0, or about the wall if 0 is behind it"

    def test_chains_that_find_no_place_at_first_try_again_and_leave_the_others_alone(self):
        picky = eb.energy(1)(upper_half)
        X, free = starts(picky, None, 200, 7), starts(eb.Gaussian([0.0]), None, 200, 7)
        assert (X > 0.0).all()
        at_once = free[:, 0] > 0.0
        assert same(X[at_once], free[at_once])

    def test_an_energy_that_is_nowhere_finite_is_named(self):
        for value in (math.inf, math.nan, -math.inf):
            refused(lambda value=value: starts(eb.energy(1)(lambda x: value), None, 3, 0),
                    str(value), "x=[", "chain 0", "init=")


def upper_half(x):
    return eb.where(x[0] > 0.0, x[0], math.inf)


class TestWays:
    def test_overdispersed(self):
        law = eb.Gaussian([0.0, 0.0])
        found = starts(law, eb.Overdispersed([5.0, -5.0], [0.1, 10.0]), 20_000, 3)
        np.testing.assert_allclose(found.mean(axis=0), [5.0, -5.0], atol=0.5)  # six standard errors
        np.testing.assert_allclose(found.std(axis=0), [0.1, 10.0], rtol=0.05)
        assert np.array_equal(starts(law, eb.Overdispersed([5.0, -5.0], [0.1, 10.0]), 100, 3), found[:100])

    def test_from_data(self):
        X = np.random.default_rng(0).standard_normal((30, 2))
        found = starts(eb.Gaussian([0.0, 0.0]), eb.FromData(X), 500, 3)
        assert {tuple(row) for row in found} == {tuple(row) for row in X}
        assert np.array_equal(starts(eb.Gaussian([0.0, 0.0]), eb.FromData(X), 100, 3), found[:100])

    @pytest.mark.parametrize("inner", [None, eb.Overdispersed(3.0), [[1.0], [2.0], [3.0]]])
    def test_superchains(self, inner):
        found = starts(eb.Gaussian([0.0]), eb.Superchains(3, inner), 12, 3)
        assert len(np.unique(found)) == 3
        assert (found.reshape(3, 4) == found[::4]).all()

    @pytest.mark.parametrize(("make", "words"), [
        (lambda: eb.Overdispersed(spread=0.0), "spread"), (lambda: eb.FromData([1.0]), "rows of data"),
        (lambda: eb.FromData(np.zeros((0, 2))), "m at least 1"), (lambda: eb.Superchains(1), "n_groups"),
    ])
    def test_what_is_refused(self, make, words):
        refused(make, words)

    def test_what_they_are_called(self):
        assert repr(eb.Superchains(3)) == "Superchains(3)"
        assert "(30, 2)" in repr(eb.FromData(np.zeros((30, 2))))
        assert repr(eb.Overdispersed(1.0)) == "Overdispersed(center=1.0, spread=2.0)"


class TestBesideClampedCoordinates:
    """Starts say where all coordinates are; the clamped ones are left out."""

    LAW = eb.Gaussian([0.0, 0.0, 0.0])

    def first(self, init):
        """Where chains are that hardly move."""
        with pytest.warns(eb.FastebmWarning, match="above 90 %"):
            run = eb.sample(self.LAW, eb.RandomWalk(1e-12), n_chains=6, n_draws=20, n_warmup=0, rng=3, init=init,
                            clamp={1: 9.0})
        assert (run.draws[:, :, 1] == 9.0).all()
        return run.draws[:, 0, [0, 2]]

    def test_of_data(self):
        X = np.arange(12.0).reshape(4, 3) / 10.0
        found = self.first(eb.FromData(X))
        assert all(np.abs(X[:, [0, 2]] - one).max(axis=1).min() < 1e-9 for one in found)

    def test_overdispersed(self):
        found = self.first(eb.Overdispersed([1.0, 50.0, 2.0], [1e-6, 1.0, 1e-6]))
        np.testing.assert_allclose(found, [[1.0, 2.0]] * 6, atol=1e-4)

    def test_in_superchains(self):
        X = np.array([[1.0, 50.0, 2.0], [3.0, 50.0, 4.0]])
        np.testing.assert_allclose(self.first(eb.Superchains(2, X)), np.repeat(X[:, [0, 2]], 3, axis=0), atol=1e-9)

    def test_an_array_of_any_kind(self):
        from pandas import DataFrame

        X = DataFrame(np.tile([1.0, 50.0, 2.0], (6, 1)))
        np.testing.assert_allclose(self.first(X), [[1.0, 2.0]] * 6, atol=1e-9)
