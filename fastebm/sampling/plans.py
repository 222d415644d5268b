"""What is asked of a run: arguments that were checked, as they go into its checkpoint."""

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastebm import _checks, files
from fastebm.energies import Energy
from fastebm.energies.algebra import Conditioned
from fastebm.sampling import checkpoints
from fastebm.sampling.converged import Converged
from fastebm.sampling.keeping import MODES
from fastebm.sampling.starts import Init, Superchains

_MOST = 2**62  # transitions, which compiled code counts in 64 bits


@dataclass(frozen=True)
class Plan:
    """What was asked for, apart from energy and kernel.

    Attributes
    ----------
    n_groups : superchains, 0 for independent starts.
    others : as arguments of `sample`; `seed` is what `rng` stands for.
    """

    n_chains: int
    n_draws: int
    n_warmup: int
    thin: int
    seed: int
    clamp: dict[int, float] = field(default_factory=dict)
    keep: str = "draws"
    until: Converged | None = None
    n_groups: int = 0
    checkpoint: str | None = None
    every: float = 30.0

    def describe(self) -> dict[str, Any]:
        """All of it as JSON."""
        return vars(self) | {
            "clamp": [[i, value] for i, value in self.clamp.items()],
            "until": None if self.until is None else self.until.describe(),
        }

    @classmethod
    def rebuilt(cls, description: dict[str, Any], checkpoint: str) -> "Plan":
        """The plan that `describe` described, its checkpoint now being at this path."""
        until = description["until"]
        return cls(**(description | {
            "clamp": {int(i): value for i, value in description["clamp"]},
            "until": None if until is None else Converged(**until),
            "checkpoint": checkpoint,
        }))


def planned(
    energy: Energy,
    *,
    n_chains: int,
    n_draws: int,
    n_warmup: int,
    thin: int,
    init: Init,
    seed: int,
    clamp: Any,
    keep: Any,
    until: Converged | None,
    checkpoint: Any,
    every: float,
) -> Plan:
    """The plan, of arguments that are checked here."""
    if until is not None:
        _checks.instance(until, Converged, "until", "eb.Converged(rhat=1.01, ess=400)")
    kept = _kept(keep)
    if until is not None and kept in ("moments", "last"):
        raise ValueError(f"keep is {keep!r}, but until= looks at draws; pass keep='draws' or a path.")
    if checkpoint is not None:
        checkpoint = _checks.path(checkpoint, "checkpoint", "'run.npz'")
        written = {os.path.realpath(one) for one in checkpoints.written(checkpoint)}
        if kept not in MODES and os.path.realpath(kept) in written:
            raise ValueError(f"keep is {kept!r}, which the checkpoint {checkpoint!r} is written to; pass another path.")
        files.writable(checkpoint)
        checkpoints.refuse_losing(checkpoint)
    if kept not in MODES:
        files.writable(kept)
    n_draws, thin = _checks.count(n_draws, "n_draws"), _checks.count(thin, "thin")
    if n_draws * thin > _MOST:
        raise ValueError(f"n_draws is {n_draws} and thin {thin}; pass numbers whose product is at most {_MOST}.")
    return Plan(
        n_chains=_checks.count(n_chains, "n_chains"),
        n_draws=n_draws,
        n_warmup=_checks.count(n_warmup, "n_warmup", 0),
        thin=thin,
        seed=seed,
        clamp=clamped(energy, clamp),
        keep=kept,
        until=until,
        n_groups=init.n_groups if isinstance(init, Superchains) else 0,
        checkpoint=checkpoint,
        every=_checks.positive(every, "every"),
    )


def _kept(keep: Any) -> str:
    """One of MODES, or the full path of a file."""
    if isinstance(keep, str) and keep in MODES:
        return keep
    path = _checks.path(keep, "keep", "'draws.npy', or 'draws', 'moments' or 'last'")
    if isinstance(keep, str) and not os.path.dirname(keep) and not os.path.splitext(keep)[1]:
        raise ValueError(f"keep is {keep!r}; pass 'draws', 'moments', 'last', or the path of a file, 'draws.npy'.")
    return os.path.abspath(path)  # a run that goes on elsewhere goes on in the same file


def clamped(energy: Energy, clamp: Any) -> dict[int, float]:
    """The clamped coordinates with their values, of a dict, or of a pair of a mask (dim,) and values (dim,)."""
    if clamp is None:
        return {}
    if isinstance(clamp, dict):
        try:
            conditioned = energy.conditioned(clamp)
        except ValueError as fault:  # in the words of this argument
            raise ValueError(f"clamp{str(fault).removeprefix('values')}") from fault
        return dict(conditioned.clamped) if isinstance(conditioned, Conditioned) else {}
    if isinstance(clamp, tuple) and len(clamp) == 2:
        mask = np.asarray(clamp[0])
        if mask.dtype != bool or mask.shape != (energy.dim,):
            raise ValueError(
                f"clamp has a mask of dtype {mask.dtype} and shape {mask.shape}; pass ({energy.dim},) truth values."
            )
        values = _checks.array(clamp[1], "clamp[1]")
        if values.shape != (energy.dim,):
            raise ValueError(f"clamp has values of shape {values.shape}; pass ({energy.dim},) numbers.")
        return clamped(energy, {int(i): float(values[i]) for i in np.flatnonzero(mask)})
    raise TypeError(
        f"clamp is of type {type(clamp).__name__}; pass a dict of coordinates and values, for example {{0: 2.0}}, or a "
        "pair of a mask and values."
    )
