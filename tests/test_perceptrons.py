"""The network's tile functions against the chain rule in plain loops, and against differences in many digits."""

import itertools
import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from energy_laws import company_changes_nothing, same
from hypothesis import given, settings
from hypothesis import strategies as st
from written_energies import precise

import fastebm as eb
from fastebm import tiles
from fastebm.energies import programs
from fastebm.energies.activations import ACTIVATIONS
from fastebm.tiles import LANES

NAMES = list(ACTIVATIONS)
seeds = st.integers(0, 2**64 - 1)
widths = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def trained(seed, dim, hidden, activation):
    """A network with no neutral numbers in it."""
    generator = np.random.default_rng(seed)
    center, scale = generator.standard_normal(dim), generator.uniform(0.3, 3.0, dim)
    E = eb.MLP(dim, hidden, center=center, scale=scale, rng=seed, activation=activation)
    E = E.with_theta(E.theta + 0.5 * generator.standard_normal(E.n_params) / max(hidden) ** 0.5)
    return E, center, scale, center + scale * generator.standard_normal((3, dim)), generator.standard_normal((3, dim))


def gate(a):
    return 1.0 / (1.0 + math.exp(-a))


# value, slope and curvature as the textbook has them
TEXTBOOK = {
    "softplus": (lambda a: math.log(1.0 + math.exp(a)), gate, lambda a: gate(a) * gate(-a)),
    "tanh": (math.tanh, lambda a: 1 / math.cosh(a) ** 2, lambda a: -2.0 * math.tanh(a) / math.cosh(a) ** 2),
    "swish": (
        lambda a: a * gate(a),
        lambda a: gate(a) + a * gate(a) * gate(-a),
        lambda a: gate(a) * gate(-a) * (2.0 + a * (gate(-a) - gate(a))),
    ),
    "relu": (lambda a: max(a, 0.0), lambda a: float(a > 0.0), lambda a: 0.0),
}


def by_the_chain_rule(E, activation, center, scale, x, v):
    """E, dE/dx, dE/dtheta and d2E/dx2 v at one point, unit by unit; and the sums of the sizes of their terms.

    Derivatives by x go forwards, so that nothing is shared with the code under test but the formula of E.
    """
    f, f1, f2 = TEXTBOOK[activation]
    theta, dim = E.unpack(), E.dim
    n_layers = (len(theta) - 1) // 2
    h = [(x[i] - center[i]) / scale[i] for i in range(dim)]
    slopes = [[(i == k) / scale[i] for k in range(dim)] for i in range(dim)]  # dh_j/dx_k
    bends = [[0.0] * dim for _ in range(dim)]  # sum over k' of d2h_j/dx_k dx_k' v_k'
    energy = sum(0.5 * z * z for z in h)
    grad, hvp = [h[i] / scale[i] for i in range(dim)], [v[i] / scale[i] ** 2 for i in range(dim)]
    inputs, sums = [], []
    for layer in range(1, n_layers + 1):
        W, b = theta[f"W{layer}"], theta[f"b{layer}"]
        inputs.append(h)
        above, slopes_above, bends_above, a_of_layer = [], [], [], []
        for j in range(len(b)):
            a = b[j] + sum(W[j, i] * h[i] for i in range(len(h)))
            da = [sum(W[j, i] * slopes[i][k] for i in range(len(h))) for k in range(dim)]
            bend = [sum(W[j, i] * bends[i][k] for i in range(len(h))) for k in range(dim)]
            along = sum(da[k] * v[k] for k in range(dim))
            above.append(f(a))
            slopes_above.append([f1(a) * da[k] for k in range(dim)])
            bends_above.append([f2(a) * along * da[k] + f1(a) * bend[k] for k in range(dim)])
            a_of_layer.append(a)
        h, slopes, bends = above, slopes_above, bends_above
        sums.append(a_of_layer)
    w = theta["w_out"]
    energy += sum(w[j] * h[j] for j in range(len(w)))
    for k in range(dim):
        grad[k] += sum(w[j] * slopes[j][k] for j in range(len(w)))
        hvp[k] += sum(w[j] * bends[j][k] for j in range(len(w)))
    return energy, np.array(grad), np.array(grad_theta_backwards(theta, inputs, sums, h, f1)), np.array(hvp)


