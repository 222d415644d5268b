"""Parallel tempering: laws, its twin, mutants, the ladder, round trips, far modes, bad input."""

import math

import numpy as np
import pytest
from invariance import entropy
from messages import refused

import fastebm as eb
from fastebm.energies.algebra import Tempered
from fastebm.kernels import HMC, MALA, Cycle, Gibbs, ParallelTempering, RandomWalk
from fastebm.sampling.chains import Chains
from fastebm.testing import check_kernel, check_reproducible
from fastebm.testing.changes import changed

WELL = eb.energy(1)(lambda x: 1.5 * (x[0] ** 2 - 1.0) ** 2 + 0.2 * x[0])
PLANE = eb.Gaussian([0.5, -1.0], [[1.0, 0.6], [0.6, 2.0]])
SPINS = eb.energy(3, values=(-1, 1))(lambda x: 0.5 * x[0] * x[1] - 0.7 * x[1] * x[2] + 0.3 * x[2])
BETAS = [0.2, 0.5, 1.0]


def far_modes(apart):
    return eb.GaussianMixture([[0.0, 0.0], [apart, 0.0]], [np.eye(2)] * 2, [0.3, 0.7])


@pytest.mark.parametrize(("kernel", "E"), [
    (ParallelTempering(n_rungs=3), WELL),
    (ParallelTempering(MALA(0.3), betas=BETAS), PLANE),
    (ParallelTempering(HMC(0.6, 3), betas=[0.4, 1.0]), WELL),
    (ParallelTempering(Gibbs(), 3), SPINS),
    (ParallelTempering(Cycle([RandomWalk(0.5), MALA(0.2)]), betas=BETAS), PLANE),
], ids=repr)
def test_the_law_is_kept(kernel, E):
    report = check_kernel(kernel, E, rng=entropy())
    report.raise_if_failed()
    assert not report.skipped


@pytest.mark.parametrize(("old", "new"), [
    ("numbers[-1] = betas[k]\n            counts[:] = 0", "numbers[-1] = 1.0\n            counts[:] = 0"),
    ("                evaluate(energy, grad, numbers, x, e, g)  # e of the other rung", "                pass  #"),
    ("y, e_y, g_y, x, e, g, comes_from", "y, e_y, g_y, y, e_y, g_y, comes_from"),
    ("betas[k], betas[k + 1], streams, y, e_y, g_y, x, e, g", "betas[k + 1], betas[k], streams, y, e_y, g_y, x, e, g"),
])
def test_broken_ones_are_caught(old, new):
    kernel = changed(ParallelTempering(RandomWalk(1.0), betas=BETAS), old, new)
    assert check_kernel(kernel, WELL, rng=entropy()).verdict == "failed"


def test_rungs_have_their_own_laws():
    """From copies of one point, after many transitions, each rung of a Gaussian has variance 1 / beta."""
    E, kernel = eb.Gaussian([0.0]), ParallelTempering(RandomWalk(2.0), betas=BETAS).on(eb.Gaussian([0.0]))
    seed = entropy()
    chains = Chains(E, kernel, np.zeros((20_000, 1)), seed, 2)
    chains.advance(100, kernel.settings(2.0, np.ones(1)))
    first = kernel._n_counts
    for k, beta in enumerate(BETAS[:-1]):
        x = chains.memories[:, first + 2 * k]
        assert abs(beta * x.var() - 1.0) < 6.5 * math.sqrt(2.0 / len(x)), f"rung {k}, seed {seed}"


@pytest.mark.parametrize(("betas", "low", "high"), [([0.999, 1.0], 0.99, 1.0), ([1e-12, 1.0], 0.0, 0.02)])
def test_near_rungs_exchange_always_and_far_ones_never(betas, low, high):
    kernel = ParallelTempering(RandomWalk(2.0), betas=betas)
    run = eb.sample(eb.Gaussian([0.0]), kernel, n_draws=150, rng=entropy())
    assert low <= run.report["swap_rate"][0] <= high, f"seed {run.seed}"


def test_how_often_two_rungs_exchange():
    """In two dimensions energies are exponential numbers of rate beta: the mean of min(1, exp) is 2 beta / (1 + beta).

    Sixteen runs; Student's t of their mean is beyond 13.4 with a probability of 1e-9.
    """
    law, kernel = eb.Gaussian([0.0, 0.0]), ParallelTempering(RandomWalk(1.5), betas=[0.4, 1.0])
    seeds = [entropy() for _ in range(16)]
    runs = [eb.sample(law, kernel, n_chains=64, n_draws=200, n_warmup=50, rng=seed) for seed in seeds]
    rates = [run.report["swap_rate"] for run in runs]
    away = np.mean(rates) - 2.0 * 0.4 / 1.4
    assert abs(away) < 13.4 * np.std(rates, ddof=1) / 4.0, f"seeds {seeds}"


