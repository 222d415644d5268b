"""log Z, its gradient, and the likelihood, against closed forms and differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from scipy import special, stats

import fastebm as eb

finite = st.floats(-3.0, 3.0)


def test_closed_forms_are_taken_where_there_are_some():
    model = eb.Gaussian(np.zeros(40), 2.0)
    z = eb.log_partition(model)
    assert (z.method, z.n_evaluations) == ("closed", 0)
    assert z.value == pytest.approx(20.0 * math.log(4.0 * math.pi), abs=z.error)
    small = eb.Gaussian([1.0, -2.0], [[2.0, 0.9], [0.9, 1.0]])
    by_quadrature = eb.log_partition(small, method="quadrature")
    assert by_quadrature.method == "quadrature"
    assert by_quadrature.value == pytest.approx(eb.log_partition(small).value, abs=by_quadrature.error + 1e-13)


def test_bounds_cut_the_density():
    z = eb.log_partition(eb.Gaussian([0.0, 0.0]), bounds=[(-1.0, 1.0), (0.5, math.inf)])
    truth = math.log(2.0 * math.pi * (special.ndtr(1.0) - special.ndtr(-1.0)) * special.ndtr(-0.5))
    assert z.value == pytest.approx(truth, abs=z.error + 1e-13)


def test_refusals():
    well = eb.DoubleWell()
    refused(lambda: eb.log_partition(well, method="closed"), "closed")
    refused(lambda: eb.log_partition(well, method="guess"), "'guess'")
    refused(lambda: eb.log_partition(well, bounds=[(1.0, -1.0)]), "bounds[0]")
    refused(lambda: eb.log_partition(eb.DoubleWell(7)), "dim=7")
    refused(lambda: eb.log_likelihood(well, [0.0], log_z=math.nan), "log_z is nan")


@settings(max_examples=4)
@given(barrier=st.floats(0.5, 6.0), location=st.floats(0.5, 2.0), tilt=finite, beta=st.floats(0.3, 3.0))
def test_the_gradient_is_that_of_log_z(barrier, location, tilt, beta):
    model = beta * (eb.DoubleWell(1, barrier, location, tilt) + eb.Gaussian([0.7], 4.0))
    slopes = eb.log_partition_grad(model)
    for k in range(model.n_params):
        step = 1e-4 * (np.arange(model.n_params) == k)
        above, below = (eb.log_partition(model.with_theta(model.theta + sign * step)).value for sign in (1.0, -1.0))
        assert slopes[k] == pytest.approx((above - below) / 2e-4, rel=1e-4, abs=1e-4)
    assert not np.allclose(1.05 * slopes, slopes, rtol=1e-4, atol=1e-4)


@settings(max_examples=20)
@given(mean=finite, variance=st.floats(0.1, 9.0), points=st.lists(finite, min_size=1, max_size=20))
def test_the_likelihood_is_the_normal_density(mean, variance, points):
    X = np.reshape(points, (-1, 1))
    model = eb.Gaussian([mean], variance)
    truth = stats.norm(mean, math.sqrt(variance)).logpdf(X[:, 0])
    np.testing.assert_allclose(eb.log_likelihood(model, X), truth, rtol=1e-12, atol=1e-12)
    known = eb.log_likelihood(model, X, log_z=model.closed_log_partition())
    np.testing.assert_allclose(known, truth, rtol=1e-12, atol=1e-12)
    assert eb.log_likelihood(model, X[0]) == pytest.approx(truth[0], rel=1e-12, abs=1e-12)
