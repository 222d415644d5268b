"""Have chains converged, and how much are their draws worth? By arviz-stats, behind a look for chains that are stuck.

Every function takes draws (n_chains, n_draws, k) of k quantities and returns (k,) numbers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def _array_stats() -> Any:
    try:
        from arviz_stats.base import array_stats
    except ImportError:
        raise ImportError('diagnostics need arviz-stats; run: pip install "fastebm[diagnostics]".') from None
    return array_stats


def _of_each(name: str, draws: FloatArray, *arguments: Any, **options: Any) -> FloatArray:
    """A function of arviz-stats of each quantity; nan without a warning where nothing ever changes."""
    function = getattr(_array_stats(), name)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([float(function(draws[:, :, i], *arguments, **options)) for i in range(draws.shape[2])])


def stuck(draws: FloatArray) -> NDArray[np.bool_]:
    """Which chains (n_chains,) never moved or hold what is not finite: other diagnostics praise them."""
    is_finite = np.isfinite(draws).all(axis=(1, 2))
    never_moved = (draws == draws[:, :1]).all(axis=(1, 2)) & (draws.shape[1] > 1)
    return np.asarray(~is_finite | never_moved)


def rhat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat, of bulk and tails the larger; inf where a chain is stuck and others are elsewhere.

    A single chain is judged by its halves, as if they were two.

    References
    ----------
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Buerkner (2021), doi:10.1214/20-BA1221.
    """
    if stuck(draws).any():
        return np.full(draws.shape[2], np.inf)
    if len(draws) == 1:
        half = draws.shape[1] // 2
        draws = draws[:, -2 * half :].reshape(2, half, draws.shape[2])
    return _of_each("rhat", draws)


def nested_rhat(draws: FloatArray, n_groups: int) -> FloatArray:
    """Nested R-hat of superchains: consecutive groups of chains that began at one point each; at least 2 groups.

    References
    ----------
    C. C. Margossian, M. D. Hoffman, P. Sountsov, L. Riou-Durand, A. Vehtari and A. Gelman (2024),
        doi:10.1214/24-BA1453.
    """
    if stuck(draws).any():
        return np.full(draws.shape[2], np.inf)
    return _of_each("rhat_nested", draws, np.repeat(np.arange(n_groups), len(draws) // n_groups))


def ess(draws: FloatArray, kind: str = "bulk") -> FloatArray:
    """Effective sample size, of "bulk" or "tail"; what stuck chains hold counts for nothing."""
    moving = draws[~stuck(draws)]
    if len(moving) == 0:
        return np.zeros(draws.shape[2])
    return _of_each("ess", moving, method=kind, **({"prob": (0.05, 0.95)} if kind == "tail" else {}))


def mcse(draws: FloatArray) -> FloatArray:
    """Monte Carlo standard error of the mean."""
    return _of_each("mcse", draws, method="mean")