def test_far_modes_have_their_weights():
    """Ten standard deviations apart, where no chain alone would ever cross: within six of the chains' errors."""
    run = eb.sample(far_modes(10.0), ParallelTempering(), n_chains=64, n_draws=1000, rng=entropy())
    shares = (run.draws[:, :, 0] > 5.0).mean(axis=1)
    assert abs(shares.mean() - 0.7) < 6.0 * shares.std() / 8.0, f"seed {run.seed}"
    assert shares.std() < 0.2
    assert run.report["round_trips"].min() >= 1.0
    rates = run.report["swap_rate"]
    assert rates.max() - rates.min() < 0.15, "the ladder is not shared out evenly"
    assert (np.diff(run.betas) > 0.0).all()
    assert run.betas[[0, -1]].tolist() == [0.02, 1.0]


def test_energies_are_those_of_the_draws_to_the_bit():
    run = eb.sample(far_modes(3.0), ParallelTempering(MALA(), 4), n_chains=32, n_draws=50, rng=entropy())
    again = eb.sample(far_modes(3.0), MALA(1e-300), init=run.draws[:, -1], n_chains=32, n_draws=1, n_warmup=0, rng=0)
    assert np.array_equal(run.energy[:, -1], again.energy[:, -1])


def test_a_seed_decides_it():
    check_reproducible(ParallelTempering(n_rungs=3), eb.Gaussian([0.0, 1.0]), rng=1).raise_if_failed()


def test_a_run_goes_on_and_comes_back(tmp_path):
    E, kernel = eb.DoubleWell(2), ParallelTempering(MALA(), 3)
    whole = eb.sample(E, kernel, n_chains=20, n_draws=30, n_warmup=100, rng=3, checkpoint=tmp_path / "c.npz")
    again = eb.resume(tmp_path / "c.npz")
    whole.save(tmp_path / "run.npz")
    for run in (again, eb.load(tmp_path / "run.npz")):
        assert np.array_equal(run.draws, whole.draws)
        assert np.array_equal(run.betas, whole.betas)
        assert run.report.keys() == whole.report.keys()
        assert all(np.array_equal(run.report[name], whole.report[name]) for name in whole.report)


def test_another_energy_is_learnt_by_all_rungs():
    """Chains that are turned to another energy forget what rungs know of the old one."""
    first, second = eb.Gaussian([0.0]), eb.Gaussian([5.0])
    kernel = ParallelTempering(RandomWalk(1.0), betas=BETAS).on(first)
    chains = Chains(first, kernel, np.zeros((40, 1)), 1, 1)
    settings = kernel.settings(1.0, np.ones(1))
    chains.advance(3, settings)
    chains.retarget(second)
    chains.advance(1, settings)
    energies = chains.memories[:, kernel._n_counts + 1]
    places = chains.memories[:, [kernel._n_counts]]
    np.testing.assert_allclose(energies, Tempered(second, BETAS[0]).energy(places), rtol=1e-12)


def test_training_takes_it():
    data = np.random.default_rng(0).normal(size=(200, 2))
    fit = eb.fit(
        eb.Gaussian([0.0, 0.0]), data, eb.PersistentCD(1, 64, kernel=ParallelTempering(n_rungs=2)), n_steps=20, rng=0,
        progress=False,
    )
    assert np.isfinite(fit.energy.theta).all()


@pytest.mark.parametrize(("make", "words", "kind"), [
    (lambda: ParallelTempering(betas=[0.5, 0.2, 1.0]), ("[0.5, 0.2, 1.0]", "rise"), ValueError),
    (lambda: ParallelTempering(betas=[0.5, 0.5, 1.0]), ("rise",), ValueError),
    (lambda: ParallelTempering(betas=[1.0, 0.5]), ("rise",), ValueError),
    (lambda: ParallelTempering(betas=[0.1, 0.5]), ("rise to 1",), ValueError),
    (lambda: ParallelTempering(betas=[1.0]), ("at least two",), ValueError),
    (lambda: ParallelTempering(betas=[-1.0, 1.0]), ("above 0",), ValueError),
    (lambda: ParallelTempering(betas=[math.nan, 1.0]), ("betas",), ValueError),
    (lambda: ParallelTempering(n_rungs=1), ("n_rungs", "2"), ValueError),
    (lambda: ParallelTempering(hottest=1.0), ("hottest is 1.0", "below 1"), ValueError),
    (lambda: ParallelTempering(hottest=0.0), ("hottest",), ValueError),
    (lambda: ParallelTempering(ParallelTempering()), ("temperatures", "inside of it"), ValueError),
    (lambda: ParallelTempering(HMC(n_leapfrog=None)), ("path length", "n_leapfrog"), ValueError),
    (lambda: ParallelTempering(3), ("kernel", "eb.RandomWalk()"), TypeError),
])
def test_bad_input(make, words, kind):
    refused(make, *words, kind=kind)
