"""Check an energy of yours: values, gradients, integrability, and a sampler against the exact law.

Exit status 0 if everything that could be checked holds, 1 if something does not.
"""

import argparse
import math

import numpy as np

from fastebm._checks import FloatArray
from fastebm.cli.models import import_energy
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.kernels import RandomWalk
from fastebm.sampling import sample
from fastebm.sampling.starts import starts

Outcome = tuple[bool | None, str]  # None: could not be checked, and the words say why

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


def _gradient(energy: Energy, points: FloatArray) -> Outcome:
    slopes = energy.grad(points)
    steps = 6e-6 * np.maximum(1.0, np.abs(points))
    mismatches = []
    for i in range(energy.dim):
        move = np.zeros_like(points)
        move[:, i] = steps[:, i]
        above, below = energy.energy(points + move), energy.energy(points - move)
        mismatches.append(_mismatch(above, below, steps[:, i], slopes[:, i]))
    return _outcome(mismatches, "x")


def _gradient_theta(energy: Energy, points: FloatArray) -> Outcome:
    if energy.n_params == 0:
        return None, "not checked: no parameters"
    slopes = energy.grad_theta(points)
    mismatches = []
    for k in range(energy.n_params):
        step = 6e-6 * max(1.0, abs(energy.theta[k]))
        move = step * (np.arange(energy.n_params) == k)
        above, below = (energy.with_theta(energy.theta + sign * move).energy(points) for sign in (1.0, -1.0))
        mismatches.append(_mismatch(above, below, np.full(len(points), step), slopes[:, k]))
    return _outcome(mismatches, "theta")


def _mismatch(above: FloatArray, below: FloatArray, steps: FloatArray, slopes: FloatArray) -> float:
    """Largest difference between slopes and central differences, over what these may be wrong; nan if none exists."""
    with np.errstate(invalid="ignore"):
        seen = (above - below) / (2.0 * steps)
        allowed = 1e-4 * (1.0 + np.abs(seen)) + 1e-14 * (np.abs(above) + np.abs(below)) / steps
        ratio = np.abs(seen - slopes) / allowed
    usable = np.isfinite(seen)
    return float(np.where(np.isfinite(ratio), ratio, math.inf)[usable].max()) if usable.any() else math.nan


def _outcome(mismatches: list[float], name: str) -> Outcome:
    if np.isnan(mismatches).any():
        blind = int(np.argmax(np.isnan(mismatches)))
        return None, f"not checked: the energy is not finite on both sides of any point tried, along {name}[{blind}]"
    worst = int(np.argmax(mismatches))
    words = f"{mismatches[worst]:.2g} times what central differences allow, at worst in {name}[{worst}]"
    return mismatches[worst] <= 1.0, words


def _against_exact_law(energy: Energy, seed: int) -> list[tuple[str, Outcome]]:
    if energy.dim > quadrature.MAX_DIM:
        words = f"not checked: quadrature ends at dim={quadrature.MAX_DIM}, and dim={energy.dim}"
        return [("integrable", (None, words)), ("sampler", (None, words))]
    try:
        grid = quadrature.grid(energy)
    except ValueError as fault:  # no finite integral, or an energy that is nan
        return [("integrable", (False, str(fault)))]
    run = sample(energy, RandomWalk(), n_chains=256, n_draws=400, n_warmup=2000, thin=10, rng=seed, progress=False)
    means = run.draws.mean(axis=1)  # chains are independent, so that their means give the error
    error = means.std(axis=0, ddof=1) / math.sqrt(len(means))
    away = np.abs(means.mean(axis=0) - grid.mean) / np.where(error > 0.0, error, math.inf)
    i = int(np.argmax(away))
    holds = bool((away <= _SIGMAS).all() and (error > 0.0).all())
    words = f"mean of x[{i}] is {away[i]:.1f} standard errors from the exact {grid.mean[i]:.6g}"
    remedy = "" if holds else "; chains do not find all of it in time: give eb.sample a longer n_warmup, or init="
    return [
        ("integrable", (True, f"log Z = {grid.log_partition:.10g}, error {grid.error:.1g}")),
        ("sampler", (holds, words + remedy)),
    ]
