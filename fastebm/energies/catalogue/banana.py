"""The banana: a normal distribution, bent."""

import math
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula


class Banana(Formula):
    """E(x) = x_0**2/(2 scale**2) + (x_1 + bend (x_0**2 - scale**2))**2 / 2 + sum over i > 1 of x_i**2 / 2.

    log Z is in closed form: the bend moves points along x_1 and leaves volumes as they are.

    Parameters
    ----------
    dim : dimension, at least 2; coordinates after the second are standard normal.
    bend : curvature; 0.03 is a mild and 0.1 a strong one, any number is allowed.
    scale : standard deviation of x_0, above 0.

    Notes
    -----
    theta holds `bend` and `scale`.

    References
    ----------
    H. Haario, E. Saksman and J. Tamminen (1999), Adaptive proposal distribution for random walk Metropolis algorithm,
    doi:10.1007/s001800050022.
    """

    def __init__(self, dim: int = 2, bend: float = 0.1, scale: float = 10.0) -> None:
        dim = _checks.count(dim, "dim", 2)
        theta = {"bend": _checks.real(bend, "bend"), "scale": _checks.positive(scale, "scale")}
        super().__init__(banana, dim, theta, {"dim": dim, **theta})

    def closed_log_partition(self) -> float:
        scale = abs(self.unpack()["scale"])
        return 0.5 * self.dim * math.log(2.0 * math.pi) + (math.log(scale) if scale > 0.0 else -math.inf)

    def closed_moments(self) -> Moments:
        bend, scale = self.unpack().values()
        variances = np.ones(self.dim)
        variances[:2] = scale**2, 1.0 + 2.0 * bend**2 * scale**4
        return Moments(np.zeros(self.dim), np.diag(variances))

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        bend, scale = self.unpack().values()
        if scale == 0.0:  # training may go there
            return None
        x = generator.standard_normal((n, self.dim))
        x[:, 0] *= scale
        x[:, 1] -= bend * (x[:, 0] ** 2 - scale**2)
        return x


def banana(x: Any, theta: Any) -> Any:
    bent = x[1] + theta.bend * (x[0] ** 2 - theta.scale**2)
    total = 0.5 * ((x[0] / theta.scale) ** 2 + bent**2)
    for i in range(2, len(x)):
        total += 0.5 * x[i] ** 2
    return total
