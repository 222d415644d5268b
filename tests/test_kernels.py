"""Kernels of discrete energies: exact transition matrices, mutants, colours that claim too much, hostile energies."""

import math

import numpy as np
import pytest
from invariance import entropy
from messages import refused

import fastebm as eb
from fastebm.kernels import Gibbs, GibbsWithGradients, SpinFlip
from fastebm.sampling.chains import Chains
from fastebm.testing import check_kernel
from fastebm.testing.changes import changed

SPINS = eb.energy(4, values=(-1, 1))(
    lambda x: 0.4 * (x[0] * x[1] + x[2] * x[3]) - 0.7 * (x[1] * x[2] - x[3] * x[0]) + 0.3 * x[0] - 0.2 * x[3]
)
LEVELS = eb.energy(2, values=(0.0, 0.5, 2.0))(lambda x: 0.8 * (x[0] - x[1]) ** 2 + 0.3 * x[0] * x[1] - 0.25 * x[0])
KERNELS = [Gibbs(), GibbsWithGradients(), SpinFlip()]
MUTANTS = {
    "gibbs: hot": (Gibbs(), "                    total += np.exp(least - load(found, k, l))",
                   "                    total += np.exp(0.9 * (least - load(found, k, l)))"),
    "gibbs: stale energy": (Gibbs(), "store_row(e, l, lowest)", "pass"),
    "gibbs: one site left out": (Gibbs(), "for i in range(dim):", "for i in range(1, dim):"),
    "gradients: no way back": (GibbsWithGradients(), "+ (back - most - np.log(total)) - load_row(forth, l)", ""),
    "gradients: stale gradient": (GibbsWithGradients(), "move(accepted, l, g, g_y)", "pass"),
    "flip: never the last": (SpinFlip(), "np.floor(uniform * dim)", "np.floor(uniform * (dim - 1))"),
    "flip: hot": (SpinFlip(), "here - there)", "0.9 * (here - there))"),
}


@pytest.mark.parametrize("kernel", [*KERNELS, Gibbs([0, 1, 0, 1])], ids=repr)
def test_spins(kernel):
    check_kernel(kernel, SPINS, rng=entropy()).raise_if_failed()


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_three_levels(kernel):
    check_kernel(kernel, LEVELS, rng=entropy()).raise_if_failed()


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_ones_are_caught(name):
    kernel, old, new = MUTANTS[name]
    report = check_kernel(changed(kernel, old, new), SPINS, delta=0.05, rng=entropy())
    assert {"replay", "invariance"} <= {tier.name for tier in report.ran if tier.faults}, str(report)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("value", [math.nan, -math.inf, math.inf])
def test_states_without_energy_are_not_entered(kernel, value):
    E = eb.energy(2, values=(0, 1), grad=lambda x: [0.0, 0.0])(
        lambda x: eb.where(x[0] + x[1] == 0.0, 0.0, eb.where(x[0] == 1.0, value, 1.0))
    )
    chains = Chains(E, kernel, np.zeros((40, 2)), 3, 1)
    chains.advance(30, chains.kernel.settings(1.0, np.ones(2)))
    assert (chains.positions[:, 0] == 0.0).all()
    assert set(np.unique(chains.positions[:, 1])) == {0.0, 1.0}
    assert (chains.counts()[1].sum() > 0) == (value != math.inf)


class TestColours:
    def test_a_chessboard_takes_two(self):
        """An Ising model on 4 x 4 places with 2**16 states: mean energy against enumeration, within six errors."""
        sites = np.arange(16)
        right, below = (sites % 4 + 1) % 4 + 4 * (sites // 4), (sites + 4) % 16

        def ising(x):
            total = 0.0
            for i in range(16):
                total -= 0.3 * x[i] * (x[right[i]] + x[below[i]])
            return total

        E = eb.energy(16, values=(-1, 1))(ising)
        run = eb.sample(E, Gibbs((sites % 4 + sites // 4) % 2), n_chains=512, n_draws=100, thin=5, rng=entropy())
        exact = eb.exact.enumeration(E)
        wanted = float(exact.probabilities @ E.energy(exact.states))
        means = run.energy.mean(axis=1)
        assert abs(means.mean() - wanted) < 6.0 * means.std() / math.sqrt(512), f"seed {run.seed}"

    @pytest.mark.parametrize(("E", "colours", "words"), [
        (SPINS, [0, 0, 1, 1], ("couples x[0] and x[1]", "give them two")),
        (SPINS, [0, 1, 0], ("3 numbers", "dim=4")),
        (LEVELS, [0, 1], ("3 values", "eb.Gibbs()")),
        (eb.energy(2, values=(0, 1))(lambda x: x[0] ** 2 + x[1]), [0, 1], ("not linear in x[0]", "eb.Gibbs()")),
    ])
    def test_that_claim_too_much_are_refused(self, E, colours, words):
        refused(lambda: eb.sample(E, Gibbs(colours)), *words)

    @pytest.mark.parametrize("colours", [[0.5, 1.0], [[0, 1]], [-1, 0]])
    def test_that_are_no_colours_are_refused(self, colours):
        refused(lambda: Gibbs(colours), "colours")


def test_continuous_energies_are_refused():
    for kernel in KERNELS:
        refused(lambda: eb.sample(eb.Ring(), kernel), "takes real x", "eb.RandomWalk()")  # noqa: B023


def test_training_takes_gibbs_by_itself():
    data = eb.sample(SPINS, n_chains=512, n_draws=1, rng=1).draws[:, 0]
    model = eb.energy(4, {"J": np.zeros(3)}, values=(-1, 1))(
        lambda x, theta: theta.J[0] * x[0] * x[1] + theta.J[1] * x[1] * x[2] + theta.J[2] * x[2] * x[3]
    )
    fit = eb.fit(model, data, eb.PersistentCD(k=1, n_particles=256), n_steps=100, rng=1, progress=False)
    assert eb.log_likelihood(fit.energy, data).mean() > eb.log_likelihood(model, data).mean() + 0.05
