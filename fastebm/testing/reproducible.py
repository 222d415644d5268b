"""The same seed gives the same bits: for any threads, cuts, company and order of chains, from a file and elsewhere."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastebm import _checks, _edits
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.kernels import Kernel
from fastebm.kernels.descriptions import KERNELS
from fastebm.loading import load
from fastebm.sampling import Run, sample
from fastebm.sampling.chains import Chains
from fastebm.sampling.starts import starts
from fastebm.sampling.warmup import tune
from fastebm.testing.reports import NotRun, Report, Tier
from fastebm.testing.steps import KernelStep, Step, StepFault, checked

NAME = "same bits"
_N_CHAINS = 150  # several tiles
_N_DRAWS = 12
_N_WARMUP = 100
_N_TRANSITIONS, _MANY = 7, 1000
_TUNED = ("step_size", "scale", "path_length", "betas")
_PATIENCE = 600.0  # seconds for another process, which may have to compile

_OPTIONS: dict[str, Any] = {"n_chains": 40, "n_draws": _N_DRAWS, "n_warmup": _N_WARMUP, "progress": False}
_SCRIPT = """
import json, sys, warnings
import fastebm as eb
from fastebm.kernels.descriptions import rebuild
warnings.simplefilter("ignore")
model, result, kernel, options = sys.argv[1:]
kernel = rebuild(json.loads(kernel))
eb.sample(eb.load(model), kernel, **json.loads(options)).save(result)
"""

Arrays = tuple[NDArray[Any], ...]


def reproducibility(step: Step, X: FloatArray, seed: int) -> Tier:
    """Whether the states and the seed decide all bits of what the step returns.

    Of a `KernelStep` also: whether threads, cuts of a run, other chains beside one and their order change nothing.

    Parameters
    ----------
    step : the sampler.
    X : (n, dim) states to begin at, n at least 2, and whole groups of a kernel that couples its chains.
    seed : any.
    """
    faults = _of_any_step(checked(step), X, seed)
    words = f"{len(X)} states twice with one seed and once with another"
    if isinstance(step, KernelStep) and not faults:
        faults = _of_a_kernel(step, X, seed)
        words += ", threads 1, 2, 3, 7, cuts, resumed chains, fewer chains, chains in another order"
    return Tier(NAME, words, tuple(faults))


def _of_any_step(step: Step, X: FloatArray, seed: int) -> list[str]:
    try:
        for k in (_N_TRANSITIONS, _MANY):  # from bad starts a correct kernel may need long
            one, again, other = (step(X, k, one) for one in (seed, seed, seed + 1))
            if not (np.array_equal(one, X) and np.array_equal(other, X)):
                break
        else:
            return [f"step moves none of {len(X)} states in {_MANY} transitions."]
    except StepFault as fault:
        return [str(fault)]
    if not np.array_equal(one, again):
        n = int((one != again).any(axis=1).sum())
        return [
            f"step is random beyond its seed: called twice with seed {seed}, it returns other bits for {n} of {len(X)} "
            "states; take all random numbers from a generator made of the seed, and keep nothing between calls."
        ]
    if np.array_equal(one, other):
        return [f"step ignores its seed: {seed} and {seed + 1} give the same bits; make its generator of the seed."]
    return []


def _of_a_kernel(step: KernelStep, X: FloatArray, seed: int) -> list[str]:
    name = type(step.kernel).__name__
    n, half = len(X), _N_TRANSITIONS // 2
    rest = _N_TRANSITIONS - half

    def advanced(states: FloatArray, *lengths: int, n_threads: int = 1) -> Chains:
        chains = step.chains(states, seed, n_threads)
        for length in lengths:
            chains.advance(length, step.settings)
        return chains

    wanted = _state(advanced(X, _N_TRANSITIONS))
    faults = []

    def compare(found: Arrays, right: Arrays, what: str) -> None:
        is_other = np.zeros(len(found[0]), dtype=bool)
        for one, other in zip(found, right, strict=True):
            is_other |= (one != other).reshape(len(one), -1).any(axis=1)
        if is_other.any():
            faults.append(
                f"{name} gives other bits {what}, for {int(is_other.sum())} of {len(is_other)} chains, chain "
                f"{int(np.argmax(is_other))} first (seed {seed})."
            )

    for n_threads in (2, 3, 7):
        compare(_state(advanced(X, _N_TRANSITIONS, n_threads=n_threads)), wanted, f"on {n_threads} threads than on one")
    for lengths in ([half, rest], [1] * _N_TRANSITIONS):
        cut = " + ".join(map(str, lengths))
        compare(_state(advanced(X, *lengths)), wanted, f"in {cut} transitions than in {_N_TRANSITIONS}")

    stopped = advanced(X, half)
    resumed = step.chains(stopped.positions, seed)
    resumed.restore(_carried(stopped, resumed))
    resumed.advance(rest, step.settings)
    compare(_state(resumed), wanted, "where chains are begun anew at their positions, on their streams")

    size = step.group_size
    few = max(1, n // size // 3) * size
    alone = _state(advanced(X[:few], _N_TRANSITIONS))
    compare(alone, tuple(one[:few] for one in wanted), f"as one of {few} chains than of {n}")

    order = np.roll(np.arange(n // size), 1)[::-1]
    order = (size * order[:, None] + np.arange(size)).ravel()  # whole groups, each as it is
    shuffled, before = step.chains(X[order], seed), step.chains(X, seed).state()
    shuffled.restore({name: one[order] if one.ndim else one for name, one in before.items()})
    shuffled.advance(_N_TRANSITIONS, step.settings)
    compare(_state(shuffled), tuple(one[order] for one in wanted), "at other places among the chains")
    return faults


def _state(chains: Chains) -> Arrays:
    """Positions, energies and streams of the chains."""
    return chains.positions, chains.energies.copy(), _streams(chains)


def _streams(chains: Chains) -> NDArray[np.uint64]:
    """(n, 4) words."""
    return np.array(chains.streams.transpose(0, 2, 1).reshape(-1, 4)[: chains.n])


def _carried(chains: Chains, fresh: Chains) -> dict[str, NDArray[Any]]:
    """What chains carry on: streams and memory; energies and slopes are those of fresh ones at the same places."""
    state = chains.state()
    return fresh.state() | {name: state[name] for name in ("streams", "memory")}


# ---- the whole of sampling ----


def check_reproducible(kernel_or_step: Kernel | Step, energy: Energy, *, rng: RNGLike = None) -> Report:
    """Whether a seed decides all bits of a sampler's result.

    Parameters
    ----------
    kernel_or_step : a kernel, or step(states (n, dim), k, seed) -> states of any sampler.
    energy : what it samples.
    rng : for starts and seeds.

    Returns
    -------
    Report. Of a kernel: the same bits for 1, 2, 3 and 7 threads, for any cut of a run, whatever chains are beside and
    in whatever order, for other numbers of draws and thinning, from a file, and in a new process where the energy can
    be rebuilt there. Of another step: the same bits for the same states and seed, and other ones for another seed.

    Examples
    --------
    >>> import fastebm as eb
    >>> from fastebm.testing import check_reproducible
    >>> check_reproducible(eb.RandomWalk(), eb.DoubleWell(), rng=0).passed
    True
    """
    _checks.instance(energy, Energy, "energy", "eb.Gaussian([0.0])")
    if not isinstance(kernel_or_step, Kernel) and not callable(kernel_or_step):
        raise TypeError(f"kernel_or_step is {kernel_or_step!r}; pass a kernel or a function step(states, k, seed).")
    seed = _checks.seed(rng)
    what = kernel_or_step.kernel if isinstance(kernel_or_step, KernelStep) else kernel_or_step
    called = repr(what) if isinstance(what, Kernel) else getattr(what, "__name__", type(what).__name__)
    report_name = f"check_reproducible of {called} on {energy.name}"
    try:
        step = KernelStep(kernel_or_step, energy, seed) if isinstance(kernel_or_step, Kernel) else kernel_or_step
        n_chains = max(step.in_groups(_N_CHAINS), 3 * step.group_size) if isinstance(step, KernelStep) else _N_CHAINS
        X = starts(energy, None, n_chains, seed)
    except ValueError as fault:
        return Report(report_name, (), {NAME: str(fault)}, seed, unjudged=f"there is nothing to begin with: {fault}")
    ran, skipped = [reproducibility(step, X, seed)], {}
    parts: dict[str, Callable[[KernelStep, int], Tier]] = {
        "draws": _draws, "file": _file, "new process": _new_process,
    }
    for part, tier in parts.items():
        if not isinstance(step, KernelStep):
            skipped[part] = "only what eb.sample runs has draws of its own; this is a step"
            continue
        try:
            ran.append(tier(step, seed))
        except NotRun as reason:
            skipped[part] = str(reason)
    if not isinstance(step, KernelStep):
        skipped["threads, cuts and company"] = "a step may couple its chains and has no face for cuts and threads"
    return Report(report_name, tuple(ran), skipped, seed)


def _options(step: KernelStep) -> dict[str, Any]:
    """Of a run in whole groups."""
    return _OPTIONS | {"n_chains": step.in_groups(_OPTIONS["n_chains"])}


def _sampled(step: KernelStep, seed: int, **options: Any) -> Run:
    """A run from the step's kernel; what is said of so short a run is of no interest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", _checks.FastebmWarning)
        try:
            return sample(step.energy, step.kernel, rng=seed, **(_options(step) | options))
        except ValueError as fault:
            raise NotRun(str(fault)) from None


