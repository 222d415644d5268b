"""Conditioning against the whole energy with the clamped coordinates filled in, and against Gauss's formulas."""

import math

import numpy as np
import pytest
from algebra_parts import bumps, closed_forms_hold, gaussian, independent, points, well
from curvature import curves_as_its_slopes_change
from energy_laws import holds_what_every_energy_promises, same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

seeds = st.integers(0, 2**64 - 1)
values = st.floats(-10.0, 10.0)


@st.composite
def clamps(draw, dim):
    """Some coordinates, not all, in any order, with values."""
    chosen = draw(st.lists(st.integers(0, dim - 1), min_size=1, max_size=dim - 1, unique=True))
    return {i: draw(values) for i in chosen}


class TestAgainstTheWhole:
    @given(seeds, clamps(3))
    @settings(max_examples=40)
    def test_values_and_slopes(self, seed, clamped):
        E, X = gaussian(seed, 3), points(seed, 3)
        free = [i for i in range(3) if i not in clamped]
        for i, value in clamped.items():
            X[:, i] = value
        part = E.conditioned(clamped)
        assert part.dim == len(free)
        assert same(part.energy(X[:, free]), E.energy(X))
        assert same(part.grad(X[:, free]), E.grad(X)[:, free])
        assert same(part.grad_theta(X[:, free]), E.grad_theta(X))
        assert same(part.hessian(X[:, free]), E.hessian(X)[:, free][:, :, free])

    def test_step_by_step(self):
        E, X = well(0, 3), points(0, 1)
        at_once = E.conditioned({2: -0.5, 0: 0.7})
        assert same(E.conditioned({0: 0.7}).conditioned({1: -0.5}).energy(X), at_once.energy(X))
        assert same(E.conditioned({0: 0.7, 2: -0.5}).energy(X), at_once.energy(X))

    def test_curvature(self):
        curves_as_its_slopes_change(well(0, 3).conditioned({1: 0.3}), points(0, 2, 20))


def test_other_values_and_other_coordinates_share_the_code():
    E = gaussian(0, 3)
    assert E.conditioned({0: 1.0}).program is E.conditioned({2: -1.0}).program
    assert E.conditioned({0: 1.0}).program is not E.conditioned({0: 1.0, 1: 0.0}).program
    part, X = E.conditioned({1: 2.0}), points(0, 2)
    assert list(part.unpack()) == ["mean", "precision_factor"]
    moved = part.with_theta(mean=[1.0, 2.0, 3.0])
    assert same(moved.energy(X), E.with_theta(mean=[1.0, 2.0, 3.0]).conditioned({1: 2.0}).energy(X))


def test_nothing_clamped_changes_nothing():
    E = well(0, 2)
    assert E.conditioned({}) is E


def test_whole_numbers_of_any_kind():
    E, X = gaussian(0, 2), points(0, 1)
    assert same(E.conditioned({np.int64(1): 2}).energy(X), E.conditioned({1: 2.0}).energy(X))


class TestWalls:
    def test_those_of_free_coordinates_are_left(self):
        E = well(0, 3).restricted([(-1.0, 1.0), (0.0, math.inf), (-math.inf, 2.0)])
        assert E.conditioned({1: 0.5}).domain.tolist() == [[-1.0, 1.0], [-math.inf, 2.0]]
        assert E.conditioned({1: 0.0}).energy([[0.0, 0.0], [0.0, 3.0]])[1] == math.inf
        half = well(0, 2).restricted([(-1.0, 1.0), (-math.inf, math.inf)])
        assert half.conditioned({0: 1.0}).domain is None

    def test_a_value_beyond_them_is_refused(self):
        E = well(0, 2).restricted([(-1.0, 1.0), (0.0, math.inf)])
        refused(lambda: E.conditioned({0: 1.5}), "values[0] is 1.5", "[-1.0, 1.0]")
        refused(lambda: E.conditioned({1: -1e-9}), "values[1] is -1e-09")


class TestClosedForms:
    @given(seeds, st.integers(2, 4), st.data())
    @settings(max_examples=40)
    def test_gauss(self, seed, dim, data):
        E = data.draw(st.sampled_from([gaussian, independent]))(seed, dim)
        clamped = data.draw(clamps(dim))
        mean, cov = E.closed_moments()
        fixed, free = sorted(clamped), [i for i in range(dim) if i not in clamped]
        away = np.array([clamped[i] for i in fixed]) - mean[fixed]
        inner, cross = cov[np.ix_(fixed, fixed)], cov[np.ix_(free, fixed)]
        got = E.conditioned(clamped).closed_moments()
        np.testing.assert_allclose(got.mean, mean[free] + cross @ np.linalg.solve(inner, away), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(
            got.cov, cov[np.ix_(free, free)] - cross @ np.linalg.solve(inner, cross.T), rtol=1e-8, atol=1e-10
        )
        marginal = -0.5 * away @ np.linalg.solve(inner, away) - 0.5 * np.linalg.slogdet(2.0 * math.pi * inner)[1]
        wanted = E.closed_log_partition() + marginal  # Z times the marginal density of what is clamped
        assert E.conditioned(clamped).closed_log_partition() == pytest.approx(wanted, rel=1e-10, abs=1e-10)

    @given(seeds, values)
    @settings(max_examples=4)
    def test_a_mixture(self, seed, value):
        closed_forms_hold(bumps(seed, 3).conditioned({1: 0.2 * value}))

    def test_no_formula(self):
        assert well(0, 2).conditioned({0: 1.0}).closed_log_partition() is None
        assert well(0, 2).conditioned({0: 1.0}).closed_moments() is None
        assert gaussian(0, 2).restricted([(0.0, 1.0)] * 2).conditioned({0: 0.5}).closed_log_partition() is None


def test_what_every_energy_promises(monkeypatch):
    holds_what_every_energy_promises(well(0, 3).conditioned({1: 0.5}), monkeypatch)


@pytest.mark.parametrize(("clamped", "words", "kind"), [
    ({2: 0.0}, "coordinate 2;", ValueError),
    ({-1: 0.0}, "coordinate -1;", ValueError),
    ({0.0: 1.0}, "coordinate 0.0;", ValueError),
    ({True: 1.0}, "coordinate True;", ValueError),
    ({"0": 1.0}, "coordinate '0';", ValueError),
    ({0: math.nan}, "values[0] is nan", ValueError),
    ({0: math.inf}, "values[0] is inf", ValueError),
    ({0: "1"}, "values[0] is '1'", ValueError),
    ({0: None}, "values[0] is None", ValueError),
    ({0: 1.0, 1: 2.0}, "all 2 coordinates", ValueError),
    ([(0, 1.0), (0, 2.0)], "type list", TypeError),
    (np.zeros(0), "type ndarray", TypeError),
    (None, "type NoneType", TypeError),
])
def test_what_cannot_be_clamped(clamped, words, kind):
    refused(lambda: gaussian(0, 2).conditioned(clamped), words, kind=kind)
