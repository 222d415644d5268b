"""Delayed rejection: its law, its transition by quadrature, its mutants, its streams, hostile energies, faults.

Its algebra is in test_testing_stages.
"""

import math

import mpmath
import numpy as np
import pytest
import scipy
from exact_laws import CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from invariance import ALPHA, bound, entropy, largest_z, verdict
from messages import refused

import fastebm as eb
from fastebm.kernels import DelayedRejection
from fastebm.sampling.chains import Chains
from fastebm.testing import check_kernel
from fastebm.testing.changes import changed
from fastebm.testing.probes import Probe
from fastebm.testing.replay import replay
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import DelayedRejectionTwin, Stream
from fastebm.tiles import LANES

WALLED = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0])
CORRELATED = eb.Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.8]])
SHARE = "+ np.log(rejection(rise_2) / rejection(rise_x))"
SECOND = "propose(x, short_steps, state, y_2, l)"
MUTANTS = {  # what is changed, and into what
    "no share of rejections": (SHARE, ""),
    "that share upside down": (SHARE, SHARE.replace("+", "-", 1)),
    "no density of the way back": ("+ hastings(", "+ 0.0 * hastings("),
    "that density upside down": ("+ hastings(", "- hastings("),
    "tested as from the first proposal": ("balance = here - there", "balance = np.minimum(first, 800.0) - there"),
    "stale energy": ("l, e, e_2, y_2", "l, e, e, y_2"),
    "one step at two lengths": (SECOND, (
        "state\n            for i in range(dim):"
        "\n                store(y_2, i, l, load(x, i, l) + 0.2 * (load(y_1, i, l) - load(x, i, l)))"
    )),
    "a way back from everywhere": ("is_way_back = rise_2 > 0.0", "is_way_back = rise_2 == rise_2"),
}
SEEN_BEST = {  # step, shrink and number of chains; of the others 1.5, 1.0 and 60,000
    "no share of rejections": (1.5, 1.0, 250_000),
    "stale energy": (5.0, 0.3, 60_000),
    "one step at two lengths": (3.0, 0.2, 20_000),
}


class TestLaw:
    @pytest.mark.parametrize(("kernel", "E"), [
        (DelayedRejection(3.0), CASES["mixture"][0]), (DelayedRejection(), CORRELATED), (DelayedRejection(1.5), WALLED),
    ], ids=["mixture", "correlated", "walled"])
    def test_the_check_passes(self, kernel, E):
        report = check_kernel(kernel, E)
        assert report.passed, str(report)
        for words in ("balance of", "second thresholds", "slow twin", "exact law"):
            assert words in str(report)

    @pytest.mark.parametrize("change", MUTANTS)
    def test_broken_kernels_are_caught(self, change):
        E, draw, transform, _ = CASES["mixture"]
        step, shrink, n = SEEN_BEST.get(change, (1.5, 1.0, 60_000))
        broken = changed(DelayedRejection(shrink=shrink), *MUTANTS[change])
        worst, allowed = verdict(broken, [step], E, draw, transform, entropy(), n=n)
        assert worst > allowed


