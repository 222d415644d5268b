"""Energies as the Python that makes them."""

import math

import numpy as np
import pytest

import fastebm as eb

A = eb.Gaussian([0.5], [[2.0]])
WELL = eb.DoubleWell(1, barrier=1.7, tilt=0.3)
SCOPE = {"math": math, **vars(eb)}


@pytest.mark.parametrize("E", [
    A, WELL, WELL.with_theta(tilt=0.5), eb.GaussianMixture([[0.0], [1.0]], 0.5, [0.25, 0.75]), eb.Ring(), eb.Banana(3),
    eb.StudentT([0.0, 1.0], 2.0, 5.0), eb.HybridRosenbrock(), eb.LogisticPosterior([[1.0], [2.0]], [1, 0]), A + WELL,
    0.5 * A, 0.5 * (A + WELL), (2.0 * A) + WELL, 0.5 * (0.3 * A), eb.mixture([A, WELL], [0.3, 0.7]),
    A.affine(2.0, 1.0), (A + WELL).affine([[3.0]]), A.restricted([(0.0, math.inf)]), A.restricted([(-math.inf, 1.0)]),
    A.restricted([(-1.0, 2.0)]), eb.Banana().conditioned({0: 1.0}), A.observed(0.5), eb.MLP(2, hidden=(3,)),
], ids=lambda E: E.name)
def test_what_is_shown_makes_the_same_energy(E):
    twin = eval(repr(E), SCOPE)
    X = np.random.default_rng(0).standard_normal((20, E.dim))
    np.testing.assert_allclose(twin.energy(X), E.energy(X), rtol=1e-12)
    assert repr(twin) == repr(E)


@pytest.mark.parametrize("E", [
    A.with_theta([1.0, 2.0]),  # what makes it is not known: its parameters are not those of the constructor
    eb.energy(1)(lambda x: x[0] ** 2),
    0.5 * eb.energy(1)(lambda x: x[0] ** 2),
    eb.Gaussian(np.zeros(50)),  # too long
    eb.MLP(2).with_theta(w_out=np.ones(64)),
])
def test_other_energies_show_their_sizes(E):
    assert repr(E) == f"{E.name}(dim={E.dim}, n_params={E.n_params})"
