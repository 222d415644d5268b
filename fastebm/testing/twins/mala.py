"""The Metropolis-adjusted Langevin algorithm as it stands in the textbook."""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.twin import Twin, log_normal


class MALATwin(Twin):
    """y = x - eps dE/dx + sqrt(2 eps) normal.

    References
    ----------
    G. O. Roberts and R. L. Tweedie (1996), doi:10.2307/3318418.
    """

    needs_grad = True

    def __init__(self, settings: FloatArray) -> None:
        self.eps = np.array(settings[: len(settings) // 2], dtype=float)
        self.scale = np.sqrt(2.0 * self.eps)

    def propose(self, x: FloatArray, slope: FloatArray, normals: FloatArray) -> FloatArray:
        return np.asarray(x - self.eps * slope + self.scale * normals)

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        return log_normal(np.subtract(y, x) + self.eps * slope_x, self.scale)
