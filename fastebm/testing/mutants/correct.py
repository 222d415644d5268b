"""Rules that are correct and do not look it: no check may accuse them.

Each docstring says why the rule keeps exp(-E)/Z.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.testing.mutants import targets
from fastebm.testing.mutants.entries import Entry
from fastebm.testing.mutants.momenta import guided, persistent
from fastebm.testing.mutants.rules import Points, Random, Rule, accepts, chosen, hastings, kinetic, leapfrog, steps


def metropolis(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Symmetric proposals, accepted with min(1, r), r = pi(y) / pi(x): pi(x) min(1, r) = min(pi(x), pi(y)), symmetric.

    References
    ----------
    N. Metropolis et al. (1953), doi:10.1063/1.1699114.
    """
    return hastings(energy, x, e, x + scale * generator.standard_normal(x.shape), generator)


def lazy(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Half of the chains, drawn anew each time, stay where they are: (1 + K) / 2 keeps what K keeps."""
    y, e_y = metropolis(energy, x, e, generator, scale)
    return chosen(generator.random(len(x)) < 0.5, x, e, y, e_y)


def reluctant(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Accepts with 0.8 min(1, r): a constant factor is on both sides of detailed balance."""
    y, e_y = metropolis(energy, x, e, generator, scale)
    return chosen(generator.random(len(x)) < 0.8, x, e, y, e_y)


def barker(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Accepts with r / (1 + r): pi(x) pi(y) / (pi(x) + pi(y)) is symmetric. Rejects half of what is as good.

    References
    ----------
    A. A. Barker (1965), doi:10.1071/PH650119.
    """
    y = x + scale * generator.standard_normal(x.shape)
    e_y = energy.energy(y)
    return chosen(generator.logistic(size=len(x)) < e - e_y, x, e, y, e_y)


def skewed(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Steps z that point downhill with probability 1 / (1 + exp(z dE/dx)), and the ratio of these on the way back.

    References
    ----------
    S. Livingstone and G. Zanella (2022), doi:10.1111/rssb.12482.
    """
    z = scale * generator.standard_normal(x.shape)
    z = np.where(generator.logistic(size=x.shape) < -z * energy.grad(x), z, -z)
    y = x + z
    there, back = np.logaddexp(0.0, z * energy.grad(x)), np.logaddexp(0.0, -z * energy.grad(y))
    return hastings(energy, x, e, y, generator, (there - back).sum(axis=1))


def langevin(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float, factor: float = 1.0, shift: float = 0.0
) -> Points:
    """MALA that drifts along factor dE/dx + shift, any function of x: the test uses the density of what was proposed.

    References
    ----------
    J. Besag (1994), doi:10.1111/j.2517-6161.1994.tb02000.x.
    """
    drift = eps * (factor * energy.grad(x) + shift)
    y = x - drift + np.sqrt(2.0 * eps) * generator.standard_normal(x.shape)
    drift_back = eps * (factor * energy.grad(y) + shift)
    log_hastings = ((y - x + drift) ** 2 - (x - y + drift_back) ** 2).sum(axis=1) / (4.0 * eps)
    return hastings(energy, x, e, y, generator, log_hastings)


def delayed_rejection(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float, second: float
) -> Points:
    """What is rejected gets a second try, y2 near x, with the probability that y2 would have rejected y1 as well.

    With a1 the first test, r2 = pi(y2) q1(y2, y1) (1 - a1(y2, y1)) / (pi(x) q1(x, y1) (1 - a1(x, y1))) balances the
    paths x, y1, y2 and y2, y1, x.

    References
    ----------
    L. Tierney and A. Mira (1999),
    doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2507::AID-SIM272>3.0.CO;2-J.
    """
    y1 = x + scale * generator.standard_normal(x.shape)
    e1 = energy.energy(y1)
    first = accepts(generator, e - e1)
    y2 = x + second * generator.standard_normal(x.shape)
    e2 = energy.energy(y2)
    with np.errstate(divide="ignore", invalid="ignore"):
        rejects_from_y2 = np.log(-np.expm1(np.minimum(e2 - e1, 0.0)))
        rejects_from_x = np.log(-np.expm1(np.minimum(e - e1, 0.0)))
        proposed = ((y1 - x) ** 2 - (y1 - y2) ** 2).sum(axis=1) / (2.0 * scale**2)
        log_ratio = e - e2 + proposed + rejects_from_y2 - rejects_from_x
    later = accepts(generator, log_ratio) & ~first
    x, e = chosen(later, x, e, y2, e2)
    return chosen(first, x, e, y1, e1)


def scan(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scales: tuple[float, ...]) -> Points:
    """Coordinates in turn, always in the same order: each step keeps pi, so all do, though not reversibly."""
    for i, scale in enumerate(scales):
        y = x.copy()
        y[:, i] += scale * generator.standard_normal(len(x))
        x, e = hastings(energy, x, e, y, generator)
    return x, e


def gaussian_scan(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, memory: float = 0.0) -> Points:
    """Each coordinate from its conditional normal law: Gibbs; and with a memory of -0.8, on the other side of its mean.

    m + a (x - m) + sqrt(1 - a**2) s normal has mean m and variance s**2 where x has, for every |a| < 1.

    References
    ----------
    S. Geman and D. Geman (1984), doi:10.1109/TPAMI.1984.4767596.
    S. L. Adler (1981), doi:10.1103/PhysRevD.23.2901 (overrelaxation).
    """
    x = x.copy()
    for i in range(2):
        mean, variance = conditional(x, i)
        noise = np.sqrt((1.0 - memory**2) * variance) * generator.standard_normal(len(x))
        x[:, i] = mean + memory * (x[:, i] - mean) + noise
    return x, e


def conditional(x: FloatArray, i: int) -> tuple[FloatArray, float]:
    """Mean (n,) and variance of coordinate i of `targets.PLANE`, given the other."""
    j, C = 1 - i, targets.COVARIANCE
    mean = targets.MEAN[i] + C[i, j] / C[j, j] * (x[:, j] - targets.MEAN[j])
    return mean, float(C[i, i] - C[i, j] ** 2 / C[j, j])


def hamiltonian(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, eps: float, n: int, jitter: float = 0.0
) -> Points:
    """HMC without the flip of the momentum, which is drawn anew anyhow; a jittered eps is drawn without a look at x.

    References
    ----------
    S. Duane, A. D. Kennedy, B. J. Pendleton and D. Roweth (1987), doi:10.1016/0370-2693(87)91197-X.
    R. M. Neal (2011), doi:10.1201/b10905-6.
    """
    p = generator.standard_normal(x.shape)
    y, p_y = leapfrog(energy, x, p, eps * generator.uniform(1.0 - jitter, 1.0 + jitter, (len(x), 1)), n)
    return hastings(energy, x, e, y, generator, kinetic(p) - kinetic(p_y))


def slice_sampling(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, width: float) -> Points:
    """Uniform on the slice {E < level} around x: the interval is placed at random, stepped out, and shrunk towards x.

    Every interval is found from the new point with the same probability as from x. There is no rejection.

    References
    ----------
    R. M. Neal (2003), doi:10.1214/aos/1056562461.
    """
    level = e + generator.standard_exponential(len(x))
    low = x - width * generator.random(x.shape)
    high = low + width
    for end, outwards in ((low, -width), (high, width)):
        going = np.flatnonzero(energy.energy(end) < level)
        while len(going):
            end[going] += outwards
            going = going[energy.energy(end[going]) < level[going]]
    y, e_y = x.copy(), e.copy()
    going = np.arange(len(x))
    while len(going):
        y[going] = low[going] + (high - low)[going] * generator.random((len(going), 1))
        e_y[going] = energy.energy(y[going])
        going = going[~(e_y[going] < level[going])]
        is_left = y[going] < x[going]
        low[going] = np.where(is_left, y[going], low[going])
        high[going] = np.where(is_left, high[going], y[going])
    return y, e_y


def independence(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Proposals that do not look at x, with weights pi / q: r = pi(y) q(x) / (pi(x) q(y)).

    References
    ----------
    W. K. Hastings (1970), doi:10.1093/biomet/57.1.97.
    """
    y = scale * generator.standard_normal(x.shape)
    return hastings(energy, x, e, y, generator, (y**2 - x**2).sum(axis=1) / (2.0 * scale**2))


def mixture(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float, wide: float) -> Points:
    """A walk or an independent proposal, by a coin for each chain: a mixture of kernels that keep pi keeps it."""
    walked, e_walked = metropolis(energy, x, e, generator, scale)
    jumped, e_jumped = independence(energy, x, e, generator, wide)
    return chosen(generator.random(len(x)) < 0.3, walked, e_walked, jumped, e_jumped)


def scaled_by_the_state(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Proposals of standard deviation s(x) = scale sqrt(1 + x**2), and both densities in the test."""
    y = x + spread(x, scale) * generator.standard_normal(x.shape)
    there, back = spread(x, scale), spread(y, scale)
    log_hastings = np.log(there / back) + 0.5 * (y - x) ** 2 * (there**-2 - back**-2)
    return hastings(energy, x, e, y, generator, log_hastings.sum(axis=1))


def spread(x: FloatArray, scale: float) -> FloatArray:
    return np.asarray(scale * np.sqrt(1.0 + x**2))


def bouncing(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Proposals folded back between both walls: y comes from x by the same paths as x from y."""
    y = np.mod(x + scale * generator.standard_normal(x.shape), 2.0 * targets.WALL)
    return hastings(energy, x, e, np.minimum(y, 2.0 * targets.WALL - y), generator)


def bouncing_once(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Folded back at 0 and rejected above the upper wall: symmetric still."""
    return hastings(energy, x, e, np.abs(x + scale * generator.standard_normal(x.shape)), generator)


def multiplicative(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """x exp(scale normal), a walk of log x, whose density in y has the Jacobian 1 / y: q(x | y) / q(y | x) = y / x."""
    y = x * np.exp(scale * generator.standard_normal(x.shape))
    return hastings(energy, x, e, y, generator, np.log(y / x).sum(axis=1))


def tempering(
    energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float,
    betas: tuple[float, float] = (1.0, targets.HOT), sign: float = 1.0,
) -> Points:
    """Two chains at two temperatures that walk, then may swap: r = exp((beta_1 - beta_2) (E(x_1) - E(x_2))).

    References
    ----------
    C. J. Geyer (1991), Markov chain Monte Carlo maximum likelihood, Computing Science and Statistics 23, 156-163.
    """
    x = x.copy()
    single = [targets.bumps.energy(x[:, i : i + 1]) for i in range(2)]
    for i, beta in enumerate(betas):
        y = x[:, i : i + 1] + scale * generator.standard_normal((len(x), 1))
        e_y = targets.bumps.energy(y)
        x[:, i : i + 1], single[i] = chosen(
            accepts(generator, beta * (single[i] - e_y)), x[:, i : i + 1], single[i], y, e_y
        )
    swapped = accepts(generator, sign * (1.0 - targets.HOT) * (single[0] - single[1]))
    return np.where(swapped[:, None], x[:, ::-1], x), e


def stretch(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, walkers: int) -> Points:
    """Walkers move along lines through walkers of the other half, which stands still meanwhile.

    x' = partner + z (x - partner) with density of z proportional to 1 / sqrt(z) on [1/2, 2], and z**(dim - 1) in the
    test, which is 1 here. Walkers of one ensemble hang together.

    References
    ----------
    J. Goodman and J. Weare (2010), doi:10.2140/camcos.2010.5.65.
    """
    ensembles, energies = x.reshape(-1, walkers, 1).copy(), e.reshape(-1, walkers).copy()
    half = walkers // 2
    first, second = slice(None, half), slice(half, None)
    for mine, others in ((first, second), (second, first)):
        here, e_here = ensembles[:, mine], energies[:, mine]
        partner = np.take_along_axis(ensembles[:, others], generator.integers(half, size=here.shape), axis=1)
        y = partner + 0.5 * (1.0 + generator.random(here.shape)) ** 2 * (here - partner)
        e_y = energy.energy(y.reshape(-1, 1)).reshape(e_here.shape)
        accepted = accepts(generator, e_here - e_y)
        ensembles[:, mine] = np.where(accepted[..., None], y, here)
        energies[:, mine] = np.where(accepted, e_y, e_here)
    return ensembles.reshape(-1, 1), energies.ravel()


def _entry(name: str, words: str, rule: Rule, energy: Energy, **settings: Any) -> Entry:
    return Entry(name, words, steps(rule, **settings), energy, is_correct=True)


def _reversible(name: str, words: str, rule: Rule, energy: Energy, **settings: Any) -> Entry:
    return replace(_entry(name, words, rule, energy, **settings), options=_REVERSIBLE)


_REVERSIBLE = {"is_reversible": True}
MIXTURE, WELL, PLANE = targets.MIXTURE, targets.WELL, targets.PLANE

CORRECT = (
    _reversible("Metropolis", "the oldest", metropolis, MIXTURE, scale=1.9),
    _reversible("lazy Metropolis", "half of the chains stay put", lazy, MIXTURE, scale=1.9),
    _reversible("reluctant Metropolis", "accepts with 0.8 min(1, r)", reluctant, WELL, scale=1.2),
    _reversible("Barker's rule", "accepts with r / (1 + r)", barker, MIXTURE, scale=1.2),
    _reversible("Barker's proposal", "steps skewed downhill", skewed, WELL, scale=1.1),
    _reversible("MALA", "drifts along the gradient", langevin, PLANE, eps=0.3),
    _reversible(
        "MALA with a wrong gradient", "drifts along 0.5 dE/dx - 0.4, and corrects for that", langevin, MIXTURE,
        eps=0.5, factor=0.5, shift=-0.4,
    ),
    _reversible("delayed rejection", "tries again when rejected", delayed_rejection, MIXTURE, scale=3.5, second=0.8),
    _entry("scan over coordinates", "in fixed order, so not reversible", scan, PLANE, scales=(2.0, 1.3)),
    _entry("Gibbs", "never rejects", gaussian_scan, PLANE),
    _entry("overrelaxation", "jumps over the conditional mean", gaussian_scan, PLANE, memory=-0.8),
    _reversible("HMC", "never flips its momentum", hamiltonian, WELL, eps=0.35, n=4),
    _reversible("jittered HMC", "step sizes by chance", hamiltonian, PLANE, eps=0.5, n=4, jitter=0.3),
    _reversible("slice sampling", "never rejects", slice_sampling, MIXTURE, width=2.5),
    _reversible("independence sampler", "does not look at x", independence, MIXTURE, scale=2.0),
    _reversible("mixture of kernels", "walks or jumps, by a coin", mixture, WELL, scale=0.8, wide=1.8),
    _reversible("steps scaled by the state", "with both densities", scaled_by_the_state, MIXTURE, scale=0.9),
    _reversible("folded at both walls", "needs no correction", bouncing, targets.slope, scale=1.3),
    _reversible("folded at one wall", "rejected at the other", bouncing_once, targets.slope, scale=0.8),
    _reversible("multiplicative walk", "with its Jacobian", multiplicative, targets.gamma, scale=1.1),
    _entry("parallel tempering", "two temperatures as one point", tempering, targets.pair, scale=1.5),
    replace(
        _entry("stretch move", "walkers depend on each other", stretch, MIXTURE, walkers=20), options={"group_size": 20}
    ),
    # seen from outside both are reversible: their momenta are drawn anew, evenly, at the start of every step
    Entry("guided walk", "goes on until it is rejected", guided(1.3), MIXTURE, is_correct=True, options=_REVERSIBLE),
    Entry(
        "HMC that remembers", "flips its momentum when rejected", persistent(0.5, 2), WELL, is_correct=True,
        options=_REVERSIBLE,
    ),
)
