"""Laws that the catalogue's samplers are checked on: asymmetric, of no unit variance, so that no factor hides.

Numbers that samplers use beside the energy (a wall, a covariance) stand here as well, so that they cannot differ.
"""

import math
from typing import Any

import numpy as np

from fastebm.energies import DoubleWell, Gaussian, GaussianMixture, energy

MIXTURE = GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])
WELL = DoubleWell(1, barrier=1.7, location=1.1, tilt=0.3)

MEAN = np.array([0.5, -1.0])
COVARIANCE = np.array([[1.5, 0.6], [0.6, 0.8]])
PLANE = Gaussian(MEAN, COVARIANCE)

WALL = 2.0  # the slope lives between 0 and it
SHAPE, RATE = 2.3, 1.4  # of the gamma law, on x > 0
HOT = 0.4  # inverse temperature of the second chain of a pair; that of the first is 1


@energy(1, domain=[(0.0, WALL)])
def slope(x: Any) -> Any:
    """Falls off between two walls."""
    return 1.5 * x[0]


@energy(1, domain=[(0.0, math.inf)])
def gamma(x: Any) -> Any:
    """The gamma law, whose energy has no number to the left of 0."""
    return RATE * x[0] - (SHAPE - 1.0) * math.log(x[0])


def _bumps(x: Any) -> Any:
    return -math.log(0.3 * math.exp(-0.5 * ((x + 1.6) / 0.6) ** 2) + 0.7 * math.exp(-0.5 * ((x - 1.1) / 0.9) ** 2))


@energy(1)
def bumps(x: Any) -> Any:
    """Two bumps of one coordinate, for chains at several temperatures."""
    return _bumps(x[0])


@energy(2)
def pair(x: Any) -> Any:
    """One chain at inverse temperature 1 and one at HOT, as one point: what parallel tempering has to keep."""
    return _bumps(x[0]) + HOT * _bumps(x[1])
