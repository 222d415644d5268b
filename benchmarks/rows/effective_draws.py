"""ess-*: effective draws per second of CPU, warm-up counted, compilation counted for nobody, one thread."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

import fastebm as eb
from benchmarks import cases, effective, peers
from benchmarks.effective import Array, Sampler
from benchmarks.timing import Bar, Contestant, Report, Result, compare

Maker = tuple[str, tuple[str, ...], Callable[[cases.Case], Sampler]]  # a name, the modules it needs, itself

_QUANTITY, _OFF = "least bulk ESS/CPU s", "% off, weight of a mode"
_FARTHEST = 6.0  # Monte Carlo errors between means: 25 of them in each of a few pairs stay below with certainty
_TIMES_OTHERS = Bar(3.0, at_least=True)
_NOTE = (
    "ess-*: NAME, n_chains x (n_warmup + n_draws). Settings were searched by hand, ours longer than those of others. "
    "Chains of BlackJAX and NumPyro advance together by vmap; with NUTS each adapts alone. nutpie's log-density is "
    "compiled by Numba, as those of its models from PyMC, and called without Python. First runs, which compile, do not "
    "count. Our trajectories make nearly half a turn, so that means of x gain and those of squares lose: of squares, "
    "ChEES-HMC gives more."
)

# Of each row: who runs, of what modules. Settings were searched by hand.
_LOGISTIC: list[Maker] = [
    *(
        ("BlackJAX ChEES-HMC", ("jax", "blackjax", "optax"),
         partial(effective.chees, is_double=is_double, n_chains=16, n_warmup=300, n_draws=2000))
        for is_double in (False, True)
    ),
    *(
        ("BlackJAX NUTS", ("jax", "blackjax"),
         partial(effective.nuts, is_double=is_double, n_chains=16, n_warmup=300, n_draws=1000))
        for is_double in (False, True)
    ),
    *(
        ("NumPyro", ("jax", "numpyro"),
         partial(effective.numpyro, is_double=is_double, n_chains=8, n_warmup=300, n_draws=1000))
        for is_double in (False, True)
    ),
    ("nutpie", ("nutpie",), partial(effective.nutpie, n_chains=2, n_warmup=300, n_draws=4000)),
]
_FUNNEL: list[Maker] = [
    ("BlackJAX NUTS", ("jax", "blackjax"),
     partial(effective.nuts, is_double=True, n_chains=16, n_warmup=1000, n_draws=1000, acceptance=0.95)),
]
_FAR_MODES: list[Maker] = [
    ("BlackJAX tempered SMC", ("jax", "blackjax"),
     partial(effective.tempered, n_particles=100_000, n_moves=10, width=10.0)),
    ("BlackJAX NUTS", ("jax", "blackjax"),
     partial(effective.nuts, is_double=True, n_chains=64, n_warmup=500, n_draws=1000)),
]


def logistic25(n_rounds: int) -> Report:
    """The posterior of a logistic regression on 1,000 rows of 25 columns; all must find the same means."""
    case = cases.logistic()
    kernel = eb.HMC(n_leapfrog=4, jitter=0.35, acceptance=0.82)
    ours = effective.ours(case.energy, kernel, n_chains=64, n_warmup=100, n_draws=1000)
    report, others = _report("ess-logistic25", case, ours, _LOGISTIC, n_rounds, _TIMES_OTHERS)
    for other in others:
        apart = (effective.distance(ours, other),)
        limit = Bar(_FARTHEST, at_least=False)
        report.results.append(Result("ess-logistic25", f"MC errors from {other.name}", apart, bar=limit))
    return report


def funnel(n_rounds: int) -> Report:
    """Neal's funnel in ten dimensions, and the s.d. of x[0], which is 3: short of it, the narrow end was not seen."""
    case = cases.funnel(10)
    ours = effective.ours(case.energy, eb.HMC(n_leapfrog=40), n_chains=64, n_warmup=1000, n_draws=4000)
    report, others = _report("ess-funnel", case, ours, _FUNNEL, n_rounds)
    for sampler in (ours, *others):
        deviations = tuple(float(one[0]) for one in sampler.deviations)
        wanted = Bar(2.7, at_least=True) if sampler is ours else None
        report.results.append(Result("ess-funnel", f"s.d. of x[0] (3), {sampler.name}", deviations, bar=wanted))
    return report


def gmm2_far(n_rounds: int) -> Report:
    """Two modes 10 s.d. apart: by how much of itself the weight of a mode is off, and the seconds that it took."""
    case = cases.far_modes()
    ours = effective.ours(
        case.energy, eb.ParallelTempering(eb.RandomWalk(), n_rungs=8), n_chains=64, n_warmup=1000, n_draws=20_000,
        thin=2,
    )
    report, others = _report("ess-gmm2-far", case, ours, _FAR_MODES, n_rounds, judge=weights_off, quantity=_OFF)
    report.results[-1] = replace(report.results[-1], bar=Bar(1.0, at_least=False))
    for sampler in (ours, *others):
        report.results.append(Result("ess-gmm2-far", f"CPU s, {sampler.name}", tuple(sampler.seconds[-n_rounds:])))
    return report


def weights_off(draws: Array, seconds: float) -> float:
    """By how many per cent of itself the weight of a mode of `cases.far_modes` is off, at most."""
    points = draws.reshape(-1, draws.shape[2])
    nearest = ((points[:, None] - cases.FAR_CENTRES) ** 2).sum(axis=2).argmin(axis=1)
    weights = np.bincount(nearest, minlength=2) / len(points)
    return float(100.0 * np.max(np.abs(weights / cases.FAR_WEIGHTS - 1.0)))


def _report(
    row: str,
    case: cases.Case,
    ours: Sampler,
    makers: list[Maker],
    n_rounds: int,
    bar: Bar | None = None,
    judge: Callable[[Array, float], float] = effective.effective_rate,
    quantity: str = _QUANTITY,
) -> tuple[Report, list[Sampler]]:
    """Our figure beside those of all who are installed, and these; the last result is ours alone."""
    contestants, others = [], []
    for name, modules, make in makers:
        if not peers._installed(*modules):
            contestants.append(Contestant(name, None, "not installed", bar))
            continue
        sampler = make(case)
        others.append(sampler)
        contestants.append(Contestant(sampler.name, sampler.measure(judge), bar=bar))
    report = Report(compare(row, quantity, ours.measure(judge), contestants, n_rounds), notes=[_NOTE])
    report.results.append(Result(row, f"{quantity}, {ours.name}", report.results[0].ours))
    return report, others
