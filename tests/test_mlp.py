"""The network against NumPy, against its own source in exact arithmetic, and by duals."""

import math

import numpy as np
import pytest
from energy_laws import agrees_with_its_source, holds_what_every_energy_promises, same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from written_energies import CENTER, SCALE, perceptron, written

import fastebm as eb
from fastebm.energies.activations import ACTIVATIONS
from fastebm.energies.descriptions import rebuild

seeds = st.integers(0, 2**64 - 1)
widths = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def trained(seed, dim, hidden, **data):
    """A network whose output weights are not zero."""
    E = eb.MLP(dim, hidden, rng=seed, **data)
    return E.with_theta(E.theta + 0.5 * np.random.default_rng(seed).standard_normal(E.n_params))


def in_numpy(E, X, center, scale):
    """The formula, layer by layer."""
    theta = E.unpack()
    h = z = (X - center) / scale
    for layer in range(1, (len(theta) - 1) // 2 + 1):
        a = h @ theta[f"W{layer}"].T + theta[f"b{layer}"]
        h = a / (1.0 + np.exp(-a))
    return 0.5 * (z**2).sum(axis=1) + h @ theta["w_out"]


@given(seeds, st.integers(1, 6), widths)
def test_its_formula(seed, dim, hidden):
    generator = np.random.default_rng(seed)
    center, scale = generator.standard_normal(dim), generator.uniform(0.2, 3.0, dim)
    E = trained(seed, dim, hidden, center=center, scale=scale)
    X = center + scale * generator.standard_normal((70, dim))
    np.testing.assert_allclose(E.energy(X), in_numpy(E, X, center, scale), rtol=1e-11, atol=1e-11)
    assert E.n_params == sum(n * (1 + fan_in) for fan_in, n in zip([dim, *hidden], hidden, strict=False)) + hidden[-1]


@given(seeds)
@settings(max_examples=10)
def test_every_slope(seed):
    X = np.random.default_rng(seed).standard_normal((2, 2))
    agrees_with_its_source(trained(seed, 2, (3, 2), center=CENTER, scale=SCALE), perceptron, X, rtol=1e-11)


@given(seeds)
@settings(max_examples=20)
def test_every_slope_by_duals(seed):
    X = np.random.default_rng(seed).standard_normal((6, 2))
    E = trained(seed, 2, (3, 2), center=CENTER, scale=SCALE)
    user = USERS.with_theta(E.theta)
    for face in ("energy", "grad", "grad_theta"):
        wanted = getattr(E, face)(X)
        np.testing.assert_allclose(getattr(user, face)(X), wanted, rtol=1e-10, atol=1e-11 * (1 + np.abs(wanted).max()))


USERS = written(perceptron, eb.MLP(2, (3, 2)))


@given(seeds, st.integers(1, 4), widths)
@settings(max_examples=20)
def test_slopes_of_any_depth_by_differences(seed, dim, hidden):
    """Central differences with a step of 1e-5: errors of 1e-9 for slopes and curvatures of order one."""
    E = trained(seed, dim, hidden)
    generator = np.random.default_rng(seed)
    x, step = generator.standard_normal(dim), 1e-5
    v, w = generator.standard_normal(dim), generator.standard_normal(E.n_params)
    along = (E.energy(x + step * v) - E.energy(x - step * v)) / (2.0 * step)
    above, below = (E.with_theta(E.theta + move * w).energy(x) for move in (step, -step))
    size = np.abs(E.grad_theta(x)).sum() + np.abs(E.grad(x)).sum() + 1.0
    assert E.grad(x) @ v == pytest.approx(along, abs=1e-6 * size)
    assert E.grad_theta(x) @ w == pytest.approx((above - below) / (2.0 * step), abs=1e-6 * size)


@pytest.mark.parametrize(("dim", "hidden", "activation"), [
    (1, (1,), "swish"), (2, (5, 4), "softplus"), (3, (8,), "tanh"), (5, (3, 7, 2), "relu"), (30, (64, 64), "swish"),
])
def test_what_every_energy_promises(dim, hidden, activation, monkeypatch):
    E = trained(7, dim, hidden, center=0.3, scale=1.5, activation=activation)
    holds_what_every_energy_promises(E, monkeypatch)


def test_training_starts_at_the_normal_distribution():
    E = eb.MLP(3, center=[1.0, 2.0, 3.0], scale=[0.5, 1.0, 2.0], rng=1)
    X = np.random.default_rng(1).standard_normal((20, 3))
    gaussian = eb.Gaussian([1.0, 2.0, 3.0], np.array([0.5, 1.0, 2.0]) ** 2)
    np.testing.assert_allclose(E.energy(X), gaussian.energy(X), rtol=1e-13)
    np.testing.assert_allclose(E.grad(X), gaussian.grad(X), rtol=1e-13)
    assert np.abs(E.grad_theta(X)[:, -64:]).max() > 0.0, "the output weights must have a slope to start on"


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(seeds)
@settings(max_examples=20)
def test_the_quadratic_term_wins_far_out(activation, seed):
    E = trained(seed, 2, (4, 3), activation=activation)
    directions = np.random.default_rng(seed).standard_normal((50, 2))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(E.energy(1e7 * directions), 0.5e14, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gates_that_saturate_stay_finite(activation):
    E = trained(3, 2, (4, 3), activation=activation)
    for far in (1e3, 1e5, 1e100):
        X = far * np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        for face in (E.energy, E.grad, E.grad_theta, E.laplacian):
            assert np.isfinite(face(X)).all()


@given(seeds)
@settings(max_examples=10)
def test_weights_come_from_the_seed(seed):
    assert same(eb.MLP(2, (3,), rng=seed).theta, eb.MLP(2, (3,), rng=seed).theta)
    assert not same(eb.MLP(2, (3,), rng=seed).theta, eb.MLP(2, (3,), rng=seed + 1).theta)


@pytest.mark.parametrize(("arguments", "kind", "words"), [
    ({"dim": 0}, ValueError, ["dim is 0"]),
    ({"dim": 2, "hidden": ()}, ValueError, ["hidden is empty"]),
    ({"dim": 2, "hidden": 64}, TypeError, ["hidden is 64", "hidden=(64, 64)"]),
    ({"dim": 2, "hidden": (4, 0)}, ValueError, ["hidden[1] is 0"]),
    ({"dim": 2, "center": [1.0]}, ValueError, ["center has shape (1,)", "(2,)"]),
    ({"dim": 2, "scale": [1.0, 0.0]}, ValueError, ["scale has the entry 0.0"]),
    ({"dim": 2, "scale": math.nan}, ValueError, ["scale is nan"]),
    ({"dim": 2, "rng": -1}, ValueError, ["rng is -1"]),
    ({"dim": 2, "activation": "gelu"}, ValueError, ["activation is 'gelu'", "'softplus', 'tanh', 'swish', 'relu'"]),
    ({"dim": 2, "activation": None}, ValueError, ["activation is None"]),
    ({"dim": 2, "activation": ["swish"]}, ValueError, ["activation is ['swish']"]),
])
def test_what_is_refused(arguments, kind, words):
    refused(lambda: eb.MLP(**arguments), *words, kind=kind)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(seeds)
@settings(max_examples=5)
def test_z_is_finite_and_found(activation, seed):
    """Against a sum on a fine grid; with tanh within the bound that its output weights give."""
    E = trained(seed, 1, (4, 3), center=0.5, scale=2.0, activation=activation)
    z = eb.log_partition(E)
    step = 1e-4
    X = np.arange(-80.0, 80.0, step)[:, None]
    energies = E.energy(X)
    low = energies.min()
    assert z.value == pytest.approx(np.log(np.exp(low - energies).sum() * step) - low, abs=1e-6 + z.error)
    if activation == "tanh":
        normal = 0.5 * math.log(2.0 * math.pi) + math.log(2.0)
        assert abs(z.value - normal) <= np.abs(E.unpack()["w_out"]).sum()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_files_keep_the_activation(activation, tmp_path):
    E = trained(4, 2, (3, 5), center=0.5, activation=activation)
    E.save(tmp_path / "model.npz")
    twin = eb.load(tmp_path / "model.npz")
    X = np.random.default_rng(0).standard_normal((20, 2))
    assert twin.program.key == E.program.key
    assert twin.describe() == E.describe()
    assert same(twin.energy(X), E.energy(X))
    assert same(twin.grad(X), E.grad(X))


def test_files_without_an_activation_are_of_swish():
    """As they were written when there was no other."""
    settings = {"dim": 2, "hidden": [3], "center": [0.5, 0.5], "scale": [2.0, 2.0], "rng": 7}
    E = eb.MLP(2, (3,), center=0.5, scale=2.0, rng=7, activation="swish")
    old = rebuild({"type": "MLP", "settings": settings}, E.shapes, E.theta, None, "model.npz")
    assert old.program.key == E.program.key
    assert E.describe() == {"type": "MLP", "settings": settings}
    assert rebuild({"type": "MLP", "settings": settings}, E.shapes, E.theta, E, "model.npz").theta is not None
    assert eb.MLP(2, (3,), activation="tanh").describe()["settings"]["activation"] == "tanh"


@given(seeds)
@settings(max_examples=10)
def test_second_derivatives_in_sums_and_multiples(seed):
    E, other = trained(seed, 2, (3, 2), activation="tanh"), trained(seed + 1, 2, (4,))
    X, V = np.random.default_rng(seed).standard_normal((2, 5, 2))
    for whole, wanted in (
        (E + other, E.hvp(X, V) + other.hvp(X, V)), (0.3 * E, 0.3 * E.hvp(X, V)),
    ):
        np.testing.assert_allclose(whole.hvp(X, V), wanted, rtol=1e-12, atol=1e-12 * (1 + np.abs(wanted).max()))


def test_theta_of_a_users_energy_stands_before_its_arrays_once():
    """A network that a user writes closes over arrays: these are read where packing put them."""
    assert same(USERS.packed, np.concatenate([USERS.theta, CENTER, SCALE]))
