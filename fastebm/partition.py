"""log Z of an energy, its gradient in theta, and the likelihood that it makes of an energy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.exact import quadrature

_METHODS = ("auto", "closed", "quadrature")
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class LogPartition:
    """log Z and what is known about it.

    Attributes
    ----------
    value : log Z.
    error : absolute error of `value`, as a bound.
    method : "closed" or "quadrature".
    n_evaluations : energies that were computed.
    """

    value: float
    error: float
    method: str
    n_evaluations: int


def log_partition(
    energy: Energy, *, method: str = "auto", bounds: Any = None, rtol: float = 1e-8, rng: RNGLike = None
) -> LogPartition:
    """log Z = log of the integral of exp(-E).

    Parameters
    ----------
    energy : the energy.
    method : "closed" (Gaussian, GaussianMixture), "quadrature" (one to three dimensions), or "auto": closed where it is
        known and there are no bounds, else quadrature.
    bounds : (dim, 2) walls besides those of the energy's domain; None for none.
    rtol : relative error of Z that quadrature aims at, above 0.
    rng : for methods that draw; neither of the two does.

    Returns
    -------
    LogPartition. A FastebmWarning says so where rtol cannot be met, and the error is larger.

    Raises
    ------
    NotNormalisableError : exp(-E) has no finite integral, or none that can be told from an infinite one.
    ValueError : a method that this energy does not have, bounds reversed, an energy that is nan.

    Examples
    --------
    >>> import fastebm as eb
    >>> quartic = eb.energy(dim=1)(lambda x: x[0] ** 4)
    >>> round(eb.log_partition(quartic).value, 8)  # log(2 Gamma(5/4))
    0.59486984
    """
    _checks.choice(method, "method", _METHODS)
    walls = _checks.box(bounds, energy.dim)
    closed = energy.closed_log_partition() if walls is None and method != "quadrature" else None
    if closed is not None:
        return LogPartition(closed, 4.0 * energy.dim * _EPS * max(1.0, abs(closed)), "closed", 0)
    if method == "closed":
        raise ValueError(
            f"method is 'closed', but no closed form is known for {energy.name}"
            f"{'' if walls is None else ' inside bounds'}; pass method='quadrature'."
        )
    nodes = quadrature.grid(energy, bounds=walls, rtol=rtol)
    return LogPartition(nodes.log_partition, nodes.error, "quadrature", nodes.n_evaluations)


def log_partition_grad(energy: Energy) -> FloatArray:
    """d log Z / d theta = -<dE/dtheta> under the model, (n_params,), by quadrature in one to three dimensions."""
    nodes = quadrature.grid(energy)
    return -energy.mean_grad_theta(nodes.points, nodes.probabilities)


def log_likelihood(energy: Energy, X: ArrayLike, log_z: float | None = None) -> Any:
    """log p(X) = -E(X) - log Z.

    Parameters
    ----------
    energy : the model.
    X : (n, dim) or (dim,) points; -inf outside the domain.
    log_z : log Z where it is known already; None computes it by `log_partition`.

    Returns
    -------
    (n,) normalised log-densities, or a float.
    """
    known = log_partition(energy).value if log_z is None else _checks.real(log_z, "log_z")
    return -energy.energy(X) - known
