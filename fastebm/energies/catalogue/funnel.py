"""Neal's funnel: the width of all other coordinates hangs on the first."""

import math
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula

_WIDEST = 100.0  # scale from which on exp(x_0 / 2) may overflow


class Funnel(Formula):
    """E(x) = x_0**2 / (2 scale**2) + sum over i > 0 of x_i**2 exp(-x_0) / 2 + x_0 / 2; log Z in closed form.

    x_0 is normal with standard deviation `scale`, and the others are normal with variance exp(x_0): narrow and steep at
    its bottom, wide and flat at its top.

    Parameters
    ----------
    dim : dimension, at least 2.
    scale : above 0.

    Notes
    -----
    theta holds `scale`.

    References
    ----------
    R. M. Neal (2003), Slice sampling, doi:10.1214/aos/1056562461.
    """

    def __init__(self, dim: int = 10, scale: float = 3.0) -> None:
        dim = _checks.count(dim, "dim", 2)
        theta = {"scale": _checks.positive(scale, "scale")}
        super().__init__(funnel, dim, theta, {"dim": dim, **theta})

    def closed_log_partition(self) -> float:
        scale = abs(self.unpack()["scale"])
        return 0.5 * self.dim * math.log(2.0 * math.pi) + (math.log(scale) if scale > 0.0 else -math.inf)

    def closed_moments(self) -> Moments:
        variance = self.unpack()["scale"] ** 2
        variances = np.full(self.dim, np.exp(0.5 * variance))
        variances[0] = variance
        return Moments(np.zeros(self.dim), np.diag(variances))

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        scale = self.unpack()["scale"]
        if not 0.0 < abs(scale) < _WIDEST:
            return None
        x = generator.standard_normal((n, self.dim))
        x[:, 0] *= scale
        x[:, 1:] *= np.exp(0.5 * x[:, :1])
        return x


def funnel(x: Any, theta: Any) -> Any:
    square = 0.0
    for i in range(1, len(x)):
        square += x[i] ** 2
    return 0.5 * ((x[0] / theta.scale) ** 2 + square * math.exp(-x[0]) + (len(x) - 1) * x[0])
