"""The Metropolis-adjusted Langevin algorithm: its algebra, its replay in plain Python, its law, and broken ones."""

import math

import numpy as np
import pytest
from energy_laws import same
from exact_laws import CASES, GAUSSIAN, MIXTURE, gaussian_draws, mixture_draws, mixture_shares, mutant
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from invariance import bound, entropy, largest_z, moments, verdict
from messages import refused
from twins import Stream, langevin

import fastebm as eb
from fastebm.kernels.mala import MALA
from fastebm.sampling.chains import Chains

seeds = st.integers(0, 2**64 - 1)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)
WALLED = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0])
TARGETS = {
    "gaussian": eb.Gaussian([1.0, -2.0, 0.5], [[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.5]]),
    "mixture": eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.6, [0.3, 0.7]),
    "walled": WALLED,
}
STEPS = {"gaussian": [1.1, 0.4, 0.7], "mixture": [0.5]}


def advanced(E, starts, seed, eps, *lengths, n_threads=1):
    """Positions, energies and counts after so many transitions."""
    chains = Chains(E, MALA(), starts, seed, n_threads)
    for length in lengths:
        chains.advance(length, MALA().settings(eps, np.ones(E.dim)))
    return chains.positions, chains.energies, *chains.counts()


class TestAlgebra:
    @given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.05, 3.0), st.floats(-50, 50), st.floats(-50, 50))
    def test_detailed_balance_of_the_plain_rule(self, x, y, eps, g_x, g_y):
        """pi(x) q(y|x) a(x, y) = pi(y) q(x|y) a(y, x), with any numbers in the place of the slopes."""
        e_x, e_y = 0.7 * x**2, abs(y) ** 1.5

        def log_q(to, start, slope):
            return -((to - start + eps * slope) ** 2) / (4.0 * eps)

        log_ratio = e_x - e_y + log_q(x, y, g_y) - log_q(y, x, g_x)
        there = -e_x + log_q(y, x, g_x) + min(0.0, log_ratio)
        back = -e_y + log_q(x, y, g_y) + min(0.0, -log_ratio)
        assert there == pytest.approx(back, rel=1e-12, abs=1e-12 * (abs(log_ratio) + 1.0))

    @given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.05, 3.0), st.floats(-5, 5), st.floats(-5, 5))
    def test_the_ratio_of_proposals_as_it_is_compiled(self, x, y, eps, g_x, g_y):
        """log q(x|y) - log q(y|x) = (g_x + g_y) (y - x + eps (g_x - g_y) / 2) / 2."""
        plain = ((y - x + eps * g_x) ** 2 - (x - y + eps * g_y) ** 2) / (4.0 * eps)
        size = ((y - x) ** 2 + (eps * g_x) ** 2 + (eps * g_y) ** 2) / eps
        compiled = 0.5 * (g_x + g_y) * (y - x + 0.5 * eps * (g_x - g_y))
        assert compiled == pytest.approx(plain, rel=1e-12, abs=1e-14 * size + 1e-300)