class TestQuadrature:
    """The rule once more, as products of densities on a line, against the law and against the compiled kernel."""

    STEP, SHRINK = 1.7, 0.3
    LINE = np.linspace(-7.0, 7.0, 351)

    @staticmethod
    def energy(x):
        return 0.25 * x**4 - 0.8 * x**2 + 0.3 * x

    def ways(self):
        """P (n, n): from i to j by the first step; Q (n, n): by the second; both as masses of the points j."""
        x, h = self.LINE, self.LINE[1] - self.LINE[0]
        law = np.exp(-self.energy(x))
        q_1 = scipy.stats.norm.pdf(x[:, None] - x, scale=self.STEP) * h
        q_2 = scipy.stats.norm.pdf(x[:, None] - x, scale=self.SHRINK * self.STEP) * h
        a = np.minimum(1.0, law / law[:, None])
        P, Q = q_1 * a, np.zeros_like(a)
        for k in range(len(x)):
            there, back = law[:, None] * (q_1[:, k] * (1.0 - a[:, k]))[:, None], law * q_1[:, k] * (1.0 - a[:, k])
            with np.errstate(divide="ignore", invalid="ignore"):
                taken = np.where(there > 0.0, np.minimum(1.0, back / there), 0.0)
            Q += (q_1[:, k] * (1.0 - a[:, k]))[:, None] * q_2 * taken
        return law / law.sum(), P, Q

    def test_the_law_is_kept(self):
        law, P, Q = self.ways()
        K = P + Q
        np.fill_diagonal(K, 0.0)
        assert (K.sum(axis=1) < 1.0).all()
        np.fill_diagonal(K, 1.0 - K.sum(axis=1))
        np.testing.assert_allclose(law @ K, law, atol=1e-15)
        flux = law[:, None] * K
        np.testing.assert_allclose(flux, flux.T, atol=1e-16)

    def test_compiled_transitions_go_where_it_says(self):
        """From 3 points: how many stay, how many go in one step and in two, and into which of 14 cells, exactly."""
        E = eb.energy(1)(lambda x: 0.25 * x[0] ** 4 - 0.8 * x[0] ** 2 + 0.3 * x[0])
        _, P, Q = self.ways()
        seed, n, worst = entropy(), 100_000, 1.0
        edges = np.arange(-7.0, 7.5, 1.0) + 0.02  # between points of the line
        cells = np.digitize(self.LINE, edges)
        n_tests = 3 * (2 + 2 * (len(edges) + 1))
        for turn, i in enumerate((120, 175, 230)):
            x = self.LINE[i]
            kernel = DelayedRejection(self.STEP, self.SHRINK)
            chains = Chains(E, kernel, np.full((n, 1), x), seed + turn, 1)
            chains.advance(1, kernel.settings(self.STEP, np.ones(1)))
            is_first, has_moved = chains.memories[:, 0] == 1.0, chains.counts()[0] == 1
            assert (has_moved == (chains.positions[:, 0] != x)).all()
            for row, moved in ((P[i], is_first), (Q[i], has_moved & ~is_first)):
                shares = [row.sum(), *np.bincount(cells, row, len(edges) + 1)]
                found = np.bincount(np.digitize(chains.positions[moved, 0], edges), minlength=len(edges) + 1)
                for share, count in zip(shares, [moved.sum(), *found], strict=True):
                    worst = min(worst, scipy.stats.binomtest(int(count), n, share).pvalue)
        assert worst > ALPHA / n_tests, f"seed {seed}"

    def test_first_acceptances_in_closed_form(self):
        """On N(0, 1) a first step of standard deviation s is accepted with probability (2/pi) arctan(2/s)."""
        seed, n = entropy(), 50_000
        kernel = DelayedRejection(2.4)
        chains = Chains(eb.Gaussian([0.0]), kernel, np.random.default_rng(seed).standard_normal((n, 1)), seed, 1)
        chains.advance(20, kernel.settings(2.4, np.ones(1)))
        away = chains.memories / 20.0 - 2.0 / math.pi * math.atan(2.0 / 2.4)
        assert abs(largest_z(away)) < bound(1), f"seed {seed}"
        assert largest_z(away + 0.01) > bound(1)
        assert (chains.acceptance_rate() >= chains.memories[:, 0] / 20.0).all()


# ---- one transition with prescribed energies ----

energies = st.floats(-30, 30) | st.sampled_from([math.inf, -math.inf, math.nan, 1e300, -1e300, 0.0, 1e-13, 2e-13])


def exact_decision(e_x, e_1, e_2, log_u_1, log_u_2, log_density):
    """Which stage is accepted, 0 if none; None if that is too close to call. With 50 digits, from the ratio itself."""
    mp = mpmath.mp

    def rejected(e_from):
        return 1 if not math.isfinite(e_1) else 1 - min(mp.mpf(1), mp.exp(mp.mpf(e_from) - mp.mpf(e_1)))

    if math.isfinite(e_1):
        away = mp.mpf(e_x) - mp.mpf(e_1) - mp.mpf(log_u_1)
        if abs(away) < 1e-12 * (1.0 + abs(e_x)):
            return None
        if away > 0:
            return 1
    if not math.isfinite(e_2) or rejected(e_2) == 0:
        return 0
    log_ratio = mp.mpf(e_x) - mp.mpf(e_2) + log_density + mp.log(rejected(e_2)) - mp.log(rejected(e_x))
    if abs(log_ratio - log_u_2) < 1e-12 * (1.0 + abs(e_x)):
        return None
    return 2 if log_u_2 < log_ratio else 0


