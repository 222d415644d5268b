"""Discrete energies: what they are at their values and off them, in the algebra, in files; and what is refused."""

import math

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.energies.algebra import discrete
from fastebm.sampling.starts import starts
from fastebm.testing import check_gradient


@eb.energy(4, {"coupling": 0.7, "field": [0.3, -0.2, 0.1, 0.5]}, values=(-1, 1))
def ising(x, theta):
    total = 0.0
    for i in range(len(x)):
        total -= theta.field[i] * x[i] + theta.coupling * x[i] * x[i - 1]
    return total


@eb.energy(2, {"table": [[0.0, 0.5, 1.0], [2.0, 0.3, -0.4]]}, values=3)
def scores(x, theta):
    total = 0.5 * (x[0] == x[1])
    for i in range(2):
        for k in range(3):
            total += eb.where(x[i] == k, theta.table[i, k], 0.0)
    return total


def by_hand(x, coupling=0.7, field=(0.3, -0.2, 0.1, 0.5)):
    return -sum(f * a for f, a in zip(field, x, strict=True)) - coupling * sum(x[i] * x[i - 1] for i in range(4))


def test_values_are_sorted_and_read_three_ways():
    assert ising.values.tolist() == [-1.0, 1.0]
    assert scores.values.tolist() == [0.0, 1.0, 2.0]
    assert eb.energy(1, values=[2.5, -1.0, 0.0])(lambda x: x[0]).values.tolist() == [-1.0, 0.0, 2.5]
    assert eb.Gaussian([0.0]).values is None
    assert ising.domain is None


def test_at_the_values_it_is_the_function_and_elsewhere_infinite():
    states = eb.exact.enumeration(ising).states
    np.testing.assert_allclose(ising.energy(states), [by_hand(x) for x in states], rtol=1e-14)
    others = states.copy()
    others[np.arange(16), np.arange(16) % 4] = [0.0, -1.0 + 1e-16 + 1e-15, math.nan, math.inf] * 4
    assert np.isposinf(ising.energy(others)).all()
    assert ising.energy([-1.0, 1.0, 1.0, -1.0]) == pytest.approx(by_hand([-1, 1, 1, -1]))
    assert scores.energy([2.0, 2.0]) == pytest.approx(0.5 + 1.0 - 0.4)
    assert scores.energy([-0.0, 1.0]) == pytest.approx(0.3)
    assert scores.energy([3.0, 1.0]) == math.inf


def test_a_table_is_asked_for_at_values_alone():
    table = eb.energy(1, {"table": [0.5, 1.0, -2.0]}, values=3)(lambda x, theta: theta.table[int(x[0])])
    with pytest.warns(eb.FastebmWarning, match="chain by chain"):
        found = table.energy([[0.0], [2.0], [77.0], [-5.0], [0.5]])
    assert found.tolist() == [0.5, -2.0, math.inf, math.inf, math.inf]


def test_gradients_are_those_of_the_formula():
    x = np.array([[1.0, -1.0, -1.0, 1.0]])
    continuous = eb.energy(4, ising.unpack())(lambda x, theta: _formula(x, theta))
    np.testing.assert_allclose(ising.grad(x), continuous.grad(x), rtol=1e-14)
    np.testing.assert_allclose(ising.grad_theta(x), continuous.grad_theta(x), rtol=1e-14)
    np.testing.assert_allclose(ising.hvp(x, x), continuous.hvp(x, x), rtol=1e-14)


def _formula(x, theta):
    total = 0.0
    for i in range(len(x)):
        total -= theta.field[i] * x[i] + theta.coupling * x[i] * x[i - 1]
    return total


class TestAlgebra:
    def test_multiples_sums_and_mixtures_keep_the_values(self):
        other = eb.energy(4, {"pull": 0.4}, values=[1, -1])(lambda x, theta: theta.pull * x[0] * x[2])
        x, off = [1.0, -1.0, 1.0, 1.0], [1.0, -1.0, 0.5, 1.0]
        product, tempered, mixed = ising + other, 0.3 * ising, eb.mixture([ising, other], [0.3, 2.0])
        for E in (product, tempered, mixed):
            assert E.values.tolist() == [-1.0, 1.0]
            assert E.energy(off) == math.inf
        assert product.energy(x) == pytest.approx(by_hand(x) + 0.4)
        assert tempered.energy(x) == pytest.approx(0.3 * by_hand(x))
        assert mixed.energy(x) == pytest.approx(-math.log(0.3 * math.exp(-by_hand(x)) + 2.0 * math.exp(-0.4)))

    def test_conditions(self):
        rest = ising.conditioned({1: -1.0, 3: 1.0})
        assert rest.values.tolist() == [-1.0, 1.0]
        assert rest.energy([1.0, -1.0]) == pytest.approx(by_hand([1, -1, -1, 1]))
        assert rest.energy([1.0, 0.0]) == math.inf
        refused(lambda: ising.conditioned({1: 0.0}), "values[1] is 0.0", "-1, 1")

    def test_other_parameters(self):
        other = ising.with_theta(coupling=-0.2)
        assert other.values.tolist() == [-1.0, 1.0]
        assert other.energy([1.0, 1.0, -1.0, 1.0]) == pytest.approx(by_hand([1, 1, -1, 1], coupling=-0.2))

    def test_what_would_leave_the_values_is_refused(self):
        for call in (lambda: ising.affine(2.0), lambda: ising.observed(0.1), lambda: ising.restricted([(0, 1)] * 4)):
            refused(call, "ising takes the values -1, 1 only")

    def test_other_values_do_not_mix(self):
        bits = eb.energy(4, values=2)(lambda x: x[0])
        for call in (lambda: ising + bits, lambda: eb.mixture([ising, bits])):
            refused(call, "takes the values -1, 1", "takes the values 0, 1")
        for call in (lambda: eb.Gaussian([0.0] * 4) + ising, lambda: eb.mixture([ising, eb.Gaussian([0.0] * 4)])):
            refused(call, "Gaussian is continuous")