class TestReplay:
    @given(seeds, st.sampled_from(list(TARGETS)), st.floats(0.05, 2.0), st.integers(1, 90))
    @settings(max_examples=40)
    def test_twenty_transitions_lane_by_lane(self, seed, name, size, n):
        E = TARGETS[name]
        generator = np.random.default_rng(seed)
        starts = generator.uniform(0.1, 1.0, (n, E.dim))
        eps = size * generator.uniform(0.5, 1.5, E.dim)
        chains = Chains(E, MALA(), starts, seed, 1)
        draws, values = np.empty((n, 20, E.dim)), np.empty((n, 20))
        chains.advance(20, MALA().settings(eps, np.ones(E.dim)), thin=1, draws=draws, energies=values)
        for c in {0, n // 3, n - 1}:
            positions, accepts, closest = langevin(
                E.energy, E.grad, starts[c], eps, Stream(seed, c), 20, is_adjusted=True
            )
            assume(closest > 1e-11)
            assert chains.counts()[0][c] == accepts.sum()
            np.testing.assert_allclose(draws[c], positions, rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(values[c], [E.energy(x) for x in positions], rtol=1e-11, atol=1e-11)

    def test_the_streams_end_where_the_twins_do(self):
        E, n = TARGETS["gaussian"], 5
        chains = Chains(E, MALA(), np.zeros((n, 3)), 9, 1)
        chains.advance(7, MALA().settings(1.0, np.ones(3)))
        for c in range(n):
            twin = Stream(9, c)
            langevin(E.energy, E.grad, np.zeros(3), np.ones(3), twin, 7, is_adjusted=True)
            assert chains.streams.transpose(1, 0, 2).reshape(4, -1)[:, c].tolist() == twin.state

    @given(seeds, st.sampled_from(list(TARGETS)), st.integers(1, 200), LENGTHS)
    @settings(max_examples=20)
    def test_the_same_bits_for_any_cut_and_any_threads(self, seed, name, n, lengths):
        """What a chain remembers of the gradient goes over from one call to the next."""
        E = TARGETS[name]
        starts = np.random.default_rng(seed).uniform(0.1, 1.0, (n, E.dim))
        wanted = advanced(E, starts, seed, 0.4, sum(lengths))
        for n_threads in (1, 2, 3, 7):
            got = advanced(E, starts, seed, 0.4, *lengths, n_threads=n_threads)
            assert all(same(a, b) for a, b in zip(wanted, got, strict=True))

    def test_another_energy_takes_over_with_its_own_gradient(self):
        """As particles do while a model is trained."""
        E, other = TARGETS["gaussian"], TARGETS["gaussian"].with_theta(mean=[0.0, 0.0, 3.0])
        chains = Chains(E, MALA(), np.zeros((9, 3)), 4, 1)
        chains.advance(3, MALA().settings(0.3, np.ones(3)))
        fresh = Chains(other, MALA(), chains.positions, 4, 1)
        fresh.streams[:] = chains.streams
        chains.retarget(other)
        for one in (chains, fresh):
            one.advance(3, MALA().settings(0.3, np.ones(3)))
        assert same(chains.positions, fresh.positions)


@eb.energy(dim=2, theta={"there": 0.0, "slope": 0.0})
def STEP(x, theta):
    """0 at the start and `there` elsewhere, with slopes of `slope` there."""
    return eb.where(abs(x[0]) + abs(x[1]) == 0.0, 0.0, theta.there + theta.slope * x[0])


class TestHostile:
    @pytest.mark.parametrize(("value", "is_fault"), [(math.inf, False), (-math.inf, True), (math.nan, True)])
    def test_energies(self, value, is_fault):
        E = eb.energy(2)(lambda x: eb.where(abs(x[0]) + abs(x[1]) == 0.0, 0.0, value))
        positions, energies, accepted, faults = advanced(E, np.zeros((40, 2)), 3, 0.5, 4)
        assert (positions == 0.0).all()
        assert (energies == 0.0).all()
        assert (accepted == 0).all()
        assert (faults == (4 if is_fault else 0)).all()

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_gradients(self, value):
        """A proposal with a finite energy and a slope that is no number is rejected and counted."""
        E = eb.energy(1, grad=lambda x: [0.0 if x[0] == 0.0 else value])(lambda x: 0.0)
        positions, _, accepted, faults = advanced(E, np.zeros((40, 1)), 3, 0.5, 4)
        assert (positions == 0.0).all()
        assert (accepted == 0).all()
        assert (faults == (4 if math.isnan(value) else 0)).all()

    def test_a_start_without_slope_is_refused(self):
        E = eb.energy(1)(lambda x: math.sqrt(x[0]))
        assert E.energy([0.0]) == 0.0
        refused(lambda: eb.sample(E, MALA(), init=[0.0], progress=False), "gradient", "inf", "init=")

    def test_walls_hold(self):
        run = eb.sample(WALLED, MALA(), n_chains=64, n_draws=500, rng=0, progress=False)
        assert (run.draws >= 0.0).all()
        assert (run.draws <= 2.0).all()


MUTANTS = {
    "no Hastings term": ("+ 0.5 * twice", "+ 0.0 * twice"),
    "stale gradient": ("move(accepted, l, g, g_y)", "pass"),
    "stale energy": ("l, e, e_y, y", "l, e, e, y"),
    "half the Hastings term": ("+ 0.5 * twice", "+ 0.25 * twice"),
    "hot": ("< log_ratio)", "< 0.95 * log_ratio)"),
    "everything taken": ("(-load_row(exponentials, l) < log_ratio)", "(there < np.inf)"),
}


class TestLaw:
    @pytest.mark.parametrize("name", CASES)
    def test_exact_draws_stay_exact(self, name):
        E, draw, transform, _ = CASES[name]
        seed = entropy()
        worst, allowed = verdict(MALA(), STEPS[name], E, draw, transform, seed)
        assert worst < allowed, f"seed {seed}"

    @pytest.mark.parametrize("change", MUTANTS)
    def test_broken_kernels_are_caught(self, change):
        """With a step that is long enough for a third of the proposals to be rejected."""
        E, draw, transform, _ = CASES["mixture"]
        broken = mutant(MALA, *MUTANTS[change])
        worst, allowed = verdict(broken, [1.2], E, draw, transform, entropy(), n=400_000)
        assert worst > allowed

    def test_a_wrong_gradient_keeps_the_law(self):
        """Hastings's rule corrects any drift; only the speed suffers."""
        wrong = eb.energy(3)(lambda x: 0.0) + GAUSSIAN
        seed = entropy()
        chains = Chains(wrong, MALA(), gaussian_draws(np.random.default_rng(seed), 20_000), seed, 2)
        chains.advance(4, MALA().settings(0.5, np.ones(3)))
        assert 0.0 < chains.acceptance_rate().mean() < 1.0

    def test_all_of_the_law_is_reached_from_one_point(self):
        """Irreducibility: 40,000 chains from one far point, after 500 transitions."""
        seed, n = entropy(), 40_000
        chains = Chains(MIXTURE, MALA(), np.full((n, 1), 6.0), seed, 2)
        chains.advance(2, MALA().settings(0.5, np.ones(1)))
        assert largest_z(moments(mixture_shares(chains.positions))) > bound(16), "two transitions are too few"
        chains.advance(498, MALA().settings(0.5, np.ones(1)))
        assert largest_z(moments(mixture_shares(chains.positions))) < bound(16), f"seed {seed}"

    def test_neighbouring_chains_are_independent(self):
        seed, n = entropy(), 100_000
        chains = Chains(MIXTURE, MALA(), mixture_draws(np.random.default_rng(seed), n), seed, 2)
        chains.advance(8, MALA().settings(0.5, np.ones(1)))
        terms = moments(mixture_shares(chains.positions))
        products = np.hstack([terms[:-64] * terms[64:], terms[:-64] * terms[1:-63]])
        assert largest_z(products) < bound(products.shape[1]), f"seed {seed}"


class TestSettings:
    def test_step_sizes(self):
        assert MALA().step_size is None
        assert MALA([0.5, 2]).step_size.tolist() == [0.5, 2.0]
        assert MALA().settings(0.5, np.array([1.0, 2.0])).tolist() == [0.5, 2.0, 1.0, 2.0]
        assert repr(MALA(0.5)) == "MALA(step_size=0.5)"
        assert MALA().target_acceptance(7) == 0.574

    @pytest.mark.parametrize("bad", [0.0, -1, math.nan, "big", [1.0, 0.0], [[1.0]]])
    def test_what_is_refused(self, bad):
        refused(lambda: MALA(bad), "step_size")

    def test_the_warm_up_finds_step_and_scales(self):
        """Coordinates of very different width are made alike, and acceptance is as aimed at: far within ten errors."""
        E = eb.Gaussian(np.zeros(4), [1e-2, 1.0, 25.0, 100.0])
        run = eb.sample(E, MALA(), n_chains=128, n_draws=200, rng=entropy(), progress=False)
        assert abs(run.acceptance_rate.mean() - 0.574) < 0.1, f"seed {run.seed}"
        ratios = run.scale / run.scale[1] / [0.1, 1.0, 5.0, 10.0]
        assert (abs(np.log(ratios)) < np.log(1.5)).all(), f"seed {run.seed}"
