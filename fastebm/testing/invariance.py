"""Tier 2: does a step leave a law as it is? Exact starts, 1, 4 and 32 transitions, and what should be zero on average.

p-values of means come from Student's law after Hall's transformation, which undoes their skewness; those of fluxes from
the binomial law, which is exact (McNemar's test); those of cells from the chi-square law (Stuart and Maxwell's test of
equal margins).

References
----------
Q. McNemar (1947), doi:10.1007/BF02295996.
A. Stuart (1955), doi:10.1093/biomet/42.3-4.412. A. E. Maxwell (1970), doi:10.1192/bjp.116.535.651.
P. Hall (1992), On the removal of skewness by transformation, doi:10.1111/j.2517-6161.1992.tb01868.x.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.testing.contrasts import Contrasts, Sums
from fastebm.testing.laws import Law
from fastebm.testing.reports import NotRun, Statistic
from fastebm.testing.steps import Step, StepFault

LENGTHS = (1, 4, 32)
_FEWEST = 30.0  # chains, or groups, that make up a mean, below which no law of it is known
_CELL_COLUMNS = 3
_MOST_CELLS = 64
_PER_CELL = 100  # chains


@dataclass(frozen=True)
class Evidence:
    """What exact starts and their ends show.

    Attributes
    ----------
    statistics : of all lengths, those that enough chains make up.
    slopes : (n_moments,) of the functions at the end on those at the start, after the longest.
    starts, ends : shares (n, n_columns), the ends after each of the lengths.
    """

    statistics: tuple[Statistic, ...]
    slopes: FloatArray
    starts: FloatArray
    ends: tuple[FloatArray, ...]


def evidence(
    step: Step, law: Law, contrasts: Contrasts, starts: FloatArray, seeds: list[int], group_size: int
) -> Evidence:
    """All statistics of a step from exact starts (n, dim), with one seed for each length.

    Raises
    ------
    StepFault : by the step.
    NotRun : too few chains move.
    """
    before = law.shares(starts)
    means, variances = law.moments(contrasts)
    kept = np.ones(contrasts.n, dtype=bool)
    kept[: contrasts.n_moments] = variances > 1e-9
    found, afters = [], []
    for length, seed in zip(LENGTHS, seeds, strict=True):
        ends = step(starts, length, seed)
        _refuse_impossible(law, ends, length)
        after = law.shares(ends)
        slopes = contrasts.slopes(before, after, means) if law.has_means else np.ones(contrasts.n_moments)
        sums = contrasts.sums(before, after, means, slopes, group_size)
        found += _statistics(contrasts, sums, length, len(starts), kept, group_size)
        if group_size == 1:
            found += _cells(before, after, length)
        afters.append(after)
    n_moved = int((ends != starts).any(axis=1).sum())
    if n_moved < _FEWEST:
        raise NotRun(f"only {n_moved} of {len(starts):,} chains move within {LENGTHS[-1]} transitions")
    return Evidence(tuple(found), contrasts.slopes(before, after, means), before, tuple(afters))


def _refuse_impossible(law: Law, ends: FloatArray, length: int) -> None:
    values = law.energy.energy(ends)
    if not np.isfinite(values).all():
        c = int(np.argmin(np.isfinite(values)))
        raise StepFault(
            f"step takes chain {c} to x={ends[c].tolist()} within {length} transitions, where the energy is "
            f"{values[c]}; reject what is outside of the support."
        )


def n_statistics(contrasts: Contrasts, group_size: int) -> int:
    """How many statistics `evidence` has, at most."""
    return len(LENGTHS) * (contrasts.n + (group_size == 1))


def student_p(n: int, powers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """z- and p-values of means that should be 0, from power sums (4, m) of n numbers; 0 and nan if too few are not 0.

    With t the mean over its error and g the skewness, t + g t**2 / (3 sqrt n) + g**2 t**3 / (27 n) + g / (6 sqrt n) is
    nearly symmetric.
    """
    mean = powers[0] / n
    with np.errstate(all="ignore"):
        variance = (powers[1] / n - mean**2) * n / (n - 1.0)
        third = powers[2] / n - 3.0 * mean * powers[1] / n + 2.0 * mean**3
        t, skewness = mean / np.sqrt(variance / n), third / variance**1.5 / math.sqrt(n)
        z = t + skewness * t**2 / 3.0 + skewness**2 * t**3 / 27.0 + skewness / 6.0
        is_known = powers[1] ** 2 / powers[3] > _FEWEST
    p = 2.0 * scipy.stats.t.sf(abs(z), n - 1.0)
    is_empty = powers[1] == 0.0
    z, p = np.where(is_known, z, 0.0), np.where(is_known, p, np.nan)
    is_broken = ~np.isfinite(z) | ~(np.isfinite(powers).all(axis=0)) | (is_known & ~is_empty & ~(variance > 0.0))
    return np.where(is_broken, np.inf, z), np.where(is_broken, 0.0, p)


def sign_p(net: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """z- and exact p-values of net numbers out of n that should go either way alike."""
    more = np.rint(0.5 * (n + abs(net)))
    p = np.minimum(1.0, 2.0 * scipy.stats.binom.sf(more - 1.0, n, 0.5))
    return net / np.sqrt(np.maximum(n, 1.0)), p


def _statistics(
    contrasts: Contrasts, sums: Sums, length: int, n_chains: int, kept: NDArray[np.bool_], group_size: int
) -> list[Statistic]:
    z, p = student_p(sums.n, sums.powers)
    first, last = contrasts.n_moments, contrasts.n_moments + contrasts.n_fluxes
    if group_size == 1:
        z[first:last], p[first:last] = sign_p(sums.powers[0, first:last], sums.powers[1, first:last])
    bias = sums.powers[0] / n_chains
    return [
        Statistic(f"{name}, k={length}", float(z[j]), float(p[j]), _words(name, float(bias[j]), length))
        for j, name in enumerate(contrasts.names()) if kept[j] and not math.isnan(p[j])
    ]


def _words(name: str, bias: float, length: int) -> str:
    after = f"after {length} transition{'s' if length > 1 else ''}"
    if name.startswith("flux into "):
        ways = "enter than leave" if bias > 0.0 else "leave than enter"
        where = name.removeprefix("flux into ")
        return f"{after} {100.0 * abs(bias):.2g} % of all chains more {ways} the set of {where}"
    if name.startswith("exchange "):
        return f"{after} the {name} is {bias:+.2g}, so that detailed balance does not hold"
    column = name.partition(" of ")[2]
    if name.startswith("P_1 of "):
        return f"{after} {column} is too {'high' if bias > 0.0 else 'low'} by {abs(bias):.2g} standard deviations"
    if name.startswith("P_2 of "):
        return f"{after} {column} is spread too {'widely' if bias > 0.0 else 'narrowly'}, its P_2 being {bias:+.2g}"
    return f"{after} the mean of {name} is off by {bias:+.2g} standard deviations"


def _cells(before: FloatArray, after: FloatArray, length: int) -> list[Statistic]:
    """Whether cells of equal size hold as many chains at the end as at the start."""
    q = min(_CELL_COLUMNS, max(1, before.shape[1] - 1))
    per_column = int(min(_MOST_CELLS, len(before) / _PER_CELL) ** (1.0 / q) + 1e-9)
    cells = [np.minimum((u[:, :q] * per_column).astype(np.int64), per_column - 1) for u in (before, after)]
    numbers = [np.ravel_multi_index(tuple(one.T), (per_column,) * q) for one in cells]
    n_cells = per_column**q
    table = np.bincount(numbers[0] * n_cells + numbers[1], minlength=n_cells**2).reshape(n_cells, n_cells).astype(float)
    leaving, entering = table.sum(axis=1), table.sum(axis=0)
    changing = leaving + entering - 2.0 * np.diag(table)
    large = np.flatnonzero(changing >= _FEWEST)
    name = f"cells, k={length}"
    if len(large) < 3:
        return []
    excess = (entering - leaving)[large]
    spread = np.diag((leaving + entering)[large]) - (table + table.T)[np.ix_(large, large)]
    # one cell is what the others leave over
    value = float(excess[:-1] @ np.linalg.lstsq(spread[:-1, :-1], excess[:-1], rcond=None)[0])
    p = float(scipy.stats.chi2.sf(value, len(large) - 1))
    worst = int(np.argmax(abs(excess) / np.sqrt(changing[large])))
    words = (
        f"after {length} transitions {len(large)} cells do not hold as many chains as before; the worst has "
        f"{excess[worst]:+.0f} to {leaving[large][worst]:.0f}"
    )
    z = scipy.stats.norm.isf(p) if p > 0.0 else math.sqrt(2.0 * value) - math.sqrt(2.0 * len(large) - 3.0)  # Fisher's
    return [Statistic(name, float(z), p, words)]
