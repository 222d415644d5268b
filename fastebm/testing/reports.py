"""What every check of a sampler or an estimator returns: tiers, with what they saw, or why they could not run."""

from dataclasses import dataclass, field


class CheckError(AssertionError):
    """A check failed, or could not judge; the message says what was seen, a sentence each."""


class NotRun(Exception):
    """A tier cannot be run; the message says why, as it stands behind "since"."""


@dataclass(frozen=True)
class Statistic:
    """One number with a known law where nothing is wrong.

    Attributes
    ----------
    name : what it measures, the same in every run.
    z : how many standard errors it is away from what it should be; its sign says where to.
    p_value : probability of a |z| as large where nothing is wrong; 0 where no number came out.
    words : what was seen, as part of a sentence.
    """

    name: str
    z: float
    p_value: float
    words: str = ""


@dataclass(frozen=True)
class Tier:
    """What one tier of a check saw.

    Attributes
    ----------
    name : the tier.
    words : what was looked at and the largest error seen.
    faults : what is wrong, a sentence each.
    statistics : those that enough numbers made up to have a known law; none in a tier without chance.
    """

    name: str
    words: str
    faults: tuple[str, ...] = ()
    statistics: tuple[Statistic, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes
    ----------
    name : what was checked.
    ran : the tiers that ran.
    skipped : tiers that could not be run, with the reason.
    seed : passed as `rng`, it gives the same report again.
    unjudged : why nothing can be said, since a tier that has to be run could not be; empty otherwise.
    """

    name: str
    ran: tuple[Tier, ...]
    skipped: dict[str, str]
    seed: int
    unjudged: str = field(default="", kw_only=True)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, a sentence each."""
        return tuple(fault for tier in self.ran for fault in tier.faults)

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """All statistics of all tiers."""
        return tuple(one for tier in self.ran for one in tier.statistics)

    @property
    def p_values(self) -> dict[str, float]:
        """The p-value of each statistic, by its name."""
        return {one.name: one.p_value for one in self.statistics}

    @property
    def verdict(self) -> str:
        """"passed", "failed", or "not judged" where a tier that has to be run could not be."""
        return "failed" if self.faults else "not judged" if self.unjudged else "passed"

    @property
    def passed(self) -> bool:
        """Whether all that has to be looked at was, and nothing is wrong."""
        return self.verdict == "passed"

    def raise_if_failed(self) -> None:
        """Raise CheckError unless the check passed."""
        if not self.passed:
            reasons = self.faults or (f"{self.name} could not be judged, since {self.unjudged}",)
            raise CheckError("\n".join([*reasons, f"The same again: rng={self.seed}."]))

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.verdict.upper() if not self.passed else self.verdict} (seed {self.seed})"]
        for tier in self.ran:
            lines.append(f"  {tier.name}: {tier.words}")
            lines += [f"    FAILED: {fault}" for fault in tier.faults]
        lines += [f"  {name}: not run, since {why}" for name, why in self.skipped.items()]
        if self.unjudged:
            lines.append(f"  not judged, since {self.unjudged}")
        return "\n".join(lines)
