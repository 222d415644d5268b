"""The statistics of tier 2: p-values that are uniform where nothing is wrong, and small where something is."""

import numpy as np
import pytest
import scipy

import fastebm as eb
from fastebm.testing.contrasts import Contrasts
from fastebm.testing.invariance import evidence, n_statistics, sign_p, student_p
from fastebm.testing.laws import law_of
from fastebm.testing.reports import NotRun

NORMAL = eb.Gaussian([0.5], [[1.7]])


def entropy():
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def refresh(states, k, seed):
    """Independent draws: the best of all kernels."""
    return 0.5 + np.sqrt(1.7) * np.random.default_rng(seed).standard_normal(states.shape)


def gathered(step, n=20_000, seed=None, is_reversible=True, group_size=1):
    law = law_of(NORMAL)
    seed = entropy() if seed is None else seed
    contrasts = Contrasts(law.columns, is_reversible)
    return contrasts, evidence(step, law, contrasts, law.draws(n, seed), [seed, seed + 1, seed + 2], group_size)


def powers_of(values):
    return np.stack([(values**k).sum(axis=0) for k in (1, 2, 3, 4)])


class TestPValues:
    def test_means_of_skewed_numbers_have_uniform_p_values(self):
        """100,000 means of 200 fourth powers of uniform numbers, by a KS test at 1e-6; Student's t alone fails it."""
        seed, n = entropy(), 200
        generator = np.random.default_rng(seed)
        powers = np.concatenate([powers_of(generator.random((n, 10_000)) ** 4 - 0.2) for _ in range(10)], axis=1)
        z, p = student_p(n, powers)
        assert scipy.stats.kstest(p, "uniform").pvalue > 1e-6, f"seed {seed}"
        assert scipy.stats.kstest(z, scipy.stats.t(n - 1).cdf).pvalue > 1e-6, f"seed {seed}"
        mean = powers[0] / n
        plain = mean / np.sqrt((powers[1] / n - mean**2) / (n - 1))
        assert scipy.stats.kstest(plain, scipy.stats.t(n - 1).cdf).pvalue < 1e-6, "this test would not see skewness"

    def test_symmetric_numbers_are_left_to_student(self):
        values = np.concatenate([np.arange(1.0, 60.0), -np.arange(1.0, 60.0)])[:, None] + 0.5
        z, p = student_p(len(values), powers_of(values))
        found = scipy.stats.ttest_1samp(values[:, 0], 0.0)
        assert z[0] == pytest.approx(found.statistic, rel=1e-9)
        assert p[0] == pytest.approx(found.pvalue, rel=1e-9)

    def test_too_few_numbers_say_nothing(self):
        values = np.zeros((1000, 1))
        values[:5] = 1.0
        assert np.isnan(student_p(1000, powers_of(values))[1][0])

    def test_what_is_no_number_fails(self):
        values = np.random.default_rng(0).standard_normal((1000, 2))
        values[0, 1] = np.nan
        z, p = student_p(1000, powers_of(values))
        assert p[0] > 0.0
        assert p[1] == 0.0
        assert np.isinf(z[1])

    def test_a_constant_that_is_not_zero_fails(self):
        assert student_p(1000, powers_of(np.full((1000, 1), 0.25)))[1][0] == 0.0

    @pytest.mark.parametrize(("more", "n"), [(0, 0), (0, 1), (5, 9), (40, 100), (60, 100), (500, 1000)])
    def test_signs_are_judged_by_the_binomial_law(self, more, n):
        z, p = sign_p(np.array([2.0 * more - n]), np.array([float(n)]))
        wanted = 1.0 if n == 0 else scipy.stats.binomtest(more, n).pvalue
        assert p[0] == pytest.approx(wanted, rel=1e-9)
        assert np.sign(z[0]) == np.sign(2 * more - n)


class TestEvidence:
    def test_names_and_numbers(self):
        contrasts, found = gathered(refresh)
        names = [one.name for one in found.statistics]
        assert len(names) == len(set(names)) == n_statistics(contrasts, 1)
        assert all(one.words for one in found.statistics)
        assert abs(found.slopes).max() < 0.2

    def test_a_kernel_that_is_right_has_no_small_p_value(self):
        seed = entropy()
        _, found = gathered(refresh, seed=seed)
        assert min(one.p_value for one in found.statistics) > 1e-9 / len(found.statistics), f"seed {seed}"

    @pytest.mark.parametrize(("change", "seen", "words"), [
        (lambda X: X + 0.1, "P_1 of x[0], k=1", "x[0] is too high by"),
        (lambda X: X - 0.1, "P_1 of x[0], k=1", "x[0] is too low by"),
        (lambda X: 0.5 + 1.1 * (X - 0.5), "P_2 of x[0], k=32", "x[0] is spread too widely"),
        (lambda X: 0.5 + 0.9 * (X - 0.5), "P_1 of the energy, k=4", "the energy is too low by"),
        (lambda X: X + 0.1, "flux into x[0] above its 0.5 quantile, k=1", "more enter than leave"),
        (lambda X: np.where(abs(X - 1.5) < 0.05, X + 0.1, X), "cells, k=1", "cells do not hold as many chains"),
    ])
    def test_wrong_laws_are_seen_and_said(self, change, seen, words):
        _, found = gathered(lambda states, k, seed: change(refresh(states, k, seed)), n=200_000)
        one = next(one for one in found.statistics if one.name == seen)
        assert one.p_value < 1e-12
        assert words in one.words

    def test_a_flow_that_keeps_the_law_breaks_detailed_balance_only(self):
        """u -> u + 1/4 modulo 1 keeps every law."""
        law = scipy.stats.norm(0.5, np.sqrt(1.7))

        def turn(states, k, seed):
            return law.ppf((law.cdf(states) + 0.25 * k * (k != 4) + 0.3 * (k == 4)) % 1.0)

        _, found = gathered(turn)
        worst = min(found.statistics, key=lambda one: one.p_value)
        assert worst.p_value < 1e-12
        assert worst.name.startswith("exchange")
        _, found = gathered(turn, is_reversible=False)
        assert min(one.p_value for one in found.statistics) > 1e-11

    def test_groups_that_move_together_have_fewer_degrees_of_freedom(self):
        """One common shift for each hundred chains: right, though the chains of a group are far from independent."""

        def together(states, k, seed, group=100):
            generator = np.random.default_rng(seed)
            shared = np.repeat(generator.standard_normal((len(states) // group, 1)), group, axis=0)
            return 0.5 + np.sqrt(1.7) * (np.sqrt(0.5) * shared + np.sqrt(0.5) * generator.standard_normal(states.shape))

        seed = entropy()
        _, found = gathered(together, n=100_000, seed=seed, group_size=100)
        assert min(one.p_value for one in found.statistics) > 1e-9 / len(found.statistics), f"seed {seed}"
        _, found = gathered(lambda *step: together(*step, group=100_000), n=100_000, seed=seed)
        assert min(one.p_value for one in found.statistics) < 1e-12

    def test_nothing_moves(self):
        with pytest.raises(NotRun, match="only 0 of 20,000 chains move"):
            gathered(lambda states, k, seed: states)
