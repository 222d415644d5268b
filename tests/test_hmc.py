"""Hamiltonian Monte Carlo: closed forms of its trajectories, its jitter, its mutants, hostile energies.

Its algebra and its replay in plain Python are in test_testing_algebra and test_testing_replay.
"""

import math

import numpy as np
import pytest
from exact_laws import CASES
from invariance import entropy, is_caught, verdict
from messages import refused

import fastebm as eb
from fastebm.kernels.hmc import FRONT, HMC
from fastebm.sampling.chains import Chains
from fastebm.testing.changes import changed
from fastebm.testing.twins import HMCTwin

NORMAL = eb.Gaussian([0.0])
STEPS = {"gaussian": [0.5, 0.25, 0.35], "mixture": [0.3]}


def advanced(E, kernel, start, n_transitions, seed=3):
    chains = Chains(E, kernel, start, seed, 1)
    chains.advance(n_transitions, kernel.settings(kernel.step_size, np.ones(E.dim)))
    return chains


def test_numbers_of_steps_are_even_over_their_range():
    """Van der Corput's sequence: 1023 transitions use each of 1023 equal parts of the range once."""
    twin = HMCTwin(HMC(0.1, 10, jitter=0.5).settings(0.1, np.ones(1)), 1)
    lengths = [twin.n_steps(turn) for turn in range(1023)]
    assert min(lengths) == 5
    assert max(lengths) == 15
    assert np.mean(lengths) == pytest.approx(10.0, abs=0.01)
    assert {HMCTwin(HMC(0.1, 10, jitter=0.0).settings(0.1, np.ones(1)), 1).n_steps(turn) for turn in range(99)} == {10}


def test_the_number_of_transitions_is_remembered():
    chains = advanced(NORMAL, HMC(0.2, 4), np.zeros((40, 1)), 9)
    assert (chains.memories[:, 0] == 9.0).all()


def test_without_jitter_half_a_turn_on_a_normal_law_mirrors():
    """x -> -x after a path of pi; with 1000 steps to a half turn every proposal is taken, off by less than 1e-3."""
    n = 1000
    start = np.linspace(-2.0, 2.0, 40)[:, None]
    chains = advanced(NORMAL, HMC(math.pi / n, n, jitter=0.0), start, 1)
    np.testing.assert_allclose(chains.positions, -start, atol=1e-3 * 8.0)
    assert (chains.counts()[0] == 1).all()


@pytest.mark.parametrize("kernel", [HMC(0.3, 5), HMC(0.3, 5, jitter=0.0), HMC(0.3, 1)])
def test_lengths_in_turn_are_reversible_alone_but_not_together(kernel):
    assert kernel.is_reversible == (kernel.jitter == 0.0 or kernel.n_leapfrog == 1)


MUTANTS = {
    "whole first kick": ("first_kick = 0.5", "first_kick = 1.0"),
    "whole last kick": ("(0.5 * steps[i]) * load(g_y, i, l)", "steps[i] * load(g_y, i, l)"),
    "kinetic energy forgotten": ("load_row(e, l) + 0.5 * squares", "load_row(e, l) + 0.4 * squares"),
    "stale gradient": ("move(accepted, l, g, g_y)", "pass"),
    "stale energy": ("l, e, e_y, y", "l, e, e, y"),
    "everything taken": ("(-load_row(exponentials, l) < log_ratio)", "(there < np.inf)"),
}