def _draws(step: KernelStep, seed: int) -> Tier:
    """Draws do not depend on how many are kept, and all are made with the settings that the run reports."""
    kernel, name = step.kernel, type(step.kernel).__name__
    long = _sampled(step, seed, n_draws=2 * _N_DRAWS)
    faults = []
    for run, wanted, what in (
        (_sampled(step, seed), long.draws[:, :_N_DRAWS], "fewer draws"),
        (_sampled(step, seed, thin=2), long.draws[:, 1::2], "thin=2"),
        (_sampled(step, seed, n_threads=3), long.draws[:, :_N_DRAWS], "n_threads=3"),
    ):
        if not all(np.array_equal(getattr(run, one), getattr(long, one)) for one in _TUNED):
            faults.append(
                f"{name} reports step_size={run.step_size} for {what} and {long.step_size} without (seed {seed}); "
                "freeze what is tuned when warm-up ends."
            )
        if not np.array_equal(run.draws, wanted):
            faults.append(f"{name} gives other draws for {what} (seed {seed}).")
    chains = Chains(step.energy, kernel, starts(step.energy, None, _options(step)["n_chains"], seed), seed, 1)
    settings = kernel.settings(*(getattr(long, one) for one in _TUNED))
    if kernel.step_size is None:
        tune(chains, kernel, _N_WARMUP, lambda _: False)
    else:
        chains.advance(_N_WARMUP, settings)
    for t in range(2 * _N_DRAWS):
        chains.advance(1, settings)
        if not np.array_equal(chains.positions, long.draws[:, t]):
            faults.append(
                f"{name} makes draw {t} otherwise than with the settings {settings.tolist()} that the run reports "
                f"(seed {seed}); freeze what is tuned when warm-up ends."
            )
            break
    words = f"{2 * _N_DRAWS} draws: half of them, thinned, on 3 threads, and with the settings as reported"
    return Tier("draws", words, tuple(faults))


