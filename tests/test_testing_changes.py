"""Kernels with a line changed are kernels; what they were made of stays as it is."""

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.sampling.chains import Chains
from fastebm.testing.changes import changed

DECISION = "-load_row(exponentials, l) < here - there"


def advanced(kernel):
    chains = Chains(eb.Gaussian([0.0, 1.0]), kernel, np.zeros((40, 2)), 3, 1)
    chains.advance(5, kernel.settings(kernel.step_size, np.ones(2)))
    return chains.positions


def test_a_change_of_words_keeps_the_bits():
    walk = eb.RandomWalk(0.8)
    other = changed(walk, DECISION, "there - here < load_row(exponentials, l)")
    assert isinstance(other, eb.RandomWalk)
    assert other.step_size == 0.8
    assert other.describe() == walk.describe() | {"type": "ChangedRandomWalk"}
    assert same(advanced(other), advanced(walk))


def test_changes_add_up_and_leave_the_kernel_alone():
    walk = eb.RandomWalk(0.8)
    wanted = advanced(walk)
    never = changed(walk, DECISION, "here < here")
    assert same(advanced(never), np.zeros((40, 2)))
    assert same(advanced(changed(never, "here < here", DECISION)), wanted)
    assert same(advanced(walk), wanted)
    assert type(walk) is eb.RandomWalk


@pytest.mark.parametrize("text", ["no such text", "settings"])
def test_what_does_not_stand_there_once_is_refused(text):
    refused(lambda: changed(eb.RandomWalk(1.0), text, "x"), repr(text), "RandomWalk", "once")
