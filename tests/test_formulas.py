"""Catalogue energies from plain functions: what they share, what they keep apart, and which faces they take."""

import logging

import numpy as np
import pytest

import fastebm as eb
from fastebm.energies.formulas import Formula


def parabola(x, theta):
    return theta.a * x[0] ** 2 + theta.b[0] * x[1]


def weighted(x, theta, data):
    return theta.a * (data.rows[0] * x[0] + data.rows[1] * x[1])


class Parabola(Formula):
    def __init__(self, a, b):
        super().__init__(parabola, 2, {"a": a, "b": b}, {"a": a, "b": list(b)})


class Weighted(Formula):
    def __init__(self, a, rows):
        super().__init__(weighted, 2, {"a": a}, {"a": a, "rows": list(rows)}, data={"rows": rows})


X = np.random.default_rng(3).standard_normal((20, 2))


def test_the_three_faces_come_from_the_function():
    E = Parabola(0.5, [2.0, 7.0])
    np.testing.assert_allclose(E.energy(X), 0.5 * X[:, 0] ** 2 + 2.0 * X[:, 1], rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(E.grad(X), np.column_stack([X[:, 0], np.full(20, 2.0)]), rtol=1e-15)
    np.testing.assert_allclose(E.grad_theta(X), np.column_stack([X[:, 0] ** 2, X[:, 1], np.zeros(20)]), rtol=1e-15)
    assert E.describe() == {"type": "Parabola", "settings": {"a": 0.5, "b": [2.0, 7.0]}}
    assert E.name == "Parabola"


def test_numbers_are_not_code(caplog):
    first, second = Weighted(1.0, [1.0, 2.0]), Weighted(3.0, [-1.0, 0.5])
    first.energy(X)
    caplog.clear()
    with caplog.at_level(logging.INFO, "fastebm"):
        np.testing.assert_allclose(second.energy(X), 3.0 * (-X[:, 0] + 0.5 * X[:, 1]), rtol=1e-14, atol=1e-14)
    assert second.program is first.program
    assert not [record for record in caplog.records if "weighted" in record.getMessage()]


def test_other_sizes_are_other_code():
    assert Parabola(1.0, [2.0]).program is not Parabola(1.0, [2.0, 3.0]).program
    assert Parabola(1.0, [2.0]).program.key != Parabola(1.0, [2.0, 3.0]).program.key


@pytest.mark.parametrize("E", [eb.Gaussian([0.0, 1.0]), eb.DoubleWell(2), eb.Funnel(3)], ids=repr)
def test_copies_for_other_parameters_share_the_program(E):
    assert E.with_theta(E.theta + 0.5).program is E.program
