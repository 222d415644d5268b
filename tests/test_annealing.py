"""Simulated annealing: bit for bit the kernel at each temperature, minima, what it remembers, bad input."""

import math

import numpy as np
import pytest
from invariance import entropy
from messages import refused

import fastebm as eb
from fastebm.energies.algebra import Tempered
from fastebm.kernels import MALA, Annealing, Barker, Gibbs, ParallelTempering, RandomWalk, annealing
from fastebm.sampling.chains import Chains

TILTED = eb.energy(1)(lambda x: (x[0] ** 2 - 1.0) ** 2 + 0.3 * x[0])
SPINS = eb.energy(6, values=(-1, 1))(
    lambda x: x[0] * x[1] - x[1] * x[2] + x[2] * x[3] * x[4] - x[5] * x[0] + 0.1 * x[3]
)


@pytest.mark.parametrize("part", [RandomWalk(0.7), MALA(0.1)], ids=repr)
def test_each_stage_is_the_kernel_on_beta_times_e(part):
    """Three transitions a stage, for the first five stages, by chains that are handed from law to law."""
    E = eb.Gaussian([0.5, -1.0], [[1.0, 0.6], [0.6, 2.0]])
    n_total = 3 * annealing._N_STAGES
    kernel = Annealing(part, n_transitions=n_total).on(E)
    settings = kernel.settings(part.step_size, np.ones(2))
    X = np.random.default_rng(0).standard_normal((40, 2))
    whole = Chains(E, kernel, X, 7, 1)
    whole.settle()
    whole.advance(15, settings)
    state, betas = Chains(E, part, X, 7, 1).state(), settings[5 : 5 + annealing._N_STAGES]
    for beta in betas[:5]:
        law = Tempered(E, float(beta))
        chains = Chains(law, part, state["x"], 7, 1)
        chains.restore(state | {name: chains.state()[name] for name in ("e", "g")})
        chains.advance(3, part.settings(part.step_size, np.ones(2) / math.sqrt(beta)))
        state = chains.state()
    assert np.array_equal(whole.positions, state["x"])
    assert np.array_equal(whole.energies, Chains(E, part, state["x"], 0, 1).energies)


def test_cuts_change_nothing():
    kernel = Annealing(RandomWalk(0.5), n_transitions=200).on(TILTED)
    settings, ends = kernel.settings(0.5, np.ones(1)), []
    for lengths in ([60], [13, 47], [1] * 60):
        chains = Chains(TILTED, kernel, np.zeros((40, 1)), 3, 1)
        chains.settle()
        for n in lengths:
            chains.advance(n, settings)
        ends.append((chains.positions, chains.memories))
    for positions, memories in ends[1:]:
        assert np.array_equal(positions, ends[0][0])
        assert np.array_equal(memories, ends[0][1])


@pytest.mark.parametrize(("E", "kernel", "lowest"), [
    (TILTED, Annealing(), -0.3054), (TILTED, Annealing(Barker()), -0.3054), (SPINS, Annealing(Gibbs()), -4.1),
], ids=["walk", "slopes", "spins"])
def test_minima_are_found(E, kernel, lowest):
    """By all chains but few; a walk at one temperature leaves most of them elsewhere."""
    run = eb.sample(E, kernel, n_chains=64, n_draws=1000, rng=entropy())
    found = run.report["lowest_energy"]
    assert np.mean(found < lowest + 1e-3) > 0.8, f"seed {run.seed}"
    assert np.array_equal(E.energy(run.report["lowest_x"]), found)
    assert (found <= run.energy.min(axis=1) + 1e-9).all()
    assert run.energy[:, -1].mean() < run.energy[:, :50].mean(), f"seed {run.seed}"


def test_in_warm_up_nothing_cools():
    """Warm-up is the part on hottest * E: its step is tuned there, and what it came through is forgotten."""
    kernel = Annealing(RandomWalk(1.0), hottest=0.5, n_transitions=100).on(TILTED)
    settings = kernel.settings(1.0, np.ones(1))
    waiting, hot = Chains(TILTED, kernel, np.zeros((40, 1)), 3, 1), Tempered(TILTED, 0.5)
    waiting.advance(50, settings)
    same = Chains(hot, RandomWalk(1.0), np.zeros((40, 1)), 3, 1)
    same.advance(50, RandomWalk(1.0).settings(1.0, np.ones(1) / math.sqrt(0.5)))
    assert np.array_equal(waiting.positions, same.positions)


@pytest.mark.parametrize(("make", "words", "kind"), [
    (lambda: Annealing(hottest=2.0, coldest=1.0), ("hottest is 2.0", "rise"), ValueError),
    (lambda: Annealing(hottest=math.nan), ("hottest",), ValueError),
    (lambda: Annealing(coldest=-1.0), ("coldest",), ValueError),
    (lambda: Annealing(n_transitions=0), ("n_transitions",), ValueError),
    (lambda: Annealing(ParallelTempering()), ("temperatures",), ValueError),
    (lambda: Annealing("cold"), ("kernel",), TypeError),
])
def test_bad_input(make, words, kind):
    refused(make, *words, kind=kind)
