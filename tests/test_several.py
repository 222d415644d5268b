"""Cycle and MixtureOfKernels: bit for bit what their parts do, the law, mutants, tuning of each part, bad input."""

import numpy as np
import pytest
from invariance import entropy
from messages import refused

import fastebm as eb
from fastebm.kernels import HMC, MALA, Barker, Cycle, Gibbs, MixtureOfKernels, RandomWalk, SpinFlip
from fastebm.kernels.several import SeveralRules
from fastebm.sampling.chains import Chains
from fastebm.testing import check_kernel, check_reproducible
from fastebm.testing.changes import changed
from fastebm.testing.twins import SeveralTwin, twin_of

WELL = eb.DoubleWell(1)
PLANE = eb.Gaussian([0.5, -1.0], [[1.0, 0.6], [0.6, 2.0]])
SPINS = eb.energy(3, values=(-1, 1))(lambda x: 0.5 * x[0] * x[1] - 0.7 * x[1] * x[2] + 0.3 * x[2])
X = np.random.default_rng(1).standard_normal((40, 2))
MUTANTS = {
    "stale gradient": ("                    grad(x, packed, e, g)", "                    pass"),
    "one number for all": ("if takes_turns or (below", "if (j == 0 and takes_turns) or (below"),
}


def advanced(kernel, n, E=PLANE, state=None):
    bound = kernel.on(E)
    chains = Chains(E, bound, X[:, : E.dim], 7, 1)
    if state is not None:
        chains.restore(state)
    chains.advance(n, bound.settings(bound.step_size, np.ones(E.dim)))
    return chains


@pytest.mark.parametrize("part", [RandomWalk(0.7), MALA(0.3), HMC(0.4, 3)], ids=repr)
@pytest.mark.parametrize("kind", [Cycle, MixtureOfKernels])
def test_one_part_is_that_part(part, kind):
    whole, alone = advanced(kind([part]), 20), advanced(part, 20)
    assert np.array_equal(whole.positions, alone.positions)
    assert np.array_equal(whole.energies, alone.energies)
    assert np.array_equal(whole.counts()[0], alone.counts()[0])


def test_a_cycle_is_its_parts_in_turn():
    """Bit for bit: chains that are handed from one kernel to the other, with their streams."""
    parts = [RandomWalk(0.7), RandomWalk(0.2, proposal="uniform"), RandomWalk(1.1, proposal="student")]
    whole = advanced(Cycle(parts), 10)
    state = None
    for t in range(30):
        state = advanced(parts[t % 3], 1, state=state).state()
    assert np.array_equal(whole.positions, state["x"])
    assert np.array_equal(whole.energies, state["e"].ravel())


def test_a_mixture_is_the_part_whose_lot_it_is():
    parts, weights = [RandomWalk(0.7), RandomWalk(0.2)], [1.0, 3.0]
    kernel = MixtureOfKernels(parts, weights).on(PLANE)
    twin = twin_of(kernel)(kernel.settings(kernel.step_size, np.ones(2)), 2)
    state = None
    for t in range(30):
        state = advanced(parts[twin.chosen(t)], 1, state=state).state()
    assert np.array_equal(advanced(kernel, 30).positions, state["x"])


def test_lots_fall_by_weight():
    """10,000 lots for three parts: each count within six standard deviations."""
    kernel = MixtureOfKernels([RandomWalk(0.7)] * 3, [1.0, 3.0, 6.0])
    twin = SeveralTwin(kernel.settings(1.0, np.ones(2)), 2, [twin_of(part) for part in kernel.kernels])
    counts = np.bincount([twin.chosen(t) for t in range(10_000)], minlength=3)
    shares = np.array([0.1, 0.3, 0.6])
    assert (np.abs(counts - 1e4 * shares) < 6.0 * np.sqrt(1e4 * shares * (1.0 - shares))).all()


@pytest.mark.parametrize(("kernel", "E"), [
    (Cycle([RandomWalk(), MALA(metric="dense")]), PLANE),
    (MixtureOfKernels([RandomWalk(0.3, proposal="student"), HMC(0.5, 4)], [1.0, 2.0]), WELL),
    (MixtureOfKernels([Gibbs(), SpinFlip()]), SPINS),
    (Cycle([MixtureOfKernels([RandomWalk(), Barker()]), RandomWalk(2.0)]), WELL),
], ids=repr)
def test_the_law_is_kept(kernel, E):
    report = check_kernel(kernel, E, rng=entropy())
    report.raise_if_failed()
    assert not report.skipped


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_ones_are_caught(name):
    kernel = changed(Cycle([RandomWalk(1.0), MALA(0.5)]), *MUTANTS[name])
    assert check_kernel(kernel, PLANE, rng=entropy()).verdict == "failed"


def test_a_sweep_of_wrong_parts_is_wrong():
    wrong = changed(RandomWalk(1.0), "here - there)", "0.9 * (here - there))")
    assert check_kernel(Cycle([MALA(0.5), wrong]), PLANE, rng=entropy()).verdict == "failed"


def test_every_part_is_tuned_for_itself():
    kernel = Cycle([RandomWalk(), HMC(n_leapfrog=None), RandomWalk(0.05)])
    run = eb.sample(eb.Gaussian(np.zeros(3), np.diag([1.0, 100.0, 0.01])), kernel, n_chains=128, n_draws=200,
                    rng=entropy())
    walk, trajectory, short = run.report["acceptance_rate"]
    assert 0.2 < walk < 0.45, f"seed {run.seed}"
    assert 0.7 < trajectory < 0.9, f"seed {run.seed}"
    assert 0.3 < short < 0.95
    assert run.step_size.shape == (3,)
    assert run.step_size[2] == 0.05
    assert run.path_length > 0.3


def test_a_seed_decides_it():
    check_reproducible(Cycle([RandomWalk(), MALA()]), eb.Gaussian([0.0, 1.0]), rng=1).raise_if_failed()


def test_a_discrete_and_a_continuous_kernel_do_not_go_together():
    refused(lambda: eb.sample(PLANE, Cycle([RandomWalk(), Gibbs()])), "Gibbs", "eb.RandomWalk()")


@pytest.mark.parametrize(("make", "words", "kind"), [
    (lambda: Cycle([]), ("kernels is []", "at least one"), TypeError),
    (lambda: Cycle(RandomWalk()), ("kernels is RandomWalk", "pass a list"), TypeError),
    (lambda: Cycle([RandomWalk(), 3]), ("3", "pass a list"), TypeError),
    (lambda: Cycle([eb.ParallelTempering()]), ("temperatures", "inside of it"), ValueError),
    (lambda: Cycle([HMC(n_leapfrog=None)] * 2), ("path length", "n_leapfrog"), ValueError),
    (lambda: MixtureOfKernels([RandomWalk()], [1.0, 2.0]), ("weights", "1 numbers"), ValueError),
    (lambda: MixtureOfKernels([RandomWalk()] * 2, [1.0, 0.0]), ("weights", "above 0"), ValueError),
    (lambda: MixtureOfKernels([RandomWalk()] * 2, [1.0, np.nan]), ("weights",), ValueError),
])
def test_bad_input(make, words, kind):
    refused(make, *words, kind=kind)


def test_memory_is_known_once_there_is_an_energy():
    kernel = Cycle([RandomWalk(0.1)])
    assert isinstance(kernel, SeveralRules)
    refused(lambda: kernel.rates(0.5, np.zeros(3)), "on(energy)", kind=TypeError)
