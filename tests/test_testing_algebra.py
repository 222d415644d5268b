"""Tier 0: no correct kernel is accused, whatever the energy; each broken one is, with x, y and both numbers."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from broken_kernels import CHANGES, ENERGY, broken
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm._compile import ENERGY_SIGNATURE, Compiled
from fastebm.testing import algebra as tier
from fastebm.testing.algebra import algebra
from fastebm.testing.reports import NotRun
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import TWINS, MALATwin, RandomWalkTwin

seeds = st.integers(0, 2**64 - 1)
KERNELS = (eb.RandomWalk, eb.MALA, eb.ULA)
ENERGIES = {
    "mixture": eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.6, [0.3, 0.7]),
    "well": eb.DoubleWell(1, tilt=0.4),
    "Rosenbrock": eb.Rosenbrock(2),
    "kinked": eb.energy(1)(lambda x: 40.0 * abs(x[0] - 0.3)),
    "walled": eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0]),
    "Gaussian of dimension 11": eb.Gaussian(np.linspace(-1.0, 2.0, 11), np.linspace(0.1, 3.0, 11)),
}
BLIND = {"walk: reused uniform", "walk: a number left out", "MALA: reused uniform"}  # streams are set anew each time


@given(seeds, st.sampled_from(list(ENERGIES)), st.sampled_from(KERNELS), st.floats(0.02, 3.0))
@settings(max_examples=40)
def test_correct_kernels_stay_below_1e_12(seed, name, kind, size):
    E = ENERGIES[name]
    if kind is eb.ULA and E.domain is not None:
        return
    step = KernelStep(kind(size * np.linspace(0.5, 1.0, E.dim)), E, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tier, "RESIDUAL", 1e-12)
        found = algebra(step, E, seed)
    assert not found.faults


@pytest.mark.parametrize("kind", [eb.RandomWalk, eb.MALA])
def test_tuned_kernels_pass_and_all_of_it_is_looked_at(kind):
    E = ENERGIES["mixture"]
    found = algebra(KernelStep(kind(), E, 1), E)
    assert not found.faults
    for words in ("detailed balance at", "pi K = pi on", "proposals", "thresholds", "memories", "energies and slopes"):
        assert words in found.words
    assert "of which 0 have moved" not in found.words


def test_what_is_not_claimed_is_said():
    found = algebra(KernelStep(eb.ULA(0.1), ENERGY, 1), ENERGY)
    assert "no claim of detailed balance" in found.words
    assert "no claim that pi K = pi" in found.words
    flat = eb.energy(1)(lambda x: 0.0 * x[0])
    for kernel, E, why in (
        (eb.MALA(0.1), ENERGY, "there are 3 dimensions"),
        (eb.RandomWalk(1e-6), ENERGIES["well"], "proposals are so short"),
        (eb.RandomWalk(1.0), flat, "the law is not known"),
    ):
        assert f"pi K not computed, since {why}" in algebra(KernelStep(kernel, E, 1), E).words


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in BLIND])
def test_broken_kernels_are_reported(name):
    found = algebra(KernelStep(broken(name), ENERGY, 1), ENERGY, seed=2)
    assert found.faults
    assert f"Changed{CHANGES[name][0].__name__}" in found.faults[0]


def test_a_wrong_threshold_is_told_with_both_points_and_both_numbers():
    faults = algebra(KernelStep(broken("walk: energy x 0.999"), ENERGY, 1), ENERGY, seed=2).faults
    fault = next(one for one in faults if "where its formula says up to" in one)
    match = re.search(r"x=\[.*\] of energy (\S+) to y=\[.*\] for energies up to (\S+) where .* up to (\S+)\.$", fault)
    e_x, found, wanted = map(float, match.groups())
    assert found - e_x == pytest.approx((wanted - e_x) / 0.999, rel=1e-9)


@pytest.mark.parametrize("name", ["walk: float32 energies", "MALA: float32 energies"])
def test_single_precision_shows_as_rounding(name):
    words = algebra(KernelStep(broken(name), ENERGY, 1), ENERGY, seed=2).words
    assert 1e-9 < float(re.search(r"thresholds of acceptance to (\S+),", words).group(1)) < 1e-7


# ---- kernels that are right, for another energy ----


def rounded(E):
    """E in single precision."""
    inner = E.program.energy.pointer

    def tile_energy(x, packed, e):
        inner(x, packed, e)
        for l in range(e.shape[0]):
            e[l] = np.float64(np.float32(e[l]))

    made = Compiled(lambda: tile_energy, ENERGY_SIGNATURE, None, "rounded")
    return E._replaced(program=replace(E.program, energy=made))


@pytest.mark.parametrize(("other", "least", "most"), [
    (lambda: 0.999 * ENERGY, 1e-4, 1e-3), (lambda: rounded(ENERGY), 1e-9, 1e-7),
    (lambda: ENERGY.with_theta(0.7 * ENERGY.theta), 1e-2, 1e3),
], ids=["energy x 0.999", "float32", "other parameters"])
def test_an_energy_that_is_not_the_laws_is_reported(other, least, most):
    (fault,) = algebra(KernelStep(eb.RandomWalk(1.0), other(), 1), ENERGY).faults
    assert "more than by a constant" in fault
    assert least < float(re.search(r"differ by (\S+) from", fault).group(1)) < most


def test_a_constant_changes_no_law():
    other = ENERGY + eb.energy(3)(lambda x: 7.5)
    assert not algebra(KernelStep(eb.RandomWalk(1.0), other, 1), ENERGY).faults


# ---- rules that do not balance ----


class NoHastings(MALATwin):
    def log_ratio(self, x, e_x, slope_x, y, e_y, slope_y):
        return RandomWalkTwin.log_ratio(RandomWalkTwin(self.scale, len(self.scale)), x, e_x, slope_x, y, e_y, slope_y)


class Generous(RandomWalkTwin):
    def log_ratio(self, *pair):
        return super().log_ratio(*pair) + 1e-9


class Careless(RandomWalkTwin):
    def log_ratio(self, *pair):
        return np.nan_to_num(super().log_ratio(*pair), neginf=-800.0) + 800.0 * np.isnan(pair[4])


class Doubled(RandomWalkTwin):
    def log_density(self, y, x, slope_x):
        return super().log_density(y, x, slope_x) + math.log(2.0)


@pytest.mark.parametrize(("kind", "wrong", "words"), [
    (eb.MALA, NoHastings, "misses detailed balance by"), (eb.MALA, NoHastings, "pi K differs from pi"),
    (eb.RandomWalk, Generous, "misses detailed balance by"), (eb.RandomWalk, Careless, "energy nan; reject them"),
    (eb.RandomWalk, Doubled, "q(y | x) is not normalised"),
])
def test_rules_that_do_not_balance_are_reported(monkeypatch, kind, wrong, words):
    monkeypatch.setitem(TWINS, kind, wrong)
    faults = algebra(KernelStep(kind(0.5), ENERGIES["well"], 1), ENERGIES["well"]).faults
    assert any(words in fault for fault in faults)


def test_what_cannot_be_judged_says_why(monkeypatch):
    step = KernelStep(eb.RandomWalk(1.0), ENERGY, 1)
    nowhere = eb.energy(1)(lambda x: math.inf + 0.0 * x[0])
    with pytest.raises(NotRun, match="no starts"):
        algebra(KernelStep(eb.RandomWalk(1.0), nowhere, 1), nowhere)
    monkeypatch.setitem(TWINS, eb.RandomWalk, None)
    with pytest.raises(NotRun, match="no slow twin"):
        algebra(step, ENERGY)