def _file(step: KernelStep, seed: int) -> Tier:
    """A saved run comes back as it was."""
    run = _sampled(step, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.npz")
        run.save(path)
        faults = _differences(load(path), run, "a run that was saved and loaded")
    return Tier("file", "a run saved and loaded", tuple(faults))


def _new_process(step: KernelStep, seed: int) -> Tier:
    """Another process, which rebuilds the energy from its file, makes the same run."""
    kernel, energy = step.kernel, step.energy
    kind = type(kernel).__name__
    if KERNELS.get(kind) is not type(kernel):
        raise NotRun(f"{kind} is none of fastebm.kernels, so that a new process does not know it")
    run = _sampled(step, seed)
    with tempfile.TemporaryDirectory() as folder:
        model, result = Path(folder, "energy.npz"), Path(folder, "run.npz")
        energy.save(model)
        try:
            load(model)
        except ValueError:
            raise NotRun(f"{energy.name} holds a function of yours, and files hold no code") from None
        arguments = [str(model), str(result), json.dumps(kernel.describe()), json.dumps(_options(step) | {"rng": seed})]
        paths = [str(_edits.FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *arguments],
            env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
            faults = [f"a new process ends with status {done.returncode}: {last}"]
        else:
            faults = _differences(load(result), run, "the same run in a new process")
    return Tier("new process", "the same run in a new process", tuple(faults))


def _differences(found: object, run: Run, what: str) -> list[str]:
    if not isinstance(found, Run):
        return [f"{what} is a {type(found).__name__}."]
    names = ("draws", "energy", "acceptance_rate", *_TUNED, "seed")
    wrong = [name for name in names if not np.array_equal(getattr(found, name), getattr(run, name))]
    return [f"{what} has other bits in {', '.join(wrong)} (seed {run.seed})."] if wrong else []
