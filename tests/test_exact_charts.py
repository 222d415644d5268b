"""Rulers and charts: a change of variables has to be undone exactly, and its slope has to be its slope."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm.exact import charts, modes
from fastebm.exact.charts import Chart, Ruler
from fastebm.exact.densities import Density

EVERYWHERE = np.array([[-np.inf, np.inf]])


@st.composite
def rulers(draw):
    n = draw(st.integers(1, 6))
    centres = draw(st.lists(st.floats(-1e3, 1e3), min_size=n, max_size=n))
    powers = draw(st.lists(st.floats(-4.0, 3.0), min_size=n, max_size=n))
    return Ruler(np.array(centres), 10.0 ** np.array(powers))


@given(ruler=rulers(), share=st.floats(-1.0, 1.0))
def test_a_ruler_is_undone_and_rises(ruler, share):
    t = np.linspace(-20.0, 20.0, 201) * len(ruler.centres) + share
    y = ruler.y(t)
    assert (np.diff(y) >= 0.0).all()
    blur = np.spacing(np.abs(y) + np.abs(ruler.centres).max()) / np.exp(ruler.log_slope(y))
    np.testing.assert_array_less(np.abs(ruler.t(y) - t), 1e-9 + 4.0 * blur)


@given(ruler=rulers(), t=st.floats(-8.0, 8.0))
def test_the_slope_of_a_ruler_is_that_of_its_inverse(ruler, t):
    y = ruler.y(np.array([t]))
    step = 1e-4 * np.exp(ruler.log_slope(y))  # in y, where t is an explicit sum
    slope = (ruler.t(y + step) - ruler.t(y - step)) / (2.0 * step)
    np.testing.assert_allclose(-np.log(slope), ruler.log_slope(y), atol=1e-5)
    assert abs(-math.log(1.05 * slope[0]) - ruler.log_slope(y)[0]) > 1e-2


@given(seed=st.integers(0, 2**32), log_condition=st.floats(0.0, 12.0))
def test_a_chart_of_one_peak_makes_it_round(seed, log_condition):
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.standard_normal((3, 3)))[0]
    frame = turn * np.geomspace(1.0, 10.0 ** (-0.5 * log_condition), 3)
    found = modes.Modes(np.zeros((1, 3)), np.zeros(1), frame[None])
    chart = charts.of_modes(Density(eb.Gaussian(np.zeros(3)), np.tile(EVERYWHERE, (3, 1))), found)
    cov = frame @ frame.T
    np.testing.assert_allclose(chart.frame @ chart.frame.T, cov, atol=1e-13 * np.abs(cov).max())
    places, widths = chart.peaks(found)
    assert not places.any()
    np.testing.assert_allclose(widths, 1.0, rtol=1e-5)
    np.testing.assert_allclose(chart.log_volume, np.log(np.abs(np.linalg.det(frame))), atol=1e-6)


@given(seed=st.integers(0, 2**32), t=st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=2))
@settings(max_examples=30)
def test_the_volume_of_a_chart_is_its_jacobian(seed, t):
    generator = np.random.default_rng(seed)
    frame = np.array([[0.3, 0.0], [1.7, 2.0]])
    scales = generator.uniform(0.5, 2.0, 2)
    pair = [Ruler(generator.standard_normal(2), scales), Ruler(np.zeros(1), np.full(1, 0.7))]
    chart = Chart(Density(eb.Gaussian([0.0, 0.0]), np.tile(EVERYWHERE, (2, 1))), np.array([1.0, -1.0]), frame, pair)
    step = 1e-5
    moved = np.array(t) + step * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    v = chart.placed(moved)[0]
    jacobian = np.array([v[0] - v[1], v[2] - v[3]]) / (2.0 * step)
    np.testing.assert_allclose(np.log(np.abs(np.linalg.det(jacobian))), chart.placed(np.array([t]))[1][0], atol=1e-6)


def test_a_ruler_of_far_peaks_is_fine_at_each_and_coarse_between():
    ruler = charts._ruler(np.array([0.0, 1e4, 0.1]), np.array([1.0, 1e-3, 1.0]))
    assert ruler.centres.tolist() == [0.0, 1e4]  # the third lies where steps are short enough already
    assert np.exp(ruler.log_slope(np.array([1e4])))[0] < 2e-3
    assert np.exp(ruler.log_slope(np.array([5e3])))[0] > 1e3
