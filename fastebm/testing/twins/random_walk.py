"""Random-walk Metropolis as it stands in the textbook."""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.twin import Twin, log_normal


class RandomWalkTwin(Twin):
    """y = x + scale * normal.

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    """

    def __init__(self, settings: FloatArray) -> None:
        self.scale = np.array(settings, dtype=float)

    def propose(self, x: FloatArray, slope: FloatArray, normals: FloatArray) -> FloatArray:
        return np.asarray(x + self.scale * normals)

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        return log_normal(np.subtract(y, x), self.scale)
