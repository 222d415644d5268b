"""Barker's proposal: its law, its mutants, steep slopes, hostile energies."""

import math

import numpy as np
import pytest
from exact_laws import CASES
from hypothesis import given
from hypothesis import strategies as st
from invariance import entropy, is_caught, verdict

import fastebm as eb
from fastebm.kernels import Barker
from fastebm.sampling.chains import Chains
from fastebm.testing.changes import changed
from fastebm.testing.twins import BarkerTwin

STEPS = {"gaussian": [1.7, 0.9, 1.2], "mixture": [1.4]}
MUTANTS = {
    "no Hastings term": ("here - there + hastings", "here - there"),
    "uphill": ("np.where(is_kept, z, -z)", "np.where(is_kept, -z, z)"),
    "stale gradient": ("move(accepted, l, g, g_y)", "pass"),
    "stale energy": ("l, e, e_y, y", "l, e, e, y"),
    "hot": ("< log_ratio)", "< 0.85 * log_ratio)"),
}


@pytest.mark.parametrize("name", CASES)
def test_exact_draws_stay_exact(name):
    E, draw, transform, _ = CASES[name]
    seed = entropy()
    worst, allowed = verdict(Barker(), STEPS[name], E, draw, transform, seed)
    assert worst < allowed, f"seed {seed}"


@pytest.mark.parametrize("change", MUTANTS)
def test_broken_kernels_are_caught(change):
    E, draw, transform, _ = CASES["mixture"]
    assert is_caught(changed(Barker(), *MUTANTS[change]), [1.4], E, draw, transform)


@given(st.floats(-3.0, 3.0), st.floats(-50.0, 50.0), st.floats(0.1, 3.0))
def test_the_density_of_proposals_integrates_to_one(x, slope, scale):
    twin = BarkerTwin(np.array([scale]), 1)
    y = x + scale * np.linspace(-9.0, 9.0, 4001)[:, None]
    total = np.exp(twin.log_density(y, np.array([x]), np.array([slope]))).sum() * scale * 18.0 / 4000
    assert total == pytest.approx(1.0, abs=1e-9)


def test_a_steep_slope_throws_no_chain_far():
    """Where MALA's drift of 4e6 would leave every start, steps stay as long as they are."""
    E = eb.energy(1)(lambda x: x[0] ** 4)
    chains = Chains(E, Barker(0.5), np.full((40, 1), 100.0), 1, 1)
    chains.advance(400, np.array([0.5]))
    assert (np.abs(chains.positions) < 3.0).all()


@pytest.mark.parametrize(("value", "is_fault"), [(math.inf, False), (-math.inf, True), (math.nan, True)])
def test_energies_that_are_no_numbers(value, is_fault):
    E = eb.energy(2)(lambda x: eb.where(abs(x[0]) + abs(x[1]) == 0.0, 0.0, value))
    chains = Chains(E, Barker(0.5), np.zeros((40, 2)), 3, 1)
    chains.advance(4, np.array([0.5, 0.5]))
    assert (chains.positions == 0.0).all()
    assert (chains.counts()[0] == 0).all()
    assert (chains.counts()[1] == (4 if is_fault else 0)).all()
