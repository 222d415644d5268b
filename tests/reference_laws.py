"""What is off in draws that a reference, or a plain loop, claims to have made."""

import math
import shutil

import numpy as np
import pytest
import scipy
from numpy.polynomial import legendre

from benchmarks import reference

ALPHA = 1e-9
VARIANTS = pytest.mark.parametrize("variant", list(reference.VARIANTS))


def has_library():
    """True with gcc; without it, the one sentence that a user gets instead has been checked."""
    if shutil.which("gcc") is not None:
        return True
    with pytest.raises(reference.NoReferenceError, match="gcc was not found on PATH"):
        reference.load()
    return False


def normality_faults(rows):
    """Legendre moments 1 to 8 of the probability transform and products of rows and lanes that are off at ALPHA."""
    u = 2.0 * scipy.stats.norm.cdf(rows) - 1.0
    scores = {}
    for k in range(1, 9):
        moment = legendre.legval(u, [0.0] * k + [1.0]).mean()
        scores[f"Legendre {k}"] = moment * math.sqrt(rows.size * (2 * k + 1))
    pairs = {"rows of a pair": (rows[0::2], rows[1::2]), "lanes": (rows, np.roll(rows, 1, axis=1)),
             "pairs": (rows[1:-1:2], rows[2::2])}
    for name, (a, b) in pairs.items():
        scores[f"product, {name}"] = (a * b).mean() * math.sqrt(a.size)
        scores[f"product of squares, {name}"] = ((a * a - 1.0) * (b * b - 1.0)).mean() / 2.0 * math.sqrt(a.size)
    limit = scipy.stats.norm.isf(ALPHA / (2 * len(scores)))
    return [name for name, score in scores.items() if not abs(score) < limit]


def exact_acceptance(variances, step):
    """Stationary acceptance of a random walk on independent normals.

    Given the step z, the energy difference is normal with mean r**2 / 2 and variance r**2 = sum (step z)**2 / variance,
    so that the walk accepts with probability 2 Phi(-r / 2); Craig's form of Phi (J. W. Craig 1991,
    doi:10.1109/MILCOM.1991.258319) makes its mean over z one integral.
    """

    def integrand(angle):
        return np.prod(1.0 / np.sqrt(1.0 + step**2 / (4.0 * variances * math.sin(angle) ** 2)))

    return 2.0 / math.pi * scipy.integrate.quad(integrand, 0.0, math.pi / 2.0, epsabs=1e-12)[0]


def law_faults(x, rates, mean, variances, acceptance, error=0.0):
    """What is off at ALPHA in positions (n, dim) of chains that started in the law, and in their acceptance rates.

    `error` is the standard error of the acceptance they should have, where that is not exact.
    """
    n, dim = x.shape
    z = (x - mean) / np.sqrt(variances)
    scores = {"acceptance": (rates.mean() - acceptance) / math.hypot(rates.std() / math.sqrt(n), error)}
    for i in range(dim):
        scores[f"mean {i}"] = z[:, i].mean() * math.sqrt(n)
        scores[f"variance {i}"] = (z[:, i] ** 2 - 1.0).mean() * math.sqrt(n / 2.0)
    limit = scipy.stats.norm.isf(ALPHA / (2 * len(scores)))
    return [name for name, score in scores.items() if not abs(score) < limit]
