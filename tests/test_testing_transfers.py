"""Exact means after k transitions: against closed forms, and against many chains."""

import numpy as np
import pytest

import fastebm as eb
from fastebm.testing.reports import NotRun
from fastebm.testing.steps import KernelStep
from fastebm.testing.transfers import expectations, mean_slopes
from fastebm.testing.twins import twin_of

WELL = eb.DoubleWell(1, barrier=1.2, location=1.1, tilt=0.35)


def twin(kernel, E):
    return twin_of(kernel)(KernelStep(kernel, E, 0).settings, E.dim)


def test_unadjusted_steps_on_a_normal_law_shrink_the_mean():
    """x <- a x + noise with a = 1 - eps / s**2: after k steps the mean is a**k x, and the variance a geometric sum."""
    E, eps = eb.Gaussian([0.0], [[2.0]]), 0.3
    nodes, starts = np.linspace(-15.0, 15.0, 601), np.array([-1.0, 0.5, 2.0])
    x = np.concatenate([nodes, starts])
    found = expectations(twin(eb.ULA(eps), E), E, np.column_stack([x, x**2]), nodes, starts, [1, 3])
    a = 1.0 - eps / 2.0
    for k, values in zip((1, 3), found, strict=True):
        spread = 2.0 * eps * (1.0 - a ** (2 * k)) / (1.0 - a**2)
        np.testing.assert_allclose(values[:, 0], a**k * starts, atol=1e-9)
        np.testing.assert_allclose(values[:, 1], a ** (2 * k) * starts**2 + spread, atol=1e-8)


@pytest.mark.parametrize("kernel", [eb.RandomWalk(0.8), eb.MALA(0.15)], ids=repr)
def test_means_of_many_chains(kernel):
    """A hundred thousand chains from each of two starts: within 6.5 standard errors, a false alarm in 1e9."""
    starts, n = np.array([[-1.7], [0.6]]), 100_000
    means, apart = mean_slopes(twin(kernel, WELL), WELL, starts, [1, 4])
    assert apart.max() < 1e-3
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    for k, wanted in zip((1, 4), means, strict=True):
        for start, right in zip(starts, wanted, strict=True):
            slopes = WELL.grad_theta(KernelStep(kernel, WELL, 0)(np.tile(start, (n, 1)), k, seed))
            error = slopes.std(axis=0) / np.sqrt(n)
            assert (abs(slopes.mean(axis=0) - right) < 6.5 * error + 1e-5).all(), f"seed {seed}"


def test_after_many_transitions_the_law_is_left():
    means, _ = mean_slopes(twin(eb.RandomWalk(1.5), WELL), WELL, np.array([[-1.0], [1.0]]), [200])
    np.testing.assert_allclose(means[0], np.tile(-eb.log_partition_grad(WELL), (2, 1)), rtol=1e-5, atol=1e-5)


def test_walls():
    E = eb.energy(1, {"slope": 1.5}, domain=[(0.0, 2.0)])(lambda x, theta: theta.slope * x[0])
    means, apart = mean_slopes(twin(eb.RandomWalk(0.7), E), E, np.array([[0.3]]), [100])
    np.testing.assert_allclose(means[0][0], -eb.log_partition_grad(E), rtol=1e-5)
    assert apart.max() < 1e-3


@pytest.mark.parametrize(("E", "kernel", "words"), [
    (eb.Ring(), eb.RandomWalk(0.5), "one dimension"),
    (WELL, eb.RandomWalk(1e-4), "too short for a lattice"),
    (eb.energy(1, {"a": 0.1})(lambda x, theta: theta.a / (1.0 + x[0] ** 2)), eb.RandomWalk(1.0), "exact law"),
])
def test_what_is_not_to_be_had(E, kernel, words):
    with pytest.raises(NotRun, match=words):
        mean_slopes(twin(kernel, E), E, np.ones((1, E.dim)), [1])
