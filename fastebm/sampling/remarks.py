"""What a user should hear about a run: refusals before it, warnings after it."""

import math
from collections.abc import Sequence

import numpy as np

from fastebm import _checks, tiles
from fastebm.sampling.chains import Chains
from fastebm.sampling.runs import Run


def refuse_no_slope(chains: Chains) -> None:
    """A chain whose gradient is not finite could never move."""
    slopes = tiles.unpack(chains.g, chains.n)
    is_finite = np.isfinite(slopes).all(axis=1)
    if not is_finite.all():
        c = int(np.argmin(is_finite))
        raise ValueError(
            f"the gradient of {chains.energy.name} is {slopes[c].tolist()} at x={chains.positions[c].tolist()}, where "
            f"chain {c} starts; pass init= with points where it is finite, or use eb.RandomWalk()."
        )


def remark(run: Run, chains: Chains, n_made: int, n_draws: int, faults: Sequence[str] = ()) -> None:
    """Say what the user should know about the run, each with what to do.

    Parameters
    ----------
    run, chains : after their last transition.
    n_made, n_draws : draws made, and asked for.
    faults : sentences about what went wrong with files and executors.
    """
    say = _checks.warn
    n_faults = chains.counts()[1]
    for fault in faults:
        say(fault)
    if run.interrupted:
        kept = {"moments": "run.moments are those", "last": "run.draws holds the last"}.get(run.settings["keep"])
        say(f"interrupted after {n_made} of {n_draws} draws; {kept or 'run.draws holds all'} of the draws made so far.")
    elif run.converged is False:
        say(
            f"{n_draws} draws a chain were not enough for {run.settings['until']}; raise n_draws, or look at "
            "run.summary() for what has not converged."
        )
    if n_faults.any():
        c = int(np.argmax(n_faults > 0))
        x = chains.fault_x.transpose(0, 2, 1).reshape(-1, chains.dim)[c]
        n, name, value = int(n_faults.sum()), chains.energy.name, chains.energy.energy(x)
        if not math.isfinite(value):
            say(
                f"{name} was {'nan or -inf' if chains.kernel.is_exact else 'not finite'} {n} times, for example "
                f"{value} at x={x.tolist()}; those proposals were rejected: return math.inf outside the support."
            )
        else:
            say(
                f"the gradient of {name} was not finite {n} times, for example {chains.energy.grad(x).tolist()} at "
                f"x={x.tolist()}; those proposals were rejected: use eb.where to keep formulas away from such points."
            )
    if n_made == 0:
        return
    for words in chains.kernel.remarks(run.report, chains.n_transitions):
        say(words)
    shorter = "a smaller step_size or a longer n_warmup" if chains.kernel.has_step_size else "a longer n_warmup"
    rate = float(run.acceptance_rate.mean())
    n_stuck = int(np.count_nonzero(run.acceptance_rate == 0.0))
    n_by_chance = chains.n * (1.0 - rate) ** chains.n_transitions  # in a short run of many chains some just had no luck
    if n_stuck and chains.n_transitions >= 20 and (rate == 0.0 or n_by_chance < 1e-6):
        say(
            f"{n_stuck} of {chains.n} chains never moved; pass {shorter}, or init= with points inside the bulk of the "
            "distribution."
        )
    elif rate < 0.1 and chains.n_transitions >= 20:
        say(f"the acceptance rate is {rate:.1%}, below 10 %; pass {shorter}.")
    elif rate > 0.9 and chains.n_transitions >= 20 and chains.kernel.is_exact and chains.kernel.acceptance_tells:
        say(f"the acceptance rate is {rate:.1%}, above 90 %: draws are nearly the same; pass a larger step_size.")