@given(st.floats(-30, 30), energies, energies, st.integers(0, 2**63), st.booleans())
@settings(max_examples=60)
def test_decisions_with_fifty_digits(e_x, e_1, e_2, seed, is_dense):
    kernel = DelayedRejection(0.7, 0.3)
    vector = kernel.settings(0.7, np.array([[1.0, 0.0], [-3.0, 0.2]]) if is_dense else np.array([1.0, 0.2]))
    twin = DelayedRejectionTwin(vector, 2)
    e_x, e_1, e_2 = (np.full(LANES, one) for one in (e_x, e_1, e_2))
    x = np.random.default_rng(seed).standard_normal((LANES, 2))
    probe = Probe(kernel, vector, x, e_x, x, x, seed)
    is_accepted = probe.accepts(np.array([e_1, e_2]))
    for c in range(LANES):
        numbers, log_u_2 = twin.numbers(Stream(seed, c), 2)
        y_1, y_2, log_u_1 = twin.proposals(x[c], np.array(numbers))
        log_density = twin.first.log_density(y_1, y_2, y_2) - twin.first.log_density(y_1, x[c], x[c])
        stage = exact_decision(e_x[c], e_1[c], e_2[c], float(log_u_1), log_u_2, float(log_density))
        if stage is not None:
            assert is_accepted[c] == (stage > 0)
            wanted = (x[c], y_1, y_2)[stage]
            np.testing.assert_allclose(probe.y[c], wanted, rtol=1e-13, atol=1e-13)
            assert probe.memory[0][c] == (e_x[c], e_1[c], e_2[c])[stage]


class TestStreams:
    def test_numbers_are_used_up_alike_whatever_happens(self):
        """Where all is accepted, where nothing is, and where some is: each stream is as far as that of its twin."""
        flat = eb.energy(3)(lambda x: 0.0 * x[0])
        nowhere = eb.energy(3)(lambda x: eb.where(x[0] == 0.0, 0.0, math.inf))
        kernel = DelayedRejection(1.3)
        ends = []
        for E in (flat, nowhere, eb.Gaussian([0.0] * 3)):
            chains = Chains(E, kernel, np.zeros((20, 3)), 5, 1)
            chains.advance(7, kernel.settings(1.3, np.ones(3)))
            ends.append(chains.streams.copy())
            if E is flat:  # the second energy was never asked for
                assert (chains.memories[:, 0] == 7.0).all()
                assert (chains.counts()[0] == 7).all()
            if E is nowhere:
                assert not chains.counts()[0].any()
        assert (ends[0] == ends[1]).all()
        assert (ends[0] == ends[2]).all()
        stream = Stream(5, 3)
        for _ in range(7 * (2 * 4 + 2)):
            stream.word()
        assert ends[0][0, :, 3].tolist() == stream.state

    @given(st.integers(0, 2**64 - 1), st.integers(1, 5), st.booleans(), st.integers(1, 40))
    @settings(max_examples=15)
    def test_twenty_transitions_lane_by_lane(self, seed, dim, is_dense, n):
        E = eb.GaussianMixture(np.array([[0.0], [1.5]]) * np.ones(dim), 0.6, [0.3, 0.7])
        kernel = DelayedRejection(2.0, 0.3)
        step = KernelStep(kernel, E, seed)
        if is_dense:
            step.settings = kernel.settings(2.0, np.tril(np.full((dim, dim), -0.4) + np.eye(dim)))
        assert not replay(step, seed, n).faults


