"""The Metropolis-adjusted Langevin algorithm: hostile energies, its law, and broken ones.

Its algebra and its replay in plain Python are in test_testing_algebra and test_testing_replay.
"""

import math

import numpy as np
import pytest
from energy_laws import same
from exact_laws import CASES, GAUSSIAN, MIXTURE, gaussian_draws, mixture_draws, mixture_shares
from invariance import bound, entropy, is_caught, largest_z, moments, verdict
from messages import refused

import fastebm as eb
from fastebm.kernels.mala import MALA
from fastebm.sampling.chains import Chains
from fastebm.testing.changes import changed

WALLED = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0])
CORRELATED = eb.Gaussian([1.0, -2.0, 0.5], [[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.5]])
STEPS = {"gaussian": [1.1, 0.4, 0.7], "mixture": [0.5]}


def advanced(E, starts, seed, eps, *lengths, n_threads=1):
    """Positions, energies and counts after so many transitions."""
    chains = Chains(E, MALA(), starts, seed, n_threads)
    for length in lengths:
        chains.advance(length, MALA().settings(eps, np.ones(E.dim)))
    return chains.positions, chains.energies, *chains.counts()


class TestMemory:
    def test_another_energy_takes_over_with_its_own_gradient(self):
        """As particles do while a model is trained."""
        E, other = CORRELATED, CORRELATED.with_theta(mean=[0.0, 0.0, 3.0])
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
    "hot": ("< log_ratio)", "< 0.85 * log_ratio)"),
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
        assert is_caught(changed(MALA(), *MUTANTS[change]), [1.2], E, draw, transform)

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
