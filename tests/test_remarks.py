"""Warnings about a run: each names what to do, and none where there is nothing to say."""

import warnings

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.sampling import remarks
from fastebm.sampling.chains import Chains

E = eb.Gaussian([0.0, 0.0])


def said(run, chains, n_made, n_draws, faults=()):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        remarks.remark(run, chains, n_made, n_draws, faults)
    return [str(one.message) for one in caught]


def advanced(kernel, n=40):
    chains = Chains(E, kernel, np.zeros((n, 2)), 1, 1)
    chains.advance(50, kernel.settings(kernel.step_size, np.ones(2)))
    run = eb.sample(E, eb.RandomWalk(1.5), n_chains=n, n_draws=50, rng=1)
    vars(run)["acceptance_rate"] = chains.acceptance_rate()  # of a frozen dataclass
    return run, chains


def test_a_good_run_is_silent():
    assert said(*advanced(eb.RandomWalk(1.5)), 50, 50) == []


def test_trajectories_may_be_accepted_always():
    """For a random walk the same rate means that draws are nearly the same."""
    assert said(*advanced(eb.HMC(0.1, 10)), 50, 50) == []
    assert "above 90 %" in said(*advanced(eb.RandomWalk(0.01)), 50, 50)[0]


def test_what_has_no_step_is_not_told_to_shorten_it():
    hard = eb.energy(2)(lambda x: eb.where(abs(x[0]) + abs(x[1]) > 1e-9, np.inf, 0.0))
    chains = Chains(hard, eb.RandomWalk(1.0), np.zeros((64, 2)), 1, 1)
    chains.advance(50, np.ones(2))
    run = eb.sample(E, eb.RandomWalk(1.5), n_chains=64, n_draws=50, rng=1)
    vars(run)["acceptance_rate"] = chains.acceptance_rate()
    assert "a smaller step_size" in said(run, chains, 50, 50)[0]
    chains.kernel = eb.Stretch()
    assert "step_size" not in said(run, chains, 50, 50)[0]


def test_a_ladder_with_a_gap_and_one_without_round_trips():
    def found(**report):
        return eb.ParallelTempering().remarks({name: np.array(one) for name, one in report.items()}, 500)

    assert "rungs 1 and 2" in found(swap_rate=[0.5, 0.01], round_trips=[3.0])[0]
    assert "n_draws" in found(swap_rate=[0.5, 0.5], round_trips=[0.0, 0.0])[0]
    assert found(swap_rate=[0.5, 0.5], round_trips=[0.0, 1.0]) == []


def test_faults_of_files_and_executors_come_first():
    run, chains = advanced(eb.RandomWalk(1.5))
    vars(run)["interrupted"] = True
    found = said(run, chains, 7, 50, ["the disk is full."])
    assert found[0] == "the disk is full."
    assert "interrupted after 7 of 50 draws" in found[1]


@pytest.mark.parametrize(("keep", "words"), [
    ("draws", "run.draws holds all of the draws made so far"), ("last", "run.draws holds the last of the draws"),
    ("moments", "run.moments are those of the draws"), ("draws.npy", "run.draws holds all of the draws"),
])
def test_where_the_draws_of_an_interrupted_run_are(keep, words):
    run, chains = advanced(eb.RandomWalk(1.5))
    vars(run)["interrupted"] = True
    vars(run)["settings"] = run.settings | {"keep": keep}
    assert words in said(run, chains, 7, 50)[0]


def test_a_limit_that_was_reached_is_told():
    run, chains = advanced(eb.RandomWalk(1.5))
    vars(run)["converged"] = False
    vars(run)["settings"] = run.settings | {"until": {"rhat": 1.01, "ess": 400.0}}
    assert "50 draws a chain were not enough" in said(run, chains, 50, 50)[0]


@pytest.mark.parametrize("kernel", [eb.MALA(0.1), eb.HMC(0.1), eb.Barker(0.1)])
def test_a_start_without_slope_is_refused(kernel):
    kink = eb.energy(1, grad=lambda x: [np.inf if x[0] == 0.0 else x[0]])(lambda x: 0.5 * x[0] ** 2)
    refused(lambda: eb.sample(kink, kernel, init=[0.0]), "gradient", "chain 0 starts", "init=")
