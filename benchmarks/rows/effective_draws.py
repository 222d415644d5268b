"""ess-*: effective draws per second of CPU, warm-up counted, compilation counted for nobody, one thread."""

from collections.abc import Callable
from functools import partial

import fastebm as eb
from benchmarks import cases, effective, peers
from benchmarks.effective import Sampler
from benchmarks.timing import Bar, Contestant, Report, Result, compare

_QUANTITY = "least bulk ESS/CPU s"
_FARTHEST = 6.0  # Monte Carlo errors between means: 25 of them in each of a few pairs stay below with certainty
_TIMES_OTHERS = Bar(3.0, at_least=True)
_NOTE = (
    "ess-*: NAME, n_chains x (n_warmup + n_draws); numbers of chains, warm-up and draws, and our path and jitter, are "
    "the best that were found for each. BlackJAX's and NumPyro's chains advance together by vmap; BlackJAX has its first "
    "chains in as many copies of the adaptation, ChEES in one. nutpie's log-density is compiled by Numba, as that of its "
    "models from PyMC, and called without Python. A first run of each, which compiles, is not counted."
)

# Of each row: who runs, of what modules. Settings were searched by hand on an idle core; the figures are flat there.
_LOGISTIC: list[tuple[str, tuple[str, ...], Callable[[cases.Case], Sampler]]] = [
    *(
        (f"BlackJAX {name}", ("jax", "blackjax", "optax"), partial(maker, is_double=is_double, **sizes))
        for is_double in (False, True)
        for name, maker, sizes in (
            ("ChEES-HMC", effective.chees, {"n_chains": 16, "n_warmup": 300, "n_draws": 2000}),
            ("NUTS", effective.nuts, {"n_chains": 16, "n_warmup": 300, "n_draws": 1000}),
        )
    ),
    ("nutpie", ("nutpie",), partial(effective.nutpie, n_chains=2, n_warmup=300, n_draws=4000)),
    *(
        ("NumPyro", ("jax", "numpyro"),
         partial(effective.numpyro, is_double=is_double, n_chains=8, n_warmup=300, n_draws=1000))
        for is_double in (False, True)
    ),
]
_FUNNEL: list[tuple[str, tuple[str, ...], Callable[[cases.Case], Sampler]]] = [
    ("BlackJAX NUTS", ("jax", "blackjax"),
     partial(effective.nuts, is_double=True, n_chains=16, n_warmup=1000, n_draws=1000, acceptance=0.95)),
]


def logistic25(n_rounds: int) -> Report:
    """The posterior of a logistic regression on 1,000 rows of 25 columns; all must find the same means."""
    case = cases.logistic()
    ours = effective.ours(case.energy, eb.HMC(n_leapfrog=4, jitter=0.35), n_chains=64, n_warmup=100, n_draws=1000)
    report, others = _report("ess-logistic25", case, ours, _LOGISTIC, n_rounds, _TIMES_OTHERS)
    for other in others:
        apart = (effective.distance(ours, other),)
        limit = Bar(_FARTHEST, at_least=False)
        report.results.append(Result("ess-logistic25", f"MC errors from {other.name}", apart, bar=limit))
    return report


def funnel(n_rounds: int) -> Report:
    """Neal's funnel in ten dimensions, and the s.d. of x[0], which is 3: short of it, the narrow end was not seen."""
    case = cases.funnel(10)
    ours = effective.ours(case.energy, eb.HMC(n_leapfrog=20), n_chains=64, n_warmup=1000, n_draws=2000)
    report, others = _report("ess-funnel", case, ours, _FUNNEL, n_rounds)
    for sampler in (ours, *others):
        deviations = tuple(float(one[0]) for one in sampler.deviations)
        report.results.append(Result("ess-funnel", f"s.d. of x[0] (3), {sampler.name}", deviations))
    return report


def _report(
    row: str,
    case: cases.Case,
    ours: Sampler,
    makers: list[tuple[str, tuple[str, ...], Callable[[cases.Case], Sampler]]],
    n_rounds: int,
    bar: Bar | None = None,
) -> tuple[Report, list[Sampler]]:
    """Our rate beside that of all who are installed, and these."""
    contestants, others = [], []
    for name, modules, make in makers:
        if not peers._installed(*modules):
            contestants.append(Contestant(name, None, "not installed", bar))
            continue
        sampler = make(case)
        others.append(sampler)
        contestants.append(Contestant(sampler.name, sampler.measure(), bar=bar))
    report = Report(compare(row, _QUANTITY, ours.measure(), contestants, n_rounds), notes=[_NOTE])
    report.results.append(Result(row, f"{_QUANTITY}, {ours.name}", tuple(report.results[0].ours)))
    return report, others
