"""What an energy may call beyond Python's own words: functions of one number that also work on lanes and duals."""

import math
from typing import Any

import numpy as np


def where(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` if the condition holds, else `no`; both are computed.

    In an energy it takes the place of `if` on a value that depends on x: so the energy stays on SIMD lanes. A branch
    that is not taken leaves no trace, even where its value is nan.
    """
    return yes if condition else no


def zeros(n: int, like: Any) -> Any:
    """An array of n zeros for temporaries of an energy; `like` is its x, or a number made from x.

    >>> import fastebm as eb
    >>> @eb.energy(dim=3)
    ... def steps(x):
    ...     sums = eb.zeros(3, like=x)
    ...     for i in range(3):
    ...         sums[i] = x[i] + sums[i - 1]
    ...     return sums[2] ** 2
    >>> steps.energy([1.0, 2.0, 3.0])
    36.0
    """
    return np.zeros(n)


def sigmoid(x: float) -> float:
    """1/(1 + exp(-x)), without overflow."""
    small = math.exp(-abs(x))
    start = small if x < 0.0 else 1.0
    return start - start * (small / (1.0 + small))  # rounds less than start/(1 + small)


def softplus(x: float) -> float:
    """log(1 + exp(x)), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def digamma(x: float) -> float:
    """Derivative of lgamma: recurrence up to x >= 10, then the asymptotic series (NIST DLMF 5.5.2, 5.11.2)."""
    result = 0.0
    if x < 0.5:  # reflection, DLMF 5.5.4
        result = -math.pi / math.tan(math.pi * (x - math.floor(x + 0.5)))
        x = 1.0 - x
    while x < 10.0:
        result -= 1.0 / x
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * (691 / 32760 - z / 12))))))
    return result + math.log(x) - 0.5 / x - series


def trigamma(x: float) -> float:
    """Second derivative of lgamma: recurrence up to x >= 10, then the asymptotic series (NIST DLMF 5.15.8)."""
    result, sign = 0.0, 1.0
    if x < 0.5:  # reflection, DLMF 5.15.6
        result, sign = (math.pi / math.sin(math.pi * (x - math.floor(x + 0.5)))) ** 2, -1.0
        x = 1.0 - x
    while x < 10.0:
        result += sign / (x * x)
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * (5 / 66 - z * (691 / 2730 - z * 7 / 6))))))
    return result + sign * (1.0 + 0.5 / x + series) / x


def vanishes(x: Any) -> Any:
    """Whether a number is zero, and of a dual number its derivative too."""
    return x == 0.0
