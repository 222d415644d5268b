"""The words that energies have beyond Python's, as plain functions."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastebm as eb


@given(st.floats(-800.0, 800.0))
def test_sigmoid_and_softplus_are_what_they_say(x):
    exact = mpmath.exp(x)
    assert eb.sigmoid(x) == pytest.approx(float(exact / (1 + exact)), rel=1e-15)
    assert eb.softplus(x) == pytest.approx(float(mpmath.log1p(exact)), rel=1e-15)


def test_ends_of_sigmoid_and_softplus():
    assert (eb.sigmoid(math.inf), eb.sigmoid(-math.inf)) == (1.0, 0.0)
    assert (eb.softplus(math.inf), eb.softplus(-math.inf)) == (math.inf, 0.0)
    assert math.isnan(eb.sigmoid(math.nan))
    assert math.isnan(eb.softplus(math.nan))


def test_where_takes_one_of_two():
    assert eb.where(1.0 > 0.0, 2.0, 3.0) == 2.0
    assert eb.where(np.float64(1.0) < 0.0, 2.0, 3.0) == 3.0


def test_zeros_are_room_for_numbers():
    room = eb.zeros(3, like=np.ones(2))
    assert room.tolist() == [0.0, 0.0, 0.0]
    assert room.dtype == np.float64
