"""Does a kernel leave the law of an energy as it is? Exact starts, some transitions, and moments with an error rate.

Under a correct kernel a chain that starts from the exact law has it for ever. The quantities looked at are the
probability integral transforms of the coordinates and of the energy, each through Legendre polynomials of degree 1 to
8: with the exact law each has mean 0 and variance 1. Of each its value at the start, whose mean is known, is taken
off as far as it is correlated (a control variate). All z-values are compared with one Bonferroni bound.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy

import fastebm as eb
from fastebm.kernels import Kernel
from fastebm.sampling.chains import Chains

ALPHA = 1e-9
N_CHAINS = 110_000  # finds a bias of 0.03 standard deviations with power 0.999
LENGTHS = (1, 4, 32)
DEGREES = np.arange(1, 9)
Transform = Callable[[np.ndarray], np.ndarray]


def entropy() -> int:
    """A new seed; it stands in the message of a failure."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def moments(shares: np.ndarray) -> np.ndarray:
    """Normalised Legendre polynomials of uniform numbers (n, q), as (n, q * 8)."""
    x, terms = 2.0 * shares - 1.0, []
    before, here = np.ones_like(x), x
    for k in DEGREES:  # by Bonnet's recursion, for all degrees at once; SciPy begins anew for each number
        terms.append(np.sqrt(2 * k + 1) * here)
        before, here = here, ((2 * k + 1) * x * here - k * before) / (k + 1)
    return np.concatenate(terms, axis=1)


def largest_z(now: np.ndarray, start: np.ndarray | None = None) -> float:
    """The largest |z| of the means of the columns; infinite where something has no spread or is no number."""
    terms = now
    if start is not None:
        slope = (now * start).mean(axis=0) / (start * start).mean(axis=0)
        terms = now - slope * start
    error = terms.std(axis=0) / np.sqrt(len(terms))
    if not (np.isfinite(error).all() and (error > 0.0).all()):
        return np.inf
    return float(np.max(np.abs(terms.mean(axis=0) / error)))


def bound(n_statistics: int) -> float:
    """What the largest |z| of so many normal numbers exceeds with probability ALPHA at most."""
    return float(scipy.stats.norm.isf(ALPHA / (2 * n_statistics)))


def verdict(
    kernel: Kernel,
    step: Sequence[float],
    energy: eb.Energy,
    draw: Callable[[np.random.Generator, int], np.ndarray],
    transform: Transform,
    seed: int,
    n: int = N_CHAINS,
) -> tuple[float, float]:
    """The largest |z| over all moments after 1, 4 and 32 transitions from exact starts, and its bound.

    Parameters
    ----------
    kernel, step : the rule, and the standard deviations of its proposals.
    energy : what the kernel samples.
    draw : exact draws (n, dim) from the law to be kept.
    transform : points (n, dim) to uniform numbers (n, q) under that law.
    """
    starts = draw(np.random.default_rng(seed), n)
    chains = Chains(energy, kernel, starts, seed, 2)
    reference = moments(transform(starts))
    settings = kernel.settings(np.asarray(step, dtype=float), np.ones(energy.dim))
    worst, done = largest_z(reference), 0
    for length in LENGTHS:
        chains.advance(length - done, settings)
        done = length
        worst = max(worst, largest_z(moments(transform(chains.positions)), reference))
    if not 0.0 < chains.acceptance_rate().mean() < 1.0:
        worst = np.inf
    return worst, bound(reference.shape[1] * (1 + len(LENGTHS)))


def is_caught(
    kernel: Kernel,
    step: Sequence[float],
    energy: eb.Energy,
    draw: Callable[[np.random.Generator, int], np.ndarray],
    transform: Transform,
) -> bool:
    """Whether `verdict` accuses the kernel, with 400,000 chains if it must, but with few where the fault is large."""
    found = (verdict(kernel, step, energy, draw, transform, entropy(), n) for n in (20_000, 100_000, 400_000))
    return any(worst > allowed for worst, allowed in found)
