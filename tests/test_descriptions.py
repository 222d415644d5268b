"""Energies come back from their descriptions bit for bit; what is not theirs is refused."""

import json
import math

import numpy as np
import pytest
from energy_laws import same

import fastebm as eb
from fastebm.energies.algebra import Observed, Walled
from fastebm.energies.descriptions import CATALOGUE, rebuild


def spring(x, theta):
    return theta.k * x[0] ** 2


GAUSSIAN = eb.Gaussian([0.5, -1.0], [[2.0, 0.3], [0.3, 1.0]])
ENERGIES = {
    "Gaussian": GAUSSIAN,
    "Gaussian of variances": eb.Gaussian([0.5, -1.0], [2.0, 1.0]),
    "GaussianMixture": eb.GaussianMixture([[0.0, 1.0], [2.0, 3.0]], 0.5, [0.2, 0.5]),
    "DoubleWell": eb.DoubleWell(2, 3.0, 1.2, 0.1),
    "MLP": eb.MLP(2, (3, 2), center=[1.0, 2.0], scale=0.5, rng=5),
    "sum": GAUSSIAN + eb.DoubleWell(2),
    "tempered": 0.3 * (GAUSSIAN + GAUSSIAN),
    "walled": Walled(GAUSSIAN, np.array([[0.0, math.inf], [-math.inf, 2.0]])),
    "observed": Observed(eb.Gaussian([0.0]), 0.5),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_there_and_back(name):
    E = ENERGIES[name]
    E = E.with_theta(E.theta * 1.25)
    description = json.loads(json.dumps(E.describe()))
    twin = rebuild(description, E.theta, None, "model.npz")
    X = np.random.default_rng(0).standard_normal((9, E.dim))
    assert type(twin) is type(E)
    assert same(twin.energy(X), E.energy(X))
    assert same(twin.theta, E.theta)
    assert same(twin.grad(X), E.grad(X))
    assert twin.describe() == E.describe()
    assert (twin.domain is None) == (E.domain is None)
    assert twin.domain is None or same(twin.domain, E.domain)
    assert json.loads(json.dumps(twin.describe())) == description


def test_the_whole_catalogue_is_judged():
    assert set(CATALOGUE) <= set(ENERGIES)


def test_a_users_energy_is_passed_in_and_compared():
    E = eb.energy(1, {"k": 2.0})(spring)
    for saved in (E, 0.5 * E, E + eb.Gaussian([0.0])):
        description = json.loads(json.dumps(saved.describe()))
        loaded = rebuild(description, 3.0 * saved.theta, saved, "model.npz")
        assert loaded.energy([1.0]) == saved.with_theta(3.0 * saved.theta).energy([1.0])
        with pytest.raises(ValueError, match=r"model.npz holds a model of your own energy 'spring'; pass it"):
            rebuild(description, saved.theta, None, "model.npz")
    other = eb.energy(1, {"k": 2.0})(lambda x, theta: theta.k * x[0] ** 4)
    for wrong in (other, 0.5 * E, eb.Gaussian([0.0])):
        with pytest.raises(ValueError, match=r"model.npz was saved with another energy"):
            rebuild(E.describe(), E.theta, wrong, "model.npz")


def test_a_kind_that_only_a_later_version_knows():
    with pytest.raises(ValueError, match="'Ising', which this version does not know; upgrade"):
        rebuild({"type": "Ising", "settings": {}}, [], None, "model.npz")
