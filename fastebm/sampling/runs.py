"""What sampling returns: draws, what was noticed about them, and their file."""

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fastebm import diagnostics, files
from fastebm._checks import FloatArray
from fastebm.sampling.moments import Moments


@dataclass(frozen=True, eq=False)
class Run:
    """Draws of many chains.

    Attributes
    ----------
    draws : (n_chains, n_draws, dim) positions after warm-up, every `thin`-th.
    energy : (n_chains, n_draws) energies at the draws.
    acceptance_rate : (n_chains,) accepted share of the proposals after warm-up.
    step_size : as given, or as tuned in warm-up and then frozen; of the coordinates that move, where some are clamped.
    scale : (dim,) relative widths of the coordinates found in warm-up, or (dim, dim) a lower triangular root of their
        relative covariance, geometric mean of the diagonal 1; ones for a given step size. Of the coordinates that move.
    seed : passed as `rng`, it gives the same run again.
    interrupted : True if Ctrl-C ended the run early; the draws are those made until then.
    timings : seconds of "compilation", "warmup" and "sampling".
    settings : what else was asked for, and descriptions of energy and kernel.
    path_length : of trajectories, where the kernel tuned it.
    betas : the ladder of inverse temperatures, where the kernel has one.
    report : what else the kernel tells, by name; see there.
    converged : whether `until` was met; None where nothing was asked.
    moments : of all draws, where keep="moments"; `draws` then holds the last one.
    """

    draws: FloatArray
    energy: FloatArray
    acceptance_rate: FloatArray
    step_size: float | FloatArray
    scale: FloatArray
    seed: int
    interrupted: bool
    timings: dict[str, float]
    settings: dict[str, Any] = field(repr=False)
    path_length: float | None = None
    betas: FloatArray | None = None
    report: dict[str, FloatArray] = field(default_factory=dict, repr=False)
    converged: bool | None = None
    moments: Moments | None = None

    def summary(self) -> Any:
        """Mean, standard deviation, quantiles, ESS, R-hat and Monte Carlo errors of each coordinate and of the energy.

        Computed by arviz-stats, as a pandas DataFrame. Chains that never moved, or hold what is not finite, are counted
        in the column `stuck_chains`, since common diagnostics report a full effective sample size for them. A run of
        superchains has a column `nested_r_hat`. Of keep="moments" there are means, quantiles and R-hat of whole chains.

        Raises
        ------
        ImportError : arviz-stats is not installed.
        ValueError : fewer than 4 draws a chain.
        """
        if self.moments is not None:
            return self.moments.table()
        try:
            from arviz_stats import summary
        except ImportError:
            raise ImportError('run.summary() needs arviz-stats; run: pip install "fastebm[diagnostics]".') from None
        if self.draws.shape[1] < 4:
            n_draws = self.draws.shape[1]
            raise ValueError(f"run.draws holds {n_draws} draws a chain, and a summary needs at least 4; raise n_draws.")
        with np.errstate(divide="ignore", invalid="ignore"):  # what never changes has no R-hat: nan, without a warning
            table = summary(self.to_datatree())
        everything = np.concatenate([self.draws, self.energy[:, :, None]], axis=2)
        is_stuck = diagnostics.stuck(everything) | (self.acceptance_rate == 0.0)
        table["stuck_chains"] = int(np.count_nonzero(is_stuck))
        if n_groups := self.settings.get("n_groups", 0):
            table["nested_r_hat"] = diagnostics.nested_rhat(everything, n_groups)
        return table

    def to_datatree(self) -> Any:
        """The draws as an xarray DataTree, as ArviZ's functions take them.

        The group "posterior" has x[0], x[1], ... and energy, each of dimensions chain and draw; "sample_stats" has the
        energy and the acceptance_rate (chain,), and as attributes step_size, scale, path_length, seed (as text),
        interrupted, converged, n_warmup and thin.

        Raises
        ------
        ImportError : arviz-base is not installed.
        """
        try:
            from arviz_base import from_dict
            from xarray import DataArray
        except ImportError:
            raise ImportError('run.to_datatree() needs arviz; run: pip install "fastebm[diagnostics]".') from None
        variables = {f"x[{i}]": self.draws[:, :, i] for i in range(self.draws.shape[2])}
        with warnings.catch_warnings():  # many short chains are what we make
            warnings.filterwarnings("ignore", "Found chain dimension to be longer")
            energy = {"energy": self.energy}
            tree = from_dict({"posterior": variables | energy, "sample_stats": energy})
        statistics = tree["sample_stats"]
        statistics["acceptance_rate"] = DataArray(self.acceptance_rate, dims="chain")
        found = {
            "step_size": self.step_size, "scale": np.ravel(self.scale), "path_length": self.path_length,
            "seed": str(self.seed), "interrupted": int(self.interrupted),
            "converged": None if self.converged is None else int(self.converged),
            "n_warmup": self.settings.get("n_warmup"), "thin": self.settings.get("thin"),
        }
        statistics.attrs.update({name: one for name, one in found.items() if one is not None})  # netCDF has no None
        return tree

    def save(self, path: str | Path) -> None:
        """Write the run to `path`, atomically; `fastebm.load` reads it."""
        plain = ("seed", "interrupted", "timings", "settings", "path_length", "converged")
        arrays = {
            "draws": self.draws,
            "energy": self.energy,
            "acceptance_rate": self.acceptance_rate,
            "step_size": np.asarray(self.step_size),
            "scale": self.scale,
        }
        if self.betas is not None:
            arrays["betas"] = self.betas
        arrays |= {f"report.{name}": one for name, one in self.report.items()}
        if self.moments is not None:
            arrays |= {f"moments.{name}": np.asarray(one) for name, one in vars(self.moments).items()}
        files.write(path, "run", {name: getattr(self, name) for name in plain}, arrays)

    @classmethod
    def restore(cls, header: dict[str, Any], arrays: dict[str, Any]) -> "Run":
        """The run that `save` wrote."""
        step_size = arrays.pop("step_size")
        moments, report = ({
            name.removeprefix(f"{kind}."): arrays.pop(name) for name in [*arrays] if name.startswith(f"{kind}.")
        } for kind in ("moments", "report"))
        if moments:
            moments["n_draws"] = int(moments["n_draws"])
        return cls(
            **arrays, **header, step_size=float(step_size) if step_size.ndim == 0 else step_size,
            moments=Moments(**moments) if moments else None, report=report,
        )

    def __repr__(self) -> str:
        n_chains, n_draws, dim = self.draws.shape
        rate = float(self.acceptance_rate.mean()) if n_chains else math.nan
        return (
            f"Run(n_chains={n_chains}, n_draws={n_draws}, dim={dim}, acceptance_rate={rate:.3f}, "
            f"step_size={self.step_size}, seed={self.seed})"
        )
