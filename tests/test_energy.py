"""What an energy is apart from its formula: parameters by name, arithmetic, ratios, and that nothing changes it."""

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from messages import refused

import fastebm as eb

E = eb.GaussianMixture([[0.0, 1.0], [2.0, -1.0]], 0.5, [0.2, 0.6])
numbers = st.floats(-5, 5)


class TestParameters:
    @given(hnp.arrays(np.float64, E.n_params, elements=st.floats(-1e3, 1e3).filter(lambda v: v != 0.0)))
    def test_flat_and_by_name_is_the_same(self, theta):
        flat = E.with_theta(theta)
        named = E.with_theta(**flat.unpack())
        assert same(flat.theta, theta)
        assert same(named.theta, theta)
        parts = flat.unpack()
        assert [np.shape(value) for value in parts.values()] == [(2,), (2, 2), (2, 2, 2)]
        assert same(np.concatenate([np.ravel(value) for value in parts.values()]), theta)

    def test_scalars_are_floats_and_arrays_are_copies(self):
        well = eb.DoubleWell(2, tilt=0.5)
        assert well.unpack() == {"barrier": 2.0, "location": 1.5, "tilt": 0.5}
        parts = E.unpack()
        parts["means"][:] = 7.0
        assert E.unpack()["means"].max() == 2.0

    def test_a_new_energy_leaves_the_old_one_alone_and_shares_its_code(self):
        x, before = [0.3, 0.4], E.energy([0.3, 0.4])
        other = E.with_theta(means=np.zeros((2, 2)))
        assert other.energy(x) != before == E.energy(x)
        assert other.program is E.program
        assert type(other) is type(E)
        assert (other.dim, other.name, other.n_params) == (E.dim, E.name, E.n_params)

    def test_theta_is_read_only_and_given_vectors_are_copied(self):
        theta = np.array(E.theta)
        other = E.with_theta(theta)
        theta[:] = 0.0
        assert same(other.theta, E.theta)
        for energy in (E, other):
            with pytest.raises(ValueError, match="read-only"):
                energy.theta[0] = 1.0

    @pytest.mark.parametrize(("arguments", "named", "kind", "words"), [
        (([1.0],), {}, ValueError, ["theta has shape (1,)", f"({E.n_params},)"]),
        ((np.full(E.n_params, np.nan),), {}, ValueError, ["theta[0] is nan"]),
        ((["a"],), {}, TypeError, ["theta has dtype"]),
        ((), {"mean": [0.0]}, ValueError, ["no parameter 'mean'", "log_weights, means, precision_factors"]),
        ((), {"means": [0.0]}, ValueError, ["means has shape (1,)", "(2, 2)"]),
        ((), {"means": [[0.0, np.inf]] * 2}, ValueError, ["means[0, 1] is inf"]),
        ((E.theta,), {"means": np.zeros((2, 2))}, TypeError, ["a vector and names"]),
    ])
    def test_what_is_refused(self, arguments, named, kind, words):
        refused(lambda: E.with_theta(*arguments, **named), *words, kind=kind)

    def test_an_energy_without_parameters(self):
        plain = eb.energy(1)(lambda x: x[0] ** 2)
        assert plain.n_params == 0
        assert plain.unpack() == {}
        assert plain.with_theta([]).energy([2.0]) == 4.0
        assert plain.grad_theta([[1.0], [2.0]]).shape == (2, 0)
        assert plain.mean_grad_theta([[1.0]]).shape == (0,)
        refused(lambda: plain.with_theta(k=1.0), "no parameter 'k'", "none")


