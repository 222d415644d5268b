"""What the samplers sample, and how: each energy as a user writes it, and the same for C, JAX and NumPy."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastebm as eb
from benchmarks.reference import Reference
from fastebm.kernels.kernel import Kernel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """A density to sample, and the kernel.

    Attributes
    ----------
    energy : written as plain Python, as a user would.
    kernel : eb.RandomWalk, eb.MALA or `ten_steps`, called with the step size.
    step_size : of the proposal.
    starts : draws n points (n, dim) from the target itself, so that acceptance is stationary from the first transition.
    walk : makes transitions in C: (library, variant, positions, streams, step_size, n_steps, accepted).
    parameters : arrays that the log-densities below take after x.
    of_one : log-density of one point x (dim,), given jax.numpy first.
    of_many : log-densities of points x (n, dim), by NumPy.
    """

    energy: eb.Energy
    kernel: Callable[[float], Kernel]
    step_size: float
    starts: Callable[[int], Array]
    walk: Callable[..., None]
    parameters: tuple[Array, ...]
    of_one: Callable[..., Any]
    of_many: Callable[..., Any]


N_LEAPFROG = 10


def ten_steps(step_size: float) -> eb.HMC:
    """HMC as C and BlackJAX have it: every trajectory of the same number of steps."""
    return eb.HMC(step_size, N_LEAPFROG, jitter=0.0)


def gaussian(dim: int) -> Target:
    """Neither zero means nor unit variances: a contestant that left one out would be wrong, not faster."""
    return _gaussian(dim, 10.0)


@functools.cache
def _gaussian(dim: int, condition: float) -> Target:
    mean, variances = np.linspace(-1.7, 2.3, dim), np.linspace(1.0, condition, dim)
    precision = 1.0 / variances

    @eb.energy(dim, theta={"mean": mean, "precision": precision})
    def energy(x: Any, theta: Any) -> Any:
        total = 0.0
        for i in range(len(x)):
            total += 0.5 * theta.precision[i] * (x[i] - theta.mean[i]) ** 2
        return total

    def starts(n: int) -> Array:
        return mean + np.sqrt(variances) * np.random.default_rng().standard_normal((n, dim))

    def walk(
        library: Reference, variant: str, positions: Array, streams: Any, step: float, n_steps: int, accepted: Any
    ) -> None:
        library.gaussian_chains("random_walk", variant, positions, streams, mean, precision, step, n_steps, accepted)

    return Target(
        energy, eb.RandomWalk, 2.38 / math.sqrt(dim) * math.sqrt(variances.mean()), starts, walk, (mean, precision),
        lambda jnp, x, centre, scale: -0.5 * jnp.sum(scale * (x - centre) ** 2),
        lambda x, centre, scale: -0.5 * ((x - centre) ** 2 @ scale),
    )


@functools.cache
def langevin(dim: int) -> Target:
    """The same Gaussian, sampled along its gradient."""
    target = gaussian(dim)
    mean, precision = target.parameters

    def walk(
        library: Reference, variant: str, positions: Array, streams: Any, step: float, n_steps: int, accepted: Any
    ) -> None:
        library.gaussian_chains("langevin", variant, positions, streams, mean, precision, step, n_steps, accepted)

    return replace(target, kernel=eb.MALA, step_size=3.0 * dim ** (-1.0 / 3.0), walk=walk)


@functools.cache
def hamiltonian(dim: int) -> Target:
    """A Gaussian of condition 100, sampled by trajectories of ten steps."""
    target = _gaussian(dim, 100.0)
    mean, precision = target.parameters

    def walk(
        library: Reference, variant: str, positions: Array, streams: Any, step: float, n_steps: int, accepted: Any
    ) -> None:
        library.trajectories(variant, positions, streams, mean, precision, step, N_LEAPFROG, n_steps, accepted)

    return replace(target, kernel=ten_steps, step_size=1.6 * dim ** (-0.25), walk=walk)


@functools.cache
def mixture() -> Target:
    """Eight normals on a circle, in two dimensions."""
    angles = np.arange(8) * math.pi / 4.0
    centres = 4.0 * np.column_stack([np.cos(angles), np.sin(angles)])

    @eb.energy(2)
    def energy(x: Any) -> Any:
        total = 0.0
        for k in range(len(centres)):
            total += math.exp(-0.5 * ((x[0] - centres[k, 0]) ** 2 + (x[1] - centres[k, 1]) ** 2))
        return -math.log(total)

    def starts(n: int) -> Array:
        generator = np.random.default_rng()
        return np.asarray(centres[generator.integers(0, 8, n)] + generator.standard_normal((n, 2)))

    def walk(
        library: Reference, variant: str, positions: Array, streams: Any, step: float, n_steps: int, accepted: Any
    ) -> None:
        library.mixture_walk(variant, positions, streams, centres, step, n_steps, accepted)

    def of_one(jnp: Any, x: Any, places: Any) -> Any:
        return jnp.log(jnp.sum(jnp.exp(-0.5 * jnp.sum((x - places) ** 2, axis=1))))

    def of_many(x: Array, places: Array) -> Any:
        return np.log(np.exp(-0.5 * ((x[:, None] - places) ** 2).sum(axis=2)).sum(axis=1))

    return Target(energy, eb.RandomWalk, 1.5, starts, walk, (centres,), of_one, of_many)


def straight_line(times: Array, heights: Array) -> eb.Energy:
    """The posterior of a line's height and slope, given points seen with normal noise; theta holds its scale."""

    @eb.energy(2, theta={"noise": 0.5})
    def energy(x: Any, theta: Any) -> Any:
        total = 0.0
        for k in range(len(times)):
            total += 0.5 * ((heights[k] - x[0] - x[1] * times[k]) / theta.noise) ** 2
        return total

    return energy
