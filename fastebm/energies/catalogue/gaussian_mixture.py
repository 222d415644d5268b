"""Mixtures of normal distributions."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._compile import GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, compiled, inlined
from fastebm.energies.catalogue.gaussian import (
    add_dense_grad,
    add_dense_grad_theta,
    covariance_of,
    precision_factor,
    whiten,
)
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula
from fastebm.lanes.language import where, zeros
from fastebm.lanes.scalars import exp

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
        super().__init__(mixture, dim, theta, settings, grad=mixture_grad, grad_theta=mixture_grad_theta)

    def closed_log_partition(self) -> float:
        return float(np.logaddexp.reduce(self.unpack()["log_weights"]))

    def closed_moments(self) -> Moments:
        log_weights, means, factors = self.unpack().values()
        shares = np.exp(log_weights - np.logaddexp.reduce(log_weights))
        mean = shares @ means
        away = means - mean
        within = sum(share * covariance_of(factor) for share, factor in zip(shares, factors, strict=True))
        return Moments(mean, within + (shares * away.T) @ away)


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


@inlined
def _component(vector, n, dim, k):  # type: ignore[no-untyped-def]
    """The parts of theta, or of its gradient, that hold mean and precision factor of component k of n."""
    at_mean, at_factor = n + k * dim, n + n * dim + k * dim * dim
    return vector[at_mean : at_mean + dim], vector[at_factor : at_factor + dim * dim]


@inlined
def _fill_shares(x, theta, shares):  # type: ignore[no-untyped-def]
    """shares (n, width) = each component's part in the density of the mixture, in place."""
    dim, width = x.shape
    n = shares.shape[0]
    z = np.empty(width)
    for k in range(n):
        mean, factor = _component(theta, n, dim, k)
        constant = theta[k]
        for i in range(dim):
            constant += math.log(abs(factor[i * dim + i]))
        shares[k, :] = constant
        for j in range(dim):
            whiten(x, mean, factor, j, z)
            for l in range(width):
                shares[k, l] -= 0.5 * z[l] * z[l]
    top, total = z, np.zeros(width)
    top[:] = shares[0]
    for k in range(1, n):
        for l in range(width):
            top[l] = max(top[l], shares[k, l])
    for k in range(n):
        for l in range(width):
            # where all terms are -inf, far out or at x = inf, the shift would be nan
            shares[k, l] = exp(shares[k, l] - top[l]) if top[l] > -np.inf else 1.0
            total[l] += shares[k, l]
    for k in range(n):
        for l in range(width):
            shares[k, l] /= total[l]


@inlined
def _n_components(theta, dim):  # type: ignore[no-untyped-def]
    return len(theta) // (1 + dim + dim * dim)


@compiled(GRAD_SIGNATURE)
def mixture_grad(x, theta, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    n = _n_components(theta, dim)
    shares = np.empty((n, width))
    _fill_shares(x, theta, shares)
    out[:, :] = 0.0
    for k in range(n):
        mean, factor = _component(theta, n, dim, k)
        add_dense_grad(x, mean, factor, shares[k], out)


@compiled(GRAD_THETA_SIGNATURE)
def mixture_grad_theta(x, theta, weights, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    n = _n_components(theta, dim)
    shares = np.empty((n, width))
    _fill_shares(x, theta, shares)
    for k in range(n):
        mass = 0.0
        for l in range(width):
            shares[k, l] *= weights[l]
            mass += shares[k, l]
        mean, factor = _component(theta, n, dim, k)
        mean_out, factor_out = _component(out, n, dim, k)
        out[k] -= mass
        add_dense_grad_theta(x, mean, factor, shares[k], mean_out, factor_out)
        for i in range(dim):
            factor_out[i * dim + i] -= mass / factor[i * dim + i]
