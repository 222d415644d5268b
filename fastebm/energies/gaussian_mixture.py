"""Mixtures of normal distributions."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._compile import ENERGY_SIGNATURE, GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, compiled, inlined
from fastebm.energies.energy import Energy
from fastebm.energies.gaussian import precision_factor
from fastebm.energies.programs import Program
from fastebm.lanes.maths import exp, log

_LOG_2PI = 1.8378770664093453


class GaussianMixture(Energy):
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
        self.settings = {"means": centres.tolist(), "covs": spreads.tolist(), "weights": shares.tolist()}
        n_params = n * (1 + dim + dim * dim)
        theta = {
            "log_weights": np.log(shares),
            "means": centres,
            "precision_factors": np.stack([precision_factor(cov, f"covs[{k}]") for k, cov in enumerate(spreads)]),
        }
        program = Program(dim, n_params, n_params, "GaussianMixture", mixture_energy, mixture_grad, mixture_grad_theta)
        super().__init__(program, theta, name="GaussianMixture")

    def closed_log_partition(self) -> float:
        return float(np.logaddexp.reduce(self.unpack()["log_weights"]))

    def describe(self) -> dict[str, Any]:
        return {"type": "GaussianMixture", "settings": self.settings}


@inlined
def _log_terms(x, theta, z, terms, out):  # type: ignore[no-untyped-def]
    """terms[k] = log of component k's weighted density, out = their log-sum-exp, and terms become posterior weights.

    `z` (dim, width) is scratch. Returns nothing; changes z, terms and out in place.
    """
    dim, width = x.shape
    n = terms.shape[0]
    for k in range(n):
        means = theta[n + k * dim : n + (k + 1) * dim]
        factors = theta[n + n * dim + k * dim * dim : n + n * dim + (k + 1) * dim * dim]
        constant = theta[k] - 0.5 * dim * _LOG_2PI
        for i in range(dim):
            constant += math.log(abs(factors[i * dim + i]))
        terms[k, :] = constant
        for j in range(dim):
            z[0, :] = 0.0
            for i in range(j, dim):
                for l in range(width):
                    z[0, l] += factors[i * dim + j] * (x[i, l] - means[i])
            for l in range(width):
                terms[k, l] -= 0.5 * z[0, l] * z[0, l]
    top = z[0]
    top[:] = terms[0]
    for k in range(1, n):
        for l in range(width):
            top[l] = max(top[l], terms[k, l])
    out[:] = 0.0
    for k in range(n):
        for l in range(width):
            # where all terms are -inf, far out or at x = inf, the shift would be nan
            terms[k, l] = exp(terms[k, l] - top[l]) if top[l] > -np.inf else 1.0
            out[l] += terms[k, l]
    for k in range(n):
        for l in range(width):
            terms[k, l] /= out[l]
    for l in range(width):
        out[l] = top[l] + log(out[l])


@compiled(ENERGY_SIGNATURE)
def mixture_energy(x, theta, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    n = len(theta) // (1 + dim + dim * dim)
    _log_terms(x, theta, np.empty((1, width)), np.empty((n, width)), out)
    for l in range(width):
        out[l] = -out[l]


@compiled(GRAD_SIGNATURE)
def mixture_grad(x, theta, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    n = len(theta) // (1 + dim + dim * dim)
    z, shares = np.empty((1, width)), np.empty((n, width))
    _log_terms(x, theta, z, shares, np.empty(width))
    out[:, :] = 0.0
    for k in range(n):
        means = theta[n + k * dim : n + (k + 1) * dim]
        factors = theta[n + n * dim + k * dim * dim : n + n * dim + (k + 1) * dim * dim]
        for j in range(dim):
            z[0, :] = 0.0
            for i in range(j, dim):
                for l in range(width):
                    z[0, l] += factors[i * dim + j] * (x[i, l] - means[i])
            for i in range(j, dim):
                for l in range(width):
                    out[i, l] += shares[k, l] * factors[i * dim + j] * z[0, l]


@compiled(GRAD_THETA_SIGNATURE)
def mixture_grad_theta(x, theta, weights, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    n = len(theta) // (1 + dim + dim * dim)
    z, shares = np.empty((1, width)), np.empty((n, width))
    _log_terms(x, theta, z, shares, np.empty(width))
    for k in range(n):
        at_means, at_factors = n + k * dim, n + n * dim + k * dim * dim
        mass = 0.0
        for l in range(width):
            shares[k, l] *= weights[l]
            mass += shares[k, l]
        out[k] -= mass
        for j in range(dim):
            z[0, :] = 0.0
            for i in range(j, dim):
                for l in range(width):
                    z[0, l] += theta[at_factors + i * dim + j] * (x[i, l] - theta[at_means + i])
            total = 0.0
            for l in range(width):
                z[0, l] *= shares[k, l]
                total += z[0, l]
            for i in range(j, dim):
                moment = 0.0
                for l in range(width):
                    moment += z[0, l] * (x[i, l] - theta[at_means + i])
                out[at_means + i] -= theta[at_factors + i * dim + j] * total
                out[at_factors + i * dim + j] += moment
            out[at_factors + j * dim + j] -= mass / theta[at_factors + j * dim + j]
