"""Activations and their derivatives against mpmath, as plain Python and on lanes."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import types

from fastebm._compile import VECTOR, Compiled, inlined
from fastebm.energies.activations import ACTIVATIONS
from fastebm.lanes.lane import load_row, store_row
from fastebm.tiles import LANES

NAMES = list(ACTIVATIONS)
ORACLES = {
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "tanh": mpmath.tanh,
    "swish": lambda a: a / (1 + mpmath.exp(-a)),
    "relu": lambda a: max(a, mpmath.mpf(0)),
}
arguments = st.floats(-40.0, 40.0).filter(lambda a: abs(a) > 1e-6) | st.floats(-700.0, 700.0).filter(
    lambda a: abs(a) > 1e-6
)


def on_lanes(name):
    """The function of rows a, f, slope and curve that the lanes compute."""
    f = inlined(ACTIVATIONS[name])

    def make():
        def function(a, value, slope, curve):
            f0, f1, f2 = f(load_row(a, 0))
            store_row(value, 0, f0)
            store_row(slope, 0, f1)
            store_row(curve, 0, f2)

        return function

    return Compiled(make, types.void(VECTOR, VECTOR, VECTOR, VECTOR), None, name)


LANE_FUNCTIONS = {name: on_lanes(name) for name in NAMES}


def all_three(name, a):
    """By plain Python and by lanes."""
    out = np.empty((3, LANES))
    LANE_FUNCTIONS[name](np.full(LANES, a), *out)
    return [tuple(map(float, ACTIVATIONS[name](a))), tuple(out[:, 0])]


def exact(name, a):
    """f, f' and f'' by differences in so many digits that their errors do not show."""
    f = ORACLES[name]
    with mpmath.workprec(4000):
        at, step = mpmath.mpf(a), mpmath.mpf(2) ** -600
        below, here, above = f(at - step), f(at), f(at + step)
        return float(here), float((above - below) / (2 * step)), float((above - 2 * here + below) / step**2)


@pytest.mark.parametrize("name", NAMES)
@given(arguments)
def test_values_slopes_and_curvatures(name, a):
    """Slope and curvature of swish have zeros: next to these only the error of their terms is small."""
    value, slope, curve = exact(name, a)
    tail = math.exp(-abs(a)) * (1.0 + abs(a)) if name == "swish" else 0.0
    for got in all_three(name, a):
        assert got[0] == pytest.approx(value, rel=2e-14, abs=1e-300)
        assert got[1] == pytest.approx(slope, rel=2e-14, abs=1e-14 * tail + 1e-300)
        assert got[2] == pytest.approx(curve, rel=2e-14, abs=1e-14 * tail + 1e-300)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("a", [1e300, -1e300, 1e5, -1e5, 750.0, -750.0, 0.0, -0.0, 5e-324])
def test_far_out_and_at_zero(name, a):
    limits = {
        "softplus": (max(a, 0.0) + (math.log(2.0) if abs(a) < 1.0 else 0.0), 0.5 * (1 + np.sign(round(a))), 0.25),
        "tanh": (np.sign(round(a)) if abs(a) > 1 else a, 0.0 if abs(a) > 1 else 1.0, 0.0),
        "swish": (max(a, 0.0) if abs(a) > 1 else a / 2, 0.5 * (1 + np.sign(round(a))), 0.5),
        "relu": (max(a, 0.0), 1.0 if a > 0.0 else 0.0, 0.0),
    }
    value, slope, curve = limits[name]
    for got in all_three(name, a):
        assert got == pytest.approx((value, slope, curve if abs(a) < 1.0 else 0.0), rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("a", [0.0, -0.0])
def test_the_kink_of_relu_has_the_slope_of_its_left_side(a):
    for got in all_three("relu", a):
        assert got == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays(name):
    for got in all_three(name, math.nan):
        assert all(math.isnan(one) for one in got)
