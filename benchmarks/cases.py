"""What derivatives are taken of: each energy as a user writes it, and the same for JAX."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastebm as eb
from benchmarks import targets

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """An energy, and where its derivatives are taken.

    Attributes
    ----------
    energy : written as plain Python, as a user would, without derivatives.
    points : (n, dim).
    parameters : arrays that `of_one` takes after x.
    of_one : the energy of one point x (dim,), given jax.numpy first.
    """

    energy: eb.Energy
    points: Array
    parameters: tuple[Array, ...]
    of_one: Callable[..., Any]


@functools.cache
def rosenbrock(dim: int) -> Case:
    """The valley of H. H. Rosenbrock (1960, doi:10.1093/comjnl/3.3.175), one after the other, at 1,024 points."""

    @eb.energy(dim)
    def energy(x: Any) -> Any:
        total = 0.0
        for i in range(len(x) - 1):
            total += 5.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
        return total

    return Case(
        energy, np.random.default_rng().standard_normal((1024, dim)), (),
        lambda jnp, x: jnp.sum(5.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2),
    )


@functools.cache
def mixture() -> Case:
    """Eight normals on a circle, in two dimensions, at 1,024 points."""
    target = targets.mixture()
    return Case(target.energy, target.starts(1024), target.parameters, lambda *given: -target.of_one(*given))


@functools.cache
def logistic() -> Case:
    """The posterior of a logistic regression on 1,000 rows of 25 columns, in a double loop, for 64 chains."""
    generator = np.random.default_rng()
    rows = generator.standard_normal((1000, 25))
    labels = (generator.random(1000) < 0.5).astype(float)

    @eb.energy(25)
    def energy(x: Any) -> Any:
        total = 0.0
        for k in range(len(rows)):
            z = 0.0
            for i in range(len(x)):
                z += rows[k, i] * x[i]
            total += eb.softplus(z) - labels[k] * z
        for i in range(len(x)):
            total += 0.5 * x[i] ** 2
        return total

    def of_one(jnp: Any, x: Any, rows: Any, labels: Any) -> Any:
        z = rows @ x
        return jnp.sum(jnp.logaddexp(0.0, z) - labels * z) + 0.5 * jnp.sum(x**2)

    return Case(energy, 0.3 * generator.standard_normal((64, 25)), (rows, labels), of_one)


@functools.cache
def funnel(dim: int) -> Case:
    """The funnel of R. M. Neal (2003, doi:10.1214/aos/1056562461): x[0] has s.d. 3, the others have exp(x[0] / 2)."""

    @eb.energy(dim)
    def energy(x: Any) -> Any:
        squares = 0.0
        for i in range(1, len(x)):
            squares += x[i] ** 2
        return x[0] ** 2 / 18.0 + 0.5 * (len(x) - 1) * x[0] + 0.5 * math.exp(-x[0]) * squares

    def of_one(jnp: Any, x: Any) -> Any:
        return x[0] ** 2 / 18.0 + 0.5 * (dim - 1) * x[0] + 0.5 * jnp.exp(-x[0]) * jnp.sum(x[1:] ** 2)

    return Case(energy, np.random.default_rng().standard_normal((1024, dim)), (), of_one)


FAR_CENTRES = np.array([[-3.0, -4.0], [3.0, 4.0]])
FAR_WEIGHTS = np.array([0.3, 0.7])


@functools.cache
def far_modes() -> Case:
    """Two normals of s.d. 1 in two dimensions, 10 apart, of unequal weights."""

    @eb.energy(2)
    def energy(x: Any) -> Any:
        first = 0.5 * ((x[0] + 3.0) ** 2 + (x[1] + 4.0) ** 2) - math.log(0.3)
        second = 0.5 * ((x[0] - 3.0) ** 2 + (x[1] - 4.0) ** 2) - math.log(0.7)
        return min(first, second) - math.log1p(math.exp(-abs(first - second)))

    def of_one(jnp: Any, x: Any, centres: Any, weights: Any) -> Any:
        one, other = 0.5 * jnp.sum((x - centres) ** 2, axis=1) - jnp.log(weights)
        return -jnp.logaddexp(-one, -other)

    return Case(energy, 5.0 * np.random.default_rng().standard_normal((1024, 2)), (FAR_CENTRES, FAR_WEIGHTS), of_one)


@functools.cache
def fitted_mixture() -> Case:
    """Six normals in two dimensions with 24 parameters, at 65,536 points; `of_one` takes theta as well."""
    generator = np.random.default_rng()
    theta = {"mean": generator.standard_normal((6, 2)), "log_weight": generator.random(6), "log_width": np.zeros(6)}

    @eb.energy(2, theta=theta)
    def energy(x: Any, theta: Any) -> Any:
        total = 0.0
        for k in range(len(theta.mean)):
            scale = math.exp(-theta.log_width[k])
            a, b = scale * (x[0] - theta.mean[k, 0]), scale * (x[1] - theta.mean[k, 1])
            total += math.exp(theta.log_weight[k] - 2.0 * theta.log_width[k] - 0.5 * (a * a + b * b))
        return -math.log(total)

    def of_one(jnp: Any, x: Any, theta: Any) -> Any:
        mean, log_weight, log_width = theta[:12].reshape(6, 2), theta[12:18], theta[18:]
        squares = jnp.sum(((x - mean) * jnp.exp(-log_width)[:, None]) ** 2, axis=1)
        return -jnp.log(jnp.sum(jnp.exp(log_weight - 2.0 * log_width - 0.5 * squares)))

    return Case(energy, generator.standard_normal((65_536, 2)), (energy.theta,), of_one)


@functools.cache
def overwritten(dim: int) -> Case:
    """A number that is overwritten for every coordinate, so that the way back needs all that it ever was."""

    @eb.energy(dim)
    def energy(x: Any) -> Any:
        h, total = 0.0, 0.0
        for i in range(len(x)):
            h = math.tanh(h + x[i])
            total += 0.5 * (x[i] - h) ** 2
        return total

    def of_one(jnp: Any, x: Any) -> Any:
        h, total = 0.0, 0.0
        for i in range(dim):
            h = jnp.tanh(h + x[i])
            total = total + 0.5 * (x[i] - h) ** 2
        return total

    return Case(energy, np.random.default_rng().standard_normal((1024, dim)), (), of_one)