def grad_theta_backwards(theta, inputs, sums, last, slope):
    """dE/dtheta from the inputs and sums of every layer: Rumelhart, Hinton and Williams (1986)."""
    delta = list(theta["w_out"])  # dE/dh
    parts = [list(last)]
    for layer in range(len(inputs), 0, -1):
        W = theta[f"W{layer}"]
        delta = [d * slope(a) for d, a in zip(delta, sums[layer - 1], strict=True)]
        parts.insert(0, list(delta))
        parts.insert(0, [d * one for d in delta for one in inputs[layer - 1]])
        delta = [sum(W[j, i] * delta[j] for j in range(len(delta))) for i in range(len(inputs[layer - 1]))]
    return list(itertools.chain(*parts))


def close(got, wanted, rtol=1e-11):
    size = 1.0 + np.max(np.abs(wanted), initial=0.0)
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * size)


def agrees_with_its_twin(seed, dim, hidden, activation):
    E, center, scale, X, V = trained(seed, dim, hidden, activation)
    got = E.energy(X), E.grad(X), E.grad_theta(X), E.hvp(X, V)
    for l in range(len(X)):
        for face, wanted in zip(got, by_the_chain_rule(E, activation, center, scale, X[l], V[l]), strict=True):
            close(face[l], wanted)


@pytest.mark.parametrize("activation", NAMES)
@given(seeds, st.integers(1, 20), widths)
@settings(max_examples=40)
def test_the_chain_rule_in_plain_loops(activation, seed, dim, hidden):
    agrees_with_its_twin(seed, dim, hidden, activation)


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize(
    ("dim", "hidden"), [(1, (63,)), (2, (65, 3)), (3, (1, 64)), (33, (32, 1)), (1, (1, 1, 1, 1)), (2, (31, 33, 3))]
)
def test_widths_beside_those_of_a_lane(activation, dim, hidden):
    agrees_with_its_twin(np.random.default_rng().integers(2**63), dim, hidden, activation)


