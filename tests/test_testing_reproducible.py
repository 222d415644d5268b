"""`check_reproducible` passes what a seed decides, and names what it does not."""

import itertools

import numpy as np
import pytest
from broken_kernels import ENERGY
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.kernels import Kernel
from fastebm.testing import CheckError, Report, check_reproducible
from fastebm.testing import reproducible as checks
from fastebm.testing.changes import changed
from fastebm.testing.reproducible import reproducibility
from fastebm.testing.steps import KernelStep

seeds = st.integers(0, 2**63 - 1)
WELL = eb.DoubleWell(2, tilt=0.3)
OWN = eb.energy(1)(lambda x: x[0] ** 4)


def walk(states, k, seed):
    """Metropolis in NumPy."""
    rng = np.random.default_rng(seed)
    for _ in range(k):
        y = states + rng.standard_normal(states.shape)
        is_accepted = np.log(rng.random(len(states))) < WELL.energy(states) - WELL.energy(y)
        states = np.where(is_accepted[:, None], y, states)
    return states


@given(seeds, st.sampled_from([eb.RandomWalk, eb.MALA, eb.ULA]), st.integers(2, 200))
@settings(max_examples=15)
def test_kernels_give_the_same_bits(seed, kind, n):
    starts = np.random.default_rng(seed).uniform(0.1, 1.0, (n, 2))
    found = reproducibility(KernelStep(kind(0.1), WELL, seed), starts, seed)
    assert not found.faults
    assert "threads 1, 2, 3, 7, cuts" in found.words


@pytest.mark.parametrize("kernel", [eb.RandomWalk(), eb.MALA([0.1, 0.2])], ids=repr)
def test_all_of_a_run_is_looked_at(kernel):
    report = check_reproducible(kernel, WELL)
    report.raise_if_failed()
    assert isinstance(report, Report)
    assert [tier.name for tier in report.ran] == ["same bits", "draws", "file", "new process"]
    assert not report.skipped
    assert repr(kernel) in report.name


def test_what_another_process_cannot_have_is_skipped_with_the_reason():
    report = check_reproducible(changed(eb.RandomWalk(0.5), "here - there)", "(here - there))"), WELL, rng=3)
    assert report.passed
    assert report.seed == 3
    assert "ChangedRandomWalk is none of fastebm.kernels" in report.skipped["new process"]
    assert "files hold no code" in check_reproducible(eb.RandomWalk(0.5), OWN).skipped["new process"]


def test_a_kernel_that_cannot_run_there_is_not_judged():
    report = check_reproducible(eb.ULA(0.01), eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0]))
    assert report.verdict == "not judged"
    assert "cannot stay inside the walls" in report.skipped["same bits"]


def test_without_starts_nothing_is_judged():
    report = check_reproducible(eb.RandomWalk(1.0), eb.energy(1)(lambda x: np.inf + 0.0 * x[0]))
    assert report.verdict == "not judged"
    with pytest.raises(CheckError, match="could not be judged"):
        report.raise_if_failed()
    refused(lambda: check_reproducible(eb.RandomWalk(1.0), "E"), "energy", kind=TypeError)
    refused(lambda: check_reproducible("walk", WELL), "kernel_or_step is 'walk'", kind=TypeError)


# ---- steps ----


def test_a_step_that_is_a_function_of_its_seed_passes():
    report = check_reproducible(walk, WELL)
    assert report.passed
    assert [tier.name for tier in report.ran] == ["same bits"]
    assert report.skipped.keys() == {"draws", "file", "new process", "threads, cuts and company"}
    assert "walk on DoubleWell" in report.name


def in_place(states, k, seed):
    states += walk(states, k, seed) - states
    return states


def test_a_step_may_work_in_place():
    assert check_reproducible(in_place, WELL).passed


COUNTER = itertools.count()


@pytest.mark.parametrize(("step", "words"), [
    (lambda states, k, _: walk(states, k, None), "random beyond its seed"),
    (lambda states, k, seed: walk(states, k, seed + next(COUNTER)), "random beyond its seed"),
    (lambda states, k, _: walk(states, k, 0), "ignores its seed"),
    (lambda states, *_: states, "moves none of 150 states"),
    (lambda states, k, seed: walk(states, k, seed) * np.nan, "not finite"),
    (lambda states, k, seed: walk(states, k, seed)[1:], "shape (149, 2)"),
    (lambda *_: None, "returns shape ()"),
], ids=["unseeded", "remembers", "deaf", "idle", "nan", "shape", "nothing"])
def test_bad_steps_are_named(step, words):
    report = check_reproducible(step, WELL)
    assert not report.passed
    assert words in report.faults[0]


# ---- kernels ----

PROPOSED = "energy(y, packed, e_y)"
BREAKS = {
    "looks at how many transitions are asked for": (
        PROPOSED, PROPOSED + "\n        e_y += 0.01 * n_transitions", "in 3 + 4 transitions",
    ),
    "looks at the whole tile": ("here - there)", "here - there + 0.01 * x[0, 0])", "at other places"),
    "uses a neighbour's energy": (PROPOSED, PROPOSED + "\n        e_y[0] = e_y[width - 1]", "of 50 chains than of 150"),
    "stale energy": ("l, e, e_y, y", "l, e, e, y", "where chains are begun anew"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_kernels_that_depend_on_cuts_and_company_are_named(name):
    old, new, words = BREAKS[name]
    kernel = changed(eb.RandomWalk(1.0), old, new)
    starts = np.random.default_rng(5).standard_normal((150, 3))
    found = reproducibility(KernelStep(kernel, ENERGY, 1), starts, 5)
    assert any(words in fault for fault in found.faults), found.faults


class Restless(eb.RandomWalk):
    """Goes on tuning: each look at its settings makes them longer."""

    def settings(self, step_size, scale, path_length=None, betas=None):
        self.looks = getattr(self, "looks", 0) + 1
        return super().settings(step_size, scale) * (1.0 + 1e-9 * self.looks)


def test_a_kernel_that_is_tuned_after_warm_up_is_named():
    report = check_reproducible(Restless(), WELL, rng=1)
    assert any("freeze what is tuned when warm-up ends" in fault for fault in report.faults)


def test_a_run_that_comes_back_otherwise_is_named(monkeypatch):
    original = checks.load

    def damaged(path):
        found = original(path)
        if isinstance(found, eb.Run):
            found.draws[0, 0, 0] = np.nextafter(found.draws[0, 0, 0], 9.0)
        return found

    monkeypatch.setattr(checks, "load", damaged)
    faults = check_reproducible(eb.RandomWalk(1.0), WELL, rng=1).faults
    assert [fault.split(" has ")[0] for fault in faults] == [
        "a run that was saved and loaded", "the same run in a new process",
    ]
    assert all("other bits in draws" in fault for fault in faults)


def test_a_process_that_ends_badly_is_no_pass(monkeypatch):
    monkeypatch.setattr(checks, "_SCRIPT", "raise SystemExit('no luck')")
    (fault,) = check_reproducible(eb.RandomWalk(1.0), WELL, rng=1).faults
    assert "ends with status 1: no luck" in fault


def test_every_kernel_of_the_library_can_be_made_again_from_its_attributes():
    """As the new process does."""
    for kernel in (eb.RandomWalk(), eb.MALA([0.1, 0.2]), eb.ULA(0.3)):
        again = type(kernel)(**{key: np.asarray(value).tolist() for key, value in vars(kernel).items()})
        assert isinstance(again, Kernel)
        assert repr(again) == repr(kernel)
