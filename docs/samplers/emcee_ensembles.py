"""Ensembles of emcee: the walkers of an ensemble depend on each other, so that they form groups.

D. Foreman-Mackey, D. W. Hogg, D. Lang and J. Goodman (2013), doi:10.1086/670067.
"""

import emcee
import numpy as np

import fastebm as eb

ENERGY = eb.Gaussian([0.5, -1.0], [[1.5, 0.4], [0.4, 0.6]])
WALKERS = 500


def ensembles(move):
    """The step of many ensembles of WALKERS walkers each."""

    def step(states, k, seed):
        ends = []
        for g, walkers in enumerate(states.reshape(-1, WALKERS, states.shape[1])):
            sampler = emcee.EnsembleSampler(
                WALKERS, states.shape[1], lambda X: -ENERGY.energy(X), moves=move, vectorize=True
            )
            words = np.random.SeedSequence([seed, g]).generate_state(8)
            sampler.random_state = np.random.RandomState(words).get_state()
            ends.append(sampler.run_mcmc(walkers, k, skip_initial_state_check=True, store=False).coords)
        return np.concatenate(ends)

    return step


SAMPLERS = {
    f"emcee {emcee.__version__}, StretchMove": (
        ensembles(emcee.moves.StretchMove()), ENERGY, {"group_size": WALKERS}
    ),
    f"emcee {emcee.__version__}, DEMove": (ensembles(emcee.moves.DEMove()), ENERGY, {"group_size": WALKERS}),
}