class TestRatios:
    @given(numbers, numbers, numbers, numbers)
    def test_they_are_differences_in_which_z_cancels(self, a, b, c, d):
        ratio = E.log_ratio([a, b], [c, d])
        assert ratio == E.energy([c, d]) - E.energy([a, b])
        assert ratio == -E.log_ratio([c, d], [a, b])

    def test_rows_broadcast(self):
        X = np.arange(6.0).reshape(3, 2)
        assert E.log_ratio(X, X).tolist() == [0.0] * 3
        assert same(E.log_ratio(X, [0.0, 1.0]), E.energy([0.0, 1.0]) - E.energy(X))
        assert same(E.log_ratio([0.0, 1.0], X), -E.log_ratio(X, [0.0, 1.0]))

    def test_outside_the_domain(self):
        walled = eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0])
        assert walled.log_ratio([0.5], [2.0]) == math.inf
        assert same(walled.log_ratio([[0.5], [2.0]], [[2.0], [2.0]]), [math.inf, math.nan])


class TestMeans:
    def test_weights_need_not_sum_to_one(self):
        X, weights = np.arange(10.0).reshape(5, 2), np.array([1.0, 2.0, 3.0, 4.0, -1.0])
        np.testing.assert_allclose(E.mean_grad_theta(X, 10.0 * weights), E.mean_grad_theta(X, weights), rtol=1e-13)
        np.testing.assert_allclose(E.mean_grad_theta(X, np.ones(5)), E.mean_grad_theta(X), rtol=1e-13)
        np.testing.assert_allclose(E.mean_grad_theta(X, [0, 0, 1, 0, 0]), E.grad_theta(X[2]), rtol=1e-13)

    @pytest.mark.parametrize(("X", "weights", "words"), [
        (np.zeros((0, 2)), None, ["X has no rows"]),
        (np.zeros((2, 2)), [1.0], ["weights has shape (1,)", "(2,)"]),
        (np.zeros((2, 2)), [1.0, -1.0], ["weights sum to 0"]),
        (np.zeros((2, 2)), [1.0, math.nan], ["weights[1] is nan"]),
        (np.zeros((2, 3)), None, ["X has shape (2, 3)", "dim=2"]),
    ])
    def test_what_is_refused(self, X, weights, words):
        refused(lambda: E.mean_grad_theta(X, weights), *words)


@pytest.mark.parametrize("face", ["energy", "grad", "grad_theta"])
def test_points_of_another_shape_are_refused(face):
    refused(lambda: getattr(E, face)(np.zeros((3, 5))), "X has shape (3, 5)", "dim=2")
    refused(lambda: getattr(E, face)(["a", "b"]), "X has dtype", kind=TypeError)


class TestArithmetic:
    def test_numbers_of_any_kind_temper(self):
        for beta in (2, 2.0, np.float64(2.0), np.float32(2.0), np.int64(2), Fraction(2)):
            assert (beta * E).energy([0.0, 0.0]) == 2.0 * E.energy([0.0, 0.0]) == (E * beta).energy([0.0, 0.0])

    @pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
    def test_inverse_temperatures_are_positive(self, bad):
        refused(lambda: bad * E, f"beta is {bad}")

    @pytest.mark.parametrize("other", [1.0, "E", None, [1.0]])
    def test_only_energies_are_added(self, other):
        with pytest.raises(TypeError, match="unsupported operand"):
            E + other
        with pytest.raises(TypeError):
            other + E

    @pytest.mark.parametrize("other", ["2", None, [1.0], E])
    def test_only_numbers_multiply(self, other):
        with pytest.raises(TypeError):
            E * other

    def test_dimensions_must_agree(self):
        refused(lambda: E + eb.Gaussian([0.0]), "GaussianMixture has dim=2", "Gaussian has dim=1")


def test_it_says_what_it_is():
    long = eb.Gaussian(np.zeros(2)) + eb.GaussianMixture(np.zeros((30, 2)))
    assert repr(0.5 * long) == "0.5 * (Gaussian + GaussianMixture)(dim=2, n_params=214)"


def test_no_closed_form_is_none():
    assert eb.DoubleWell().closed_log_partition() is None


def test_the_class_is_made_by_its_children_only():
    with pytest.raises(TypeError, match="abstract"):
        eb.Energy(E.program, {})


def test_it_can_be_copied():
    assert copy.deepcopy(E).energy([0.5, 0.5]) == copy.copy(E).energy([0.5, 0.5]) == E.energy([0.5, 0.5])
