"""check_kernel as users call it: right kernels pass, wrong ones fail in words, and nothing passes unseen."""

import math

import numpy as np
import pytest
import scipy
from broken_kernels import CHANGES
from messages import refused

import fastebm as eb
from fastebm.kernels.mala import MALA
from fastebm.kernels.random_walk import RandomWalk
from fastebm.testing import CheckError, check_kernel
from fastebm.testing.changes import changed
from fastebm.testing.steps import KernelStep

MIXTURE = eb.GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])
PLANE = eb.Gaussian([0.5, -1.0], [[1.5, 0.4], [0.4, 0.6]])
WALLED = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0])


def barker(states, k, seed, energy=MIXTURE, scale=1.2, hot=1.0):
    """Barker's rule: accept with probability 1 / (1 + exp(E(y) - E(x)))."""
    generator = np.random.default_rng(seed)
    x, e = states, energy.energy(states)
    for _ in range(k):
        y = x + scale * generator.standard_normal(x.shape)
        e_y = energy.energy(y)
        accepted = generator.random(len(x)) < 1.0 / (1.0 + np.exp(hot * (e_y - e)))
        x, e = np.where(accepted[:, None], y, x), np.where(accepted, e_y, e)
    return x


class TestRight:
    @pytest.mark.parametrize("kernel", [RandomWalk(1.9), RandomWalk(), MALA(0.3), MALA()], ids=repr)
    @pytest.mark.parametrize("E", [MIXTURE, PLANE, WALLED, eb.Ring(1.6, 0.4), eb.Banana()], ids=lambda E: E.name)
    def test_kernels_of_the_library(self, kernel, E):
        report = check_kernel(kernel, E)
        assert report.passed, str(report)
        assert report.n_chains > 100_000
        assert report.smallest_bias <= 0.03

    def test_steps_of_others(self):
        report = check_kernel(barker, MIXTURE, is_reversible=True)
        assert report.passed, str(report)
        assert report.name == "barker on GaussianMixture"

    def test_three_dimensions(self):
        E = eb.GaussianMixture([[0.0, 0.0, 1.0], [1.0, 1.0, -0.5]], 0.7, [0.4, 0.6])
        report = check_kernel(RandomWalk(0.9), E)
        assert report.passed, str(report)


def scaled(states, k, seed):
    return KernelStep(RandomWalk(1.9), 0.97 * MIXTURE, 0)(states, k, seed)


def hot(states, k, seed):
    return barker(states, k, seed, hot=0.9)


# name: what makes the kernel, delta, words of a fault
WRONG = {
    "energy x 0.97": (lambda: scaled, 0.01, "the energy is too high"),
    "hot": (lambda: hot, 0.03, "the energy is too high"),
}
WRONG |= {
    name: (lambda name=name: changed(CHANGES[name][0](1.9 if "walk" in name else 0.5), *CHANGES[name][1:]), 0.03, words)
    for name, words in (
        ("MALA: takes everything", "after 4 transitions"), ("MALA: no Hastings term", "after 4 transitions"),
        ("walk: stale energy", "remembers the energy"), ("walk: energy x 0.999", "where its formula says up to"),
        ("MALA: float32 energies", "where its formula says up to"),
    )
}


class TestWrong:
    @pytest.mark.parametrize("name", WRONG)
    def test_is_said(self, name):
        make, delta, words = WRONG[name]
        report = check_kernel(make(), MIXTURE, delta=delta)
        assert report.verdict == "failed"
        assert any(words in fault for fault in report.faults), str(report)
        with pytest.raises(CheckError, match=f"rng={report.seed}"):
            report.raise_if_failed()


