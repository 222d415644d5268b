"""Derivatives by central differences that know how wrong they are.

References
----------
C. J. F. Ridders (1982), Accurate computation of F'(x) and F'(x)F''(x), doi:10.1016/S0141-1195(82)80057-0.
"""

import functools
from collections.abc import Callable

import numpy as np

from fastebm._checks import FloatArray

_N_STEPS = 15  # from 1/8 down to 3e-5 of the scale
_FIRST = 0.125
_RATIO = 0.55  # of steps; with halves, a fast oscillation may look like a slow one at all of them
_EPS = float(np.finfo(float).eps)


def derivative(f: Callable[[FloatArray], FloatArray], scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    """df/dt at t = 0 for many functions at once, with bounds of the errors as far as they can be told.

    Central differences of steps that shrink are extrapolated to step 0, and of all extrapolations that one is taken
    that differs least from those that it was made of. For noise none differs little. At a kink they converge, to the
    mean of the slopes on both sides: the difference of these is extrapolated too, and where it does not vanish half of
    it is the error.

    Parameters
    ----------
    f : of steps t (n,), one for each row of its result (n, ...).
    scales : (n,) above 0, on which the functions vary.

    Returns
    -------
    Derivatives and errors, both of the shape of f's result. Steps that lead to values that are not finite are left out;
    the error is infinite where too few remain.
    """
    slopes, jumps, roundings = [], [], []
    with np.errstate(all="ignore"):
        middle = f(np.zeros(len(scales)))
        for j in range(_N_STEPS):
            steps = _FIRST * _RATIO**j * scales
            above, below = f(steps), f(-steps)
            widths = 2.0 * steps.reshape(-1, *[1] * (middle.ndim - 1))
            slopes.append((above - below) / widths)
            jumps.append(2.0 * (above - middle + (below - middle)) / widths)
            roundings.append(2.0 * _EPS * (abs(above) + abs(below)) / widths)
        slope, error = _at_step_zero(slopes, roundings, lambda k: _RATIO ** (-2 * k))
        jump, jump_error = _at_step_zero(jumps, roundings, lambda k: _RATIO ** (1 - 2 * k))
    is_kink = ~(abs(jump) <= 10.0 * jump_error)
    return slope, np.where(is_kink, np.maximum(error, 0.5 * abs(jump)), error)


def _at_step_zero(
    values: list[FloatArray], roundings: list[FloatArray], factor: Callable[[int], float]
) -> tuple[FloatArray, FloatArray]:
    """Limits of values at steps that shrink, and their errors; a step divides term k of the expansion by factor(k)."""
    best, error = np.zeros(values[0].shape), np.full(values[0].shape, np.inf)
    before: list[FloatArray] = []
    for value, rounding in zip(values, roundings, strict=True):
        row = [value]
        for k, old in enumerate(before, start=1):
            row.append(row[-1] + (row[-1] - old) / (factor(k) - 1.0))
            if k == len(before):
                continue
            others = (row[k - 1], old, before[k])  # three, since of so many two may agree by chance
            away = functools.reduce(np.maximum, (abs(row[k] - other) for other in others)) + rounding
            is_better = away < error  # False for nan
            best, error = np.where(is_better, row[k], best), np.where(is_better, away, error)
        before = row
    return best, error
