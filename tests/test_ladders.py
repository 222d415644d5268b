"""The ladder of temperatures: rejections that are known in closed form are shared out evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastebm.sampling.ladders import Ladder


def exchanged(betas):
    """Rates of exchange if rejections were differences of some rising function of beta."""
    return 1.0 - np.diff(0.9 * betas**0.3)


def test_rejections_become_equal():
    ladder = Ladder(np.linspace(0.1, 1.0, 9))
    for _ in range(8):
        ladder.add(1000.0 * exchanged(ladder.betas), np.full(8, 1000.0))
        ladder.move()
    rates = exchanged(ladder.betas)
    assert rates.max() - rates.min() < 0.01
    assert ladder.betas[0] == 0.1
    assert ladder.betas[-1] == 1.0


@given(st.integers(2, 9), st.integers(0, 2**32))
def test_it_rises_whatever_was_seen(n, seed):
    generator = np.random.default_rng(seed)
    ladder = Ladder(np.geomspace(0.01, 1.0, n))
    tried = generator.integers(0, 3, n - 1).astype(float)
    ladder.add(tried * generator.random(n - 1).round(), tried)
    before = ladder.betas.copy()
    ladder.move()
    assert (np.diff(ladder.betas) > 0.0).all()
    assert ladder.betas[[0, -1]].tolist() == before[[0, -1]].tolist()
    assert (ladder.counts == 0.0).all()
    if not (tried > 0.0).all():
        assert np.array_equal(ladder.betas, before)


def test_counts_add_up():
    ladder = Ladder(np.array([0.5, 1.0]))
    for _ in range(3):
        ladder.add(np.array([2.0]), np.array([5.0]))
    assert ladder.counts == pytest.approx(np.array([[6.0], [15.0]]))
