"""Check an energy of yours: its gradients, whether Z is finite, a kernel on it, and whether sampling finds its law.

Exit status 0 if everything that could be checked holds, 1 if something does not.
"""

import argparse
import functools
import math
from collections.abc import Callable

import numpy as np

from fastebm import partition
from fastebm.cli.models import import_energy
from fastebm.energies import Energy
from fastebm.exact import NotNormalisableError, quadrature
from fastebm.kernels import MALA, Kernel, RandomWalk
from fastebm.sampling import sample
from fastebm.sampling.starts import starts
from fastebm.testing import Report, check_gradient, check_kernel, check_reproducible

Outcome = tuple[bool | None, list[str]]  # None: could not be checked; what was seen, or why not, in lines

_KERNELS: dict[str, Callable[..., Kernel]] = {"RandomWalk": RandomWalk, "MALA": MALA}
_POINTS = 50
_SIGMAS = 6.2  # two-sided normal tail of 6e-10: a false alarm in a billion checks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("energy", metavar="MODULE:ENERGY", help="for example models:ring")
    parser.add_argument("--kernel", choices=list(_KERNELS), default="RandomWalk", help="(default RandomWalk)")
    parser.add_argument("--step-size", type=float, help="of the kernel; without it, tuned")
    parser.add_argument(
        "--delta", type=float, default=0.03,
        help="bias of the kernel to find, in standard deviations (default 0.03; 0.01 takes nine times as long)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed (default 0)")


def run(chosen: argparse.Namespace) -> int:
    energy = import_energy(chosen.energy)
    kernel = _KERNELS[chosen.kernel](chosen.step_size)
    print(f"{energy!r}")
    n_failed = 0
    checks: tuple[tuple[str, Callable[[], Outcome]], ...] = (
        ("gradients", lambda: _gradients(energy, chosen.seed)),
        ("integrable", lambda: _integrable(energy)),
    )
    moving: tuple[tuple[str, Callable[[], Outcome]], ...] = (
        ("kernel", lambda: _outcome(check_kernel(kernel, energy, delta=chosen.delta, rng=chosen.seed))),
        ("reproducible", lambda: _outcome(check_reproducible(kernel, energy, rng=chosen.seed))),
        ("sampler", lambda: _sampler(energy, kernel, chosen.seed)),
    )
    checks += tuple((name, functools.partial(_moved, energy, check)) for name, check in moving)
    for name, check in checks:
        verdict, (first, *rest) = check()
        n_failed += verdict is False
        print(f"  {'-' if verdict is None else 'ok' if verdict else 'FAILED':7} {name}: {first}")
        for line in rest:
            print(f"            {line}")
    print("every check that ran holds" if n_failed == 0 else f"{n_failed} check(s) failed")
    return 1 if n_failed else 0


def _gradients(energy: Energy, seed: int) -> Outcome:
    """All derivatives against dual numbers and differences."""
    report = check_gradient(energy, starts(energy, None, _POINTS, seed), rng=seed)
    if not report.passed:
        return False, list(report.faults)
    worst = report.worst
    words = f"{len(report.comparisons)} comparisons with dual numbers and differences" + (
        "" if worst is None else f", the worst {worst.error:.1g} away, {worst.face} for {worst.coordinate}"
    )
    return True, [words, *(f"not compared: {what}, since {why}" for what, why in report.skipped.items())]


def _integrable(energy: Energy) -> Outcome:
    try:
        z = partition.log_partition(energy)
    except ValueError as fault:  # no finite integral, an energy that is nan, or no exact method
        if energy.dim > quadrature.MAX_DIM and not isinstance(fault, NotNormalisableError):
            return None, [f"not checked: {fault}"]
        return False, [str(fault)]
    return True, [f"log Z = {z.value:.10g}, error {z.error:.1g}, by {z.method}"]


def _moved(energy: Energy, check: Callable[[], Outcome]) -> Outcome:
    """What a check with a kernel gives, where kernels can move x."""
    if energy.values is not None:
        return None, ["not checked: x is discrete, and the kernels here move continuous x"]
    return check()


def _outcome(report: Report) -> Outcome:
    if report.faults:
        return False, [f"{report.name} (seed {report.seed})", *report.faults]
    if report.unjudged:
        return None, [f"not checked: {report.unjudged}"]
    lines = [f"{tier.name}: {tier.words}" for tier in report.ran]
    return True, [report.name, *lines, *(f"not run: {what}, since {why}" for what, why in report.skipped.items())]


def _sampler(energy: Energy, kernel: Kernel, seed: int) -> Outcome:
    """Whether a run with usual settings finds the exact mean, from usual starts."""
    if energy.dim > quadrature.MAX_DIM:
        return None, [f"not checked: quadrature ends at dim={quadrature.MAX_DIM}, and dim={energy.dim}"]
    try:
        grid = quadrature.grid(energy)
    except ValueError:
        return None, ["not checked: there is no exact mean"]
    run = sample(energy, kernel, n_chains=256, n_draws=400, n_warmup=2000, thin=10, rng=seed, progress=False)
    means = run.draws.mean(axis=1)  # chains are independent, so that their means give the error
    error = means.std(axis=0, ddof=1) / math.sqrt(len(means))
    away = np.abs(means.mean(axis=0) - grid.mean) / np.where(error > 0.0, error, math.inf)
    i = int(np.argmax(away))
    words = f"mean of x[{i}] is {away[i]:.1f} standard errors from the exact {grid.mean[i]:.6g}"
    if (away <= _SIGMAS).all() and (error > 0.0).all():
        return True, [words]
    return False, [words + "; chains do not find all of it in time: give eb.sample a longer n_warmup, or init="]
