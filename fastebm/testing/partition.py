"""Estimates of log Z against exact ones: values, the errors that are claimed, and how often intervals cover."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from fastebm import _checks, partition
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.testing.invariance import student_p
from fastebm.testing.reports import NotRun, Report, Statistic, Tier

Estimate = Callable[[Energy, int], Any]

_FEW = 20
_COVERED = {1: 0.682689492137086, 2: 0.954499736103642}  # of a normal law within so many standard deviations


def check_log_partition(
    estimate: Estimate, energy: Energy, *, alpha: float = 1e-9, n_runs: int = 200, is_unbiased: bool = False,
    rng: RNGLike = None,
) -> Report:
    """Compare an estimator of log Z with the exact value.

    An estimator that gives the same for 20 seeds uses none, and has to be within the error that it claims. One that
    draws random numbers has to cover the exact value with plus-minus one and two claimed errors at least as often as a
    normal law does, 68.3 % and 95.4 %; and if `is_unbiased`, as importance weights are, exp(estimate - log Z) has to
    have mean 1.

    Parameters
    ----------
    estimate : estimate(energy, seed) -> an object with `value` and `error`, as `fastebm.log_partition` returns, or a
        pair of them: log Z and its absolute error.
    energy : with an exact log Z: a closed form, or quadrature in one to three dimensions.
    alpha : probability that a right estimator is accused.
    n_runs : seeds, at least 20.
    is_unbiased : whether the mean of exp(value) is claimed to be Z.
    rng : see `fastebm.sample`.

    Returns
    -------
    Report; not judged where no exact log Z is to be had, or where a few weights outweigh all others.

    Examples
    --------
    >>> import fastebm as eb
    >>> from fastebm.testing import check_log_partition
    >>> check_log_partition(lambda E, seed: eb.log_partition(E, method="quadrature"), eb.DoubleWell(), rng=0).passed
    True
    """
    _checks.instance(energy, Energy, "energy", "fastebm.Gaussian([0.0], [[1.0]])")
    alpha = _checks.fraction(alpha, "alpha")
    n_runs = _checks.count(n_runs, "n_runs", _FEW)
    seed = _checks.seed(rng)
    name = f"{getattr(estimate, '__name__', type(estimate).__name__)} on {energy.name}"
    try:
        exact, error = _exact(energy)
    except NotRun as why:
        return Report(name, (), {"values": str(why)}, seed, unjudged=str(why))
    seeds = np.random.SeedSequence(seed).generate_state(n_runs, np.uint64) >> np.uint64(1)
    runs: list[tuple[float, float]] = []
    for one in seeds:
        if len(runs) == _FEW and len(set(runs)) == 1:
            break  # it draws no random numbers
        runs.append(_pair(estimate(energy, int(one))))
    values, errors = np.array(runs).T
    if fault := _no_estimate(values, errors, seeds):
        return Report(name, (Tier("values", f"{len(runs)} runs", (fault,)),), {}, seed)
    if np.ptp(values) == 0.0 and np.ptp(errors) == 0.0:
        if is_unbiased:
            fault = f"all {len(runs)} seeds give {float(values[0])!r}, though it is said to be random; use the seed."
            return Report(name, (Tier("values", f"{len(runs)} runs", (fault,)),), {}, seed)
        return Report(name, (_fixed(values[0], errors[0], exact, error),), {}, seed)
    tiers = [_coverage(values, errors, exact, error, alpha / 3.0)]
    skipped, unjudged = {}, ""
    if is_unbiased:
        try:
            tiers.append(_weights(values, exact, alpha / 3.0))
        except NotRun as why:
            skipped["weights"] = unjudged = str(why)
    return Report(name, tuple(tiers), skipped, seed, unjudged=unjudged)


def _exact(energy: Energy) -> tuple[float, float]:
    """log Z and a bound on its error."""
    try:
        found = partition.log_partition(energy)
    except ValueError as fault:
        raise NotRun(f"its exact log Z is not to be had: {fault}") from None
    return found.value, found.error


def _pair(found: Any) -> tuple[float, float]:
    value, error = (found.value, found.error) if hasattr(found, "value") else found
    return float(value), math.nan if error is None else float(error)


def _no_estimate(values: FloatArray, errors: FloatArray, seeds: Any) -> str:
    is_bad = ~(np.isfinite(values) & np.isfinite(errors) & (errors >= 0.0))
    if not is_bad.any():
        return ""
    k = int(np.argmax(is_bad))
    return (
        f"seed {seeds[k]} gives the value {values[k]} with the error {errors[k]}; return a finite value and a finite "
        "error of at least 0, or raise."
    )


def _fixed(value: float, claimed: float, exact: float, error: float) -> Tier:
    away = abs(value - exact)
    words = f"{value:.10g} with a claimed error of {claimed:.2g}, {away:.2g} from the exact {exact:.10g}"
    fault = f"log Z is {words}." if away > claimed + error else ""
    return Tier("values", words, (fault,) if fault else ())


def _coverage(values: FloatArray, errors: FloatArray, exact: float, error: float, alpha: float) -> Tier:
    n = len(values)
    statistics, faults, words = [], [], []
    for width, share in _COVERED.items():
        covered = int((abs(values - exact) <= width * errors + error).sum())
        p = float(scipy.stats.binom.cdf(covered, n, share))
        what = f"{covered} of {n} intervals of {width} claimed error{'s' * (width > 1)} hold the exact log Z"
        z = (covered - share * n) / math.sqrt(share * (1.0 - share) * n)
        statistics.append(Statistic(f"coverage of {width} errors", z, p, what))
        words.append(what)
        if p < alpha:
            faults.append(f"only {what}, where {100.0 * share:.1f} % have to (p={p:.1g}); claim larger errors.")
    return Tier("coverage", "; ".join(words), tuple(faults), tuple(statistics))


def _weights(values: FloatArray, exact: float, alpha: float) -> Tier:
    away = np.exp(values - exact) - 1.0
    z, p = student_p(len(away), np.stack([[(away**k).sum()] for k in (1, 2, 3, 4)]))
    if np.isnan(p[0]):
        raise NotRun(f"a few of {len(away)} weights outweigh all others; use more runs or one that varies less")
    words = f"exp(value - log Z) is {1.0 + away.mean():.4g} on average over {len(away)} runs"
    fault = f"{words}, {abs(z[0]):.1f} standard errors from 1 (p={p[0]:.1g}); the weights are biased."
    statistic = Statistic("mean weight", float(z[0]), float(p[0]), words)
    return Tier("weights", words, (fault,) if p[0] < alpha else (), (statistic,))