class TestHostile:
    @pytest.mark.parametrize(("value", "is_fault"), [(math.inf, False), (-math.inf, True), (math.nan, True)])
    def test_energies_that_are_no_numbers(self, value, is_fault):
        E = eb.energy(2)(lambda x: eb.where(abs(x[0]) + abs(x[1]) == 0.0, 0.0, value))
        kernel = DelayedRejection(0.5)
        chains = Chains(E, kernel, np.zeros((40, 2)), 3, 1)
        chains.advance(4, kernel.settings(0.5, np.ones(2)))
        assert (chains.positions == 0.0).all()
        assert (chains.counts()[0] == 0).all()
        assert (chains.memories == 0.0).all()
        assert (chains.counts()[1] == (8 if is_fault else 0)).all()

    def test_faults_are_those_of_the_stage_that_proposes_them(self):
        """No number near 0, a deep plateau beyond: a second proposal counts only where the first was rejected."""
        E = eb.energy(1)(lambda x: eb.where(abs(x[0]) > 0.5, -50.0, eb.where(x[0] == 0.0, 0.0, math.nan)))
        kernel, n = DelayedRejection(0.7, 0.8), 200
        chains = Chains(E, kernel, np.zeros((n, 1)), 8, 1)
        chains.advance(1, kernel.settings(0.7, np.ones(1)))
        accepted, faults = chains.counts()
        n_seen = np.zeros(3, dtype=int)
        for c in range(n):
            stream = Stream(8, c)
            y_1, _, y_2 = 0.7 * stream.normals(1)[0], stream.exponential(), 0.56 * stream.normals(1)[0]
            proposed = [y_1] if abs(y_1) > 0.5 else [y_1, y_2]
            wrong = [y for y in proposed if abs(y) <= 0.5]
            assert faults[c] == len(wrong)
            assert accepted[c] == (len(wrong) < len(proposed))
            assert chains.memories[c, 0] == (len(proposed) == 1)
            if wrong:
                assert chains.fault_x[c // chains.width, 0, c % chains.width] == pytest.approx(wrong[-1], rel=1e-14)
            n_seen[len(wrong)] += 1
        assert (n_seen > 10).all()

    def test_ties_leave_no_way_back(self):
        """From a floor to a plateau that both steps end on: y2 would never reject y1, so that y2 is rejected."""
        E = eb.energy(1)(lambda x: eb.where(x[0] == 0.0, 0.0, 1.5))
        kernel = DelayedRejection(1.0)
        chains = Chains(E, kernel, np.zeros((500, 1)), 2, 1)
        chains.advance(1, kernel.settings(1.0, np.ones(1)))
        assert (chains.counts()[0] == chains.memories[:, 0]).all()
        assert 0 < chains.counts()[0].sum() < 500

    def test_walls_hold(self):
        run = eb.sample(WALLED, DelayedRejection(), n_chains=64, n_draws=200, rng=0)
        assert ((run.draws >= 0.0) & (run.draws <= 2.0)).all()


class TestSettings:
    def test_the_vector(self):
        assert DelayedRejection().settings(0.5, np.array([1.0, 3.0])).tolist() == [0.5, 1.5, 0.1, pytest.approx(0.3)]
        root = np.array([[1.0, 0.0], [3.0, 4.0]])
        assert DelayedRejection(shrink=0.5).settings(2.0, root).tolist() == [2.0, 0.0, 6.0, 8.0, 1.0, 0.0, 3.0, 4.0]

    def test_words(self):
        assert repr(DelayedRejection()) == "DelayedRejection(step_size=None)"
        assert repr(DelayedRejection(1.0, 0.3, metric="dense")) == (
            "DelayedRejection(step_size=1.0, shrink=0.3, metric='dense')"
        )

    @pytest.mark.parametrize(("arguments", "words"), [
        ({"shrink": 0.0}, "shrink is 0.0"), ({"shrink": 1.5}, "shrink is 1.5"), ({"shrink": math.nan}, "shrink"),
        ({"shrink": "little"}, "shrink"), ({"metric": "round"}, "metric is 'round'"),
        ({"step_size": -1.0}, "step_size"),
    ])
    def test_what_is_refused(self, arguments, words):
        refused(lambda: DelayedRejection(**arguments), words)

    def test_tuning_goes_by_first_acceptances(self):
        assert DelayedRejection().rates(0.9, np.array([0.3])) == 0.3
        run = eb.sample(CORRELATED, DelayedRejection(), n_chains=32, n_draws=50, rng=1)
        assert run.acceptance_rate.mean() > 0.55  # 0.34 of the first proposals, and most of the second
