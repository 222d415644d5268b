"""Energies that users write: what they wrote is what is computed, later changes change nothing, mistakes are told."""

import functools
import math
import types

import numpy as np
import pytest
from energy_laws import agrees_with_its_source, holds_what_every_energy_promises, same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm import EnergyCompileError

seeds = st.integers(0, 2**64 - 1)


@eb.energy(dim=2, theta={"radius": 4.0, "width": 0.5})
def ring(x, theta):
    r = math.sqrt(x[0] ** 2 + x[1] ** 2)
    return 0.5 * ((r - theta.radius) / theta.width) ** 2


def half_square(a):
    return 0.5 * a * a


OFFSETS = np.array([0.5, -1.0, 2.0])
STIFF = 3.0


def network(x, theta):
    """Loops, helpers, local functions, global and array data, all kinds of parameters: all that lanes can do."""
    def hidden(a):
        return np.where(a > 0.0, math.tanh(a), a / (1.0 + abs(a)))

    total = 0
    for i in range(len(x)):
        total += STIFF * half_square(x[i] - OFFSETS[i])
    for j, row in enumerate(theta.W):
        a = theta.b[j]
        for w, value in zip(row, x):  # noqa: B905 (Numba has no strict)
            a += w * value
        total += theta.gain * hidden(a) * theta.v[j]
    k = 0
    while k < 2:
        total = total + 0.01 * math.cos(x[k] * theta.v[k])
        k += 1
    return eb.where(total < 1e6, total, 1e6 + math.log(max(total, 1e6) / 1e6))


def branching_network(x, theta):
    """The same with branches on values of one chain."""
    def hidden(a):
        return math.tanh(a) if a > 0.0 else a / (1.0 + abs(a))

    total = 0
    for i in range(len(x)):
        total += STIFF * half_square(x[i] - OFFSETS[i])
    for j, row in enumerate(theta.W):
        a = theta.b[j]
        for w, value in zip(row, x):  # noqa: B905 (Numba has no strict)
            a += w * value
        total += theta.gain * hidden(a) * theta.v[j]
    k = 0
    while k < 2 and total > -1e6:
        total = total + 0.01 * math.cos(x[k] * theta.v[k])
        k += 1
    return total if total < 1e6 else 1e6 + math.log(total / 1e6)


START = {"W": np.arange(6.0).reshape(2, 3) / 5.0, "gain": 1.5, "b": [0.1, -0.2], "v": [1.0, -0.7]}
NETWORK = eb.energy(3, START)(network)
BRANCHING = eb.energy(3, START)(branching_network)