class TestBadInput:
    @pytest.mark.parametrize(("step", "words"), [
        (lambda states, k, seed: states, "only 0 of"),
        (lambda states, k, seed: states * math.nan, "not finite"),
        (lambda states, k, seed: states[:-1], "return one row for every state"),
        (lambda states, k, seed: states[:, 0], "return one row for every state"),
        (lambda states, k, seed: None, "step returns"),
        (lambda states, k, seed: np.full(states.shape, "x"), "return an array of floats"),
    ])
    def test_steps_that_are_none(self, step, words):
        report = check_kernel(step, MIXTURE, delta=0.2)
        assert not report.passed
        assert words in str(report)
        with pytest.raises(CheckError):
            report.raise_if_failed()

    @pytest.mark.parametrize("E", [
        eb.energy(1)(lambda x: math.log(1.0 + abs(x[0]))),
        eb.energy(4)(lambda x: x[0] ** 4 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2),
    ], ids=["not integrable", "four dimensions"])
    def test_a_law_that_cannot_be_computed_is_never_a_pass(self, E):
        report = check_kernel(RandomWalk(1.0), E)
        assert report.verdict == "not judged"
        assert not report.passed
        assert "exact law cannot be computed" in report.skipped["invariance"]
        with pytest.raises(CheckError, match="could not be judged, since its exact law cannot be computed"):
            report.raise_if_failed()

    def test_a_step_that_leaves_the_support(self):
        report = check_kernel(lambda states, k, seed: states + 0.5, WALLED, delta=0.2)
        assert report.verdict == "failed"
        assert any("energy is inf" in fault for fault in report.faults)

    def test_arguments(self):
        refused(lambda: check_kernel(RandomWalk(1.0), 3), "energy", kind=TypeError)
        refused(lambda: check_kernel(3, MIXTURE), "kernel", "step(states, k, seed)", kind=TypeError)
        for name in ("alpha", "delta"):
            for bad in (0.0, -1.0, 0.9, math.nan):
                refused(lambda name=name, bad=bad: check_kernel(RandomWalk(1.0), MIXTURE, **{name: bad}), name)
        refused(lambda: check_kernel(RandomWalk(1.0), MIXTURE, group_size=0), "group_size")


class TestReport:
    def test_the_same_seed_gives_the_same_report(self):
        first = check_kernel(barker, MIXTURE, delta=0.1)
        assert check_kernel(barker, MIXTURE, delta=0.1, rng=first.seed) == first
        assert check_kernel(barker, MIXTURE, delta=0.1).p_values != first.p_values

    def test_delta_and_alpha_decide_the_number_of_chains(self):
        report = check_kernel(barker, MIXTURE, delta=0.1, alpha=1e-6)
        level = 1e-6 / len(report.statistics)
        wanted = ((scipy.stats.norm.isf(level / 2.0) + scipy.stats.norm.isf(1e-3)) / 0.1) ** 2
        assert report.n_chains == pytest.approx(wanted, rel=0.05)  # a few statistics more look at the starts
        assert report.n_chains < check_kernel(barker, MIXTURE, delta=0.1).n_chains

    def test_a_bias_of_delta_is_found(self):
        """Independent draws with a mean that is delta too high; .999 is the power for one statistic alone."""

        def shifted(states, k, seed):
            return 0.05 + np.sqrt(1.7) * np.random.default_rng(seed).standard_normal(states.shape)

        E = eb.Gaussian([0.05 - 0.1 * math.sqrt(1.7)], [[1.7]])
        report = check_kernel(shifted, E, delta=0.05)
        assert report.verdict == "failed"
        assert "x[0] is too high" in str(report)

    def test_words(self):
        text = str(check_kernel(RandomWalk(1.9), MIXTURE, delta=0.1, rng=3))
        assert text.startswith("RandomWalk(step_size=1.9) on GaussianMixture: passed (seed 3)")
        assert "chains from the exact law" in text
        assert text.endswith("with probability 0.999, and accuses a right kernel with 1e-09")


def test_ensembles_are_judged_by_groups():
    """The stretch move of Goodman and Weare (2010), doi:10.2140/camcos.2010.5.65: right, and walkers hang together."""

    def stretch(states, k, seed, group=20):
        generator = np.random.default_rng(seed)
        x = states.reshape(-1, group, 1)
        for _ in range(k):
            for mine, others in ((slice(None, group // 2), slice(group // 2, None)),
                                 (slice(group // 2, None), slice(None, group // 2))):
                here = x[:, mine]
                partner = np.take_along_axis(x[:, others], generator.integers(group // 2, size=here.shape), axis=1)
                z = (1.0 + generator.random(here.shape[:2])) ** 2 / 2.0
                y = partner + z[..., None] * (here - partner)
                gain = MIXTURE.energy(here.reshape(-1, 1)) - MIXTURE.energy(y.reshape(-1, 1))  # z**(dim - 1) is 1
                accepted = -generator.standard_exponential(z.shape) < gain.reshape(z.shape)
                x = x.copy()
                x[:, mine] = np.where(accepted[..., None], y, here)
        return x.reshape(-1, 1)

    report = check_kernel(stretch, MIXTURE, group_size=20, delta=0.05)
    assert report.passed, str(report)
    assert report.n_chains % 20 == 0
    assert "depend on each other" in report.skipped["independence"]
