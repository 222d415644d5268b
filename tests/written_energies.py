"""Energies as users write them, and the same source read by mpmath: the exact value and slopes of any of them.

Each function is compiled at one size only; by mpmath it serves at every size.
"""

import inspect
import math
import types
from collections import namedtuple
from collections.abc import Callable, Mapping

import mpmath
import numpy as np

import fastebm as eb

DIGITS = 200  # bits of mpmath's numbers


def gaussian(x, theta):
    total = 0.0
    for j in range(len(x)):
        z = 0.0
        for i in range(j, len(x)):
            z += theta.precision_factor[i, j] * (x[i] - theta.mean[i])
        total += 0.5 * z * z
    return total


def independent_gaussian(x, theta):
    total = 0.0
    for i in range(len(x)):
        z = theta.precision_factor[i] * (x[i] - theta.mean[i])
        total += 0.5 * z * z
    return total


def log_component(x, theta, k):
    """Log of the weighted density of component k of a mixture."""
    result = theta.log_weights[k] - 0.5 * len(x) * math.log(2.0 * math.pi)
    for j in range(len(x)):
        result += math.log(abs(theta.precision_factors[k, j, j]))
        z = 0.0
        for i in range(j, len(x)):
            z += theta.precision_factors[k, i, j] * (x[i] - theta.means[k, i])
        result -= 0.5 * z * z
    return result


def mixture(x, theta):
    top = log_component(x, theta, 0)
    for k in range(1, len(theta.log_weights)):
        top = max(top, log_component(x, theta, k))
    total = 0.0
    for k in range(len(theta.log_weights)):
        total += math.exp(log_component(x, theta, k) - top)
    return -top - math.log(total)


def double_well(x, theta):
    total = theta.barrier * ((x[0] / theta.location) ** 2 - 1.0) ** 2 + theta.tilt * x[0]
    for i in range(1, len(x)):
        total += x[i] ** 2 / 2.0
    return total


CENTER, SCALE = np.array([0.5, -1.0]), np.array([2.0, 0.25])


def swish(a):
    return a / (1.0 + math.exp(-a))


def perceptron(x, theta):
    """Two hidden layers, with the centre and the scale above as data."""
    total = 0.0
    for i in range(len(x)):
        total += 0.5 * ((x[i] - CENTER[i]) / SCALE[i]) ** 2
    for k in range(len(theta.w_out)):
        second = theta.b2[k]
        for j in range(len(theta.b1)):
            first = theta.b1[j]
            for i in range(len(x)):
                first += theta.W1[j, i] * (x[i] - CENTER[i]) / SCALE[i]
            second += theta.W2[k, j] * swish(first)
        total += theta.w_out[k] * swish(second)
    return total


def written(function: Callable[..., object], like: eb.Energy) -> eb.Energy:
    """The user's energy that has the dimension and the parameters of another energy."""
    return eb.energy(like.dim, like.unpack())(function)


def exactly(function: Callable[..., object]) -> Callable[..., object]:
    """The function on mpmath's numbers: the same code, with mpmath in the place of math."""
    scope = dict(function.__globals__)
    for name, value in scope.items():
        if name in function.__code__.co_names and inspect.isfunction(value):
            scope[name] = exactly(value)
        elif isinstance(value, np.ndarray):
            scope[name] = precise(value)
    return types.FunctionType(function.__code__, scope | {"math": mpmath})


def precise(values: object) -> object:
    """Numbers or arrays of numbers as mpmath's."""
    if np.ndim(values) == 0:
        return mpmath.mpf(float(values))
    return np.array([mpmath.mpf(float(value)) for value in np.ravel(values)], dtype=object).reshape(np.shape(values))


def exact(
    function: Callable[..., object], x: np.ndarray, theta: Mapping[str, object]
) -> tuple[float, np.ndarray, np.ndarray]:
    """E, dE/dx (dim,) and dE/dtheta (n_params,) at x, correctly rounded but for the last bit or so."""
    f = exactly(function)
    record = namedtuple("theta", list(theta))
    shapes = [np.shape(value) for value in theta.values()]
    numbers = np.concatenate([precise(x), *(np.ravel(precise(value)) for value in theta.values())])

    def at(numbers: np.ndarray) -> object:
        parts, start = [], len(x)
        for shape in shapes:
            stop = start + math.prod(shape)
            parts.append(numbers[start:stop].reshape(shape) if shape else numbers[start])
            start = stop
        return f(numbers[: len(x)], record(*parts))

    with mpmath.workprec(DIGITS):
        step = mpmath.mpf(2) ** -60
        slopes = []
        for k in range(len(numbers)):
            above, below = numbers.copy(), numbers.copy()
            above[k] += step
            below[k] -= step
            slopes.append(float((at(above) - at(below)) / (2 * step)))
        return float(at(numbers)), np.array(slopes[: len(x)]), np.array(slopes[len(x) :])
