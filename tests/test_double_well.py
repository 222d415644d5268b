"""The double well against its formula, in exact arithmetic and by duals."""

import math

import numpy as np
import pytest
from energy_laws import agrees_with_its_source, holds_what_every_energy_promises
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from written_energies import double_well, written

import fastebm as eb

settings_of = st.fixed_dictionaries(
    {"barrier": st.floats(0.1, 20.0), "location": st.floats(0.2, 5.0), "tilt": st.floats(-3.0, 3.0)}
)
seeds = st.integers(0, 2**64 - 1)


@given(seeds, st.sampled_from([1, 2, 5]), settings_of)
def test_its_formula(seed, dim, chosen):
    X = 2.0 * np.random.default_rng(seed).standard_normal((6, dim))
    E = eb.DoubleWell(dim, **chosen)
    depth = (X[:, 0] / chosen["location"]) ** 2 - 1.0
    wanted = chosen["barrier"] * depth**2 + chosen["tilt"] * X[:, 0] + 0.5 * (X[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(E.energy(X), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(E.grad(X)[:, 1:], X[:, 1:])


@given(seeds, st.integers(1, 3), settings_of)
@settings(max_examples=15)
def test_every_slope(seed, dim, chosen):
    X = 2.0 * np.random.default_rng(seed).standard_normal((2, dim))
    agrees_with_its_source(eb.DoubleWell(dim, **chosen), double_well, X)


@given(seeds, settings_of)
@settings(max_examples=20)
def test_every_slope_by_duals(seed, chosen):
    X = 2.0 * np.random.default_rng(seed).standard_normal((6, 2))
    E = eb.DoubleWell(2, **chosen)
    user = USERS.with_theta(**chosen)
    for face in ("energy", "grad", "grad_theta"):
        wanted = getattr(E, face)(X)
        np.testing.assert_allclose(getattr(user, face)(X), wanted, rtol=1e-11, atol=1e-12 * (1 + np.abs(wanted).max()))


USERS = written(double_well, eb.DoubleWell(2, tilt=0.3))


@given(settings_of)
def test_wells_lie_where_they_should(chosen):
    level = eb.DoubleWell(**chosen | {"tilt": 0.0})
    place = chosen["location"]
    assert level.energy([place]) == level.energy([-place]) == 0.0
    assert level.energy([0.0]) == chosen["barrier"]
    assert level.grad([place])[0] == level.grad([0.0])[0] == 0.0


@pytest.mark.parametrize("dim", [1, 2, 7])
def test_what_every_energy_promises(dim, monkeypatch):
    holds_what_every_energy_promises(eb.DoubleWell(dim, barrier=3.0, location=1.2, tilt=0.4), monkeypatch)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"dim": 0}, ["dim is 0"]), ({"barrier": 0.0}, ["barrier is 0.0"]), ({"location": -1.0}, ["location is -1.0"]),
    ({"tilt": math.nan}, ["tilt is nan"]), ({"dim": 2.0}, ["dim is 2.0"]), ({"barrier": "high"}, ["barrier is 'high'"]),
])
def test_what_is_refused(arguments, words):
    refused(lambda: eb.DoubleWell(**arguments), *words)
