"""An objective that says what a test wants the training loop to hear."""

import numpy as np

from fastebm.training import Objective
from fastebm.training.objective import Estimator


class Scripted(Objective):
    """Gradients of ones; at some steps another value, another reach, or something else that happens.

    Parameters
    ----------
    gradients, reaches : value by step.
    at : call by step.
    gap, spread, n_particles : what the estimator notes at every step.
    """

    def __init__(self, gradients=None, reaches=None, at=None, gap=0.0, spread=1.0, n_particles=4):
        self.gradients = gradients or {}
        self.reaches = reaches or {}
        self.at = at or {}
        self.gap, self.spread, self.n_particles = gap, spread, n_particles

    def begin(self, energy, data, seed, n_threads):
        return _ScriptedEstimator(self)


class _ScriptedEstimator(Estimator):
    def __init__(self, script):
        self.script = script
        self.step = -1

    def gradient(self, energy, batch):
        script = self.script
        self.step += 1
        self.energy_gap, self.energy_spread = script.gap, script.spread
        self.reach = script.reaches.get(self.step, 0.0)
        if script.n_particles is not None:
            self.particles = np.zeros((script.n_particles, energy.dim))
        script.at.get(self.step, int)()
        return np.full(energy.n_params, script.gradients.get(self.step, 1.0))
