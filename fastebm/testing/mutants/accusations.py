"""How often a check accuses what is correct, over many runs, and whether its p-values are what they say they are."""

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm.testing.mutants.correct import CORRECT
from fastebm.testing.mutants.entries import Entry, judged
from fastebm.testing.reports import Report

_CHANCE = 1e-7  # that a check which keeps its alpha accuses more often than `most` says
_UNIFORM = 1e-6  # level of the tests of p-values
_COUNTS = ("flux", "cells")
_PORTION = 25  # runs


@dataclass(frozen=True)
class Accusations:
    """What many runs of a check said of one correct entry.

    Attributes
    ----------
    entry : what was checked.
    alpha : the check's, of each run.
    faults : of each run that did not pass, the first fault or why nothing could be said.
    p_values : of each statistic by its name, of all runs in which it was made up of enough numbers.
    n_runs : how many.
    seconds : that they took.
    """

    entry: Entry
    alpha: float
    faults: tuple[str, ...]
    p_values: dict[str, FloatArray]
    n_runs: int
    seconds: float

    @property
    def most(self) -> int:
        """Accusations that are no evidence against the check: of 10,000 runs at alpha 1e-3, at most 30."""
        return int(scipy.stats.binom.isf(_CHANCE, self.n_runs, self.alpha))

    @property
    def deviations(self) -> dict[str, float]:
        """p-values of Kolmogorov's test of each statistic's p-values, by its name.

        Those of continuous statistics should be uniform, those of counts should not be small too often.
        """
        return {
            name: float(
                scipy.stats.kstest(
                    p, "uniform", alternative="greater" if name.startswith(_COUNTS) else "two-sided"
                ).pvalue
            )
            for name, p in self.p_values.items()
        }

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong, a sentence each."""
        wrong = []
        if len(self.faults) > self.most:
            wrong.append(
                f"{self.entry.name} is accused in {len(self.faults)} of {self.n_runs} runs at alpha {self.alpha}, "
                f"more than {self.most}; first: {self.faults[0]}"
            )
        wrong += [
            f"p-values of {name} for {self.entry.name} are not what they should be (Kolmogorov's test: p={p:.1g})"
            for name, p in self.deviations.items() if not p >= _UNIFORM
        ]
        return tuple(wrong)


def pool() -> ProcessPoolExecutor:
    """Processes, one for each processor."""
    return ProcessPoolExecutor(tiles.threads(None), mp_context=multiprocessing.get_context("spawn"))


def accusations(
    entry: Entry, n_runs: int, *, alpha: float = 1e-3, delta: float = 0.3, seed: int = 0,
    workers: Executor | None = None,
) -> Accusations:
    """Check a correct entry again and again, run r with the seed `seed` + r, on workers or here."""
    start = time.perf_counter()
    portions = [range(seed + r, seed + min(r + _PORTION, n_runs)) for r in range(0, n_runs, _PORTION)]
    if workers is None:
        found = [_portion(entry, alpha, delta, seeds) for seeds in portions]
    else:
        tasks = [workers.submit(_named_portion, entry.name, alpha, delta, seeds) for seeds in portions]
        found = [task.result() for task in tasks]
    faults = tuple(fault for portion in found for fault in portion[0])
    runs = [p for portion in found for p in portion[1]]
    names = dict.fromkeys(name for p in runs for name in p)
    p_values = {name: np.array([p[name] for p in runs if name in p]) for name in names}
    return Accusations(entry, alpha, faults, p_values, n_runs, time.perf_counter() - start)


Portion = tuple[list[str], list[dict[str, float]]]  # faults, and p-values of each run that could be judged


def _named_portion(name: str, alpha: float, delta: float, seeds: Sequence[int]) -> Portion:
    """A portion in another process: functions of the catalogue cannot be sent there, their names can."""
    return _portion({one.name: one for one in CORRECT}[name], alpha, delta, seeds)


def _portion(entry: Entry, alpha: float, delta: float, seeds: Sequence[int]) -> Portion:
    faults: list[str] = []
    p_values: list[dict[str, float]] = []
    for seed in seeds:
        one = judged(entry, alpha=alpha, delta=delta, rng=seed)
        if not one.is_as_declared:
            faults.append(one.by)
        if isinstance(one.report, Report) and one.report.p_values:
            p_values.append(one.report.p_values)
    return faults, p_values
