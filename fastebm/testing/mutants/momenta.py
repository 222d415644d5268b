"""Samplers that carry a momentum from transition to transition; right, and wrong where it is not flipped."""

from collections.abc import Callable

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.testing.mutants.rules import accepts, chosen, kinetic, leapfrog
from fastebm.testing.steps import Step


def guided(scale: float, *, turns: bool = True) -> Callable[[Energy], Step]:
    """Steps of random size in one direction d = +-1, which turns when a step is rejected.

    x -> (y, -d) balances with (y, -d) -> x; the turn of d after every move keeps pi(x) / 2 by itself.

    References
    ----------
    P. Gustafson (1998), doi:10.1023/A:1008880707168.
    """

    def make(energy: Energy) -> Step:
        def guided_walk(states: FloatArray, k: int, seed: int) -> FloatArray:
            generator = np.random.default_rng(seed)
            x, e = states, energy.energy(states)
            direction = generator.choice([-1.0, 1.0], size=x.shape)
            for _ in range(k):
                y = x + direction * scale * np.abs(generator.standard_normal(x.shape))
                e_y = energy.energy(y)
                accepted = accepts(generator, e - e_y)
                x, e = chosen(accepted, x, e, y, e_y)
                if turns:
                    direction = np.where(accepted[:, None], direction, -direction)
            return x

        return guided_walk

    return make


def persistent(eps: float, n: int, *, memory: float = 0.8, flips: bool = True) -> Callable[[Energy], Step]:
    """HMC with p <- memory p + sqrt(1 - memory**2) normal, whose momentum is flipped when a proposal is rejected.

    Leapfrog and flip together are their own inverse, so that Metropolis's test balances them; a second flip of every
    momentum keeps its law, and undoes the first where the proposal was accepted.

    References
    ----------
    A. M. Horowitz (1991), doi:10.1016/0370-2693(91)90812-5.
    """

    def make(energy: Energy) -> Step:
        def persistent_hmc(states: FloatArray, k: int, seed: int) -> FloatArray:
            generator = np.random.default_rng(seed)
            x, e = states, energy.energy(states)
            p = generator.standard_normal(x.shape)
            for _ in range(k):
                p = memory * p + np.sqrt(1.0 - memory**2) * generator.standard_normal(x.shape)
                y, p_y = leapfrog(energy, x, p, eps, n)
                e_y = energy.energy(y)
                accepted = accepts(generator, e - e_y + kinetic(p) - kinetic(p_y))
                x, e = chosen(accepted, x, e, y, e_y)
                p = np.where(accepted[:, None], p_y, -p if flips else p)
            return x

        return persistent_hmc

    return make
