"""Sampling until convergence: it stops when it may, not before, and says which of the two it was."""

import math

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given
from hypothesis import strategies as st
from messages import refused

import fastebm as eb

NORMAL = eb.Gaussian([0.0, 3.0], [1.0, 4.0])
WELLS = eb.GaussianMixture([[-9.0], [9.0]], 1.0)


@given(st.integers(0, 10**7))
def test_looks_are_ahead_and_not_too_many(n_draws):
    look = eb.Converged().next_look(n_draws)
    assert n_draws < look <= max(50, 1.5 * n_draws + 2)
    assert eb.Converged().next_look(look - 1) == look


def test_a_run_stops_early_at_the_same_draws():
    """What was drawn is the front of a run that does not stop."""
    until = eb.Converged(rhat=1.1, ess=200)
    run = eb.sample(NORMAL, n_chains=16, n_draws=5000, rng=4, until=until)
    assert run.converged is True
    assert run.interrupted is False
    assert run.draws.shape[1] < 5000
    whole = eb.sample(NORMAL, n_chains=16, n_draws=run.draws.shape[1], rng=4)
    assert whole.converged is None
    assert same(run.draws, whole.draws)
    assert until.verdict(run.draws, run.energy, 0).has_converged


def test_chains_in_different_wells_never_do():
    with pytest.warns(eb.FastebmWarning, match=r"120 draws a chain were not enough for .*raise n_draws"):
        run = eb.sample(WELLS, eb.RandomWalk(0.5), n_chains=16, n_draws=120, rng=4, until=eb.Converged())
    assert run.converged is False
    assert run.interrupted is False
    assert run.draws.shape[1] == 120


def test_superchains_are_judged_by_nested_r_hat():
    run = eb.sample(
        NORMAL, n_chains=32, n_draws=5000, rng=4, init=eb.Superchains(4), until=eb.Converged(rhat=1.05, ess=300)
    )
    assert run.converged
    assert "nested_r_hat" in run.summary().columns


def test_clamped_coordinates_have_nothing_to_converge():
    run = eb.sample(NORMAL, n_chains=16, n_draws=5000, rng=4, clamp={0: 1.0}, until=eb.Converged(1.1, 200))
    assert run.converged


def test_stuck_chains_speak_against_it():
    draws = np.random.default_rng(0).standard_normal((8, 400, 1))
    until = eb.Converged(1.1, 100)
    assert until.verdict(draws, draws[:, :, 0], 0).has_converged
    draws[3] = 0.2
    found = until.verdict(draws, draws[:, :, 0], 0)
    assert not found.has_converged
    assert found.rhat == math.inf


@pytest.mark.parametrize(("arguments", "words"), [
    ((1.0,), "rhat is 1.0"), ((0.9,), "above 1"), ((math.nan,), "rhat"), ((1.01, 0.0), "ess is 0.0"),
])
def test_what_is_refused(arguments, words):
    refused(lambda: eb.Converged(*arguments), words)


def test_draws_are_needed_for_it():
    refused(lambda: eb.sample(NORMAL, keep="moments", until=eb.Converged()), "keep is 'moments'", "keep='draws'")
    refused(lambda: eb.sample(NORMAL, until=1.01), "until", "eb.Converged", kind=TypeError)


def test_a_coordinate_that_never_moves_speaks_against_it():
    """In every chain, at one and the same place: nothing differs, and nothing has converged."""
    draws = np.random.default_rng(0).standard_normal((8, 400, 2))
    until = eb.Converged(1.1, 100)
    assert until.verdict(draws, draws[:, :, 0], 0).has_converged
    draws[:, :, 1] = 0.2
    assert not until.verdict(draws, draws[:, :, 0], 0).has_converged
    assert until.verdict(draws, draws[:, :, 0], 0, np.array([0])).has_converged, "it is clamped"
    assert until.verdict(draws, draws[:, :, 0], 0, is_discrete=True).has_converged, "the other value is rare"
    draws = np.random.default_rng(0).standard_normal((800, 100, 2))
    draws[17, :, 1] = 0.0
    assert not until.verdict(draws, draws[:, :, 0], 0).has_converged, "one of many, in the middle"


@pytest.mark.parametrize("n_draws", [1, 3, 4])
def test_a_few_draws_are_never_enough(n_draws):
    with pytest.warns(eb.FastebmWarning, match="were not enough"):
        run = eb.sample(NORMAL, eb.RandomWalk(1.0), n_chains=500, n_draws=n_draws, n_warmup=0, rng=4,
                        until=eb.Converged(rhat=1.0001, ess=1e6))
    assert run.converged is False


def test_one_chain_by_its_halves():
    run = eb.sample(NORMAL, n_chains=1, n_draws=20_000, rng=4, until=eb.Converged(1.1, 100))
    assert run.converged
    assert not eb.Converged(1.1, 100).verdict(np.ones((1, 100, 1)), np.ones((1, 100)), 0).has_converged
