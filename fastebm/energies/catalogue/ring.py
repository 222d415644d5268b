"""The ring: a density on a circle, with no direction preferred."""

import math
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula


class Ring(Formula):
    """E(x) = ((|x| - radius) / width)**2 / 2 in two dimensions; log Z in closed form.

    Parameters
    ----------
    radius : of the circle where E is 0, above 0.
    width : standard deviation of the distance from the circle where the ring is thin, above 0.

    Notes
    -----
    theta holds `radius` and `width`.
    """

    def __init__(self, radius: float = 4.0, width: float = 0.5) -> None:
        theta = {"radius": _checks.positive(radius, "radius"), "width": _checks.positive(width, "width")}
        super().__init__(ring, 2, theta, theta)

    def closed_log_partition(self) -> float | None:
        radius, width = self.unpack().values()
        if not (radius >= 0.0 and width > 0.0):  # training may go there, where the formula loses its digits
            return None
        return math.log(2.0 * math.pi * width**2) + math.log(_radial_moment(1, radius / width))

    def closed_moments(self) -> Moments | None:
        radius, width = self.unpack().values()
        if not (radius >= 0.0 and width > 0.0):
            return None
        ratio = radius / width
        variance = 0.5 * width**2 * _radial_moment(3, ratio) / _radial_moment(1, ratio)
        return Moments(np.zeros(2), variance * np.eye(2))


def ring(x: Any, theta: Any) -> Any:
    return 0.5 * ((math.hypot(x[0], x[1]) - theta.radius) / theta.width) ** 2


def _radial_moment(n: int, ratio: float) -> float:
    """The integral of s**n exp(-(s - ratio)**2 / 2) over s > 0, by parts from that of s**0."""
    edge = math.exp(-0.5 * ratio**2)
    below, here = 0.0, math.sqrt(math.pi / 2.0) * math.erfc(-ratio / math.sqrt(2.0))
    for k in range(n):
        below, here = here, ratio * here + k * below + (edge if k == 0 else 0.0)
    return here
