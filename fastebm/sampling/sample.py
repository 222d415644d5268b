"""The one call that samples an energy."""

import math
import os
import time

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, tiles
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.kernels import Kernel, RandomWalk
from fastebm.sampling.chains import Chains, advance_tiles
from fastebm.sampling.interrupts import Interrupts
from fastebm.sampling.progress import Progress
from fastebm.sampling.runs import Run
from fastebm.sampling.starts import starts
from fastebm.sampling.warmup import tune


def sample(
    energy: Energy,
    kernel: Kernel | None = None,
    *,
    n_chains: int = 64,
    n_draws: int = 1000,
    n_warmup: int = 1000,
    thin: int = 1,
    init: ArrayLike | None = None,
    rng: RNGLike = None,
    n_threads: int | None = None,
    progress: bool | str = "auto",
) -> Run:
    """Draw from p(x) = exp(-E(x)) / Z with many Markov chains.

    Parameters
    ----------
    energy : the energy E.
    kernel : the rule of transition; RandomWalk() if None.
    n_chains : chains that run side by side, at least 1.
    n_draws : draws kept of each chain, at least 1.
    n_warmup : transitions before the first draw, in which a step size of None is tuned; at least 0.
    thin : transitions per kept draw, at least 1.
    init : (n_chains, dim) or (dim,) starts; None: drawn, chain c's from the seed and c alone.
    rng : None, a seed, or a NumPy SeedSequence, BitGenerator or Generator. The same seed gives the same bits for any
        number of threads.
    n_threads : None for all processors that this process may use.
    progress : "auto", True or False.

    Returns
    -------
    Run, with `draws` (n_chains, n_draws, dim). Ctrl-C ends the run early and returns the draws made so far.

    Warns
    -----
    FastebmWarning : stuck chains, acceptance below 10 % or above 90 %, an energy that is nan or -inf, an interrupt.

    Examples
    --------
    >>> import fastebm as eb
    >>> run = eb.sample(eb.Gaussian([0.0, 1.0]), n_chains=32, n_draws=100, rng=0)
    >>> run.draws.shape
    (32, 100, 2)
    """
    if not isinstance(energy, Energy):
        raise TypeError(f"energy is a {type(energy).__name__}; pass an energy, for example eb.Gaussian([0.0]).")
    rule = RandomWalk() if kernel is None else kernel
    if not isinstance(rule, Kernel):
        raise TypeError(f"kernel is {rule!r}; pass a kernel, for example eb.RandomWalk().")
    n_chains = _checks.count(n_chains, "n_chains")
    n_draws = _checks.count(n_draws, "n_draws")
    n_warmup = _checks.count(n_warmup, "n_warmup", 0)
    thin = _checks.count(thin, "thin")
    n_threads = tiles.threads(n_threads)
    if isinstance(rule.step_size, np.ndarray) and rule.step_size.shape != (energy.dim,):
        raise ValueError(f"step_size has shape {rule.step_size.shape}; pass one number or ({energy.dim},) numbers.")
    if rule.step_size is None and n_warmup == 0:
        raise ValueError("step_size is None and n_warmup is 0; pass a step_size, or some n_warmup to tune it in.")
    draws, energies = _room(n_chains, n_draws, energy.dim)
    seed = _checks.seed(rng)
    bar = Progress(n_warmup + n_draws * thin, "sampling", progress)

    began = time.perf_counter()
    rule.refuse(energy)
    if not rule.is_exact and energy.domain is not None:
        raise ValueError(f"{type(rule).__name__} cannot stay inside the walls of {energy.name}; use eb.MALA().")
    needed = (energy.program.grad,) if rule.needs_grad else ()
    for code in (rule.advance, energy.program.energy, *needed, advance_tiles):
        code.pointer  # noqa: B018 (compiles, or reads from disk)
    chains = Chains(energy, rule, starts(energy, init, n_chains, seed), seed, n_threads)
    if rule.needs_grad:
        _refuse_no_slope(chains)
    timings = {"compilation": time.perf_counter() - began}
    step_size: float | FloatArray
    scale = np.ones(energy.dim)
    made = 0
    try:
        with Interrupts() as interrupts:

            def after_block(n: int) -> bool:
                bar.advance(n)
                return interrupts.requested

            began = time.perf_counter()
            if rule.step_size is None:
                step_size, scale, stopped = tune(chains, rule, n_warmup, after_block)
            else:
                step_size = rule.step_size
                settings = rule.settings(step_size, scale)
                stopped = chains.advance(n_warmup, settings, after_block=after_block) < n_warmup
            timings["warmup"] = time.perf_counter() - began
            chains.forget()
            began = time.perf_counter()
            if not stopped:
                made = chains.advance(
                    n_draws * thin, rule.settings(step_size, scale),
                    thin=thin, draws=draws, energies=energies, after_block=after_block,
                )
            timings["sampling"] = time.perf_counter() - began
    finally:
        bar.close()
    kept = made // thin
    run = Run(
        draws=draws[:, :kept],
        energy=energies[:, :kept],
        acceptance_rate=chains.acceptance_rate(),
        step_size=step_size,
        scale=scale,
        seed=seed,
        interrupted=kept < n_draws,
        timings=timings,
        settings={
            "energy": energy.describe(), "kernel": rule.describe(),
            "n_chains": n_chains, "n_draws": n_draws, "n_warmup": n_warmup, "thin": thin,
        },
    )
    _warn(run, chains, n_draws)
    return run


