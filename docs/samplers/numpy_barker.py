"""Barker's rule in plain NumPy, and the same with a mistake that is easily made: proposals clipped at the walls.

A. A. Barker (1965), doi:10.1071/PH650119.
"""

import numpy as np
from scipy.special import expit

import fastebm as eb

ENERGY = eb.DoubleWell(1, barrier=1.7, tilt=0.3)
WALLED = ENERGY.restricted([(-1.2, 2.0)])


def barker(states, k, seed, energy=ENERGY):
    """Propose a normal step, accept with probability 1 / (1 + exp(E(y) - E(x)))."""
    generator = np.random.default_rng(seed)
    x, e = states, energy.energy(states)
    for _ in range(k):
        y = x + 0.9 * generator.standard_normal(x.shape)
        e_y = energy.energy(y)
        accepted = generator.random(len(x)) < expit(e - e_y)
        x, e = np.where(accepted[:, None], y, x), np.where(accepted, e_y, e)
    return x


def walled(states, k, seed):
    """Proposals beyond a wall have infinite energy, and are rejected."""
    return barker(states, k, seed, WALLED)


def clipped(states, k, seed):
    """Wrong: proposals beyond a wall are put onto it."""
    generator = np.random.default_rng(seed)
    x, e = states, WALLED.energy(states)
    for _ in range(k):
        y = np.clip(x + 0.9 * generator.standard_normal(x.shape), -1.2, 2.0)
        e_y = WALLED.energy(y)
        accepted = generator.random(len(x)) < expit(e - e_y)
        x, e = np.where(accepted[:, None], y, x), np.where(accepted, e_y, e)
    return x


SAMPLERS = {
    "Barker's rule, NumPy": (barker, ENERGY, {"is_reversible": True}),
    "the same between walls": (walled, WALLED, {"is_reversible": True}),
    "the same, clipped at walls": (clipped, WALLED, {}),
}