class TestLaw:
    @pytest.mark.parametrize("name", CASES)
    def test_exact_draws_stay_exact(self, name):
        E, draw, transform, _ = CASES[name]
        seed = entropy()
        worst, allowed = verdict(HMC(n_leapfrog=4), STEPS[name], E, draw, transform, seed)
        assert worst < allowed, f"seed {seed}"

    @pytest.mark.parametrize("n_leapfrog", [1, 2, 7])
    def test_far_from_the_origin_it_is_the_same_walk(self, n_leapfrog):
        """Velocities are differences of positions, which a million widths away keep ten digits of them."""
        far, starts = 2.0**20, np.random.default_rng(entropy()).standard_normal((64, 2))
        here = advanced(eb.Gaussian([0.0, 0.0]), HMC(0.7, n_leapfrog), starts, 10)
        there = advanced(eb.Gaussian([far, far]), HMC(0.7, n_leapfrog), starts + far, 10)
        np.testing.assert_allclose(there.positions - far, here.positions, rtol=0.0, atol=1e-7)

    @pytest.mark.parametrize("change", MUTANTS)
    def test_broken_kernels_are_caught(self, change):
        E, draw, transform, _ = CASES["mixture"]
        assert is_caught(changed(HMC(n_leapfrog=4), *MUTANTS[change]), [0.6], E, draw, transform)


class TestHostile:
    @pytest.mark.parametrize(("value", "is_fault"), [(math.inf, False), (-math.inf, True), (math.nan, True)])
    def test_energies(self, value, is_fault):
        E = eb.energy(1, grad=lambda x: [0.0])(lambda x: eb.where(x[0] == 0.0, 0.0, value))
        chains = advanced(E, HMC(0.5, 1), np.zeros((40, 1)), 4)
        assert (chains.positions == 0.0).all()
        assert (chains.counts()[0] == 0).all()
        assert (chains.counts()[1] == (4 if is_fault else 0)).all()

    def test_trajectories_that_leave_for_infinity_are_no_fault_of_the_energy(self):
        E = eb.energy(1)(lambda x: x[0] ** 4)
        chains = advanced(E, HMC(5.0, 20), np.full((40, 1), 3.0), 3)
        assert (chains.positions == 3.0).all()
        assert (chains.counts()[1] == 0).all()

    def test_walls_hold(self):
        walled = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0])
        run = eb.sample(walled, HMC(), n_draws=200, rng=0)
        assert ((run.draws >= 0.0) & (run.draws <= 2.0)).all()


def test_a_higher_acceptance_rate_is_met_by_shorter_steps():
    """On ten normal coordinates and one step, 0.6 and 0.95 are a factor of two apart."""
    law, steps, seed = eb.Gaussian(np.zeros(10)), [], entropy()
    for wanted in (0.6, 0.95):
        kernel = HMC(n_leapfrog=1, acceptance=wanted)
        assert kernel.target_acceptance(10) == wanted
        steps.append(eb.sample(law, kernel, n_chains=128, n_draws=10, rng=seed).step_size)
    assert steps[0] > 1.2 * steps[1], f"seed {seed}"


class TestSettings:
    def test_the_vector(self):
        found = HMC(n_leapfrog=6).settings(0.5, np.array([1.0, 2.0]))
        assert found.tolist() == [6.0, 0.5, 0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 1.0]
        root = np.array([[1.0, 0.0], [3.0, 4.0]])
        assert HMC().settings(0.5, root)[FRONT + 2 :].tolist() == [0.5, 2.5, 2.0, 0.4, 0.5, 0.0, 1.5, 2.0]
        assert HMC(n_leapfrog=None).settings(0.5, np.ones(1), 4.0)[:2].tolist() == [8.0, 1.0]

    @pytest.mark.parametrize(("arguments", "words"), [
        ({"n_leapfrog": 0}, "n_leapfrog is 0"), ({"jitter": 1.5}, "jitter is 1.5"), ({"jitter": "much"}, "jitter"),
        ({"metric": "round"}, "metric is 'round'"), ({"step_size": 0.1, "n_leapfrog": None}, "step_size is given"),
        ({"step_size": -1.0}, "step_size"), ({"acceptance": 1.0}, "acceptance is 1.0"),
        ({"acceptance": "all"}, "acceptance"),
    ])
    def test_what_is_refused(self, arguments, words):
        refused(lambda: HMC(**arguments), words)

    def test_discrete_energies_are_refused(self):
        spins = eb.energy(2, values=(-1, 1))(lambda x: x[0] * x[1])
        refused(lambda: eb.sample(spins, HMC()), "HMC steps off", "eb.Gibbs()")
