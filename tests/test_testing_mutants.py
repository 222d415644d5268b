"""Tests of the tests: the checks catch every broken thing of the catalogue, and accuse nothing that is correct."""

import numpy as np
import pytest

from fastebm.testing import check_log_partition
from fastebm.testing.mutants import BROKEN, CORRECT, Accusations, Entry, accusations, judged, targets
from fastebm.testing.mutants.__main__ import main
from fastebm.testing.mutants.broken_estimates import annealed
from fastebm.testing.mutants.broken_rules import accepts_everything
from fastebm.testing.mutants.rules import steps

METROPOLIS = CORRECT[0]


def named(name):
    return next(one for one in (*BROKEN, *CORRECT) if one.name == name)


# ---- the catalogue ----


def test_it_is_as_large_as_it_should_be():
    assert len(BROKEN) >= 40
    assert len(CORRECT) >= 8
    assert {one.check for one in BROKEN} == {
        "kernel", "objective", "log_partition", "optimiser", "reproducible", "gradient",
    }
    names = [one.name for one in (*BROKEN, *CORRECT)]
    assert len(set(names)) == len(names)
    assert all(one.is_correct for one in CORRECT)
    assert not any(one.is_correct for one in BROKEN)


@pytest.mark.parametrize("entry", BROKEN, ids=lambda one: one.name)
def test_broken_things_are_caught(entry):
    one = judged(entry)
    assert one.is_as_declared, str(one.report)
    assert one.by


@pytest.mark.parametrize("entry", CORRECT, ids=lambda one: one.name)
def test_correct_things_pass(entry):
    one = judged(entry)
    assert one.is_as_declared, str(one.report)
    assert one.by == ""


def test_annealing_without_a_mistake_passes():
    report = check_log_partition(annealed()(targets.MIXTURE), targets.MIXTURE, is_unbiased=True)
    assert report.passed, str(report)


def test_what_is_too_small_for_the_budget_is_missed():
    one = judged(named("energy x 0.97"), delta=0.5)
    assert not one.is_as_declared
    assert one.by == ""


# ---- many runs ----


def test_correct_samplers_are_accused_as_rarely_as_alpha_says():
    found = accusations(METROPOLIS, 40, seed=int(np.random.default_rng().integers(2**62)))
    assert not found.complaints
    assert max(len(p) for p in found.p_values.values()) == 40
    assert not any(np.isnan(p).any() for p in found.p_values.values())


def test_runs_repeat_with_their_seed():
    few = accusations(METROPOLIS, 3, seed=5)
    assert accusations(METROPOLIS, 2, seed=6).p_values["P_1 of x[0], k=4"].tolist() == (
        few.p_values["P_1 of x[0], k=4"][1:].tolist()
    )


def test_accusations_are_counted():
    wrong = Entry("wrong", "no test", steps(accepts_everything, scale=1.9), targets.MIXTURE, is_correct=True)
    found = accusations(wrong, 10, seed=1)
    assert len(found.faults) == 10
    assert "wrong is accused in 10 of 10 runs" in found.complaints[0]


def test_ten_thousand_runs_may_accuse_thirty_times():
    assert Accusations(METROPOLIS, 1e-3, (), {}, 10_000, 0.0).most == 30


def test_p_values_that_lie_are_seen():
    def complaints(**p_values):
        return Accusations(METROPOLIS, 1e-3, (), p_values, 1000, 0.0).complaints

    u = (np.arange(1000) + 0.5) / 1000
    assert not complaints(moment=u)
    assert "p-values of moment" in complaints(moment=u**2)[0]
    assert complaints(moment=u**0.5)
    assert not complaints(**{"flux into a set": u**0.5})  # counts are conservative
    assert complaints(**{"flux into a set": u**2})
    assert complaints(moment=np.where(u > 0.5, 1.0, u))
    assert not complaints(moment=u[::7])  # of the runs in which enough numbers are not 0
    assert complaints(moment=np.full(1000, np.nan))


# ---- the table ----


def test_the_table(capsys):
    assert main(["--short", "--runs", "2", "moves nothing", "Gibbs"]) == 0
    text = capsys.readouterr().out
    assert "caught  moves nothing: returns what it got" in text
    assert "same bits: step moves none" in text
    assert "1 mutants, 0 missed" in text
    assert "passed  Gibbs: never rejects" in text
    assert "0 of 2 runs accused" in text


def test_a_missed_mutant_fails_the_table(capsys):
    assert main(["--runs", "0", "--delta", "0.5", "temperature 1.02"]) == 1
    assert "MISSED  temperature 1.02" in capsys.readouterr().out


def test_bad_arguments(capsys):
    for arguments, words in ((["nonsense"], "there is no entry 'nonsense'"), (["--runs", "-1"], "--runs is -1")):
        with pytest.raises(SystemExit) as fault:
            main(arguments)
        assert fault.value.code == 2
        assert words in capsys.readouterr().err
