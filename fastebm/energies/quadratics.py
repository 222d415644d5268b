"""Quadratic energies, and the closed forms of densities that are sums of Gaussians.

Sums, multiples, affine maps, conditioning and observation of quadratic energies are quadratic again; where exp(-E) is a
sum of exp(-q_k) with quadratic q_k, they act on each q_k alone. So log Z and the moments of whatever is made of
Gaussians and their mixtures follow from a few lines of linear algebra.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray


class Quadratic(NamedTuple):
    """q(x) = |A (x - mean)|**2 / 2 + least: exp(-q) is a Gaussian up to a factor.

    The root A of the precision A^T A, and not the precision, keeps the digits of ill-conditioned ones.

    Attributes
    ----------
    mean : (dim,)
    root : A (dim, dim); or its diagonal (dim,), for which everything costs O(dim).
    least : the smallest value of q.
    condition : how much more than a few units in the last place log Z may err by, from the matrices it came from.
    """

    mean: FloatArray
    root: FloatArray
    least: float
    condition: float = 1.0

    def log_partition(self) -> float:
        """log of the integral of exp(-q), infinite where q is constant along a line."""
        with np.errstate(divide="ignore"):
            log_det = np.log(np.abs(self.root)).sum() if self.root.ndim == 1 else np.linalg.slogdet(self.root)[1]
        return 0.5 * self.mean.size * math.log(2.0 * math.pi) - float(log_det) - self.least

    def covariance(self) -> FloatArray:
        """(A^T A)^-1, (dim, dim); infinite where q is constant along a line."""
        if self.log_partition() == math.inf:
            return np.full((self.mean.size, self.mean.size), np.inf)
        if self.root.ndim == 1:
            return np.diag(self.root**-2.0)
        inverse = np.linalg.inv(self.root)
        return np.asarray(inverse @ inverse.T)

    def draws(self, normals: FloatArray) -> FloatArray:
        """Points (n, dim) of the density exp(-q) / Z from standard normal numbers (n, dim): A (x - mean) = normals."""
        away = normals / self.root if self.root.ndim == 1 else np.linalg.solve(self.root, normals.T).T
        return np.asarray(self.mean + away)

    def times(self, beta: float) -> Self:
        """beta q, beta > 0."""
        return self._replace(root=math.sqrt(beta) * self.root, least=beta * self.least)

    def plus(self, other: "Quadratic") -> "Quadratic":
        """q + other; LinAlgError where that is constant along a line.

        `least` is the sum's value at the computed minimum, so that rounding of the minimum enters squared.
        """
        away = other.mean - self.mean
        if self.root.ndim == other.root.ndim == 1:
            root = np.hypot(self.root, other.root)
            if not root.all():
                raise np.linalg.LinAlgError
            step = (other.root / root) ** 2 * away
            worst = 1.0
        else:
            rows = np.vstack([_square(self.root), _square(other.root)])
            step, root, worst = _least_squares(rows, np.concatenate([np.zeros(away.size), _applied(other.root, away)]))
        here, there = _applied(self.root, step), _applied(other.root, step - away)
        least = self.least + other.least + 0.5 * float(here @ here + there @ there)
        return Quadratic(self.mean + step, root, least, max(self.condition, other.condition, worst))

    def mapped(self, matrix: FloatArray, inverse: FloatArray, shift: FloatArray, log_volume: float) -> "Quadratic":
        """The energy of y = M x + shift; M a matrix or its diagonal, with its inverse and log |det M|."""
        if self.root.ndim == 1 and inverse.ndim == 2:
            root = self.root[:, None] * inverse
        else:
            root = self.root @ inverse if inverse.ndim == 2 else self.root * inverse
        worst = float(np.linalg.cond(inverse)) if inverse.ndim == 2 else 1.0
        return Quadratic(
            _applied(matrix, self.mean) + shift, root, self.least + log_volume, max(self.condition, worst)
        )

    def conditioned(self, is_free: NDArray[np.bool_], values: FloatArray) -> Self:
        """The energy of x[is_free] where the other coordinates have the values; LinAlgError as for `plus`."""
        away = values - self.mean[~is_free]
        if self.root.ndim == 1:
            rest = self.root[~is_free] * away
            return self._replace(
                mean=self.mean[is_free], root=self.root[is_free], least=self.least + 0.5 * float(rest @ rest)
            )
        rows, target = self.root[:, is_free], -self.root[:, ~is_free] @ away
        step, root, worst = _least_squares(rows, target)
        rest = rows @ step - target
        least = self.least + 0.5 * float(rest @ rest)
        return self._replace(
            mean=self.mean[is_free] + step, root=root, least=least, condition=max(self.condition, worst)
        )

    def observed(self, noise: float) -> Self:
        """q(x) + |y - x|**2 / (2 noise**2) as an energy of (x, y)."""
        sharp = np.eye(self.mean.size) / noise
        root = np.block([[_square(self.root), np.zeros_like(sharp)], [-sharp, sharp]])
        return self._replace(mean=np.tile(self.mean, 2), root=root)


def _square(root: FloatArray) -> FloatArray:
    return np.diag(root) if root.ndim == 1 else root


def _applied(matrix: FloatArray, x: FloatArray) -> FloatArray:
    return matrix * x if matrix.ndim == 1 else np.asarray(matrix @ x)


def _least_squares(rows: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """The z that minimises |rows z - target|, and R with R^T R = rows^T rows with its condition number."""
    orthogonal, root = np.linalg.qr(rows)
    return np.linalg.solve(root, orthogonal.T @ target), root, float(np.linalg.cond(root))


def mixed_moments(
    log_masses: Sequence[float], means: Sequence[FloatArray], covs: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of a mixture of densities, to whose masses the logarithms are given."""
    shares = np.exp(np.asarray(log_masses) - np.logaddexp.reduce(log_masses))
    with np.errstate(invalid="ignore"):  # parts without moments
        mean = shares @ np.array(means)
        away = np.array(means) - mean
        return mean, np.tensordot(shares, np.array(covs), axes=1) + (shares * away.T) @ away


def mixed_draws(terms: Sequence[Quadratic], n: int, generator: np.random.Generator) -> FloatArray | None:
    """Independent points (n, dim) of sum_k exp(-q_k) / Z: first k, then x; None where Z is not finite."""
    log_masses = np.array([term.log_partition() for term in terms])
    if not np.isfinite(log_masses).all():
        return None
    normals = generator.standard_normal((n, terms[0].mean.size))
    if len(terms) == 1:
        return terms[0].draws(normals)
    parts = drawn_parts(log_masses, n, generator)
    points = np.empty_like(normals)
    for k, term in enumerate(terms):
        points[parts == k] = term.draws(normals[parts == k])
    return points


def drawn_parts(log_masses: Sequence[float] | FloatArray, n: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Which of the parts of a mixture each of n points comes from, by the logarithms of their masses."""
    cumulative = np.cumsum(np.exp(np.asarray(log_masses) - np.max(log_masses)))
    return np.asarray(np.searchsorted(cumulative[:-1], generator.random(n) * cumulative[-1], side="right"))