def network(theta, center, scale, f, x):
    """E at numbers of any kind."""
    h = z = [(x[i] - center[i]) / scale[i] for i in range(len(x))]
    for layer in range(1, (len(vars(theta)) - 1) // 2 + 1):
        W, b = getattr(theta, f"W{layer}"), getattr(theta, f"b{layer}")
        h = [f(b[j] + sum(W[j, i] * h[i] for i in range(len(h)))) for j in range(len(b))]
    return sum(one * one for one in z) / 2 + sum(w * one for w, one in zip(theta.w_out, h, strict=True))


PRECISE = {
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "tanh": mpmath.tanh,
    "swish": lambda a: a / (1 + mpmath.exp(-a)),
    "relu": lambda a: max(a, mpmath.mpf(0)),
}


@pytest.mark.parametrize("activation", NAMES)
@given(seeds, st.integers(1, 3), st.lists(st.integers(1, 3), min_size=1, max_size=3))
@settings(max_examples=10)
def test_differences_in_many_digits(activation, seed, dim, hidden):
    E, center, scale, X, V = trained(seed, dim, hidden, activation)
    x, v = X[0], V[0]
    middle, spread, f = precise(center), precise(scale), PRECISE[activation]
    with mpmath.workprec(400):
        step = mpmath.mpf(2) ** -100

        def at(flat, point):
            named = {key: precise(value) for key, value in E.with_theta(E.theta).unpack().items()}
            start = 0
            for key, shape in E.shapes.items():
                stop = start + math.prod(shape)
                named[key] = flat[start:stop].reshape(shape)
                start = stop
            return network(SimpleNamespace(**named), middle, spread, f, point)

        flat, here, along = precise(E.theta), precise(x), precise(v)

        def moved(vector, k, move):
            other = vector.copy()
            other[k] += move
            return other

        def slope(k, point):
            return (at(flat, moved(point, k, step)) - at(flat, moved(point, k, -step))) / (2 * step)

        grad = [float(slope(k, here)) for k in range(dim)]
        grad_theta = [
            float((at(moved(flat, k, step), here) - at(moved(flat, k, -step), here)) / (2 * step))
            for k in range(len(flat))
        ]
        hvp = [float((slope(k, here + step * along) - slope(k, here - step * along)) / (2 * step)) for k in range(dim)]
        close(E.energy(x), float(at(flat, here)), 1e-12)
    close(E.grad(x), grad, 1e-12)
    close(E.grad_theta(x), grad_theta, 1e-12)
    close(E.hvp(x, v), hvp, 1e-11)


@pytest.mark.parametrize("activation", NAMES)
@given(seeds, st.integers(1, 5), widths)
@settings(max_examples=20)
def test_hessians_are_symmetric_and_laplacians_their_traces(activation, seed, dim, hidden):
    E, _, _, X, V = trained(seed, dim, hidden, activation)
    H = E.hessian(X)
    size = 1.0 + np.abs(H).max()
    np.testing.assert_allclose(H, H.transpose(0, 2, 1), atol=1e-12 * size)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", H, V), E.hvp(X, V), atol=1e-11 * size * (1 + np.abs(V).max()))
    np.testing.assert_allclose(E.laplacian(X), np.einsum("nii->n", H), atol=1e-12 * size * dim)


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("hidden", [(5, 4), (63, 65)])
def test_the_same_bits_at_any_place_of_any_tile(activation, hidden):
    E, _, _, _, _ = trained(11, 3, hidden, activation)
    generator = np.random.default_rng()
    X, V = generator.standard_normal((2, 70, 3))
    company_changes_nothing(E, X)
    together = E.hvp(X, V)
    assert same(together, [E.hvp(x, v) for x, v in zip(X, V, strict=True)])
    assert same(together[::-1], E.hvp(X[::-1], V[::-1]))
    assert same(E.hvp(X[3:], V[3:]), together[3:])
    for width in (LANES, 2 * LANES, 3 * LANES):  # tiles wider than any driver's too
        x, v = np.empty((2, 3, width))
        x[:], v[:] = X[np.arange(width) % 70].T, V[np.arange(width) % 70].T
        e, energy, (g, gradient, h) = np.empty(width), np.empty(width), np.empty((3, 3, width))
        E.program.energy(x, E.packed, energy)
        E.program.grad(x, E.packed, e, g)
        E.program.hvp(x, v, E.packed, gradient, h)
        rows = np.arange(width) % 70
        assert same(energy, E.energy(X)[rows])
        assert same(e, energy), "grad gives the energy too"
        assert same(g.T, E.grad(X)[rows])
        assert same(gradient, g), "hvp gives the gradient too"
        assert same(h.T, together[rows])


def test_threads_change_nothing_in_second_derivatives(monkeypatch):
    E, _, _, _, _ = trained(3, 2, (7, 5), "tanh")
    X, V = np.random.default_rng().standard_normal((2, 300, 2))
    monkeypatch.setattr(programs, "_PARALLEL_FROM", 1)
    results = []
    for n_threads in (1, 2, 3, 7):
        monkeypatch.setattr(tiles, "threads", lambda _, n=n_threads: n)
        results.append((E.hvp(X, V), E.laplacian(X)))
    for other in results[1:]:
        assert all(same(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("activation", NAMES)
def test_the_quadratic_term_wins_where_numbers_end(activation):
    """E is inf where the square overflows, and never nan or -inf but at nan."""
    E, _, _, _, _ = trained(5, 2, (4, 3), activation)
    for far in (1e155, 1e200, 1e308, np.inf):
        X = far * np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        assert (E.energy(X) == np.inf).all()
    assert np.isnan(E.energy([[np.nan, 0.0], [0.0, np.nan]])).all()


@pytest.mark.parametrize("activation", NAMES)
def test_grad_theta_adds_to_what_is_there(activation):
    E, _, _, _, _ = trained(9, 2, (33, 3), activation)
    generator = np.random.default_rng()
    x, weights = generator.standard_normal((2, 2 * LANES)), generator.standard_normal(2 * LANES)
    start = generator.standard_normal(E.n_params)
    out = start.copy()
    E.program.grad_theta(x, E.packed, weights, out)
    rows = E.grad_theta(np.ascontiguousarray(x.T))
    size = 1.0 + np.abs(weights) @ np.abs(rows)
    np.testing.assert_allclose((out - start) / size, weights @ rows / size, atol=1e-13)


def test_networks_of_all_shapes_share_machine_code():
    one, other = eb.MLP(2, (3,)), eb.MLP(5, (8, 8))
    assert one.program.energy is other.program.energy
    assert one.program.energy is not eb.MLP(2, (3,), activation="tanh").program.energy
