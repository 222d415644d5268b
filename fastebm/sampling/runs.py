"""What sampling returns: draws, what was noticed about them, and their file."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fastebm import files
from fastebm._checks import FloatArray


@dataclass(frozen=True, eq=False)
class Run:
    """Draws of many chains.

    Attributes
    ----------
    draws : (n_chains, n_draws, dim) positions after warm-up, every `thin`-th.
    energy : (n_chains, n_draws) energies at the draws.
    acceptance_rate : (n_chains,) accepted share of the proposals after warm-up.
    step_size : as given, or as tuned in warm-up and then frozen.
    scale : (dim,) relative scales of the coordinates found in warm-up, geometric mean 1; ones for a given step size.
    seed : passed as `rng`, it gives the same run again.
    interrupted : True if Ctrl-C ended the run early; the draws are those made until then.
    timings : seconds of "compilation", "warmup" and "sampling".
    settings : what else was asked for, and a description of the energy.
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

    def summary(self) -> Any:
        """Mean, standard deviation, quantiles, ESS, R-hat and Monte Carlo errors of each coordinate and of the energy.

        Computed by arviz-stats, as a pandas DataFrame. Chains that never moved are counted in the column
        `stuck_chains`, since common diagnostics report a full effective sample size for them.

        Raises
        ------
        ImportError : arviz-stats is not installed.
        ValueError : fewer than 4 draws a chain.
        """
        try:
            from arviz_base import from_dict
            from arviz_stats import summary
        except ImportError:
            raise ImportError('run.summary() needs arviz-stats; run: pip install "fastebm[diagnostics]".') from None
        if self.draws.shape[1] < 4:
            raise ValueError(f"run.draws holds {self.draws.shape[1]} draws a chain; a summary needs at least 4.")
        posterior = {f"x[{i}]": self.draws[:, :, i] for i in range(self.draws.shape[2])} | {"energy": self.energy}
        with np.errstate(divide="ignore", invalid="ignore"):  # what never changes has no R-hat: nan, without a warning
            table = summary(from_dict({"posterior": posterior}))
        table["stuck_chains"] = int(np.count_nonzero(self.acceptance_rate == 0.0))
        return table

    def save(self, path: str | Path) -> None:
        """Write the run to `path`, atomically; `fastebm.load` reads it."""
        header = {
            "seed": self.seed,
            "interrupted": self.interrupted,
            "timings": self.timings,
            "settings": self.settings,
        }
        arrays = {
            "draws": self.draws,
            "energy": self.energy,
            "acceptance_rate": self.acceptance_rate,
            "step_size": np.asarray(self.step_size),
            "scale": self.scale,
        }
        files.write(path, "run", header, arrays)

    @classmethod
    def restore(cls, header: dict[str, Any], arrays: dict[str, Any]) -> "Run":
        """The run that `save` wrote."""
        step_size = arrays.pop("step_size")
        return cls(**arrays, **header, step_size=float(step_size) if step_size.ndim == 0 else step_size)

    def __repr__(self) -> str:
        n_chains, n_draws, dim = self.draws.shape
        rate = float(self.acceptance_rate.mean()) if n_chains else math.nan
        return (
            f"Run(n_chains={n_chains}, n_draws={n_draws}, dim={dim}, acceptance_rate={rate:.3f}, "
            f"step_size={self.step_size}, seed={self.seed})"
        )
