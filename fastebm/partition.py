"""log Z, its gradient and normalised log-likelihoods."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy, refuse_discrete
from fastebm.exact import quadrature
from fastebm.exact.enumerations import enumeration
from fastebm.exact.transfers import transfer

METHODS = ("auto", "closed", "quadrature", "enumeration", "transfer")
_ROUNDING = 64.0 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class LogPartition:
    """log Z and how it was found.

    Attributes
    ----------
    value : log Z.
    error : bound on its error, absolute and on log Z.
    method : "closed", "quadrature", "enumeration" or "transfer".
    n_evaluations : energies that were computed for it.
    """

    value: float
    error: float
    method: str
    n_evaluations: int


def log_partition(
    energy: Energy, *, method: str = "auto", bounds: Any = None, rtol: float = 1e-8, rng: RNGLike = None
) -> LogPartition:
    """log Z = log of the integral of exp(-E(x)) over the domain, or of the sum over all states of a discrete energy.

    Parameters
    ----------
    energy : the energy E.
    method : "closed" (a formula, where there is one), "quadrature" (dim 1 to 3; see `fastebm.exact.grid`),
        "enumeration" (discrete; see `fastebm.exact.enumeration`), "transfer" (chains of any length; see
        `fastebm.exact.transfers.transfer`) or "auto": the first of these that is possible.
    bounds : (dim, 2) walls besides the domain's, infinite where there is none; None for none.
    rtol : relative error of Z that quadrature aims at.
    rng : for methods that draw random numbers, which these do not.

    Returns
    -------
    LogPartition, whose `error` may be larger than rtol; a FastebmWarning then says why.

    Raises
    ------
    NotNormalisableError : the integral is infinite, or cannot be told from an infinite one.
    ValueError : an unknown method; a method that this energy does not admit; bounds reversed or outside the domain; an
        energy that is nan.

    Examples
    --------
    >>> import fastebm as eb
    >>> z = eb.log_partition(eb.Gaussian([0.0], [[1.0]]))
    >>> z.method, round(z.value, 6)
    ('closed', 0.918939)
    """
    _checks.choice(method, "method", METHODS)
    if method == "enumeration" or (energy.values is not None and method == "auto"):
        _refuse_bounds(energy, bounds)
        states = enumeration(energy)
        return LogPartition(states.log_partition, states.error, "enumeration", states.n_states)
    closed = None if method in ("quadrature", "transfer") or bounds is not None else energy.closed_log_partition()
    if closed is not None:
        worst = max((term.condition for term in energy.quadratics() or ()), default=1.0)
        return LogPartition(closed, _ROUNDING * worst * (1.0 + abs(closed)), "closed", 0)
    if method == "closed":
        refuse_discrete(energy, 'for which no formula is known; pass method="enumeration"')
        what = "between bounds" if bounds is not None else f"for {energy.name}"
        raise ValueError(f"method is 'closed', but no formula for log Z is known {what}; pass method='quadrature'.")
    is_long = energy.dim > quadrature.MAX_DIM and energy.links() is not None
    if method == "transfer" or (method == "auto" and bounds is None and is_long):
        if bounds is not None:
            raise ValueError("method is 'transfer', which knows no bounds; leave bounds out.")
        chain = transfer(energy, rtol=rtol)
        return LogPartition(chain.log_partition, chain.error, "transfer", chain.n_evaluations)
    found = quadrature.grid(energy, bounds=bounds, rtol=rtol)
    return LogPartition(found.log_partition, found.error, "quadrature", found.n_evaluations)


def log_partition_grad(energy: Energy, *, bounds: Any = None, rtol: float = 1e-8) -> FloatArray:
    """d log Z / d theta = -<dE/dtheta> under the model, by quadrature, enumeration or transfer operator.

    Parameters
    ----------
    energy : of dimension 1 to 3, or discrete, or a chain of any length as in `fastebm.exact.transfers.transfer`.
    bounds, rtol : as in `log_partition`.

    Returns
    -------
    (n_params,)

    Raises
    ------
    NotNormalisableError, ValueError : as `log_partition` with these methods.
    """
    if energy.values is not None:
        _refuse_bounds(energy, bounds)
        return -enumeration(energy).mean_grad_theta()
    if bounds is None and energy.dim > quadrature.MAX_DIM and energy.links() is not None:
        return -transfer(energy, rtol=rtol).mean_grad_theta()
    found = quadrature.grid(energy, bounds=bounds, rtol=rtol)
    return -energy.mean_grad_theta(found.points, found.probabilities)


def log_likelihood(energy: Energy, X: ArrayLike, log_z: float | None = None) -> Any:
    """log p(x) = -E(x) - log Z.

    Parameters
    ----------
    energy : the energy E.
    X : (n, dim) or (dim,) points.
    log_z : log Z if it is known already; None: `log_partition(energy).value`.

    Returns
    -------
    (n,) float64, or a float for a single point; -inf where the energy is +inf, as outside the domain.

    Raises
    ------
    NotNormalisableError, ValueError : as `log_partition`; X of the wrong shape.
    """
    energies = energy.energy(X)
    return -energies - (log_partition(energy).value if log_z is None else _checks.real(log_z, "log_z"))


def _refuse_bounds(energy: Energy, bounds: Any) -> None:
    if bounds is not None:
        refuse_discrete(energy, "and all of them are summed; leave bounds out")
