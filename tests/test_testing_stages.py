"""Tier 0 of rules with two stages: no correct kernel is accused, each broken one is, in the words of its mistake."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_delayed_rejection import MUTANTS

import fastebm as eb
from fastebm.kernels import DelayedRejection
from fastebm.testing import stages
from fastebm.testing.algebra import algebra
from fastebm.testing.changes import changed
from fastebm.testing.replay import replay
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import TWINS, DelayedRejectionTwin
from fastebm.testing.twins.delayed_rejection import log_rejection

ENERGIES = {
    "mixture": eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.6, [0.3, 0.7]),
    "well": eb.DoubleWell(1, tilt=0.4),
    "kinked": eb.energy(1)(lambda x: 40.0 * abs(x[0] - 0.3)),
    "walled": eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0]),
    "Gaussian of dimension 11": eb.Gaussian(np.linspace(-1.0, 2.0, 11), np.linspace(0.1, 3.0, 11)),
}
WELL = ENERGIES["well"]
ODD = eb.GaussianMixture([[0.0, 0.0, 1.0], [2.0, 1.0, 0.0]], 0.6, [0.3, 0.7])


@given(st.integers(0, 2**64 - 1), st.sampled_from(list(ENERGIES)), st.floats(0.02, 3.0), st.floats(0.05, 1.0))
@settings(max_examples=12)
def test_correct_kernels_stay_below_1e_12(seed, name, size, shrink):
    E = ENERGIES[name]
    step = KernelStep(DelayedRejection(size * np.linspace(0.5, 1.0, E.dim), shrink), E, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "RESIDUAL", 1e-12)
        assert not algebra(step, E, seed).faults


def test_tuned_kernels_pass_and_all_of_it_is_looked_at():
    E = ENERGIES["mixture"]
    found = algebra(KernelStep(DelayedRejection(), E, 1), E)
    assert not found.faults
    for words in (
        "balance of", "there are 2 dimensions", "proposals", "first thresholds", "second thresholds", "decisions",
        "energies and slopes",
    ):
        assert words in found.words
    assert "pi K = pi on" in algebra(KernelStep(DelayedRejection(1.7), WELL, 1), WELL).words


def test_what_is_not_computed_is_said():
    flat = eb.energy(1)(lambda x: 0.0 * x[0])
    for kernel, E, why in (
        (DelayedRejection(0.5), ODD, "there are 3 dimensions"),
        (DelayedRejection(1e-6), WELL, "second proposals are so short"),
        (DelayedRejection(1.0), flat, "the law is not known"),
    ):
        assert f"pi K not computed, since {why}" in algebra(KernelStep(kernel, E, 1), E).words


MORE = {
    "first stage hot": ("here - first)", "0.99 * (here - first))"),
    "first stage takes -inf": ("here - first) & is_number", "here - first)"),
    "second stage takes -inf": ("is_way_back & is_number", "is_way_back"),
    "what is no number stays so": ("np.where(is_number, first, np.inf)", "first"),
    "second proposal moves nothing": ("move(accepted, l, x, y_2)", "pass"),
    "second proposal from the first": ("propose(x, short_steps", "propose(y_1, short_steps"),
    "as long as the first": ("short_steps = settings[:n], settings[n:]", "short_steps = settings[:n], settings[:n]"),
    "single precision": (
        "energy(y_2, packed, e_2)", (
            "energy(y_2, packed, e_2)\n            for c in range(width):"
            "\n                e_2[c] = np.float64(np.float32(e_2[c]))"
        ),
    ),
    "one number for two tests": ("load_row(exponentials_2, l) < log", "load_row(exponentials_1, l) < log"),
}


@pytest.mark.parametrize("name", [*MUTANTS, *MORE])
def test_broken_kernels_are_reported(name):
    broken = changed(DelayedRejection([1.3, 0.9, 1.1], 0.2), *{**MUTANTS, **MORE}[name])
    found = algebra(KernelStep(broken, ODD, 1), ODD, seed=2)
    assert found.faults
    assert "ChangedDelayedRejection" in found.faults[0]


@pytest.mark.parametrize("name", [
    "no share of rejections", "no density of the way back", "one step at two lengths", "one number for two tests",
    "second proposal from the first", "second proposal moves nothing",
])
def test_broken_kernels_replay_otherwise(name):
    broken = changed(DelayedRejection([1.3, 0.9, 1.1], 0.6), *{**MUTANTS, **MORE}[name])
    assert replay(KernelStep(broken, ODD, 1), 5).faults


# ---- rules that do not balance ----


class NoShare(DelayedRejectionTwin):
    def log_second(self, x, e_x, y_1, e_1, y_2, e_2):
        found = super().log_second(x, e_x, y_1, e_1, y_2, e_2)
        with np.errstate(invalid="ignore"):
            return np.nan_to_num(found - log_rejection(e_2, e_1) + log_rejection(e_x, e_1), nan=-np.inf)


class NoDensity(DelayedRejectionTwin):
    def log_second(self, x, e_x, y_1, e_1, y_2, e_2):
        away = self.first.log_density(y_1, y_2, y_2) - self.first.log_density(y_1, x, x)
        return super().log_second(x, e_x, y_1, e_1, y_2, e_2) - away


class Careless(DelayedRejectionTwin):
    def log_second(self, x, e_x, y_1, e_1, y_2, e_2):
        return super().log_second(x, e_x, y_1, e_1, y_2, np.nan_to_num(e_2, nan=0.0, neginf=-np.inf, posinf=np.inf))


class Doubled(DelayedRejectionTwin):
    def __init__(self, settings, dim):
        super().__init__(settings, dim)
        inner = self.second.log_density
        self.second.log_density = lambda y, x, slope: inner(y, x, slope) + math.log(2.0)


@pytest.mark.parametrize(("wrong", "words"), [
    (NoShare, "misses balance by"), (NoShare, "pi K differs from pi"), (NoDensity, "misses balance by"),
    (NoDensity, "pi K differs from pi"), (Careless, "second proposals of energy nan"), (Doubled, "not normalised"),
])
def test_rules_that_do_not_balance_are_reported(monkeypatch, wrong, words):
    monkeypatch.setitem(TWINS, DelayedRejection, wrong)
    faults = algebra(KernelStep(DelayedRejection(1.1), WELL, 1), WELL).faults
    assert any(words in fault for fault in faults)


def test_nothing_to_balance_is_a_fault():
    nowhere = eb.energy(1)(lambda x: math.inf + 0.0 * x[0])
    twin = DelayedRejectionTwin(np.array([1.0, 0.2]), 1)
    _, (fault,) = stages.balance(twin, nowhere, np.zeros((5, 1)), np.random.default_rng(0))
    assert "nothing of" in fault
