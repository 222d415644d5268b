"""Rules of transition with one mistake each, in plain NumPy: those that do not keep the law.

What a rule should do stands in `correct`; docstrings say only what is wrong.
"""

from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.kernels import RandomWalk
from fastebm.testing.mutants import targets
from fastebm.testing.mutants.correct import conditional, spread, tempering
from fastebm.testing.mutants.entries import Entry
from fastebm.testing.mutants.momenta import guided, persistent
from fastebm.testing.mutants.rules import Points, Random, Rule, accepts, chosen, hastings, kinetic, leapfrog, steps
from fastebm.testing.steps import KernelStep


def walk(x: FloatArray, generator: Random, scale: float) -> FloatArray:
    """A symmetric proposal."""
    return np.asarray(x + scale * generator.standard_normal(x.shape))


def at_temperature(beta: float) -> Any:
    """A kernel of this library on beta E, as a step, which does not tell with what energies it works."""

    def make(energy: Energy) -> Any:
        kernel = KernelStep(RandomWalk(1.5), beta * energy, 0)

        def scaled_energy(states: FloatArray, k: int, seed: int) -> FloatArray:
            return kernel(states, k, seed)

        return scaled_energy

    return make


def biased_test(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float, extra: float = 0.0,
    drift: float = 0.0,
) -> Points:
    """Accepted with a probability that is `extra` too high; proposals that drift."""
    y = walk(x, generator, scale) + drift * scale
    e_y = energy.energy(y)
    accepted = generator.random(len(x)) < np.exp(np.minimum(e - e_y, 0.0)) + extra
    return chosen(accepted, x, e, y, e_y)


