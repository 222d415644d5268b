"""The Metropolis-adjusted Langevin algorithm as it stands in the textbook."""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.twin import ProposalTwin, log_along, log_normal


class MALATwin(ProposalTwin):
    """y = x - eps C dE/dx + sqrt(2 eps) C**(1/2) normal, with C = 1 or the matrix A A^T / (2 eps).

    References
    ----------
    G. O. Roberts and R. L. Tweedie (1996), doi:10.2307/3318418.
    """

    needs_grad = True

    def __init__(self, settings: FloatArray, dim: int) -> None:
        self.eps = np.array(settings[:dim], dtype=float)
        self.scale = np.sqrt(2.0 * self.eps)
        self.root = None if len(settings) == 2 * dim else np.reshape(settings[2 * dim :], (dim, dim))

    def propose(self, x: FloatArray, slope: FloatArray, numbers: FloatArray) -> FloatArray:
        if self.root is None:
            return np.asarray(x - self.eps * slope + self.scale * numbers)
        return np.asarray(x - self._drift(slope) + numbers @ self.root.T)

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        if self.root is None:
            return log_normal(np.subtract(y, x) + self.eps * slope_x, self.scale)
        return log_along(np.subtract(y, x) + self._drift(slope_x), self.root)

    def _drift(self, slope: FloatArray) -> FloatArray:
        assert self.root is not None
        return np.asarray(0.5 * np.asarray(slope) @ (self.root @ self.root.T))
