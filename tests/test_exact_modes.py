"""The search for modes: every peak is found where it is, at any scale and place, with its shape."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.exact import modes
from fastebm.exact.densities import Density


def modes_of(energy):
    walls = np.tile([-np.inf, np.inf], (energy.dim, 1)) if energy.domain is None else energy.domain
    density = Density(energy, walls)
    found = modes.modes(density)
    return found, density.x(found.centres)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), dim=st.integers(1, 3), log_condition=st.floats(0.0, 6.0), power=st.floats(-5.0, 5.0))
def test_the_peak_of_a_gaussian_has_its_place_and_shape(seed, dim, log_condition, power):
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.standard_normal((dim, dim)))[0]
    spread = 10.0 ** (2.0 * power) * np.geomspace(1.0, 10.0**-log_condition, dim)
    cov = (turn * spread) @ turn.T
    mean = 20.0 * 10.0**power * generator.standard_normal(dim)
    found, x = modes_of(eb.Gaussian(mean, (cov + cov.T) / 2.0))
    assert len(found) == 1
    away = np.linalg.solve(turn * np.sqrt(spread), x[0] - mean)
    assert np.abs(away).max() < 0.1
    whitened = np.linalg.solve(turn * np.sqrt(spread), found.frames[0])
    np.testing.assert_allclose(whitened @ whitened.T, np.eye(dim), atol=0.2)


@settings(max_examples=20)
@given(dim=st.integers(1, 3), place=st.floats(-1.0, 2.0), width=st.floats(-3.0, -1.0), side=st.sampled_from([-1, 1]))
def test_both_of_two_narrow_peaks_are_found(dim, place, width, side):
    centre = side * np.full(dim, 10.0**place)
    other = centre + 100.0 * 10.0**width
    mixture = eb.GaussianMixture([centre, other], 10.0 ** (2.0 * width), [0.7, 0.3])
    found, x = modes_of(mixture)
    assert len(found) == 2
    np.testing.assert_allclose(x, [centre, other], atol=10.0**width)


def test_many_peaks_and_kinks_and_flat_tops():
    angles = np.arange(8) * math.pi / 4.0
    circle = eb.GaussianMixture(4.0 * np.column_stack([np.cos(angles), np.sin(angles)]), 0.01)
    assert len(modes_of(circle)[0]) == 8
    for function in (lambda x: abs(x[0] - 0.3), lambda x: (x[0] - 0.3) ** 12):
        found, x = modes_of(eb.energy(dim=1)(function))
        assert abs(x[0, 0] - 0.3) < 0.1 * found.frames[0, 0, 0]


def test_a_valley_is_not_a_row_of_peaks():
    found, x = modes_of(eb.energy(dim=2)(lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2))
    assert len(found) == 1
    assert np.abs(x - 1.0).max() < 0.2


@pytest.mark.parametrize("function", [
    lambda x: 0.0,
    lambda x: x[0],
    lambda x: -(x[0] ** 2),
    lambda x: min(x[0] ** 2, 30.0),  # a plateau
    lambda x: x[0] ** 2 - 1e-6 * x[0] ** 4,
    lambda x: x[0] ** 2 - 1e-16 * x[0] ** 4,  # falls again beyond 1e8
])
def test_what_does_not_rise_towards_infinity_is_refused(function):
    refused(lambda: modes_of(eb.energy(dim=1)(function)), "does not rise", kind=eb.NotNormalisableError)


def test_flat_lines_poles_and_empty_supports_are_refused():
    refuse = eb.NotNormalisableError
    refused(lambda: modes_of(eb.energy(dim=2)(lambda x: (x[0] - 3.0 * x[1]) ** 2)), "does not rise", kind=refuse)
    pole = eb.energy(dim=1, domain=[(0.0, 1.0)])(lambda x: 1.5 * math.log(x[0]))
    refused(lambda: modes_of(pole), "does not rise", kind=refuse)
    falling = eb.energy(dim=1, domain=[(0.0, math.inf)])(lambda x: -x[0])
    refused(lambda: modes_of(falling), "does not rise", kind=refuse)
    refused(lambda: modes_of(eb.energy(dim=1)(lambda x: math.inf)), "+inf at every point", kind=refuse)
    infinite = eb.energy(dim=1)(lambda x: eb.where(abs(x[0]) < 1.0, -math.inf, x[0] ** 2))
    refused(lambda: modes_of(infinite), "-inf at x=", kind=refuse)
