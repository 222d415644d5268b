"""The drivers that run tile functions over points: every point once, in any cut, and sums in one order."""

import math

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm import tiles
from fastebm.energies import programs

E = eb.GaussianMixture([[0.0, 1.0], [2.0, -1.0]], 0.5)
HIGH = eb.Gaussian(np.zeros(3000), np.ones(3000))  # tiles of 8


@given(st.integers(0, 2**64 - 1), st.integers(1, 3000))
@settings(max_examples=25)
def test_sums_over_any_number_of_points(seed, n):
    generator = np.random.default_rng(seed)
    X, weights = generator.standard_normal((n, 2)), generator.standard_normal(n)
    got = programs.sum_grad_theta(E.program, E.packed, X, weights)
    rows = E.grad_theta(X) * weights[:, None]
    allowed = 1e-13 * np.abs(rows).sum(axis=0) + 1e-300
    exact = np.array([math.fsum(column) for column in rows.T])
    assert (np.abs(got - exact) <= allowed).all()


@given(st.integers(0, 2**64 - 1), st.integers(1, 20))
@settings(max_examples=5)
def test_high_dimension_has_narrow_tiles(seed, n):
    X = np.random.default_rng(seed).standard_normal((n, 3000))
    assert tiles.widest(3000) == tiles.LANES
    np.testing.assert_allclose(HIGH.energy(X), 0.5 * (X**2).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(HIGH.grad(X), X, rtol=1e-13)
    np.testing.assert_allclose(HIGH.mean_grad_theta(X)[:3000], -X.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 2047, 2049, 5000])
def test_threads_of_any_number_give_the_same_bits(n, monkeypatch):
    X = np.random.default_rng(n).standard_normal((n, 2))
    results = []
    monkeypatch.setattr(programs, "_PARALLEL_FROM", 1)
    for n_threads in (1, 2, 3, 7):
        monkeypatch.setattr(tiles, "threads", lambda _, n_threads=n_threads: n_threads)
        results.append([
            programs.energies(E.program, E.packed, X), *programs.energies_and_grads(E.program, E.packed, X),
            programs.grad_thetas(E.program, E.packed, X),
            programs.sum_grad_theta(E.program, E.packed, X, np.ones(n)),
        ])
    for other in results[1:]:
        assert all(same(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_sum_in_another_order_would_be_seen():
    """The comparison of bits above is not idle: sums over points do depend on their order."""
    rows = E.grad_theta(np.random.default_rng(0).standard_normal((5000, 2)))
    assert not same(rows.sum(axis=0), sum(np.array_split(rows, 7)[k].sum(axis=0) for k in range(7)))


def test_programs_of_equal_form_are_equal():
    assert eb.Gaussian([0.0]).program == eb.Gaussian([5.0], 2.0).program
    assert hash(eb.Gaussian([0.0]).program) == hash(eb.Gaussian([5.0]).program)
    assert eb.Gaussian([0.0]).program != eb.Gaussian([0.0, 0.0]).program
    assert eb.Gaussian([0.0]).program != eb.Gaussian([0.0], [[1.0]]).program


def test_nothing_is_compiled_until_it_is_needed():
    made = eb.energy(1)(lambda x: 7.25 * x[0])
    assert "pointer" not in vars(made.program.energy)
    assert made.energy([2.0]) == 14.5
    assert "pointer" in vars(made.program.energy)
    assert "pointer" not in vars(made.program.grad)
    assert "pointer" not in vars(made.program.grad_theta)
