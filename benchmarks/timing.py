"""Measuring in turns: A B A B, so that a processor whose speed drifts is as fast for one contestant as for the other.

A contestant measures one figure a turn, a rate or a time. Ratios are taken turn by turn; medians and extremes over the
turns are what the tables show.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Measure = Callable[[], float]
Figure = TypeVar("Figure")

TURN_SECONDS = 0.3


@dataclass(frozen=True)
class Bar:
    """What is asked of a figure: at least, or at most, a limit."""

    limit: float
    at_least: bool

    def met(self, figure: float) -> bool:
        """Whether the figure keeps to it; nan does not."""
        return figure >= self.limit if self.at_least else figure <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True)
class Contestant:
    """Somebody who does the work of a row.

    Attributes
    ----------
    name : as the table shows it.
    measure : one turn, returns its figure; None if this contestant cannot run here.
    absent : what the table shows in place of its figure then.
    bar : what is asked of the ratio of fastebm's figure to this one's.
    """

    name: str
    measure: Measure | None
    absent: str = ""
    bar: Bar | None = None


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes
    ----------
    row : the name of the row.
    quantity : what is measured, with its unit.
    ours : fastebm's figures, one a turn.
    against : the contestant it is compared with; "" if the figure itself is what the bar speaks of.
    theirs : the contestant's figures, in the same turns; empty if it could not run.
    absent : what stands in place of figures where there are none.
    bar : what is asked of the median ratio, or of the median figure where there is no contestant.
    """

    row: str
    quantity: str
    ours: tuple[float, ...]
    against: str = ""
    theirs: tuple[float, ...] = ()
    absent: str = ""
    bar: Bar | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Our figure over theirs, turn by turn."""
        return tuple(a / b for a, b in zip(self.ours, self.theirs, strict=True)) if self.theirs else ()

    @property
    def judged(self) -> tuple[float, ...]:
        """The figures that the bar speaks of: ratios, or our own where there is no contestant."""
        return self.ratios if self.against else self.ours

    @property
    def met(self) -> bool | None:
        """Whether the bar is met by the median; None without a bar, or without figures to judge."""
        return self.bar.met(statistics.median(self.judged)) if self.bar and self.judged else None


@dataclass(frozen=True)
class Cost:
    """Seconds that a contestant needs once per process, apart from the rates."""

    contestant: str
    what: str
    seconds: float


@dataclass(frozen=True)
class Field:
    """Those that run beside fastebm: contestants, what they cost once a process, and sentences that explain."""

    contestants: list[Contestant]
    costs: list[Cost] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What measuring a row gives: lines of the table, costs apart from the rates, and sentences that explain."""

    results: list[Result]
    costs: list[Cost] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def turns(measures: Sequence[Callable[[], Figure]], n_rounds: int) -> list[tuple[Figure, ...]]:
    """What each measure returned, (n_rounds,) apiece; every round calls each once, in order."""
    rounds = [[measure() for measure in measures] for _ in range(n_rounds)]
    return [tuple(figures) for figures in zip(*rounds, strict=True)]


def compare(row: str, quantity: str, ours: Measure, others: Sequence[Contestant], n_rounds: int) -> list[Result]:
    """fastebm's measure in turns with every contestant that can run; one line each, in the order given."""
    running = [other.measure for other in others if other.measure is not None]
    our_figures, *their_figures = turns([ours, *running], n_rounds)
    left = iter(their_figures)
    results = []
    for other in others:
        theirs = () if other.measure is None else next(left)
        results.append(Result(row, quantity, our_figures, other.name, theirs, other.absent, other.bar))
    return results


def rate(run: Callable[[int], float], items: float) -> Measure:
    """A measure of items per second, in turns of about TURN_SECONDS.

    Parameters
    ----------
    run : does n units of work and returns the seconds they took; the n of a turn is found here, by doubling, once.
    items : items in one unit.
    """
    n, taken = 1, run(1)
    while taken < TURN_SECONDS / 4.0:
        n *= 2
        taken = run(n)
    n = max(1, round(n * TURN_SECONDS / taken))
    return lambda: items * n / run(n)


def duration(run: Callable[[int], float], unit: float) -> Measure:
    """A measure of the time of one unit of work, in units of `unit` seconds, in the same turns as `rate`."""
    speed = rate(run, unit)
    return lambda: 1.0 / speed()
