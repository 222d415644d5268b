"""Diagnostics: ArviZ's numbers behind our own look for chains that are stuck."""

import sys

import numpy as np
import pytest
from invariance import entropy

from fastebm import diagnostics


def good(n_chains=8, n_draws=400, k=2):
    return np.random.default_rng(entropy()).standard_normal((n_chains, n_draws, k))


def test_independent_draws_have_converged():
    draws = good()
    assert (diagnostics.rhat(draws) < 1.05).all()
    for kind in ("bulk", "tail"):
        assert (diagnostics.ess(draws, kind) > 1000).all()
    np.testing.assert_allclose(diagnostics.mcse(draws), 1.0 / np.sqrt(3200), rtol=0.3)


def test_chains_apart_have_not():
    draws = good()
    draws[0] += 5.0
    assert (diagnostics.rhat(draws) > 1.2).all()


def test_superchains_that_remember_their_start_have_not():
    draws = good(12)
    assert (diagnostics.nested_rhat(draws, 3) < 1.1).all()
    draws[:4] += 5.0
    assert (diagnostics.nested_rhat(draws, 3) > 1.2).all()


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan, np.inf])
def test_a_stuck_chain_is_found_and_counts_for_nothing(value):
    """ArviZ gives a constant a full effective sample size."""
    draws = good()
    whole = diagnostics.ess(draws[1:])
    draws[0] = value
    assert diagnostics.stuck(draws).tolist() == [True] + [False] * 7
    assert (diagnostics.rhat(draws) == np.inf).all()
    assert (diagnostics.nested_rhat(draws, 2) == np.inf).all()
    assert np.array_equal(diagnostics.ess(draws), whole)


def test_nothing_is_worth_nothing():
    assert diagnostics.ess(np.zeros((3, 9, 2))).tolist() == [0.0, 0.0]


def test_without_arviz_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz_stats.base", None)
    with pytest.raises(ImportError, match=r'pip install "fastebm\[diagnostics\]"'):
        diagnostics.rhat(good())


def test_one_chain_is_judged_by_its_halves():
    draws = np.random.default_rng(0).standard_normal((1, 1001, 2))
    draws[0, 500:, 1] += 3.0
    found = diagnostics.rhat(draws)
    assert found[0] < 1.02
    assert found[1] > 1.5
