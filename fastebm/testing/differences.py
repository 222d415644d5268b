"""Derivatives by central differences that know how wrong they are.

References
----------
C. J. F. Ridders (1982), Accurate computation of F'(x) and F'(x)F''(x), doi:10.1016/S0141-1195(82)80057-0.
"""

from collections.abc import Callable

import numpy as np

from fastebm._checks import FloatArray

_N_STEPS = 14  # each half of the one before: from 1/8 down to 2e-5 of the scale
_FIRST = 0.125
_EPS = float(np.finfo(float).eps)


def derivative(f: Callable[[FloatArray], FloatArray], scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    """df/dt at t = 0 for many functions at once, with bounds of the errors as far as they can be told.

    Central differences of steps that halve are extrapolated to step 0, and of all extrapolations that one is taken
    that differs least from those that it was made of. Where a function has a kink or is noise, none differs little.

    Parameters
    ----------
    f : of steps t (n,), one for each row of its result (n, ...).
    scales : (n,) above 0, on which the functions vary.

    Returns
    -------
    Derivatives and errors, both of the shape of f's result. Steps that lead to values that are not finite are left out;
    the error is infinite where too few remain.
    """
    best = error = np.zeros(0)
    before: list[FloatArray] = []
    for j in range(_N_STEPS):
        steps = _FIRST * 0.5**j * scales
        with np.errstate(all="ignore"):
            above, below = f(steps), f(-steps)
            widths = 2.0 * steps.reshape(-1, *[1] * (above.ndim - 1))
            row = [(above - below) / widths]
            rounding = 2.0 * _EPS * (abs(above) + abs(below)) / widths
            if j == 0:
                best, error = np.zeros(above.shape), np.full(above.shape, np.inf)
            for k, old in enumerate(before, start=1):
                row.append(row[-1] + (row[-1] - old) / (4.0**k - 1.0))
                away = np.maximum(abs(row[k] - row[k - 1]), abs(row[k] - old)) + rounding
                is_better = away < error  # False for nan
                best, error = np.where(is_better, row[k], best), np.where(is_better, away, error)
        before = row
    return best, error
