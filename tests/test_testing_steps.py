"""Samplers as steps: kernels of the library on their own streams, and what foreign steps may not return."""

import numpy as np
import pytest

import fastebm as eb
from fastebm.sampling.chains import Chains
from fastebm.testing.steps import KernelStep, StepFault, checked

E = eb.Gaussian([0.5, -1.0], [[1.5, 0.4], [0.4, 0.6]])
STATES = np.random.default_rng(0).standard_normal((70, 2))


def test_a_kernel_as_a_step_is_the_kernel():
    step = KernelStep(eb.RandomWalk([1.3, 0.7]), E, 1)
    chains = Chains(E, eb.RandomWalk(), STATES, 5, 1)
    chains.advance(3, np.array([1.3, 0.7]))
    assert (step(STATES, 3, 5) == chains.positions).all()
    assert (step(STATES, 3, 6) != chains.positions).any()


def test_an_open_step_size_is_tuned_once_and_stays():
    step = KernelStep(eb.MALA(), E, 1)
    settings = step.settings.copy()
    step(STATES, 50, 2)
    assert (step.settings == settings).all()
    chains = step.chains(np.tile(STATES, (20, 1)), 3)
    chains.advance(200, settings)
    assert 0.4 < chains.acceptance_rate().mean() < 0.75


def test_the_states_of_the_caller_are_kept():
    def greedy(states, k, seed):
        states += 1.0
        return states

    before = STATES.copy()
    assert (checked(greedy)(STATES, 1, 0) == before + 1.0).all()
    assert (before == STATES).all()


@pytest.mark.parametrize(("bad", "words"), [
    (lambda states, k, seed: states[1:], "return one row for every state"),
    (lambda states, k, seed: states.T, "return one row for every state"),
    (lambda states, k, seed: None, "return one row for every state"),
    (lambda states, k, seed: states + 1j, "return an array of floats"),
    (lambda states, k, seed: states > 0.0, "return an array of floats"),
    (lambda states, k, seed: np.where(np.arange(70)[:, None] == 7, np.inf, states), "for chain 7, 1 of 70"),
])
def test_what_no_sampler_returns(bad, words):
    with pytest.raises(StepFault, match=words):
        checked(bad)(STATES, 1, 0)


def test_whole_numbers_are_states_too():
    assert checked(lambda states, k, seed: np.ones(states.shape, dtype=int))(STATES, 1, 0).dtype == float
