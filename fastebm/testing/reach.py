"""Tier 3, what exact starts cannot show: is all of the law reached from one point, and are chains independent?"""

import math

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.testing.contrasts import DEGREES, Contrasts
from fastebm.testing.invariance import LENGTHS, Evidence, student_p
from fastebm.testing.laws import Law
from fastebm.testing.reports import NotRun, Statistic, Tier
from fastebm.testing.steps import Step

_N_CHAINS = 1024
_N_PARTS = 16  # of each column: missed by so many chains with a probability of 1e-28
_SHORTEST, _LONGEST = 64, 16_384  # transitions
PATIENCE = 4  # times as many for kernels that would be accused
_FORGOTTEN = 1e-5  # of a start's share in a mean
_UNCHANGED = 1e-6
_LEAST_MOVED = 100
_DISTINCT = 0.9
_COULD_CROSS, _CROSS = 1000, 0.01  # of right kernels about one half cross; tables blur the median a little
_LAGS = (1, 2, 3, 8, 16, 32, 64)  # lanes and tiles of ours, small ensembles of others


def from_one_point(
    step: Step, law: Law, contrasts: Contrasts, start: FloatArray, slopes: FloatArray, seed: int,
    patience: int = PATIENCE,
) -> Tier:
    """Chains that all begin at one point: do they get to every part of the law, and to many places?

    `start` is (1, dim), see `nearest_to_medians`; of ensembles it is where the walkers of one begin, (group_size, dim),
    and all begin like it.

    How many transitions that should take follows from `slopes` (n_moments,), how much chains remember of an exact
    start. It is too few rather than too many: what is remembered falls ever more slowly (autocorrelations of reversible
    chains are log-convex), and the slowest of all functions need not be among the moments. So chains that are not
    everywhere by then go on, up to `patience` times as long (a power of 2), and a kernel is accused only if that does
    not help. Slow chains may not have the law when they are done, but they have been everywhere.

    Raises
    ------
    StepFault : by the step.
    NotRun : it would take too long.
    """
    slowest = float(abs(slopes).max())
    with np.errstate(divide="ignore"):
        wanted = LENGTHS[-1] * np.log(_FORGOTTEN) / np.log(slowest) if slowest < 1.0 else np.inf
    if not wanted <= _LONGEST:
        raise NotRun(
            f"chains forget where they began too slowly, with an autocorrelation of {slowest:.3g} after {LENGTHS[-1]} "
            "transitions"
        )
    n_transitions = max(_SHORTEST, 2 ** math.ceil(math.log2(max(wanted, 1.0))))
    n_chains = -(-_N_CHAINS // len(start)) * len(start)
    begins = np.tile(start, (n_chains // len(start), 1))
    seen = np.zeros((len(contrasts.columns), _N_PARTS), dtype=bool)
    ends, done, faults = begins, 0, [""]
    for one in np.random.SeedSequence(seed).generate_state(patience.bit_length(), np.uint64) >> np.uint64(1):
        n_more = max(done, n_transitions)  # twice as many in all, each time
        ends, done = step(ends, n_more, int(one)), done + n_more
        if faults := _stuck(law, begins, ends, done):  # of what 1,024 chains have not done at all, more is no cure
            break
        shares = law.shares(ends)
        for a in range(len(seen)):
            seen[a] |= law.visited(shares[:, a], a, _N_PARTS)
        if not (faults := _missed(contrasts.columns, start, seen, n_chains, done)):
            break
    return Tier("reach", f"{n_chains:,} chains from one point, {done} transitions", tuple(faults))


def nearest_to_medians(draws: FloatArray, shares: FloatArray, n: int) -> FloatArray:
    """The n draws of (m, dim) whose shares (m, n_columns) are all nearest to 1/2; distinct ones as far as they go.

    From a point far out in a tail a right kernel may not get away: MALA proposes to leap over the law, and is rejected.
    """
    order = np.argsort(abs(shares - 0.5).max(axis=1), kind="stable")
    if n == 1:
        return draws[order[:1]]  # at once: to know distinct rows takes longer than all else here
    is_repeated = np.ones(len(draws), dtype=bool)
    is_repeated[np.unique(draws[order], axis=0, return_index=True)[1]] = False
    return draws[order[np.argsort(is_repeated, kind="stable")[:n]]]


def _stuck(law: Law, begins: FloatArray, ends: FloatArray, n_transitions: int) -> list[str]:
    """Faults: coordinates that no chain changes, or only to few values."""
    faults = []
    for i in range(begins.shape[1]):
        moved = ends[ends[:, i] != begins[:, i], i]
        n_places = len(np.unique(moved))
        if len(moved) == 0:
            faults.append(
                f"x[{i}] stays at {begins[0, i]:.6g} in each of {len(begins):,} chains for {n_transitions} "
                "transitions; let the kernel move every coordinate."
            )
        elif law.is_continuous and len(moved) >= _LEAST_MOVED and n_places < _DISTINCT * len(moved):
            faults.append(
                f"{len(moved):,} chains that began at one point are at only {n_places:,} values of x[{i}] after "
                f"{n_transitions} transitions; draw steps from a continuous law."
            )
    return faults


def _missed(
    columns: tuple[str, ...], start: FloatArray, seen: NDArray[np.bool_], n_chains: int, n_transitions: int
) -> list[str]:
    """Faults: columns of which not all parts have been seen, (n_columns, n_parts)."""
    faults = []
    for name, parts in zip(columns, seen, strict=True):
        if not parts.all():
            part = int(np.argmin(parts))
            faults.append(
                f"no chain of {n_chains:,} that began at x={start[0].tolist()} is where {name} is between its "
                f"quantiles {part / _N_PARTS:.3g} and {(part + 1) / _N_PARTS:.3g} after {n_transitions} transitions; "
                "the kernel does not reach all of the law."
            )
    return faults


def n_lags(contrasts: Contrasts) -> int:
    """How many statistics `independence` has."""
    return 2 * len(_LAGS) * len(contrasts.columns)


def confinements(found: Evidence, columns: tuple[str, ...]) -> list[str]:
    """Faults: columns that never change; medians that next to no chain crosses, though many move further."""
    faults = []
    for a, name in enumerate(columns):
        if abs(found.ends[-1][:, a] - found.starts[:, a]).max() < _UNCHANGED:
            faults.append(
                f"{name} never changes in any chain within {LENGTHS[-1]} transitions; let the kernel change all of x."
            )
            continue
        before, after = found.starts[:, a] - 0.5, found.ends[-1][:, a] - 0.5
        n_could = int((abs(after - before) > abs(before)).sum())
        n_crossed = int((before * after < 0.0).sum())
        if n_could >= _COULD_CROSS and n_crossed < _CROSS * n_could:
            faults.append(
                f"of {n_could:,} chains that move by more than their distance from the median of {name} only "
                f"{n_crossed:,} cross it within {LENGTHS[-1]} transitions; the kernel does not reach all of the law."
            )
    return faults


def independence(found: Evidence, contrasts: Contrasts, means: FloatArray) -> tuple[Statistic, ...]:
    """Correlations of the moves of neighbouring chains, after one transition and after the most."""
    names, words, powers = [], [], []
    firsts = DEGREES * np.arange(len(contrasts.columns))  # the places of the columns' P_1
    for length, ends in ((LENGTHS[0], found.ends[0]), (LENGTHS[-1], found.ends[-1])):
        slopes = contrasts.slopes(found.starts, ends, means)[firsts]
        before, after = (math.sqrt(3.0) * (2.0 * u - 1.0) - means[firsts] for u in (found.starts, ends))
        moves = np.ascontiguousarray((after - slopes * before).T)
        moves -= moves.mean(axis=1, keepdims=True)  # a wrong law alone is no dependence
        scale = np.maximum((moves**2).sum(axis=1), np.finfo(float).tiny)
        for lag in _LAGS:
            products = moves[:, :-lag] * moves[:, lag:]
            squares = products * products  # NumPy's powers of 3 and 4 take ten times as long
            sums = np.stack([one.sum(axis=1) for one in (products, squares, squares * products, squares * squares)])
            powers.append(sums)
            for name, correlation in zip(contrasts.columns, sums[0] / scale, strict=True):
                names.append(f"{name} of chains {lag} apart, k={length}")
                words.append(
                    f"chains {lag} apart move alike in {name}, with a correlation of {correlation:+.2g} after {length} "
                    f"transition{'s' if length > 1 else ''}; give every chain random numbers of its own"
                )
    z, p = student_p(len(found.starts), np.concatenate(powers, axis=1))
    return tuple(
        Statistic(name, float(one), float(chance), what)
        for name, one, chance, what in zip(names, z, p, words, strict=True) if not math.isnan(chance)
    )