def _refuse_no_slope(chains: Chains) -> None:
    """A chain whose gradient is not finite could never move."""
    slopes = tiles.unpack(chains.g, chains.n)
    is_finite = np.isfinite(slopes).all(axis=1)
    if not is_finite.all():
        c = int(np.argmin(is_finite))
        raise ValueError(
            f"the gradient of {chains.energy.name} is {slopes[c].tolist()} at x={chains.positions[c].tolist()}, where "
            f"chain {c} starts; pass init= with points where it is finite, or use eb.RandomWalk()."
        )


def _room(n_chains: int, n_draws: int, dim: int) -> tuple[FloatArray, FloatArray]:
    """Arrays for draws and energies; a request beyond the machine's memory is refused at once."""
    needed = 8 * n_chains * n_draws * (dim + 1)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise MemoryError(
                f"the draws need {needed / 1e9:.1f} GB and this machine has {memory / 1e9:.1f} GB; "
                "lower n_chains or n_draws, and raise thin to cover as many transitions."
            )
    return np.empty((n_chains, n_draws, dim)), np.empty((n_chains, n_draws))


def _warn(run: Run, chains: Chains, n_draws: int) -> None:
    """Say what the user should know about the run, each with what to do."""

    def say(message: str) -> None:
        _checks.warn(message)

    n_faults = chains.counts()[1]
    if run.interrupted:
        say(f"interrupted after {run.draws.shape[1]} of {n_draws} draws; run.draws holds the draws made so far.")
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
    if run.draws.shape[1] == 0:
        return
    rate = float(run.acceptance_rate.mean())
    n_stuck = int(np.count_nonzero(run.acceptance_rate == 0.0))
    n_by_chance = chains.n * (1.0 - rate) ** chains.n_transitions  # in a short run of many chains some just had no luck
    if n_stuck and chains.n_transitions >= 20 and (rate == 0.0 or n_by_chance < 1e-6):
        say(
            f"{n_stuck} of {chains.n} chains never moved; pass a smaller step_size, a longer n_warmup, or init= with "
            "points inside the bulk of the distribution."
        )
    elif rate < 0.1 and chains.n_transitions >= 20:
        say(f"the acceptance rate is {rate:.1%}, below 10 %; pass a smaller step_size or a longer n_warmup.")
    elif rate > 0.9 and chains.n_transitions >= 20 and chains.kernel.is_exact:
        say(f"the acceptance rate is {rate:.1%}, above 90 %: draws are nearly the same; pass a larger step_size.")