def test_files(tmp_path):
    twice = 2.0 * ising + ising.with_theta(coupling=0.3)
    for E in (ising.with_theta(coupling=0.1), twice, ising.conditioned({0: 1.0})):
        E.save(tmp_path / "model.npz")
        again = eb.load(tmp_path / "model.npz", energy=E.with_theta(0.0 * E.theta))
        assert again.values.tolist() == [-1.0, 1.0]
        x = np.ones(E.dim)
        assert again.energy(x) == E.energy(x)
    ising.save(tmp_path / "model.npz")
    spins = eb.energy(4, ising.unpack(), values=(-1, 0, 1))(lambda x, theta: theta.coupling * x[0] + theta.field[0])
    refused(lambda: eb.load(tmp_path / "model.npz", energy=spins), "another energy")
    refused(lambda: eb.load(tmp_path / "model.npz"), "your own energy 'ising'")
    description = ising.describe()
    assert discrete.Discrete.rebuilt([ising.parts[0]], description["settings"]).describe() == description


@pytest.mark.parametrize(("values", "words"), [
    ((), "values is ()"), ((1,), "values is (1,)"), (1, "values is 1"), (0, "values is 0"), (3.5, "values is 3.5"),
    ((0, 1, 0), "values has 0 more than once"), ((0.0, -0.0), "more than once"), ((0, math.nan), "values[1] is nan"),
    ((0, math.inf), "values[1] is inf"), ([[0, 1]], "values is [[0, 1]]"), (True, "values is True"),
])
def test_bad_values(values, words):
    refused(lambda: eb.energy(2, values=values), words)


def test_values_of_no_kind():
    refused(lambda: eb.energy(2, values="spin"), "dtype", kind=TypeError)
    refused(lambda: eb.energy(1, values=2, domain=[(0, 1)]), "pass one of them")
    assert discrete.shown(np.arange(10.0)) == "0, 1, ..., 9"


class TestWhatIsForContinuousEnergies:
    @pytest.mark.parametrize("kernel", [eb.RandomWalk(), eb.RandomWalk(0.5), eb.MALA(), eb.ULA(0.1)], ids=repr)
    def test_kernels(self, kernel):
        refused(lambda: eb.sample(ising, kernel, n_chains=2, n_draws=2), type(kernel).__name__, "steps off")

    def test_training_by_such_kernels(self):
        data = np.ones((5, 4))
        for kernel in (eb.RandomWalk(), eb.MALA(0.1)):
            objective = eb.ContrastiveDivergence(kernel=kernel)
            refused(lambda objective=objective: eb.fit(ising, data, objective, n_steps=1), "steps off", "eb.Gibbs()")

    def test_quadrature_and_tasks(self):
        refused(lambda: eb.exact.grid(ising), "no integral")
        refused(lambda: eb.log_partition(ising, method="quadrature"), "no integral")
        refused(lambda: eb.log_partition(ising, method="closed"), "no formula")
        refused(lambda: eb.log_partition(ising, bounds=[(0, 1)] * 4), "leave bounds out")
        refused(lambda: eb.log_partition_grad(ising, bounds=[(0, 1)] * 4), "leave bounds out")
        refused(lambda: eb.denoise(ising, np.ones((1, 4)), 0.1), "normal noise")
        refused(lambda: eb.plots.density(scores), "no density")


def test_data_have_to_consist_of_values():
    data = np.ones((5, 4))
    data[3, 2] = 0.0
    refused(lambda: eb.fit(ising, data, eb.MaximumLikelihood(), n_steps=1), "data[3, 2] is 0", "from -1 to 1")
    refused(lambda: eb.fit(ising, np.ones((5, 4)), eb.MaximumLikelihood(), n_steps=1, validation=data), "validation[3")
    refused(lambda: eb.MaximumLikelihood().gradient(ising, data), "batch[3, 2]")
    refused(lambda: eb.anomaly_threshold(ising, data, 0.1), "X[3, 2]")


def test_starts_are_values():
    drawn = starts(scores, None, 3000, 1)
    assert set(np.unique(drawn)) == {0.0, 1.0, 2.0}
    np.testing.assert_allclose(np.bincount(drawn.ravel().astype(int)) / 6000, 1.0 / 3.0, atol=0.05)
    np.testing.assert_array_equal(starts(scores, None, 10, 1), drawn[:10])


def test_gradients_are_checked_by_dual_numbers_alone():
    report = check_gradient(ising)
    assert report.passed, str(report)
    assert "no differences" in report.skipped["grad against differences"]
    assert "no differences" in report.skipped["hvp against differences"]
