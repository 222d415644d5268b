"""An energy is rebuilt from what it says about itself, however it is put together."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.energies.algebra import Observed, Walled
from fastebm.energies.descriptions import CATALOGUE, rebuild

numbers = st.floats(-5.0, 5.0)
sizes = st.floats(0.01, 9.0)


@st.composite
def leaves(draw):
    """Any energy of the catalogue in two dimensions."""
    kind = draw(st.sampled_from(sorted(CATALOGUE)))
    pair = np.array([draw(numbers), draw(numbers)])
    spread = np.array([draw(sizes), draw(sizes)])
    if kind == "Gaussian":
        return eb.Gaussian(pair, np.diag(spread) if draw(st.booleans()) else spread)
    if kind == "GaussianMixture":
        return eb.GaussianMixture([pair, -pair], draw(sizes), spread)
    if kind == "DoubleWell":
        return eb.DoubleWell(2, *spread, pair[0])
    if kind == "Ring":
        return eb.Ring(*spread)
    if kind == "Rosenbrock":
        return eb.Rosenbrock(2, pair[0], spread[0])
    if kind == "HybridRosenbrock":
        return eb.HybridRosenbrock(2, 1, mu=pair[0], a=spread[0], b=spread[1])
    if kind == "StudentT":
        return eb.StudentT(pair, np.diag(spread) if draw(st.booleans()) else spread, draw(sizes))
    if kind == "Funnel":
        return eb.Funnel(2, spread[0])
    if kind == "Banana":
        return eb.Banana(2, pair[0], spread[0])
    if kind == "QuarticChain":
        return eb.QuarticChain(2, spread[0], pair[0])
    if kind == "LogisticPosterior":
        return eb.LogisticPosterior([pair, spread, -pair], [0, 1, 1], spread[0])
    activation = draw(st.sampled_from(["softplus", "tanh", "swish", "relu"]))
    return eb.MLP(2, (3, 2), center=pair, scale=spread, rng=draw(st.integers(0, 2**64)), activation=activation)


energies = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(lambda first, second: first + second, inner, inner),
        st.builds(lambda a, e: a * e, sizes, inner),
        st.builds(lambda parts, w: eb.mixture(parts, [w] * len(parts)), st.lists(inner, min_size=1, max_size=3), sizes),
        st.builds(lambda e, a, b: e.affine([a, -b], b), inner, sizes, sizes),
        st.builds(lambda e, a, b: e.affine([[a, b], [-b, a]], [0.5, b]), inner, sizes, sizes),
        st.builds(lambda e, a: e.restricted([(-a, math.inf), (-a, a)]), inner, sizes),
        st.builds(lambda e, a: e.observed(a).conditioned({1: 0.0, 2: 0.0}), inner, sizes),
    ),
    max_leaves=4,
)


def through_json(energy):
    description, shapes = json.loads(json.dumps([energy.describe(), energy.shapes]))
    return rebuild(description, shapes, energy.theta, None, "model.npz")


@eb.energy(dim=2, theta={"a": 1.0, "b": [0.5, 2.0]})
def own(x, theta):
    return theta.a * x[0] ** 2 + theta.b[0] * x[0] * x[1] + theta.b[1] * x[1] ** 2


@given(energies, st.data())
@settings(max_examples=40)
def test_the_catalogue_and_its_arithmetic(energy, data):
    moves = [data.draw(numbers) for _ in range(energy.n_params)] if energy.n_params < 20 else energy.theta + 0.5
    energy = energy.with_theta(moves)
    twin = through_json(energy)
    assert type(twin) is type(energy)
    assert twin.describe() == energy.describe()
    assert twin.name == energy.name
    assert twin.shapes == energy.shapes
    assert twin.theta.tobytes() == energy.theta.tobytes()
    assert twin.packed.tobytes() == energy.packed.tobytes()  # all that the compiled code takes
    assert twin.program.key == energy.program.key  # and what it is


@pytest.mark.parametrize("make", [
    lambda: 0.7 * eb.DoubleWell(2, tilt=0.2) + eb.Gaussian([1.0, 0.0]),
    lambda: 2.0 * (eb.MLP(2, (3,), scale=2.0) + eb.GaussianMixture([[0.0, 1.0]])),
    lambda: Walled(eb.DoubleWell(2), np.array([[-1.0, 2.0], [-math.inf, 0.5]])),
    lambda: Observed(eb.DoubleWell(1), 0.3),
    lambda: eb.mixture([eb.DoubleWell(2), eb.Gaussian([1.0, 0.0])], [0.3, 2.0]),
    lambda: eb.DoubleWell(2).affine([[1.0, 0.1], [0.3, 2.0]], [1.0 / 3.0, -1.0]),
    lambda: eb.DoubleWell(2).restricted([(-1.0, 1.0)] * 2).affine([-1.0 / 3.0, 2.0]),
    lambda: eb.DoubleWell(3).conditioned({1: 0.1}),
], ids=["sum", "tempered", "walls", "observed", "mixture", "affine", "diagonal", "conditioned"])
def test_the_same_numbers_come_out(make):
    energy = make()
    twin = through_json(energy)
    X = np.random.default_rng(0).normal(0.0, 2.0, (50, 2))
    assert twin.energy(X).tobytes() == energy.energy(X).tobytes()
    if energy.domain is None:
        assert twin.domain is None
    else:
        assert np.array_equal(twin.domain, energy.domain)


class TestOwnEnergies:
    @pytest.mark.parametrize("make", [
        lambda: own, lambda: 0.3 * own, lambda: own + eb.DoubleWell(2), lambda: eb.DoubleWell(2) + 2.0 * (own + own),
    ], ids=["alone", "tempered", "first", "deep"])
    def test_they_are_passed_in(self, make):
        energy = make()
        theta = energy.theta + 0.25
        again = rebuild(energy.describe(), energy.shapes, theta, make(), "model.npz")
        assert again.theta.tobytes() == theta.tobytes()
        for other, words in ((None, ("'own'", "energy=own")), (make() + eb.DoubleWell(2), ("another energy",))):
            refused(lambda: rebuild(energy.describe(), energy.shapes, theta, other, "model.npz"), "model.npz", *words)  # noqa: B023

    @pytest.mark.parametrize("change", [
        lambda: eb.energy(2, {"a": 1.0, "b": [0.5, 2.0]})(lambda x, theta: theta.a * x[0] + theta.b[0] * x[1]),
        lambda: eb.energy(2)(lambda x: x[0] ** 2 + x[1] ** 2),
        lambda: eb.Gaussian([0.0, 0.0]),
        lambda: 1.5 * own,
    ], ids=["source", "parameters", "catalogue", "temperature"])
    def test_another_one_is_refused(self, change):
        refused(lambda: rebuild(own.describe(), own.shapes, own.theta, change(), "model.npz"), "another energy")

    @pytest.mark.parametrize("theta", [{"b": [0.5, 2.0], "a": 1.0}, {"a": [1.0], "b": [0.5, 2.0]}])
    def test_parameters_in_another_order_or_shape(self, theta):
        other = eb.energy(2, theta)(lambda x, theta: x[0] ** 2)
        other.describe = own.describe  # the same source can have either
        message = refused(lambda: rebuild(own.describe(), own.shapes, own.theta, other, "model.npz"), "a, b")
        assert "same order" in message


def test_an_energy_of_a_later_version():
    message = refused(lambda: rebuild({"type": "Torus", "settings": {}}, {}, [], None, "model.npz"), "'Torus'")
    assert "upgrade" in message
