"""Warm-up finds a step of the wanted acceptance on any scale, uses exactly its transitions, and says when it stops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invariance import entropy

import fastebm as eb
from fastebm.kernels import RandomWalk
from fastebm.sampling.chains import Chains
from fastebm.sampling.warmup import tune


def tuned(E, n_warmup, n=64, start=None, stop=lambda n: False):
    chains = Chains(E, RandomWalk(), np.zeros((n, E.dim)) if start is None else start, entropy(), 1)
    frozen, is_stopped = tune(chains, RandomWalk(), n_warmup, stop)
    return chains, frozen.step_size, frozen.scale, is_stopped


@pytest.mark.parametrize("E", [
    eb.Gaussian([0.0], 1e-6), eb.Gaussian([5.0], 1e6), eb.Gaussian(np.zeros(10)), eb.Gaussian([0.0, 0.0], [1e-4, 1e4]),
    eb.DoubleWell(3),
], ids=["narrow", "wide", "ten", "unequal", "well"])
def test_the_acceptance_rate_is_near_its_target(E):
    """Over 256 chains and 100 transitions the rate is known to 0.01; the tuned step itself is off by less than 0.1."""
    chains, step, scale, _ = tuned(E, 1000, n=256)
    chains.forget()
    chains.advance(100, RandomWalk().settings(step, scale))
    assert chains.acceptance_rate().mean() == pytest.approx(RandomWalk().target_acceptance(E.dim), abs=0.1)


def test_coordinates_of_different_widths_get_steps_of_their_own():
    """As in a table of raw columns: standard deviations of 0.01, 1 and 100, whatever the starts look like."""
    for n_warmup in (500, 2000):
        _, _, scale, _ = tuned(eb.Gaussian([0.0, 0.0, 0.0], [1e-4, 1.0, 1e4]), n_warmup)
        widths = np.sqrt((scale**2).sum(axis=1))
        assert np.prod(np.diag(scale)) == pytest.approx(1.0)
        assert 50.0 < widths[1] / widths[0] < 200.0
        assert 50.0 < widths[2] / widths[1] < 200.0


@given(st.integers(1, 130))
@settings(max_examples=30)
def test_it_uses_the_transitions_it_is_given(n_warmup):
    total = []
    _, step, scale, stopped = tuned(eb.Gaussian([0.0, 0.0]), n_warmup, n=3, stop=lambda n: bool(total.append(n)))
    assert sum(total) == n_warmup
    assert not stopped
    assert 0.0 < step < math.inf
    assert np.isfinite(scale).all()


@pytest.mark.parametrize("last", [1, 3, 20])
def test_a_request_to_stop_is_passed_on(last):
    """Early blocks are short; later ones hold a whole round."""
    calls = []

    def stop(n):
        calls.append(n)
        return len(calls) == last

    _, step, _, stopped = tuned(eb.Gaussian([0.0]), 1000, stop=stop)
    assert stopped
    assert len(calls) == last
    assert step > 0.0


@pytest.mark.parametrize("dim", [1, 3])
def test_one_chain_that_cannot_move_leaves_the_scales_equal(dim):
    """Where nothing has been seen of the spread, nothing is made of it."""
    stuck = eb.energy(dim)(spike)
    _, step, scale, _ = tuned(stuck, 200, n=2)
    assert scale.tolist() == [1.0] * dim
    assert 0.0 < step < math.inf


def spike(x):
    return eb.where(x[0] == 0.0, 0.0, math.inf)
