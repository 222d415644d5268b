"""When to stop: the chains agree, and their draws are worth enough."""

import math
from typing import Any, NamedTuple

import numpy as np

from fastebm import _checks, diagnostics
from fastebm._checks import FloatArray

_FIRST_LOOK = 50  # draws
_GROWTH = 1.5  # from look to look, so that all looks together cost three times the last


class Converged:
    """Sampling stops when every coordinate and the energy have converged; `n_draws` is then a limit.

    Looks are taken after 50, 75, 113, ... draws a chain, so that a seed decides where a run stops.

    Parameters
    ----------
    rhat : largest rank-normalised R-hat, above 1; nested R-hat where chains start as `Superchains`.
    ess : smallest effective sample size over all chains together, of bulk and of tails, above 0.

    References
    ----------
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Buerkner (2021), doi:10.1214/20-BA1221.
    """

    def __init__(self, rhat: float = 1.01, ess: float = 400.0) -> None:
        self.rhat = _checks.real(rhat, "rhat")
        if self.rhat <= 1.0:
            raise ValueError(f"rhat is {rhat}; pass a number above 1, for example 1.01.")
        self.ess = _checks.positive(ess, "ess")

    def next_look(self, n_draws: int) -> int:
        """The number of draws at the next look, after so many."""
        look = float(_FIRST_LOOK)
        while math.ceil(look) <= n_draws:
            look *= _GROWTH
        return math.ceil(look)

    def verdict(
        self, draws: FloatArray, energies: FloatArray, n_groups: int, columns: Any = None, *, is_discrete: bool = False
    ) -> "Verdict":
        """What draws tell, which are enough if nothing speaks against it.

        Parameters
        ----------
        draws, energies : (n_chains, n_draws, dim) and (n_chains, n_draws).
        n_groups : superchains, 0 for independent starts.
        columns : coordinates that move, all of them if None; the others have nothing to converge.
        is_discrete : whether a coordinate may be the same everywhere; one that takes any number is then stuck.
        """
        n_draws, dim = draws.shape[1:]
        if n_draws < 4:
            return Verdict(False, math.inf, math.nan)
        moving = draws if columns is None or len(columns) == dim else draws[:, :, columns]
        if not is_discrete and (moving == moving[:, :1]).all(axis=1).any():
            return Verdict(False, math.inf, math.nan)
        everything = np.concatenate([moving, energies[:, :, None]], axis=2)
        varies = (everything != everything[:1, :1]).any(axis=(0, 1))  # a flat energy, a value that is rare
        everything = everything[:, :, varies] if varies.any() else everything
        grouped = diagnostics.nested_rhat(everything, n_groups) if n_groups else diagnostics.rhat(everything)
        rhat = float(np.max(np.where(np.isnan(grouped), np.inf, grouped)))
        if rhat > self.rhat:
            return Verdict(False, rhat, math.nan)
        ess = min(float(np.min(diagnostics.ess(everything, kind))) for kind in ("bulk", "tail"))
        return Verdict(ess >= self.ess, rhat, ess)  # nan is not enough

    def describe(self) -> dict[str, Any]:
        return {"rhat": self.rhat, "ess": self.ess}

    def __repr__(self) -> str:
        return f"Converged(rhat={self.rhat}, ess={self.ess})"


class Verdict(NamedTuple):
    """What a look found: the largest R-hat, and the smallest ESS, nan where R-hat alone speaks against it."""

    has_converged: bool
    rhat: float
    ess: float
