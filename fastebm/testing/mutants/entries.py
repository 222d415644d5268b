"""What an entry of the catalogue is, and how it is put before the check that has to judge it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastebm._checks import RNGLike
from fastebm.energies import Energy
from fastebm.testing.gradients import GradientReport, check_gradient
from fastebm.testing.kernels import check_kernel
from fastebm.testing.objectives import check_objective
from fastebm.testing.optimisers import check_optimiser
from fastebm.testing.partition import check_log_partition
from fastebm.testing.reports import Report
from fastebm.testing.reproducible import check_reproducible

ALPHA = 1e-9


@dataclass(frozen=True)
class Entry:
    """One broken thing, or one that is correct and looks odd.

    Attributes
    ----------
    name : what it is, a line.
    words : what is wrong, or why it is correct.
    make : from the energy to what is checked: a kernel, a step, an objective, an estimator, an optimiser.
    energy : what it is checked on.
    check : which check has to judge it: a key of `CHECKS`.
    delta : bias at which "kernel" and "objective" are declared to find it.
    is_correct : whether it has to pass; otherwise it has to be caught.
    options : further arguments of the check.
    """

    name: str
    words: str
    make: Callable[[Energy], Any]
    energy: Energy
    check: str = "kernel"
    delta: float = 0.1
    is_correct: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What the check said of an entry.

    Attributes
    ----------
    entry : what was judged.
    report : the check's.
    by : which tier found a fault, with it in words; empty where nothing was found.
    seconds : that it took.
    """

    entry: Entry
    report: Report | GradientReport
    by: str
    seconds: float

    @property
    def is_as_declared(self) -> bool:
        """Whether the broken was caught, or the correct passed. That nothing could be said is neither."""
        return self.report.passed if self.entry.is_correct else bool(self.report.faults)


def judged(entry: Entry, *, alpha: float = ALPHA, delta: float | None = None, rng: RNGLike = None) -> Judgement:
    """Put an entry before its check.

    Parameters
    ----------
    entry : of the catalogue.
    alpha : probability of a false alarm, where the check has one.
    delta : bias to be found, for "kernel" and "objective"; None: as the entry declares.
    rng : see `fastebm.sample`.
    """
    start = time.perf_counter()
    with np.errstate(all="ignore"):  # samplers run away from far-off starts
        report = CHECKS[entry.check](entry, alpha, entry.delta if delta is None else delta, rng)
    return Judgement(entry, report, _by(report), time.perf_counter() - start)


def _by(report: Report | GradientReport) -> str:
    if isinstance(report, GradientReport):
        return f"gradient: {report.faults[0]}" if report.faults else ""
    for tier in report.ran:
        if tier.faults:
            return f"{tier.name}: {tier.faults[0]}"
    return f"not judged: {report.unjudged}" if report.unjudged else ""


# ---- the checks, with one face ----

Check = Callable[[Entry, float, float, RNGLike], Report | GradientReport]


def _kernel(entry: Entry, alpha: float, delta: float, rng: RNGLike) -> Report:
    return check_kernel(entry.make(entry.energy), entry.energy, alpha=alpha, delta=delta, rng=rng, **entry.options)


def _objective(entry: Entry, alpha: float, delta: float, rng: RNGLike) -> Report:
    return check_objective(entry.make(entry.energy), entry.energy, alpha=alpha, delta=delta, rng=rng, **entry.options)


def _log_partition(entry: Entry, alpha: float, delta: float, rng: RNGLike) -> Report:
    return check_log_partition(entry.make(entry.energy), entry.energy, alpha=alpha, rng=rng, **entry.options)


def _optimiser(entry: Entry, alpha: float, delta: float, rng: RNGLike) -> Report:
    return check_optimiser(entry.make(entry.energy), rng=rng)


def _reproducible(entry: Entry, alpha: float, delta: float, rng: RNGLike) -> Report:
    return check_reproducible(entry.make(entry.energy), entry.energy, rng=rng)


def _gradient(entry: Entry, alpha: float, delta: float, rng: RNGLike) -> GradientReport:
    return check_gradient(entry.make(entry.energy), rng=rng)


CHECKS: dict[str, Check] = {
    "kernel": _kernel,
    "objective": _objective,
    "log_partition": _log_partition,
    "optimiser": _optimiser,
    "reproducible": _reproducible,
    "gradient": _gradient,
}
