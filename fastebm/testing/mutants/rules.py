"""What all plain samplers of the catalogue are made of: rules of transition in NumPy, all chains at once.

A rule takes the energy, positions x (n, dim), their energies e (n,) and a generator, and returns the next x and e.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.testing.steps import Step

Flags = NDArray[np.bool_]
Points = tuple[FloatArray, FloatArray]  # x (n, dim) and e (n,)
Rule = Callable[..., Points]
Random = np.random.Generator


def steps(rule: Rule, **settings: Any) -> Callable[[Energy], Step]:
    """From an energy to the step that applies the rule k times, with random numbers from the seed alone."""

    def make(energy: Energy) -> Step:
        def step(states: FloatArray, k: int, seed: int) -> FloatArray:
            generator = np.random.default_rng(seed)
            x, e = states, energy.energy(states)
            for _ in range(k):
                x, e = rule(energy, x, e, generator, **settings)
            return x

        step.__name__ = rule.__name__
        return step

    return make


def accepts(generator: Random, log_ratio: FloatArray) -> Flags:
    """log u < log_ratio, for new u; a ratio of nan is never accepted."""
    return np.asarray(-generator.standard_exponential(log_ratio.shape) < log_ratio)


def chosen(accepted: Flags, x: FloatArray, e: FloatArray, y: FloatArray, e_y: FloatArray) -> Points:
    """y where accepted and x elsewhere, with their energies."""
    return np.where(accepted[:, None], y, x), np.where(accepted, e_y, e)


def hastings(
    energy: Energy, x: FloatArray, e: FloatArray, y: FloatArray, generator: Random, log_hastings: Any = 0.0
) -> Points:
    """Metropolis's and Hastings's test of proposals y; `log_hastings` (n,) is log q(x | y) - log q(y | x)."""
    e_y = energy.energy(y)
    return chosen(accepts(generator, e - e_y + log_hastings), x, e, y, e_y)


def leapfrog(energy: Energy, x: FloatArray, p: FloatArray, eps: Any, n: int) -> tuple[FloatArray, FloatArray]:
    """n leapfrog steps of size eps: it keeps volume, and undoes itself when p changes its sign."""
    p = p - 0.5 * eps * energy.grad(x)
    for _ in range(n - 1):
        x = x + eps * p
        p = p - eps * energy.grad(x)
    x = x + eps * p
    return x, p - 0.5 * eps * energy.grad(x)


def kinetic(p: FloatArray) -> FloatArray:
    """p**2 / 2, (n,)."""
    return np.asarray(0.5 * (p**2).sum(axis=1))
