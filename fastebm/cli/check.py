"""Check an energy of yours: values, gradients, integrability, and a sampler against the exact law.

Exit status 0 if everything that could be checked holds, 1 if something does not.
"""

import argparse
import math

import numpy as np

from fastebm.cli.models import import_energy
from fastebm.energies import Energy
from fastebm.exact import NotNormalisableError, quadrature
from fastebm.kernels import RandomWalk
from fastebm.sampling import sample
from fastebm.sampling.starts import starts

_EXACT_DIM = 3
_POINTS = 50
_SIGMAS = 6.2  # two-sided normal tail of 6e-10: a false alarm in a billion checks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("energy", metavar="MODULE:ENERGY", help="for example models:ring")
    parser.add_argument("--seed", type=int, default=0, help="seed (default 0)")


def run(chosen: argparse.Namespace) -> int:
    energy = import_energy(chosen.energy)
    print(f"{energy!r}")
    points = starts(energy, None, _POINTS, chosen.seed)
    failures = 0
    for name, outcome in (
        ("gradient in x", _gradient(energy, points)),
        ("gradient in theta", _gradient_theta(energy, points)),
        *_against_exact_law(energy, chosen.seed),
    ):
        verdict, words = outcome
        failures += verdict is False
        print(f"  {'-' if verdict is None else 'ok' if verdict else 'FAILED':7} {name}: {words}")
    print("every check that ran holds" if failures == 0 else f"{failures} check(s) failed")
    return 1 if failures else 0


Outcome = tuple[bool | None, str]  # None: could not be checked, and the words say why


def _gradient(energy: Energy, points: np.ndarray) -> Outcome:
    slopes = energy.grad(points)
    steps = 6e-6 * np.maximum(1.0, np.abs(points))
    worst = (0.0, 0)
    for i in range(energy.dim):
        move = np.zeros_like(points)
        move[:, i] = steps[:, i]
        worst = max(worst, (_mismatch(energy.energy(points + move), energy.energy(points - move), steps[:, i], slopes[:, i]), i))
    return worst[0] <= 1.0, f"within {worst[0]:.2g} of the tolerance of central differences, worst in x[{worst[1]}]"


def _gradient_theta(energy: Energy, points: np.ndarray) -> Outcome:
    if energy.n_params == 0:
        return None, "no parameters"
    slopes = energy.grad_theta(points)
    worst = (0.0, 0)
    for k in range(energy.n_params):
        step = 6e-6 * max(1.0, abs(energy.theta[k]))
        move = step * (np.arange(energy.n_params) == k)
        above, below = (energy.with_theta(energy.theta + sign * move).energy(points) for sign in (1.0, -1.0))
        worst = max(worst, (_mismatch(above, below, np.full(len(points), step), slopes[:, k]), k))
    return worst[0] <= 1.0, f"within {worst[0]:.2g} of the tolerance of central differences, worst in theta[{worst[1]}]"


def _mismatch(above: np.ndarray, below: np.ndarray, steps: np.ndarray, slopes: np.ndarray) -> float:
    """Largest difference between slopes and central differences, over what rounding and curvature allow."""
    with np.errstate(invalid="ignore"):
        seen = (above - below) / (2.0 * steps)
        allowed = 1e-4 * (1.0 + np.abs(seen)) + 1e-14 * (np.abs(above) + np.abs(below)) / steps
        ratio = np.abs(seen - slopes) / allowed
    usable = np.isfinite(seen)
    return float(np.where(np.isfinite(ratio), ratio, math.inf)[usable].max(initial=0.0))


def _against_exact_law(energy: Energy, seed: int) -> list[tuple[str, Outcome]]:
    if energy.dim > _EXACT_DIM:
        words = f"not checked: exact in one to three dimensions, and dim={energy.dim}"
        return [("integrable", (None, words)), ("sampler", (None, words))]
    try:
        grid = quadrature.grid(energy)
    except NotNormalisableError as fault:
        return [("integrable", (False, str(fault)))]
    run = sample(energy, RandomWalk(), n_chains=256, n_draws=400, n_warmup=2000, thin=10, rng=seed, progress=False)
    means = run.draws.mean(axis=1)  # chains are independent, so that their means give the error
    error = means.std(axis=0, ddof=1) / math.sqrt(len(means))
    away = np.abs(means.mean(axis=0) - grid.mean) / np.where(error > 0.0, error, math.inf)
    i = int(np.argmax(away))
    sampler = (
        bool((away <= _SIGMAS).all() and (error > 0.0).all()),
        f"mean of x[{i}] is {away[i]:.1f} standard errors from the exact {grid.mean[i]:.6g}",
    )
    return [
        ("integrable", (True, f"log Z = {grid.log_partition:.10g}, error {grid.error:.1g}")),
        ("sampler", sampler),
    ]
