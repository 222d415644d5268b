"""Activations of neural networks: value, slope and curvature of each, from one exponential.

They are plain scalar functions that return (f(a), f'(a), f''(a)), and run on lanes as they stand.

References
----------
P. Ramachandran, B. Zoph and Q. V. Le (2017), Searching for activation functions, arXiv:1710.05941 (swish).
C. Dugas, Y. Bengio, F. Belisle, C. Nadeau and R. Garcia (2000), Incorporating second-order functional knowledge for
better option pricing, Advances in Neural Information Processing Systems 13 (softplus).
X. Glorot, A. Bordes and Y. Bengio (2011), Deep sparse rectifier neural networks, AISTATS (relu).
"""

import math
from collections.abc import Callable
from typing import Any

from fastebm.lanes import language
from fastebm.lanes.language import where


def softplus(a: Any) -> Any:
    """log(1 + exp(a))."""
    small = math.exp(-abs(a))
    near = 1.0 / (1.0 + small)
    gate = where(a < 0.0, small * near, near)
    return language.softplus(a), gate, small * near * near


def tanh(a: Any) -> Any:
    """(exp(a) - exp(-a)) / (exp(a) + exp(-a)); its slope is not 1 - tanh(a)**2, which cancels far out."""
    value = math.tanh(a)
    small = math.exp(-2.0 * abs(a))
    slope = 4.0 * small / ((1.0 + small) * (1.0 + small))
    return value, slope, -2.0 * value * slope


def swish(a: Any) -> Any:
    """a / (1 + exp(-a))."""
    small = math.exp(-abs(a))
    near = 1.0 / (1.0 + small)
    far = small * near
    gate, rest = where(a < 0.0, far, near), where(a < 0.0, near, far)
    bend = near * far  # slope of the gate, whose curvature is bend (rest - gate)
    return a * gate, gate + a * bend, bend * (2.0 + a * (rest - gate))


def relu(a: Any) -> Any:
    """max(a, 0). Its slope at the kink is the left one, 0; its curvature is 0, which leaves the kink out."""
    slope = where(a > 0.0, 1.0, where(a <= 0.0, 0.0, a))  # nan stays nan
    return where(a <= 0.0, 0.0, a), slope, 0.0 * slope


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"softplus": softplus, "tanh": tanh, "swish": swish, "relu": relu}
