"""Is the gradient that a training follows the right one? Against exact means, with a stated error rate."""

import math

import numpy as np
import scipy
from numpy.typing import ArrayLike

from fastebm import _checks, partition
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.exact import exact_draws
from fastebm.testing.gradients import parameter_names
from fastebm.testing.invariance import student_p
from fastebm.testing.reports import NotRun, Report, Statistic, Tier
from fastebm.testing.transfers import mean_slopes
from fastebm.testing.twins import twin_of
from fastebm.training.contrastive import ContrastiveDivergence, PersistentCD, kernel_on
from fastebm.training.objective import Objective

_POWER = 0.999
_BATCH = 128
_FEWEST_RUNS, _MOST_RUNS = 200, 20_000
_EXACT = 1e-6  # of the spread of dE/dtheta: what gradients without chance may be away


def check_objective(
    objective: Objective, energy: Energy, data: ArrayLike | None = None, *, alpha: float = 1e-9, delta: float = 0.03,
    n_steps: int = 3, rng: RNGLike = None,
) -> Report:
    """Compare an objective's gradient with its exact expectation.

    - ContrastiveDivergence: <dE/dtheta>_data less the exact mean after k transitions, by the transfer operator.
    - PersistentCD: the same in its first `n_steps` steps at one theta, after k, 2 k, 3 k ... transitions.
    - all others: d(-mean log-likelihood)/d theta, by quadrature or whatever gives log Z exactly.

    Parameters
    ----------
    objective : what `fastebm.fit` takes.
    energy : the model; for contrastive divergence of one dimension, with a kernel that has a slow twin.
    data : (n, dim) the batch; None: exact draws, spread wider and moved, so that no gradient is zero.
    alpha : probability that a right objective is accused.
    delta : bias, in standard deviations of dE/dtheta, to be found with probability 0.999; above 0.
    n_steps : steps of a persistent objective, at least 1.
    rng : see `fastebm.sample`.

    Returns
    -------
    Report; not judged where the exact expectation is not to be had.

    Examples
    --------
    >>> import fastebm as eb
    >>> from fastebm.testing import check_objective
    >>> check_objective(eb.ContrastiveDivergence(1, eb.RandomWalk(0.8)), eb.DoubleWell(1), delta=0.1, rng=0).passed
    True
    """
    _checks.instance(energy, Energy, "energy", "fastebm.DoubleWell(1)")
    _checks.instance(objective, Objective, "objective", "fastebm.ContrastiveDivergence()")
    if energy.n_params == 0:
        raise ValueError(f"{energy.name} has no parameters; pass an energy with some, to have a gradient.")
    alpha, delta = _checks.fraction(alpha, "alpha"), _checks.positive(delta, "delta")
    n_steps = _checks.count(n_steps, "n_steps")
    seed = _checks.seed(rng)
    name = f"{objective!r} on {energy.name}"
    try:
        batch = _batch(energy, seed) if data is None else _checks.data(data, energy.dim, energy.domain)
        wanted, error = _wanted(objective, energy, batch, n_steps)
        tier, unjudged = _compared(objective, energy, batch, wanted, error, alpha, delta, seed)
    except NotRun as why:
        return Report(name, (), {"gradient": str(why)}, seed, unjudged=str(why))
    return Report(name, (tier,), {"gradient": unjudged} if unjudged else {}, seed, unjudged=unjudged)


def _batch(energy: Energy, seed: int) -> FloatArray:
    try:
        X = exact_draws(energy, _BATCH, seed)
    except ValueError as fault:
        raise NotRun(f"there are no exact draws to make data of: {fault}") from None
    moved = X.mean(axis=0) + 1.2 * (X - X.mean(axis=0)) + 0.3 * X.std(axis=0)
    return np.where(np.isfinite(energy.energy(moved))[:, None], moved, X)


# ---- exact expectations ----


def _wanted(
    objective: Objective, energy: Energy, batch: FloatArray, n_steps: int
) -> tuple[list[FloatArray], FloatArray | float]:
    """The expected gradient of each step, (n_params,) each, and what its error may be."""
    if not isinstance(objective, (ContrastiveDivergence, PersistentCD)):
        try:
            return [energy.mean_grad_theta(batch) + partition.log_partition_grad(energy)], 0.0
        except ValueError as fault:
            raise NotRun(f"its exact gradient is not to be had: {fault}") from None
    kernel = kernel_on(energy, objective.kernel)
    if kernel.step_size is None and isinstance(objective, PersistentCD):
        raise NotRun("its kernel goes on tuning its step size; give it one")
    settings = objective.begin(energy, batch, 0, 1).settings()
    lengths = [objective.k * (t + 1) for t in range(n_steps if isinstance(objective, PersistentCD) else 1)]
    means, apart = mean_slopes(twin_of(kernel)(settings, energy.dim), energy, batch, lengths)
    return [energy.mean_grad_theta(batch) - one.mean(axis=0) for one in means], apart


