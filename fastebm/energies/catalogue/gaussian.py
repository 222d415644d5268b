"""The normal distribution, with a full or a diagonal covariance."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies.formulas import Formula
from fastebm.energies.quadratics import Quadratic


class Gaussian(Formula):
    """E(x) = |L^T (x - mean)|**2 / 2 with cov**-1 = L L^T; log Z = dim/2 log(2 pi) - sum_i log |L_ii|.

    Parameters
    ----------
    mean : (dim,) centre, or a number in one dimension.
    cov : (dim, dim) covariance matrix, symmetric and positive definite; or (dim,) variances of independent
        coordinates, which cost O(dim) instead of O(dim**2); or one number, the variance of every coordinate.

    Notes
    -----
    theta holds `mean` (dim,) and `precision_factor`: the lower triangular L (dim, dim), whose upper part is ignored,
    or its diagonal (dim,). Any L without a zero on its diagonal gives a proper density, so that training stays inside.
    """

    def __init__(self, mean: ArrayLike, cov: ArrayLike = 1.0) -> None:
        centre, covariance = centre_and_spread(mean, cov, "cov")
        theta = {"mean": centre, "precision_factor": precision_factor(covariance, "cov")}
        settings = {"mean": centre.tolist(), "cov": covariance.tolist()}
        super().__init__(gaussian if covariance.ndim == 2 else independent_gaussian, centre.size, theta, settings)

    def quadratics(self) -> list[Quadratic]:
        mean, factor = self.unpack().values()
        return [Quadratic(mean, factor if factor.ndim == 1 else np.tril(factor).T, 0.0)]


def gaussian(x: Any, theta: Any) -> Any:
    total = 0.0
    for j in range(len(x)):
        z = 0.0
        for i in range(j, len(x)):
            z += theta.precision_factor[i, j] * (x[i] - theta.mean[i])
        total += 0.5 * z * z
    return total


def independent_gaussian(x: Any, theta: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        z = theta.precision_factor[i] * (x[i] - theta.mean[i])
        total += 0.5 * z * z
    return total


def centre_and_spread(centre: ArrayLike, spread: ArrayLike, name: str) -> tuple[FloatArray, FloatArray]:
    """A centre as (dim,), and with it a spread of one number or (dim,) numbers as (dim,), or a matrix (dim, dim)."""
    middle = np.atleast_1d(_checks.finite_array(centre, "mean"))
    if middle.ndim != 1 or middle.size == 0:
        raise ValueError(f"mean has shape {middle.shape}; pass an array of shape (dim,).")
    dim = middle.size
    matrix = _checks.finite_array(spread, name)
    if matrix.ndim == 0:
        matrix = np.full(dim, float(matrix))
    if matrix.shape not in ((dim,), (dim, dim)):
        raise ValueError(f"{name} has shape {matrix.shape}; pass ({dim}, {dim}), ({dim},) or one number.")
    return middle, matrix


def precision_factor(cov: FloatArray, name: str) -> FloatArray:
    """Lower triangular L with cov**-1 = L L^T for a matrix, or 1/sqrt for variances."""
    if cov.ndim == 1:
        if not (cov > 0.0).all():
            raise ValueError(f"{name} has the variance {cov.min()}; pass variances above 0.")
        return 1.0 / np.sqrt(cov)
    size = np.sqrt(np.abs(np.diagonal(cov)))
    if (np.abs(cov - cov.T) > 1e-10 * np.outer(size, size)).any():
        raise ValueError(f"{name} is not symmetric; pass (cov + cov.T) / 2.")
    try:
        return np.linalg.cholesky(np.linalg.inv(cov))
    except np.linalg.LinAlgError:
        least = np.linalg.eigvalsh(cov)[0]
        raise ValueError(
            f"{name} has the eigenvalue {least:.3g}; pass a positive definite matrix, for example "
            f"{name} + 1e-6 * np.eye({len(cov)})."
        ) from None


def covariance_of(factor: FloatArray) -> FloatArray:
    """The matrix (dim, dim) that `precision_factor` is of; the upper triangle of a factor is ignored."""
    if factor.ndim == 1:
        return np.diag(factor**-2.0)
    inverse = np.linalg.inv(np.tril(factor))
    return inverse.T @ inverse


def log_volume(factor: FloatArray) -> float:
    """-sum_i log |L_ii|: half the log determinant of the covariance."""
    diagonal = np.diagonal(factor) if factor.ndim == 2 else factor
    with np.errstate(divide="ignore"):
        return -float(np.log(np.abs(diagonal)).sum())
