"""Energies as plain NumPy functions of all points at once: the face that quadrature asks for, without a compiler."""

import numpy as np


class PlainEnergy:
    """E given by `function`, (n, dim) -> (n,), and +inf outside `domain`."""

    def __init__(self, function, dim=1, domain=None, name="plain"):
        self.function, self.dim, self.name = function, dim, name
        self.values = None
        self.domain = None if domain is None else np.array(domain, dtype=float)

    def energy(self, X):
        values = np.asarray(self.function(X), dtype=float) + np.zeros(len(X))
        if self.domain is not None:
            outside = ((self.domain[:, 0] > X) | (self.domain[:, 1] < X)).any(axis=1)
            values = np.where(outside, np.inf, values)
        return values