def upside_down(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """log u >= E(x) - E(y)."""
    y = walk(x, generator, scale)
    e_y = energy.energy(y)
    return chosen(~accepts(generator, e - e_y), x, e, y, e_y)


def accepts_everything(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """There is no test."""
    y = walk(x, generator, scale)
    return y, energy.energy(y)


def stale_energy(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """x moves, and its energy stays that of the start: one transition is right, the second is not."""
    y, _ = hastings(energy, x, e, walk(x, generator, scale), generator)
    return y, e


def same_uniform(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """One u makes the proposal and decides on it."""
    u = generator.random(len(x))
    y = x + scale * (2.0 * u[:, None] - 1.0)
    e_y = energy.energy(y)
    return chosen(np.log(u) < e - e_y, x, e, y, e_y)


def same_numbers(scale: float) -> Any:
    """The generator is made anew in every transition, from the same seed."""

    def make(energy: Energy) -> Any:
        def same_numbers_again(states: FloatArray, k: int, seed: int) -> FloatArray:
            x, e = states, energy.energy(states)
            for _ in range(k):
                generator = np.random.default_rng(seed)
                x, e = hastings(energy, x, e, walk(x, generator, scale), generator)
            return x

        return same_numbers_again

    return make


def shared_streams(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Chains 2 c and 2 c + 1 draw the same numbers."""
    n = -(-len(x) // 2)
    normals = np.repeat(generator.standard_normal((n, x.shape[1])), 2, axis=0)[: len(x)]
    exponentials = np.repeat(generator.standard_exponential(n), 2)[: len(x)]
    y = x + scale * normals
    e_y = energy.energy(y)
    return chosen(-exponentials < e - e_y, x, e, y, e_y)


def part_of_hastings(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float, share: float
) -> Points:
    """MALA with only a share of log q(x | y) - log q(y | x)."""
    slope = energy.grad(x)
    y = x - eps * slope + np.sqrt(2.0 * eps) * generator.standard_normal(x.shape)
    back = x - y + eps * energy.grad(y)
    log_hastings = ((y - x + eps * slope) ** 2 - back**2).sum(axis=1) / (4.0 * eps)
    return hastings(energy, x, e, y, generator, share * log_hastings)


def unadjusted(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float) -> Points:
    """ULA under the name of MALA."""
    y = x - eps * energy.grad(x) + np.sqrt(2.0 * eps) * generator.standard_normal(x.shape)
    return y, e


def stale_gradient(eps: float) -> Any:
    """MALA that keeps dE/dx of the first point for its proposals, and for their densities."""

    def make(energy: Energy) -> Any:
        def stale_gradient_mala(states: FloatArray, k: int, seed: int) -> FloatArray:
            generator = np.random.default_rng(seed)
            x, e, slope = states, energy.energy(states), energy.grad(states)
            for _ in range(k):
                y = x - eps * slope + np.sqrt(2.0 * eps) * generator.standard_normal(x.shape)
                back = x - y + eps * energy.grad(y)
                log_hastings = ((y - x + eps * slope) ** 2 - back**2).sum(axis=1) / (4.0 * eps)
                x, e = hastings(energy, x, e, y, generator, log_hastings)
            return x

        return stale_gradient_mala

    return make


def no_jacobian(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """A walk of log x that is tested like a walk of x."""
    return hastings(energy, x, e, x * np.exp(scale * generator.standard_normal(x.shape)), generator)


def takes_nan(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """min(0, nan) is 0, as in Python's own `min`: what has no energy is accepted."""
    y = walk(x, generator, scale)
    with np.errstate(invalid="ignore"):
        e_y = targets.RATE * y[:, 0] - (targets.SHAPE - 1.0) * np.log(y[:, 0])
    accepted = -generator.standard_exponential(len(x)) < np.fmin(0.0, e - e_y)
    return chosen(accepted, x, e, y, e_y)


def clipped(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """What leaves by a wall is put onto the wall."""
    return hastings(energy, x, e, np.clip(walk(x, generator, scale), 0.0, targets.WALL), generator)


def no_upper_wall(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Folded at 0; the other wall is not there."""
    y = np.abs(walk(x, generator, scale))
    e_y = 1.5 * y[:, 0]
    return chosen(accepts(generator, e - e_y), x, e, y, e_y)


def soft_wall(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Folded at both walls, and half as far back as it should be at the upper one."""
    y = np.abs(walk(x, generator, scale))
    y = np.where(y > targets.WALL, targets.WALL - 0.5 * (y - targets.WALL), y)
    return hastings(energy, x, e, y, generator)


def scaled_uncorrected(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Proposals whose width grows with |x|, taken for symmetric."""
    return hastings(energy, x, e, x + spread(x, scale) * generator.standard_normal(x.shape), generator)


def second_stage_like_the_first(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float, second: float
) -> Points:
    """Delayed rejection that tests the second try by pi(y2) / pi(x) alone."""
    x1, e1 = hastings(energy, x, e, walk(x, generator, scale), generator)
    x2, e2 = hastings(energy, x, e, walk(x, generator, second), generator)
    return chosen((x1 != x).any(axis=1), x2, e2, x1, e1)


def whole_first_kick(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float, n: int) -> Points:
    """HMC whose first half step of the momentum is a whole one."""
    p = generator.standard_normal(x.shape)
    y, p_y = leapfrog(energy, x, p - 0.5 * eps * energy.grad(x), eps, n)
    return hastings(energy, x, e, y, generator, kinetic(p) - kinetic(p_y))


def energy_error_ignored(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float, n: int) -> Points:
    """HMC without a test."""
    y, _ = leapfrog(energy, x, generator.standard_normal(x.shape), eps, n)
    return y, energy.energy(y)


def kinetic_energy_forgotten(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float, n: int
) -> Points:
    """HMC that tests the potential energy alone."""
    y, _ = leapfrog(energy, x, generator.standard_normal(x.shape), eps, n)
    return hastings(energy, x, e, y, generator)


def momentum_not_refreshed(eps: float, n: int) -> Any:
    """HMC whose every trajectory begins with the momentum that was drawn first."""

    def make(energy: Energy) -> Any:
        def one_momentum_hmc(states: FloatArray, k: int, seed: int) -> FloatArray:
            generator = np.random.default_rng(seed)
            x, e = states, energy.energy(states)
            p = generator.standard_normal(x.shape)
            for _ in range(k):
                y, p_y = leapfrog(energy, x, p, eps, n)
                x, e = hastings(energy, x, e, y, generator, kinetic(p) - kinetic(p_y))
            return x

        return one_momentum_hmc

    return make


def sliced(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, width: float, mistake: str) -> Points:
    """Slice sampling whose interval is cut at both ends alike; is beside x; or has x always at its left third."""
    level = e + generator.standard_exponential(len(x))
    share = {"beside": -0.1, "third": 1.0 / 3.0}.get(mistake, generator.random(x.shape))
    low = x - width * share
    high = low + width
    y, e_y = x.copy(), e.copy()
    going = np.arange(len(x))
    for _ in range(30):
        y[going] = low[going] + (high - low)[going] * generator.random((len(going), 1))
        e_y[going] = energy.energy(y[going])
        going = going[~(e_y[going] < level[going])]
        is_left = y[going] < x[going]
        mirror = 2.0 * x[going] - y[going] if mistake == "both ends" else None
        low[going] = np.where(is_left, y[going], low[going] if mirror is None else mirror)
        high[going] = np.where(is_left, high[going] if mirror is None else mirror, y[going])
    y[going], e_y[going] = x[going], e[going]
    return y, e_y


def marginal_variance(energy: Energy, x: FloatArray, e: FloatArray, generator: Random) -> Points:
    """Gibbs with the variance of x[i] where that of x[i] given the other belongs."""
    x = x.copy()
    for i in range(2):
        x[:, i] = conditional(x, i)[0] + np.sqrt(targets.COVARIANCE[i, i]) * generator.standard_normal(len(x))
    return x, e


def both_at_once(energy: Energy, x: FloatArray, e: FloatArray, generator: Random) -> Points:
    """Gibbs that draws both coordinates given the old ones."""
    means, variances = zip(*(conditional(x, i) for i in range(2)), strict=True)
    return np.stack(means, axis=1) + np.sqrt(variances) * generator.standard_normal(x.shape), e


def adapting(scale: float) -> Any:
    """Steps grow after a rejection and shrink after an acceptance, for ever."""

    def make(energy: Energy) -> Any:
        def never_frozen(states: FloatArray, k: int, seed: int) -> FloatArray:
            generator = np.random.default_rng(seed)
            x, e = states, energy.energy(states)
            scales = np.full(len(x), scale)
            for _ in range(k):
                y = x + scales[:, None] * generator.standard_normal(x.shape)
                e_y = energy.energy(y)
                accepted = accepts(generator, e - e_y)
                x, e = chosen(accepted, x, e, y, e_y)
                scales = np.clip(scales * np.where(accepted, 1.0 / 1.5, 1.5), 0.1 * scale, 10.0 * scale)
            return x

        return never_frozen

    return make


def uncorrected_independence(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float
) -> Points:
    """Independent proposals that are tested as if they were symmetric."""
    return hastings(energy, x, e, scale * generator.standard_normal(x.shape), generator)


def _mistaken(name: str, words: str, rule: Rule, energy: Energy, delta: float, **settings: Any) -> Entry:
    return Entry(name, words, steps(rule, **settings), energy, delta=delta)


MIXTURE, WELL, PLANE = targets.MIXTURE, targets.WELL, targets.PLANE

BROKEN = (
    Entry("energy x 0.97", "every energy is 3 % too low", at_temperature(0.97), PLANE, delta=0.015),
    Entry("temperature 1.02", "E / 1.02", at_temperature(1.0 / 1.02), PLANE, delta=0.01),
    _mistaken("generous by 0.01", "min(1, r) + 0.01", biased_test, MIXTURE, 0.02, scale=1.9, extra=0.01),
    _mistaken("drift of 0.02 s", "proposals on the right of x", biased_test, MIXTURE, 0.02, scale=1.9, drift=0.02),
    _mistaken("test upside down", "log u >= E(x) - E(y)", upside_down, MIXTURE, 0.2, scale=1.9),
    _mistaken("everything accepted", "no test", accepts_everything, MIXTURE, 0.2, scale=1.9),
    _mistaken("stale energy", "E of the first point, for ever", stale_energy, MIXTURE, 0.03, scale=1.9),
    _mistaken("one uniform for two", "u proposes and decides", same_uniform, MIXTURE, 0.1, scale=2.5),
    Entry("the same numbers again", "in each transition", same_numbers(1.9), MIXTURE, delta=0.1),
    _mistaken("shared streams", "neighbouring chains draw alike", shared_streams, MIXTURE, 0.1, scale=1.9),
    _mistaken("MALA without Hastings", "no q(x | y) / q(y | x)", part_of_hastings, MIXTURE, 0.1, eps=0.5, share=0.0),
    _mistaken("half a Hastings term", "its root", part_of_hastings, MIXTURE, 0.1, eps=0.5, share=0.5),
    _mistaken("ULA as MALA", "no test", unadjusted, MIXTURE, 0.03, eps=0.15),
    Entry("stale gradient", "that of the first point, for ever", stale_gradient(0.5), MIXTURE, delta=0.1),
    _mistaken("no Jacobian", "a walk of log x tested like one of x", no_jacobian, targets.gamma, 0.2, scale=1.1),
    _mistaken("min(0, nan)", "accepts what has no energy", takes_nan, targets.gamma, 0.3, scale=1.5),
    _mistaken("clipped at walls", "put onto the wall", clipped, targets.slope, 0.2, scale=1.3),
    _mistaken("one wall only", "leaves by the other", no_upper_wall, targets.slope, 0.3, scale=1.3),
    _mistaken("soft wall", "reflected half as far", soft_wall, targets.slope, 0.03, scale=1.3),
    _mistaken("steps scaled, uncorrected", "s(x) grows with |x|", scaled_uncorrected, MIXTURE, 0.1, scale=0.9),
    _mistaken("independence as a walk", "no q(x) / q(y)", uncorrected_independence, MIXTURE, 0.1, scale=1.5),
    _mistaken(
        "second stage like the first", "delayed rejection without the path back", second_stage_like_the_first, MIXTURE,
        0.02, scale=3.5, second=0.8,
    ),
    _mistaken("whole first kick", "leapfrog without its half step", whole_first_kick, WELL, 0.1, eps=0.35, n=4),
    _mistaken("energy error ignored", "HMC without a test", energy_error_ignored, PLANE, 0.05, eps=0.6, n=3),
    _mistaken("kinetic energy forgotten", "HMC tests E alone", kinetic_energy_forgotten, WELL, 0.2, eps=0.35, n=4),
    Entry("momentum not refreshed", "the first one, again", momentum_not_refreshed(0.35, 4), WELL, delta=0.1),
    Entry("momentum not flipped", "kept when rejected", persistent(0.8, 3, flips=False), WELL, delta=0.03),
    Entry("guided walk that never turns", "d is kept when rejected", guided(1.3, turns=False), MIXTURE, delta=0.1),
    _mistaken("slice cut at both ends", "evenly around x", sliced, MIXTURE, 0.03, width=4.0, mistake="both ends"),
    _mistaken("slice beside x", "begins to the right of x", sliced, MIXTURE, 0.3, width=4.0, mistake="beside"),
    _mistaken("slice not at random", "x at its left third", sliced, MIXTURE, 0.2, width=4.0, mistake="third"),
    _mistaken("Gibbs, marginal variance", "not the conditional one", marginal_variance, PLANE, 0.2),
    _mistaken("Gibbs, both at once", "given the old coordinates", both_at_once, PLANE, 0.2),
    Entry("never frozen", "steps follow the last decision", adapting(1.5), MIXTURE, delta=0.05),
    _mistaken("swap of the wrong sign", "r is upside down", tempering, targets.pair, 0.2, scale=1.5, sign=-1.0),
    _mistaken(
        "temperatures exchanged", "each chain at the other's", tempering, targets.pair, 0.05, scale=1.5,
        betas=(targets.HOT, 1.0),
    ),
)
