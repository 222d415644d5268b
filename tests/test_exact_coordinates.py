"""Coordinates without walls against fifty digits or more: x, its slope and its inverse, near walls and the origin."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastebm.exact.coordinates import HalfLine, Interval, Line, coordinate

positions = st.floats(-1e6, 1e6)
distances = st.floats(-9.0, 6.0).map(lambda power: 10.0**power)
near = st.floats(-25.0, 25.0)


def true_x(one, v):
    v, origin = mpmath.mpf(v), mpmath.mpf(one.origin)
    if isinstance(one, Line):
        return origin + v
    if isinstance(one, HalfLine):
        return one.wall + (origin - one.wall) * mpmath.exp(one.side * v)
    lower, upper = mpmath.mpf(one.lower), mpmath.mpf(one.upper)
    odds = (origin - lower) / (upper - origin) * mpmath.exp(v)
    return lower + (upper - lower) * odds / (1 + odds)


@st.composite
def coordinates(draw):
    kind = draw(st.sampled_from(["line", "above", "below", "between"]))
    wall, away = draw(positions), draw(distances)
    if kind == "line":
        return coordinate(-math.inf, math.inf, wall)
    origin = wall + away if kind != "below" else wall - away
    if origin == wall:
        origin = math.nextafter(wall, math.copysign(math.inf, away))
    if kind == "above":
        return coordinate(wall, math.inf, origin)
    if kind == "below":
        return coordinate(-math.inf, wall, origin)
    return coordinate(wall, origin + draw(distances) + 1e-9 * abs(origin), origin)


@given(one=coordinates(), v=near)
def test_x_and_its_slope_keep_their_digits(one, v):
    x, slope = one.x(np.array([v]))[0], one.log_slope(np.array([v]))[0]
    assert abs(x - true_x(one, v)) <= 4.0 * np.spacing(max(abs(x), abs(one.origin) * (abs(v) < 1.0)))
    step = mpmath.mpf(10) ** -15
    with mpmath.workdps(100):  # next to a wall at 1e6 the difference is 1e-41 of x
        true_slope = mpmath.log((true_x(one, v + step) - true_x(one, v - step)) / (2 * step))
    assert abs(slope - true_slope) < 1e-11


@given(wall=st.sampled_from([0.0, 1.0, -1e3]), v=st.floats(-200.0, -2.0))
def test_distances_from_a_wall_at_zero_are_exact(wall, v):
    one = coordinate(0.0, 3.0, 2.0)
    truth = true_x(one, v)
    assert abs(one.x(np.array([v]))[0] - truth) <= 1e-14 * truth
    half = coordinate(wall, math.inf, wall + 1.0)
    assert half.x(np.array([max(v, half.limits[0])]))[0] > wall


@given(one=coordinates())
def test_the_limits_are_inside_the_walls_and_v_inverts_x(one):
    lower, upper = one.limits
    assert lower < 0.0 < upper
    ends = one.x(np.array([lower, upper]))
    assert np.isfinite(ends).all()
    if isinstance(one, Interval):
        assert one.lower < ends[0] < ends[1] < one.upper
    if isinstance(one, HalfLine):
        assert abs(ends - one.wall).min() > 0.0
    v = np.linspace(max(lower, -1.0), min(upper, 1.0), 9)
    x = one.x(v)
    blur = 4.0 * np.spacing(np.abs(x).max()) / np.exp(one.log_slope(v))
    np.testing.assert_array_less(np.abs(one.v(x) - v), 1e-12 + 4.0 * blur)


@pytest.mark.parametrize(("ends", "kind"), [
    ((-math.inf, math.inf), Line), ((0.0, math.inf), HalfLine), ((-math.inf, 5.0), HalfLine), ((-1.0, 1e6), Interval)
])
def test_each_kind_of_range_has_its_coordinate(ends, kind):
    one = coordinate(*ends)
    assert type(one) is kind
    assert ends[0] < one.origin < ends[1]