# ---- comparisons ----


def _compared(
    objective: Objective, energy: Energy, batch: FloatArray, wanted: list[FloatArray], error: FloatArray | float,
    alpha: float, delta: float, seed: int,
) -> tuple[Tier, str]:
    """What was seen, and why not all could be judged, if so."""
    n_statistics = len(wanted) * energy.n_params
    level = alpha / n_statistics
    needed = scipy.stats.norm.isf(0.5 * level) + scipy.stats.norm.isf(1.0 - _POWER)
    size = objective.n_particles if isinstance(objective, PersistentCD) else len(batch)
    n_runs = min(max(_FEWEST_RUNS, math.ceil((needed / delta) ** 2 / size)), _MOST_RUNS)
    seeds = [int(one) for one in np.random.SeedSequence(seed).generate_state(n_runs, np.uint64) >> np.uint64(1)]
    spread = energy.grad_theta(batch).std(axis=0) + 1e-12
    if not (np.asarray(error) <= 0.1 * delta * spread).all():
        raise NotRun(
            f"two lattices for its transfer operator differ by {np.max(error / spread):.1g} standard deviations"
        )
    first = [_gradients(objective, energy, batch, len(wanted), one) for one in seeds[:2]]
    if fault := _no_gradient(first[0], energy, objective):
        return Tier("gradient", "the first gradients", (fault,)), ""
    names = list(parameter_names(energy))
    if np.array_equal(first[0], first[1]):
        if isinstance(objective, (ContrastiveDivergence, PersistentCD)):
            fault = f"{objective!r} gives the same gradient for all seeds; use the seed."
            return Tier("gradient", "two seeds", (fault,)), ""
        away = abs(first[0] - np.array(wanted)) / spread
        k = int(np.argmax(away[0]))
        words = f"one gradient without chance, to {away[0, k]:.1e} standard deviations of dE/dtheta"
        faults = [_fault(names[k], float(first[0][0, k]), float(wanted[0][k]), "")] if away[0, k] > _EXACT else []
        return Tier("gradient", words, tuple(faults)), ""
    runs = np.array([*first, *(_gradients(objective, energy, batch, len(wanted), one) for one in seeds[2:])])
    away = runs - np.array(wanted)
    z, p = student_p(n_runs, np.stack([(away**k).sum(axis=0).ravel() for k in (1, 2, 3, 4)]))
    statistics, faults = [], []
    unknown = []
    for j, (step, k) in enumerate(np.ndindex(len(wanted), energy.n_params)):
        mean, right = float(runs[:, step, k].mean()), float(wanted[step][k])
        after = f" in step {step + 1}" if len(wanted) > 1 else ""
        words = _fault(names[k], mean, right, after)
        if math.isnan(p[j]):
            unknown += [f"{names[k]}{after}"] if away[:, step, k].any() else []
            continue
        statistics.append(Statistic(f"{names[k]}{after}", float(z[j]), float(p[j]), words))
        if p[j] < level:
            faults.append(f"{words} ({abs(z[j]):.1f} standard errors, p={p[j]:.1g})")
    words = f"{n_runs} gradients of {size} points, {len(statistics)} means"
    tier = Tier("gradient", words, tuple(faults), tuple(statistics))
    if not unknown:
        return tier, ""
    return tier, f"a few of {n_runs} gradients for {', '.join(unknown)} outweigh all others; pass a smaller delta"


def _gradients(objective: Objective, energy: Energy, batch: FloatArray, n_steps: int, seed: int) -> FloatArray:
    """The gradients (n_steps, n_params) of the first steps of one training at one theta."""
    estimator = objective.begin(energy, batch, seed, 1)
    return np.array([estimator.gradient(energy, batch) for _ in range(n_steps)])


def _no_gradient(found: FloatArray, energy: Energy, objective: Objective) -> str:
    if found.shape[1:] != (energy.n_params,):
        return f"{objective!r} gives a gradient of shape {found.shape[1:]}; return one of shape ({energy.n_params},)."
    if not np.isfinite(found).all():
        return f"{objective!r} gives the gradient {found[0].tolist()}; keep it finite."
    return ""


def _fault(name: str, found: float, wanted: float, after: str) -> str:
    what = f"the gradient for {name}{after} is {found:.5g} on average where {wanted:.5g} is right"
    if wanted == 0.0:
        return what
    if found * wanted < 0.0:
        return f"{what}: it has the wrong sign"
    share = 100.0 * (found / wanted - 1.0)
    return f"{what}: {abs(share):.2g} % too {'large' if share > 0.0 else 'small'}"

