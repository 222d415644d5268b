"""Mixtures of normal distributions."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.energies.catalogue.gaussian import covariance_of, log_volume, precision_factor
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula
from fastebm.energies.quadratics import Quadratic
from fastebm.lanes.language import where, zeros

_LOG_2PI = 1.8378770664093453


class GaussianMixture(Formula):
    """E(x) = -log sum_k w_k N(x; mean_k, cov_k), normalised components; log Z = log sum_k w_k.

    Parameters
    ----------
    means : (n_components, dim) centres.
    covs : (n_components, dim, dim) covariance matrices; or one number, the variance of every coordinate of every one.
    weights : (n_components,) positive, equal and with sum 1 if None. They need not sum to 1: their sum is Z.

    Notes
    -----
    theta holds `log_weights` (n_components,), `means` (n_components, dim) and `precision_factors`
    (n_components, dim, dim): lower triangular L_k with cov_k**-1 = L_k L_k^T, whose upper parts are ignored.
    """

    def __init__(self, means: ArrayLike, covs: ArrayLike = 1.0, weights: ArrayLike | None = None) -> None:
        centres = _checks.finite_array(means, "means")
        if centres.ndim != 2 or centres.size == 0:
            raise ValueError(f"means has shape {centres.shape}; pass an array of shape (n_components, dim).")
        n, dim = centres.shape
        spreads = _checks.finite_array(covs, "covs")
        if spreads.ndim == 0:
            spreads = np.broadcast_to(float(spreads) * np.eye(dim), (n, dim, dim))
        _checks.finite_array(spreads, "covs", (n, dim, dim))
        shares = np.full(n, 1.0 / n) if weights is None else _checks.finite_array(weights, "weights", (n,))
        if not (shares > 0.0).all():
            raise ValueError(f"weights has the entry {shares.min()}; pass weights above 0.")
        theta = {
            "log_weights": np.log(shares),
            "means": centres,
            "precision_factors": np.stack([precision_factor(cov, f"covs[{k}]") for k, cov in enumerate(spreads)]),
        }
        settings = {"means": centres.tolist(), "covs": spreads.tolist(), "weights": shares.tolist()}
        super().__init__(mixture, dim, theta, settings)

    def closed_log_partition(self) -> float:
        return float(np.logaddexp.reduce(self.unpack()["log_weights"]))

    def closed_moments(self) -> Moments:
        log_weights, means, factors = self.unpack().values()
        shares = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        mean = shares @ means
        away = means - mean
        within = sum(share * covariance_of(factor) for share, factor in zip(shares, factors, strict=True))
        return Moments(mean, within + (shares * away.T) @ away)

    def quadratics(self) -> list[Quadratic]:
        constant = 0.5 * self.dim * _LOG_2PI
        return [
            Quadratic(mean, np.tril(factor).T, constant + log_volume(factor) - log_weight)
            for log_weight, mean, factor in zip(*self.unpack().values(), strict=True)
        ]


def mixture(x: Any, theta: Any) -> Any:
    n = len(theta.log_weights)
    terms = zeros(n, like=x)
    for k in range(n):
        constant = theta.log_weights[k] - 0.5 * len(x) * _LOG_2PI
        square = 0.0
        for j in range(len(x)):
            constant += math.log(abs(theta.precision_factors[k, j, j]))
            z = 0.0
            for i in range(j, len(x)):
                z += theta.precision_factors[k, i, j] * (x[i] - theta.means[k, i])
            square += z * z
        terms[k] = constant - 0.5 * square
    top = terms[0]
    for k in range(1, n):
        top = max(top, terms[k])
    top = where(top > -math.inf, top, 0.0)  # far out all terms are -inf, and their differences would be nan
    total = 0.0
    for k in range(n):
        total += math.exp(terms[k] - top)
    return -top - math.log(total)
