"""Rules of descent against slow twins, step by step."""

import math
from collections.abc import Callable

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.testing.reports import Report, Tier
from fastebm.training.optimisers import SGD, Adam, Optimiser

_COURSES, _STEPS, _PARAMS = 20, 12, 3
_ROUNDING = 1e-12  # of the sum of sizes of all steps

Twin = Callable[[Optimiser, list[list[float]]], list[list[float]]]


def check_optimiser(optimiser: Optimiser, *, rng: RNGLike = None) -> Report:
    """Compare an optimiser's steps with those of the published algorithm in plain Python.

    Parameters
    ----------
    optimiser : SGD or Adam, or a class derived from them.
    rng : for the gradients; see `fastebm.sample`.

    Returns
    -------
    Report; not judged for other rules, which have no twin.

    References
    ----------
    B. T. Polyak (1964), doi:10.1016/0041-5553(64)90137-5. D. P. Kingma and J. Ba (2015), arXiv:1412.6980.

    Examples
    --------
    >>> import fastebm as eb
    >>> from fastebm.testing import check_optimiser
    >>> check_optimiser(eb.Adam(1e-2), rng=0).passed
    True
    """
    _checks.instance(optimiser, Optimiser, "optimiser", "eb.Adam(1e-2)")
    seed = _checks.seed(rng)
    name = repr(optimiser)
    twin = next((twin for kind, twin in _TWINS.items() if isinstance(optimiser, kind)), None)
    if twin is None:
        why = f"{type(optimiser).__name__} has no slow twin"
        return Report(name, (), {"steps": why}, seed, unjudged=why)
    generator = np.random.default_rng(seed)
    worst, fault = 0.0, ""
    for _ in range(_COURSES):
        sizes = 10.0 ** generator.uniform(-4.0, 4.0, _PARAMS)
        gradients = (sizes * generator.standard_normal((_STEPS, _PARAMS))).tolist()
        found = _path(optimiser, gradients)
        wanted = np.array(twin(optimiser, gradients))
        size = abs(np.diff(wanted, axis=0, prepend=0.0)).sum(axis=0)
        away = abs(found - wanted) / size
        away[~np.isfinite(found)] = math.inf
        step, i = np.unravel_index(int(np.argmax(away)), away.shape)
        worst = max(worst, float(away[step, i]))
        if away[step, i] > _ROUNDING and not fault:
            fault = (
                f"{name} is at {found[step, i]:.10g} after step {step + 1} of {_STEPS} with the gradients "
                f"{[one[i] for one in gradients[: step + 1]]}, where the algorithm is at {wanted[step, i]:.10g}."
            )
    words = f"{_COURSES} courses of {_STEPS} steps, to {worst:.1e} of their length"
    return Report(name, (Tier("steps", words, (fault,) if fault else ()),), {}, seed)


def _path(optimiser: Optimiser, gradients: list[list[float]]) -> FloatArray:
    """Where the rule leads from 0, (n_steps, n_params)."""
    theta = np.zeros(len(gradients[0]))
    carried = optimiser.begin(len(theta))
    path = []
    for step, gradient in enumerate(gradients):
        theta = optimiser.step(theta, np.array(gradient), carried, step, len(gradients))
        path.append(theta)
    return np.array(path)


def _rate(optimiser: Optimiser, step: int, n_steps: int) -> float:
    """Geometric from the first rate to the last."""
    share = step / (n_steps - 1)
    first, last = math.log(optimiser.learning_rate), math.log(optimiser.final_rate)
    return math.exp((1.0 - share) * first + share * last)


def _sgd(optimiser: Optimiser, gradients: list[list[float]]) -> list[list[float]]:
    momentum = vars(optimiser)["momentum"]
    theta, v, path = [0.0] * len(gradients[0]), [0.0] * len(gradients[0]), []
    for step, gradient in enumerate(gradients):
        for i, g in enumerate(gradient):
            v[i] = momentum * v[i] - _rate(optimiser, step, len(gradients)) * g
            theta[i] += v[i]
        path.append(list(theta))
    return path


def _adam(optimiser: Optimiser, gradients: list[list[float]]) -> list[list[float]]:
    beta1, beta2, epsilon = (vars(optimiser)[key] for key in ("beta1", "beta2", "epsilon"))
    n = len(gradients[0])
    theta, m, v, path = [0.0] * n, [0.0] * n, [0.0] * n, []
    for step, gradient in enumerate(gradients):
        for i, g in enumerate(gradient):
            m[i] = beta1 * m[i] + (1.0 - beta1) * g
            v[i] = beta2 * v[i] + (1.0 - beta2) * g * g
            mean, square = m[i] / (1.0 - beta1 ** (step + 1)), v[i] / (1.0 - beta2 ** (step + 1))
            theta[i] -= _rate(optimiser, step, len(gradients)) * mean / (math.sqrt(square) + epsilon)
        path.append(list(theta))
    return path


_TWINS: dict[type[Optimiser], Twin] = {SGD: _sgd, Adam: _adam}
