"""Does a sampler leave the law of an energy as it is? One call, a stated error rate, and a report in words."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.kernels import Kernel
from fastebm.sampling.starts import starts
from fastebm.testing import reach
from fastebm.testing.algebra import algebra
from fastebm.testing.contrasts import Contrasts
from fastebm.testing.invariance import Evidence, evidence, n_statistics, student_p
from fastebm.testing.laws import Law, law_of
from fastebm.testing.replay import replay
from fastebm.testing.reports import NotRun, Report, Tier
from fastebm.testing.reproducible import reproducibility
from fastebm.testing.steps import KernelStep, Step, StepFault, checked

_POWER = 0.999
_FEWEST_GROUPS = 200
_N_SCATTERED = 150  # chains, in several tiles
_LEAST_SCATTERED = 3  # groups, so that there is one to leave out and an order to change
_WORST_SHOWN = 5


@dataclass(frozen=True)
class KernelReport(Report):
    """What `check_kernel` found; see `Report`.

    Attributes
    ----------
    alpha : probability that a correct kernel is accused.
    n_chains : chains that began in the exact law.
    smallest_bias : in standard deviations of a statistic, what is found with probability 0.999.
    """

    alpha: float = dataclasses.field(kw_only=True)
    n_chains: int = dataclasses.field(kw_only=True)
    smallest_bias: float = dataclasses.field(kw_only=True)

    def __str__(self) -> str:
        if math.isinf(self.smallest_bias):
            return super().__str__()
        return (
            f"{super().__str__()}\n  finds a bias of {self.smallest_bias:.2g} standard deviations with probability "
            f"{_POWER}, and accuses a right kernel with {self.alpha:.1g}"
        )


def check_kernel(
    kernel: Kernel | Step,
    energy: Energy,
    *,
    alpha: float = 1e-9,
    delta: float = 0.03,
    rng: RNGLike = None,
    is_reversible: bool | None = None,
    group_size: int = 1,
) -> KernelReport:
    """Test whether a kernel leaves exp(-E)/Z invariant, reaches all of it, and repeats with its seed.

    Chains start in the exact law; after 1, 4 and 32 transitions they must still have it. What is looked at are moments
    of each coordinate and of the energy, fluxes into sets, cells, and detailed balance; then whether chains that begin
    at one point reach the law, and whether neighbouring chains are independent. For kernels of this library the
    compiled code is compared with its slow twin as well, draw by draw.

    Parameters
    ----------
    kernel : a kernel, whose step size of None is tuned first; or step(states, k, seed) -> states, k transitions of
        independent chains, states (n, dim), with random numbers that depend on the integer seed alone.
    energy : whose law is to be kept, with a law that can be computed exactly.
    alpha : probability that a correct kernel is accused, shared by all statistics; above 0 and at most 0.1.
    delta : bias, in standard deviations of a statistic, to be found with probability 0.999; above 0 and at most 0.5.
        About 100 / delta**2 chains are run: 1.1e5 for 0.03, 1e6 for 0.01.
    rng : see `fastebm.sample`; `report.seed` gives the same report again.
    is_reversible : whether detailed balance is claimed; None: as the kernel says, and not for steps.
    group_size : chains that depend on each other, as an ensemble sampler's walkers: consecutive groups of this size. A
        kernel says so itself.

    Returns
    -------
    A report: `report.passed`, `report.verdict` ("passed", "failed", "not judged"), `report.faults`, `report.p_values`,
    `report.skipped`, `report.smallest_bias`, `report.seed`; `report.raise_if_failed()` for tests.

    Examples
    --------
    >>> import fastebm as eb
    >>> from fastebm.testing import check_kernel
    >>> check_kernel(eb.RandomWalk(1.5), eb.DoubleWell(1), rng=0).passed
    True
    """
    _checks.instance(energy, Energy, "energy", "fastebm.Gaussian([0.0], [[1.0]])")
    if not isinstance(kernel, Kernel) and not callable(kernel):
        raise TypeError(f"kernel is {kernel!r}; pass a kernel or a function step(states, k, seed).")
    alpha = _within(alpha, "alpha", 0.1)
    delta = _within(delta, "delta", 0.5)
    group_size = _checks.count(group_size, "group_size")
    seed = _checks.seed(rng)
    return _Check(kernel, energy, alpha, delta, seed, is_reversible, group_size).report()


def _within(value: float, name: str, most: float) -> float:
    number = _checks.positive(value, name)
    if number > most:
        raise ValueError(f"{name} is {value}; pass a number above 0 and at most {most}.")
    return number


class _Check:
    """One check: its tiers in turn."""

    def __init__(
        self, kernel: Kernel | Step, energy: Energy, alpha: float, delta: float, seed: int,
        is_reversible: bool | None, group_size: int,
    ) -> None:
        self.energy, self.alpha, self.delta, self.seed, self.group_size = energy, alpha, delta, seed, group_size
        self.seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(8, np.uint64) >> np.uint64(1)]
        self.sampler: Step = KernelStep(kernel, energy, self.seeds[0]) if isinstance(kernel, Kernel) else kernel
        if isinstance(self.sampler, KernelStep):
            self.group_size = math.lcm(group_size, self.sampler.group_size)
        self.step = checked(self.sampler)
        if is_reversible is None:
            is_reversible = isinstance(kernel, Kernel) and kernel.is_reversible
        self.is_reversible = is_reversible
        what = repr(kernel) if isinstance(kernel, Kernel) else getattr(kernel, "__name__", type(kernel).__name__)
        self.name = f"{what} on {energy.name}"
        self.ran: list[Tier] = []
        self.skipped: dict[str, str] = {}

    def report(self) -> KernelReport:
        unjudged, n, smallest = "", 0, math.inf
        for name, tier in self._exact_tiers():
            self._try(name, tier)
        try:
            law = law_of(self.energy)
            contrasts = Contrasts(law.columns, self.is_reversible)
            n_all = n_statistics(contrasts, self.group_size) + contrasts.n_moments + reach.n_lags(contrasts)
            self.level = self.alpha / n_all
            # Bonferroni's bound on each two-sided test, and the power that is wanted of each
            needed = float(scipy.stats.norm.isf(0.5 * self.level) + scipy.stats.norm.isf(1.0 - _POWER))
            n = max(math.ceil((needed / self.delta) ** 2), _FEWEST_GROUPS * self.group_size)
            n = -(-n // self.group_size) * self.group_size
            smallest = needed / math.sqrt(n)
            unjudged = self._statistical_tiers(law, contrasts, n)
        except NotRun as fault:
            unjudged = str(fault)
            self.skipped.setdefault("invariance", unjudged)
            self.skipped.setdefault("reach", unjudged)
        except StepFault as fault:
            self.ran.append(Tier("invariance", "the step returned what no sampler may return", (str(fault),)))
        return KernelReport(
            self.name, tuple(self.ran), self.skipped, self.seed, unjudged=unjudged, alpha=self.alpha, n_chains=n,
            smallest_bias=smallest,
        )

    def _try(self, name: str, tier: Callable[[], Tier]) -> None:
        try:
            self.ran.append(tier())
        except NotRun as fault:
            self.skipped[name] = str(fault)
        except StepFault as fault:
            self.ran.append(Tier(name, "the step returned what no sampler may return", (str(fault),)))

    def _exact_tiers(self) -> list[tuple[str, Callable[[], Tier]]]:
        return [
            ("algebra", lambda: algebra(self._kernel_step(), self.energy, self.seeds[6])),
            ("replay", lambda: replay(self._kernel_step(), self.seeds[6])),
            ("same bits", lambda: reproducibility(self.sampler, self._scattered(), self.seeds[6])),
        ]

    def _kernel_step(self) -> KernelStep:
        if not isinstance(self.sampler, KernelStep):
            raise NotRun("a step shows neither its densities nor its random numbers")
        return self.sampler

    def _scattered(self) -> FloatArray:
        n_chains = max(-(-_N_SCATTERED // self.group_size), _LEAST_SCATTERED) * self.group_size
        try:
            return starts(self.energy, None, n_chains, self.seeds[7])
        except ValueError as fault:
            raise NotRun(f"no starts are found: {fault}") from None

    def _statistical_tiers(self, law: Law, contrasts: Contrasts, n: int) -> str:
        """Run them; returns why nothing can be said, if so."""
        exact = law.draws(n, self.seeds[1])
        if doubt := self._doubt(law, contrasts, exact):
            return doubt
        found = evidence(self.step, law, contrasts, exact, self.seeds[2:5], self.group_size)
        faults = reach.confinements(found, law.columns)
        words = f"{n:,} chains from the exact law, {len(found.statistics)} statistics"
        self.ran.append(self._judged(Tier("invariance", words, tuple(faults), found.statistics)))
        start = reach.nearest_to_medians(exact, found.starts, self.group_size)
        patience = 1 if any(tier.faults for tier in self.ran) else reach.PATIENCE  # accused it is, with them or without
        self._try(
            "reach",
            lambda: reach.from_one_point(self.step, law, contrasts, start, found.slopes, self.seeds[5], patience),
        )
        self._try("independence", lambda: self._independence(law, contrasts, found))
        return ""

    def _doubt(self, law: Law, contrasts: Contrasts, draws: FloatArray) -> str:
        """What speaks against the draws, which should have the law that the nodes have; empty if nothing does."""
        if not law.has_means:
            return ""
        means, variances = law.moments(contrasts)
        shares = law.shares(draws)
        sums = contrasts.sums(shares, shares, means, np.zeros_like(means), 1)
        p = np.where(variances > 1e-9, student_p(sums.n, sums.powers[:, : contrasts.n_moments])[1], np.nan)
        if np.isnan(p).all():
            return ""
        worst = int(np.nanargmin(p))
        if p[worst] >= self.level:
            return ""
        return (
            f"the exact law of {self.energy.name} is in doubt: {contrasts.names()[worst]} of exact draws differs from "
            f"its exact mean, p={p[worst]:.1g}"
        )

    def _independence(self, law: Law, contrasts: Contrasts, found: Evidence) -> Tier:
        if self.group_size > 1:
            raise NotRun("the chains of a group depend on each other")
        lags = reach.independence(found, contrasts, law.moments(contrasts)[0])
        return self._judged(Tier("independence", "moves of neighbouring chains", (), lags))

    def _judged(self, tier: Tier) -> Tier:
        """The tier with a fault for each statistic that is beyond the level, the worst first and not too many."""
        beyond = sorted((one for one in tier.statistics if one.p_value < self.level), key=lambda one: -abs(one.z))
        faults = [
            f"{one.words} ({abs(one.z):.1f} standard errors, p={one.p_value:.1g})" for one in beyond[:_WORST_SHOWN]
        ]
        if len(beyond) > _WORST_SHOWN:
            faults[-1] += f"; and {len(beyond) - _WORST_SHOWN} statistics more"
        return dataclasses.replace(tier, faults=(*tier.faults, *faults))
