"""check_objective: the objectives of the library pass; each slip in contrastive divergence is seen and said."""

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.testing import check_objective
from fastebm.training.contrastive import Contrast
from fastebm.training.objective import Estimator, Objective

WELL = eb.DoubleWell(1, barrier=1.2, location=1.1, tilt=0.35)
NORMAL = eb.Gaussian([0.4], [[1.7]])  # whose exact draws cost nothing
KERNEL = eb.RandomWalk(0.8)


class Answer(Estimator):
    def __init__(self, gradient):
        self._gradient = gradient

    def gradient(self, energy, batch):
        return self._gradient(energy, batch)


class Plain(Objective):
    """An objective of a user, with this gradient."""

    def __init__(self, gradient):
        self._gradient = gradient

    def begin(self, energy, data, seed, n_threads):
        generator = np.random.default_rng(seed)
        return Answer(lambda E, batch: self._gradient(E, batch, generator))


def likelihood(E, batch, generator):
    """By 2,000 exact draws for the model's side."""
    return E.mean_grad_theta(batch) - E.mean_grad_theta(eb.exact.exact_draws(E, 2000, generator))


class TestRight:
    @pytest.mark.parametrize("objective", [
        eb.ContrastiveDivergence(1, KERNEL), eb.ContrastiveDivergence(3, eb.MALA(0.15)), eb.ContrastiveDivergence(2),
        eb.PersistentCD(1, 512, KERNEL), eb.PersistentCD(2, 300, eb.MALA(0.15)), eb.MaximumLikelihood(),
    ], ids=repr)
    def test_objectives_of_the_library(self, objective):
        report = check_objective(objective, WELL)
        assert report.passed, str(report)

    def test_maximum_likelihood_in_two_dimensions(self):
        report = check_objective(eb.MaximumLikelihood(), eb.Ring(1.6, 0.4))
        assert report.passed, str(report)
        assert "without chance" in report.ran[0].words

    def test_an_objective_of_a_user(self):
        report = check_objective(Plain(likelihood), NORMAL, delta=0.3)
        assert report.passed, str(report)

    def test_data_of_the_user(self):
        report = check_objective(eb.ContrastiveDivergence(1, KERNEL), WELL, [[-1.7], [0.2], [2.5]] * 40)
        assert report.passed, str(report)

    def test_the_same_seed_gives_the_same_report(self):
        first = check_objective(eb.ContrastiveDivergence(1, KERNEL), WELL, delta=0.2)
        assert check_objective(eb.ContrastiveDivergence(1, KERNEL), WELL, delta=0.2, rng=first.seed) == first


def cd(change):
    """Contrastive divergence whose estimator is changed by `change(contrast)`."""

    class Changed(eb.ContrastiveDivergence):
        def begin(self, energy, data, seed, n_threads):
            return change(super().begin(energy, data, seed, n_threads))

    return Changed(2, KERNEL)


def pcd(change):
    class Changed(eb.PersistentCD):
        def begin(self, energy, data, seed, n_threads):
            return change(super().begin(energy, data, seed, n_threads))

    return Changed(2, 512, KERNEL)


def swapped(contrast):
    plain = contrast.gradient
    contrast.gradient = lambda energy, batch: -plain(energy, batch)
    return contrast


def with_k(k):
    def change(contrast):
        contrast.k = k
        return contrast

    return change


def restarted(contrast):
    """Particles that begin at the data in every step."""
    contrast.restarts = True
    return contrast


def batch_for_particles(contrast):
    contrast.gradient = lambda energy, batch: energy.mean_grad_theta(batch) - energy.mean_grad_theta(batch + 1e-9)
    return contrast


def one_sided(contrast):
    """The model's side alone."""
    plain = contrast.gradient
    contrast.gradient = lambda energy, batch: plain(energy, batch) - energy.mean_grad_theta(batch)
    return contrast


def short(contrast):
    plain = contrast.gradient
    contrast.gradient = lambda energy, batch: plain(energy, batch)[:1]
    return contrast


def broken(contrast):
    plain = contrast.gradient
    contrast.gradient = lambda energy, batch: plain(energy, batch) * np.nan
    return contrast


class TestWrong:
    @pytest.mark.parametrize(("objective", "words"), [
        (cd(swapped), "wrong sign"), (pcd(swapped), "wrong sign"), (cd(with_k(1)), "on average where"),
        (cd(with_k(3)), "on average where"), (pcd(with_k(1)), "on average where"), (pcd(restarted), "in step 2"),
        (cd(batch_for_particles), "same gradient for all seeds"), (cd(one_sided), "on average where"),
        (cd(short), "of shape (3,)"), (cd(broken), "keep it finite"),
    ])
    def test_slips_in_contrastive_divergence(self, objective, words):
        report = check_objective(objective, WELL)
        assert report.verdict == "failed"
        assert words in " ".join(report.faults), str(report)

    def test_a_biased_objective_of_a_user(self):
        report = check_objective(Plain(lambda *given: 1.3 * likelihood(*given)), NORMAL, delta=0.3)
        assert "% too large" in " ".join(report.faults), str(report)

    def test_a_wrong_gradient_without_chance(self):
        report = check_objective(Plain(lambda E, batch, _: E.mean_grad_theta(batch)), WELL)
        assert report.verdict == "failed"
        assert "on average where" in report.faults[0]


class TestUnjudged:
    @pytest.mark.parametrize(("objective", "E", "words"), [
        (eb.ContrastiveDivergence(1, KERNEL), eb.Ring(), "one dimension"),
        (eb.PersistentCD(1, 64), WELL, "goes on tuning"),
        (eb.ContrastiveDivergence(1, eb.RandomWalk(1e-4)), WELL, "too short"),
        (eb.MaximumLikelihood(), eb.MLP(5, hidden=(3,)), "no exact draws"),
    ])
    def test_says_why(self, objective, E, words):
        report = check_objective(objective, E)
        assert report.verdict == "not judged"
        assert words in report.unjudged

    def test_gradients_of_which_a_few_outweigh_all_others(self):
        def rare(E, batch, generator):
            return likelihood(E, batch, generator) + 1e3 * generator.standard_cauchy(E.n_params) ** 3

        report = check_objective(Plain(rare), NORMAL, delta=0.3)
        assert report.verdict == "not judged"
        assert "outweigh" in report.unjudged
        assert report.skipped == {"gradient": report.unjudged}

    def test_arguments(self):
        refused(lambda: check_objective(eb.MaximumLikelihood(), 3), "energy", kind=TypeError)
        refused(lambda: check_objective(3, WELL), "objective", kind=TypeError)
        refused(lambda: check_objective(eb.MaximumLikelihood(), eb.energy(1)(lambda x: x[0] ** 2)), "no parameters")
        refused(lambda: check_objective(eb.MaximumLikelihood(), WELL, delta=0.0), "delta")


def test_settings_are_those_of_training():
    """What check_objective takes for the settings is what the first step of a training uses."""
    contrast = eb.ContrastiveDivergence(1).begin(WELL, np.array([[-1.0], [1.0], [3.0]]), 3, 1)
    assert isinstance(contrast, Contrast)
    before = contrast.settings()
    contrast.gradient(WELL, np.array([[-1.0], [1.0], [3.0]]))
    assert before[0] > 0.0
    assert contrast.settings()[0] != before[0]
