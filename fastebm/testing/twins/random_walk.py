"""Random-walk Metropolis as it stands in the textbook."""

import math

import numpy as np
import scipy

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.twin import ProposalTwin, log_along, log_normal, standardised

_HALF = math.sqrt(3.0)


class RandomWalkTwin(ProposalTwin):
    """y = x + L z, with normal, uniform or Student-t numbers z of standard deviation 1 (of the t, of its normal part).

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    """

    def __init__(self, settings: FloatArray, dim: int) -> None:
        n = dim * dim if len(settings) >= dim * dim else dim
        steps = np.array(settings[:n], dtype=float)
        self.root = np.diag(steps) if n == dim else steps.reshape(dim, dim)
        self.is_plain = n == dim
        self.scale = steps if self.is_plain else np.sqrt((self.root**2).sum(axis=1))
        self.df = -1 if len(settings) == n else int(settings[n])  # -1: normal, 0: uniform

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        if self.df == 0:
            return [_HALF * (2.0 * stream.uniform() - 1.0) for _ in range(dim)]
        normals = stream.normals(dim)
        if self.df < 0:
            return normals
        chi2 = sum(2.0 * stream.exponential() for _ in range(self.df // 2))
        chi2 += stream.normals(1)[0] ** 2 if self.df % 2 else 0.0
        return [one * math.sqrt(self.df / chi2) for one in normals]

    def sampled(self, generator: np.random.Generator, n: int, dim: int) -> FloatArray:
        if self.df == 0:
            return generator.uniform(-_HALF, _HALF, (n, dim))
        normals = generator.standard_normal((n, dim))
        return normals if self.df < 0 else normals * np.sqrt(self.df / generator.chisquare(self.df, (n, 1)))

    def propose(self, x: FloatArray, slope: FloatArray, numbers: FloatArray) -> FloatArray:
        return np.asarray(x + (self.scale * numbers if self.is_plain else numbers @ self.root.T))

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        away = np.subtract(y, x)
        if self.df < 0:
            return log_normal(away, self.scale) if self.is_plain else log_along(away, self.root)
        z, dim = standardised(away, self.root), len(self.root)
        if self.df == 0:
            inside = (np.abs(z) <= _HALF).all(axis=-1)
            shape = -dim * math.log(2.0 * _HALF)
            return np.asarray(np.where(inside, shape, -np.inf) - np.log(np.diag(self.root)).sum())
        half = 0.5 * (self.df + dim)
        constant = scipy.special.gammaln(half) - scipy.special.gammaln(0.5 * self.df)
        constant -= 0.5 * dim * math.log(self.df * math.pi) + np.log(np.diag(self.root)).sum()
        with np.errstate(over="ignore"):
            return np.asarray(constant - half * np.log1p((z**2).sum(axis=-1) / self.df))
