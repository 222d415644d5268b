"""What warm-up learns: a step of the wanted acceptance, the shape of a law, the length of trajectories."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invariance import entropy

import fastebm as eb
from fastebm.kernels import HMC, MALA, RandomWalk
from fastebm.sampling.tuning import DualAveraging, Shape, Tuner


@given(st.floats(-5.0, 5.0), st.floats(0.1, 0.9))
def test_a_rate_that_falls_with_the_step_is_met(log_scale, target):
    """Acceptance 1/(1 + (step/s)**2) equals the target at a step known in closed form."""
    step = DualAveraging(1.0, target)
    for _ in range(2000):
        step.adjust(1.0 / (1.0 + (step.current / math.exp(log_scale)) ** 2))
    wanted = math.exp(log_scale) * math.sqrt(1.0 / target - 1.0)
    assert step.settled == pytest.approx(wanted, rel=0.05)


@given(st.lists(st.floats(0.0, 1.0), max_size=500))
def test_steps_are_numbers_above_zero(rates):
    step = DualAveraging(0.5, 0.44)
    for rate in rates:
        step.adjust(rate)
        assert 0.0 < step.current < math.inf
    assert 0.0 < step.settled < math.inf


@given(st.integers(0, 2**32), st.integers(1, 4), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_pieces_add_up_to_the_covariance_of_the_whole(seed, dim, sizes):
    generator = np.random.default_rng(seed)
    pieces = [3.0 + generator.standard_normal((n, dim)) @ generator.standard_normal((dim, dim)) for n in sizes]
    whole = np.concatenate(pieces)
    dense, diagonal = Shape(dim, True), Shape(dim, False)
    for piece in pieces:
        dense.add(piece)
        diagonal.add(piece)
    away = whole - whole.mean(axis=0)
    np.testing.assert_allclose(dense.squares, away.T @ away, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(diagonal.squares, (away**2).sum(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dense.mean, whole.mean(axis=0), rtol=1e-12, atol=1e-12)


def test_the_root_of_many_points_is_that_of_the_covariance():
    cov = np.array([[4.0, 1.5, 0.0], [1.5, 1.0, 0.2], [0.0, 0.2, 9.0]])
    shape = Shape(3, True)
    shape.add(np.random.default_rng(entropy()).multivariate_normal(np.zeros(3), cov, 200_000))
    root = shape.scale()
    assert np.prod(np.diag(root)) == pytest.approx(1.0)
    found = root @ root.T
    np.testing.assert_allclose(found / found[0, 0], cov / cov[0, 0], atol=0.05)  # known to 0.01


@pytest.mark.parametrize("is_dense", [False, True])
@pytest.mark.parametrize("X", [np.zeros((9, 2)), np.full((9, 2), np.inf), np.full((9, 2), 1e200)])
def test_nothing_is_made_of_points_without_spread(is_dense, X):
    shape = Shape(2, is_dense)
    shape.add(X)
    assert shape.scale() is None


def test_few_points_in_many_dimensions_give_a_matrix_all_the_same():
    """Fewer points than dimensions: the covariance itself is singular."""
    shape = Shape(30, True)
    shape.add(np.random.default_rng(0).standard_normal((3, 30)))
    assert np.isfinite(shape.scale()).all()


@given(st.integers(1, 5000), st.integers(1, 200), st.sampled_from([RandomWalk(), MALA(), HMC(n_leapfrog=None)]))
def test_rounds_are_the_whole_warm_up(n_warmup, n_chains, kernel):
    tuner, done = Tuner(kernel, 3, n_warmup, n_chains), 0
    while not tuner.is_over:
        assert tuner.n_done == done
        assert tuner.length >= 1
        done += tuner.length
        tuner.adjust(0.5, np.zeros((n_chains, 3)), np.zeros((n_chains, kernel.n_memory(3))))
    assert done == n_warmup


@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([RandomWalk(), MALA(), HMC(n_leapfrog=None)]))
@settings(max_examples=40)
def test_a_tuner_goes_on_from_its_state(seed, place, kernel):
    generator = np.random.default_rng(seed)
    n = kernel.n_memory(2)
    rounds = [(generator.random(), generator.standard_normal((8, 2)), generator.random((8, n))) for _ in range(100)]
    whole, first, second = (Tuner(kernel, 2, 100, 64) for _ in range(3))
    for one in rounds:
        whole.adjust(*one)
    for one in rounds[:place]:
        first.adjust(*one)
    second.restore({name: np.array(one) for name, one in first.state().items()})
    for one in rounds[place:]:
        second.adjust(*one)
    assert second.is_over
    for one, other in zip(second.tuned(), whole.tuned(), strict=True):
        assert np.array_equal(one, other)


def test_trajectories_become_long_enough_for_the_law():
    """On normal laws the best path is a quarter of a turn or more; 0.1 of it would be a random walk."""
    run = eb.sample(eb.Gaussian(np.zeros(10)), HMC(n_leapfrog=None), n_chains=128, n_draws=50, rng=entropy())
    assert 0.5 < run.path_length < 6.0, f"seed {run.seed}"


def test_correlated_coordinates_are_freed_of_it():
    """At a correlation of 0.99 a dense metric gives a step like that of independent coordinates, 1.4 to 1.7."""
    law = eb.Gaussian([0.0, 0.0], [[1.0, 0.99], [0.99, 1.0]])
    run = eb.sample(law, MALA(metric="dense"), n_chains=128, n_draws=20, rng=entropy())
    correlation = run.scale @ run.scale.T
    correlation /= np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    assert abs(correlation[0, 1] - 0.99) < 0.01, f"seed {run.seed}"