@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(0.1, 9), st.floats(0.1, 9))
def test_the_ring_of_the_manual(a, b, radius, width):
    E = ring.with_theta(radius=radius, width=width)
    r = math.hypot(a, b)
    assert E.energy([a, b]) == pytest.approx(0.5 * ((r - radius) / width) ** 2, rel=1e-9, abs=1e-9)
    if r > 1e-3:
        slope = (r - radius) / width**2 / r
        assert E.grad([a, b]) == pytest.approx([slope * a, slope * b], rel=1e-6, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*chain by chain")
@pytest.mark.parametrize("written", [NETWORK, BRANCHING], ids=["lanes", "chain by chain"])
@given(seeds)
@settings(max_examples=15)
def test_everything_at_once(written, seed):
    generator = np.random.default_rng(seed)
    E = written.with_theta(generator.standard_normal(NETWORK.n_params))
    X = 2.0 * generator.standard_normal((3, 3))
    record = types.SimpleNamespace(**E.unpack())
    np.testing.assert_allclose(E.energy(X), [network(x, record) for x in X], rtol=1e-12)
    agrees_with_its_source(E, flat_network, X)


def flat_network(x, theta):
    """The same with names that mpmath can replace."""
    return network_in(x, theta, math.tanh, math.cos)


def network_in(x, theta, tanh, cos):
    total = 0
    for i in range(len(x)):
        total += 3 * (x[i] - (0.5, -1.0, 2.0)[i]) ** 2 / 2
    for j in range(2):
        a = theta.b[j] + sum(theta.W[j, i] * x[i] for i in range(3))
        total += theta.gain * (tanh(a) if a > 0 else a / (1 + abs(a))) * theta.v[j]
    for k in range(2):
        total += cos(x[k] * theta.v[k]) / 100
    return total


@pytest.mark.filterwarnings("ignore:.*chain by chain")
@pytest.mark.parametrize("E", [ring, NETWORK, BRANCHING], ids=["ring", "network", "branching network"])
def test_what_every_energy_promises(E, monkeypatch):
    holds_what_every_energy_promises(E, monkeypatch)


class TestFrozen:
    def test_later_changes_of_data_change_nothing(self):
        weights, power = np.array([1.0, 2.0]), 2.0

        def weighted(x):
            return half_square(weights[0] * x[0]) + weights[1] * abs(x[1]) ** power

        E = eb.energy(2)(weighted)
        weights[:] = 100.0
        power = 7.0
        assert E.energy([1.0, 2.0]) == 0.5 + 2.0 * 2.0**2.0
        again = eb.energy(2)(weighted)
        assert again.energy([1.0, 2.0]) == half_square(100.0) + 100.0 * 2.0**7.0
        assert again.source != E.source
        assert E.energy([1.0, 2.0]) == 8.5

    def test_parameters_are_copied(self):
        W = np.array([1.0, 2.0])
        E = eb.energy(1, {"W": W})(lambda x, theta: theta.W[0] * x[0] + theta.W[1])
        W[:] = 9.0
        assert E.theta.tolist() == [1.0, 2.0]
        with pytest.raises(ValueError, match="read-only"):
            E.theta[0] = 5.0

    def test_functions_made_in_a_loop(self):
        made = [eb.energy(1)(lambda x, k=k: k * x[0]) for k in (1.0, 2.0)]
        closed = [eb.energy(1)(scaled(k)) for k in (3.0, 4.0)]
        assert [E.energy([1.0]) for E in made + closed] == [1.0, 2.0, 3.0, 4.0]

    def test_functions_without_a_source_file(self):
        scope = {}
        exec("def typed_in(x):\n    return 3.0 * x[0]", scope)
        E = eb.energy(1)(scope["typed_in"])
        assert E.energy([2.0]) == 6.0
        assert E.grad([2.0]) == [3.0]
        assert E.describe()["source"]

    def test_a_function_that_is_compiled_already(self):
        import numba

        assert eb.energy(1)(numba.njit(lambda x: 5.0 * x[0])).energy([2.0]) == 10.0


def scaled(k):
    return lambda x: k * x[0]


def quadratic(x, theta):
    return theta.k * (x[0] ** 2 + 3.0 * x[1] ** 2)


class TestGradientsByHand:
    @pytest.mark.parametrize("slope", [
        lambda x, theta: (2.0 * theta.k * x[0], 6.0 * theta.k * x[1]),
        lambda x, theta: [2.0 * theta.k * x[0], 6.0 * theta.k * x[1]],
        lambda x, theta: np.array([2.0 * theta.k * x[0], 6.0 * theta.k * x[1]]),
    ], ids=["tuple", "list", "array"])
    def test_they_are_used_as_they_are(self, slope):
        E = eb.energy(2, {"k": 0.5}, grad=slope, grad_theta=lambda x, theta: x[0] ** 2 + 3.0 * x[1] ** 2)(quadratic)
        X = np.random.default_rng(0).standard_normal((9, 2))
        np.testing.assert_allclose(E.grad(X), X * [1.0, 3.0], rtol=1e-14)
        np.testing.assert_allclose(E.grad_theta(X)[:, 0], (X**2) @ [1.0, 3.0], rtol=1e-14)
        np.testing.assert_allclose(E.mean_grad_theta(X), ((X**2) @ [1.0, 3.0]).mean(), rtol=1e-14)

    @pytest.mark.parametrize(("wrong", "words"), [
        ({"grad": lambda x, theta: (2.0 * theta.k * x[0], 2.0 * theta.k * x[1])}, ["grad of", "coordinate 1"]),
        ({"grad": lambda x, theta: (-2.0 * theta.k * x[0], 6.0 * theta.k * x[1])}, ["grad of", "coordinate 0"]),
        ({"grad_theta": lambda x, theta: x[0] ** 2}, ["grad_theta of", "coordinate 0"]),
    ])
    def test_wrong_ones_are_refused(self, wrong, words):
        message = refused(lambda: eb.energy(2, {"k": 0.5}, **wrong)(quadratic), *words, kind=EnergyCompileError)
        assert "differences of the energy give" in message

    @pytest.mark.parametrize(("wrong", "words"), [
        ({"grad": lambda x, theta: (1.0,)}, ["grad of energy 'quadratic'", "return 2 numbers"]),
        ({"grad": lambda x, theta: None}, ["grad of energy 'quadratic'", "nothing"]),
        ({"grad_theta": lambda x, theta: (1.0, 2.0)}, ["grad_theta of", "return 1 numbers"]),
    ])
    def test_wrong_lengths_are_refused(self, wrong, words):
        refused(lambda: eb.energy(2, {"k": 0.5}, **wrong)(quadratic), *words, kind=EnergyCompileError)

    def test_a_kink_or_an_edge_at_a_probe_is_no_reason_to_refuse(self):
        E = eb.energy(1, domain=[(0.0, math.inf)], grad=lambda x: (0.5 / math.sqrt(x[0]),))(lambda x: math.sqrt(x[0]))
        assert E.grad([4.0]) == [0.25]


class TestDomain:
    BOX = eb.energy(2, {"k": 2.0}, domain=[(0.0, 1.0), (-math.inf, 3.0)])(quadratic)

    @given(st.floats(-2, 2), st.floats(-9, 9))
    def test_outside_the_walls_it_is_infinite(self, a, b):
        inside = 0.0 <= a <= 1.0 and b <= 3.0
        assert self.BOX.energy([a, b]) == (pytest.approx(2.0 * (a * a + 3.0 * b * b)) if inside else math.inf)

    def test_walls_are_inside_and_nan_is_outside(self):
        energies = self.BOX.energy([[0.0, 3.0], [1.0, -1e9], [1.0000001, 0.0], [math.nan, 0.0], [0.5, math.nan]])
        assert np.isfinite(energies).tolist() == [True, True, False, False, False]
        assert (energies[2:] == math.inf).all()
        assert self.BOX.domain.tolist() == [[0.0, 1.0], [-math.inf, 3.0]]

    def test_no_wall_is_all_of_space(self):
        assert eb.energy(1, domain=[(-math.inf, math.inf)])(lambda x: x[0] ** 2).domain is None

    def test_it_keeps_its_parameters(self):
        assert self.BOX.with_theta(k=4.0).energy([1.0, 0.0]) == 4.0
        assert self.BOX.n_params == 1


class TestWhatIsRefused:
    @pytest.mark.parametrize(("arguments", "kind", "words"), [
        ({"dim": 0}, ValueError, ["dim is 0"]),
        ({"dim": 1, "theta": [1.0]}, TypeError, ["theta is a list", "dict"]),
        ({"dim": 1, "theta": {"class": 1.0}}, ValueError, ["'class'", "theta.name"]),
        ({"dim": 1, "theta": {"_a": 1.0}}, ValueError, ["'_a'"]),
        ({"dim": 1, "theta": {"a b": 1.0}}, ValueError, ["'a b'"]),
        ({"dim": 1, "theta": {"a": math.inf}}, ValueError, ["a is inf"]),
        ({"dim": 1, "theta": {"a": "one"}}, TypeError, ["a has dtype"]),
        ({"dim": 2, "domain": [(0.0, 1.0)]}, ValueError, ["domain has shape (1, 2)"]),
        ({"dim": 1, "domain": [(1.0, 0.0)]}, ValueError, ["domain[0]", "below"]),
    ])
    def test_arguments(self, arguments, kind, words):
        refused(lambda: eb.energy(**arguments)(lambda x: 0.0), *words, kind=kind)

    @pytest.mark.parametrize("thing", [math.sin, functools.partial(pow, 2), "x[0]", None, type("C", (), {})])
    def test_what_is_no_function(self, thing):
        refused(lambda: eb.energy(1)(thing), type(thing).__name__, "function", kind=TypeError)

    @pytest.mark.parametrize(("function", "words"), [
        (lambda x: None, ["returns nothing"]),
        (lambda x: (x[0], x[0]), ["tuple of shape (2,)", "one number"]),
        (lambda x: x, ["ndarray of shape (1,)"]),
        (lambda x: "high", ["str of shape ()"]),
        (lambda x: 1j, ["complex of shape ()"]),
        (lambda x: x[3], ["IndexError"]),
        (lambda x: no_such_name, ["NameError", "no_such_name"]),  # noqa: F821
        (lambda: 0.0, ["TypeError", "x of shape (1,)"]),
        (lambda x, theta: theta.k, ["TypeError"]),
    ])
    def test_functions(self, function, words):
        message = refused(lambda: eb.energy(1)(function), *words, kind=EnergyCompileError)
        assert f"{__file__}, line {function.__code__.co_firstlineno}" in message

    def test_functions_that_write_into_their_arguments(self):
        """On dual numbers the second slope would be taken at a point that the first call has moved."""
        def moves(x):
            x[0] -= 1.0
            return x[0] * x[1]

        def trains(x, theta):
            theta.W[0] += 1.0
            return theta.W[0] * x[0]

        refused(lambda: eb.energy(2)(moves), "'moves'", "changes", kind=EnergyCompileError)
        refused(lambda: eb.energy(1, {"W": [1.0]})(trains), "'trains'", "changes", kind=EnergyCompileError)

    def test_numbers_out_of_range_are_no_mistake(self):
        """math.log(-1) raises in Python; compiled it is nan, and so is a sampler's fault, not the definition's."""
        E = eb.energy(1)(lambda x: math.log(x[0]))
        assert E.energy([1.0]) == 0.0
        assert math.isnan(E.energy([-1.0]))
        assert E.energy([0.0]) == -math.inf

    def test_an_exception_of_the_users_own_reaches_the_user(self):
        def strict(x):
            if x[0] > 1.0:
                raise ValueError("x[0] is above 1")
            return x[0] ** 2

        E = eb.energy(1)(strict)
        with pytest.warns(eb.FastebmWarning, match="chain by chain"):
            assert E.energy([0.5]) == 0.25
        with pytest.raises(ValueError, match=r"x\[0\] is above 1"):
            E.energy([[0.5], [2.0]])


def test_the_same_definition_has_the_same_code_and_another_has_another():
    one, other = (eb.energy(1, {"k": k})(lambda x, theta: theta.k * x[0]) for k in (1.0, 2.0))
    assert one.program.key == other.program.key
    assert eb.energy(1, {"k": 1.0})(lambda x, theta: theta.k + x[0]).program.key != one.program.key
    assert eb.energy(2, {"k": 1.0})(lambda x, theta: theta.k * x[0]).program.key != one.program.key
    assert eb.energy(1, {"k": [1.0]})(lambda x, theta: theta.k[0] * x[0]).program.key != one.program.key


def test_results_of_other_types_are_numbers():
    for function, value in ((lambda x: 2, 2.0), (lambda x: x[0] > 0.0, 1.0), (lambda x: 1.5, 1.5)):
        E = eb.energy(1)(function)
        assert same(E.energy([[1.0]] * 9), [value] * 9)
        assert same(E.grad([[1.0]] * 9), np.zeros((9, 1)))
