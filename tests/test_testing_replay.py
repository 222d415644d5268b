"""Tier 1: compiled kernels do what their twins do, number by number; broken ones do not."""

import contextlib

import numpy as np
import pytest
from broken_kernels import CHANGES, ENERGY, broken
from hypothesis import given, settings
from hypothesis import strategies as st
from test_testing_algebra import ENERGIES, KERNELS, seeds

import fastebm as eb
from fastebm.testing.replay import replay
from fastebm.testing.reports import NotRun
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import TWINS

# Too seldom decided otherwise in 800 transitions; algebra sees them.
TOO_FINE = {
    "walk: energy x 0.999", "walk: float32 energies", "walk: takes nan", "walk: takes -inf", "MALA: energy x 0.999",
    "MALA: float32 energies", "MALA: Hastings term x 0.999999", "ULA: takes what is not finite",
}


@given(seeds, st.sampled_from(list(ENERGIES)), st.sampled_from(KERNELS), st.floats(0.02, 2.0), st.integers(1, 40))
@settings(max_examples=40)
def test_twenty_transitions_lane_by_lane(seed, name, kind, size, n):
    E = ENERGIES[name]
    if kind is eb.ULA and E.domain is not None:
        return
    with contextlib.suppress(NotRun):  # nothing is accepted, where the step is too long and the chains are few
        assert not replay(KernelStep(kind(size * np.linspace(0.5, 1.0, E.dim)), E, seed), seed, n).faults


@pytest.mark.parametrize("kind", [eb.RandomWalk, eb.MALA])
def test_tuned_kernels_pass(kind):
    found = replay(KernelStep(kind(), ENERGY, 3), 8)
    assert not found.faults
    assert "800 transitions of 40 chains" in found.words


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in TOO_FINE])
def test_broken_kernels_are_reported(name):
    found = replay(KernelStep(broken(name), ENERGY, 1), 5)
    assert found.faults
    assert f"Changed{CHANGES[name][0].__name__}" in found.faults[0]


@pytest.mark.parametrize("name", ["walk: reused uniform", "walk: a number left out", "MALA: reused uniform"])
def test_streams_that_end_elsewhere_are_named(name):
    faults = replay(KernelStep(broken(name), ENERGY, 1), 5).faults
    assert any("leaves the stream of chain 0" in fault for fault in faults)


def test_what_never_moves_is_no_pass():
    with pytest.raises(NotRun, match="accepts none of 800 proposals, as its twin does"):
        replay(KernelStep(eb.RandomWalk(1e9), ENERGY, 1), 5)


def test_what_cannot_be_judged_says_why(monkeypatch):
    step = KernelStep(eb.RandomWalk(1.0), ENERGY, 1)
    nowhere = eb.energy(1)(lambda x: np.inf + 0.0 * x[0])
    with pytest.raises(NotRun, match="no starts"):
        replay(KernelStep(eb.RandomWalk(1.0), nowhere, 1), 5)
    monkeypatch.setitem(TWINS, eb.RandomWalk, None)
    with pytest.raises(NotRun, match="no slow twin"):
        replay(step, 5)
