"""Rosenbrock's valley as a density, and the hybrid form whose moments are known."""

import math
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula

_LONGEST = 6


class Rosenbrock(Formula):
    """E(x) = sum over i < dim - 1 of b (x_{i+1} - x_i**2)**2 + (a - x_i)**2; log Z in closed form for dim 2.

    Parameters
    ----------
    dim : dimension, at least 2.
    a : the valley's lowest point is at x_i = a**(2**i).
    b : steepness of its walls, above 0. With 100 the valley is very narrow; 0.05 * Rosenbrock() is a usual test.

    Notes
    -----
    theta holds `a` and `b`.

    References
    ----------
    H. H. Rosenbrock (1960), doi:10.1093/comjnl/3.3.175.
    J. Goodman and J. Weare (2010), doi:10.2140/camcos.2010.5.65 (as a test of samplers).
    """

    def __init__(self, dim: int = 2, a: float = 1.0, b: float = 100.0) -> None:
        dim = _checks.count(dim, "dim", 2)
        theta = {"a": _checks.real(a, "a"), "b": _checks.positive(b, "b")}
        super().__init__(rosenbrock, dim, theta, {"dim": dim, **theta})

    def closed_log_partition(self) -> float | None:
        return math.log(math.pi) - 0.5 * _log(self.unpack()["b"]) if self.dim == 2 else None

    def closed_moments(self) -> Moments | None:
        a, b = self.unpack().values()
        if self.dim > 2 or not b > 0.0:
            return None
        return HybridRosenbrock(2, 1, mu=a, a=1.0, b=b).closed_moments()

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        """In two dimensions; in more a coordinate does not only hang on the one before."""
        a, b = self.unpack().values()
        return None if self.dim > 2 else _drawn(a, 1.0, np.array([[b]]), n, generator)


def rosenbrock(x: Any, theta: Any) -> Any:
    total = 0.0
    for i in range(len(x) - 1):
        total += theta.b * (x[i + 1] - x[i] ** 2) ** 2 + (theta.a - x[i]) ** 2
    return total


class HybridRosenbrock(Formula):
    """E(x) = a (x_0 - mu)**2 + sum over blocks j and i > 0 of b (x_{j,i} - x_{j,i-1}**2)**2, with x_{j,0} = x_0.

    Blocks of one chain each start at the coordinate that all share. log Z, mean and covariance are exact in every
    dimension, while its valleys are as curved as Rosenbrock's.

    Parameters
    ----------
    block_size : coordinates of a block, the shared one included; at least 2.
    n_blocks : number of blocks, at least 1. dim is 1 + n_blocks (block_size - 1).
    mu : mean of the shared coordinate, whose variance is 1/(2a).
    a, b : above 0. b may be an array (n_blocks, block_size - 1).

    Notes
    -----
    theta holds `mu`, `a` and `b` (n_blocks, block_size - 1). Coordinates are x_0 and then block after block.

    References
    ----------
    F. Pagani, M. Wiegand and S. Nadarajah (2022), An n-dimensional Rosenbrock distribution for Markov chain Monte
    Carlo testing, doi:10.1111/sjos.12532.
    """

    def __init__(
        self, block_size: int = 3, n_blocks: int = 2, *, mu: float = 1.0, a: float = 0.05, b: Any = 5.0
    ) -> None:
        block_size, n_blocks = _checks.count(block_size, "block_size", 2), _checks.count(n_blocks, "n_blocks")
        shape = (n_blocks, block_size - 1)
        steepness = _checks.finite_array(b, "b")
        if steepness.ndim == 0:
            steepness = np.full(shape, float(steepness))
        _checks.finite_array(steepness, "b", shape)
        if not (steepness > 0.0).all():
            raise ValueError(f"b has the entry {steepness.min()}; pass numbers above 0.")
        theta: dict[str, Any] = {"mu": _checks.real(mu, "mu"), "a": _checks.positive(a, "a"), "b": steepness}
        settings = {"block_size": block_size, "n_blocks": n_blocks, **theta, "b": steepness.tolist()}
        super().__init__(hybrid_rosenbrock, 1 + steepness.size, theta, settings)

    def closed_log_partition(self) -> float:
        _, a, b = self.unpack().values()
        return 0.5 * (self.dim * math.log(math.pi) - _log(a) - sum(_log(one) for one in b.ravel()))

    def closed_moments(self) -> Moments | None:
        """As for every energy; None for block_size > 7, where powers of x_0 beyond 2**7 would be needed.

        Every coordinate is a polynomial of the one before and a normal number, so that means given x_0 are polynomials.
        """
        mu, a, b = self.unpack().values()
        n_blocks, length = b.shape
        if length > _LONGEST or not (a > 0.0 and (b > 0.0).all()):
            return None
        shared = Polynomial([0.0, 1.0])
        # mean_given[i]: the mean of coordinate i as a polynomial of the shared one
        mean_given, second_given = [shared], {(0, 0): shared**2}
        for j in range(n_blocks):
            for i in range(1, length + 1):
                place = j * length + i
                mean_given.append(_pulled_back(shared, b[j, :i]))
                for before in range(1, i + 1):  # of one block: the product, back to the earlier coordinate
                    later = _pulled_back(shared, b[j, before:i])
                    second_given[j * length + before, place] = _pulled_back(shared * later, b[j, :before])
        normal = [_normal_moment(k, mu, 0.5 / a) for k in range(2 ** (length + 1) + 1)]

        def mean_of(polynomial: Polynomial) -> float:
            return math.fsum(float(c) * normal[k] for k, c in enumerate(polynomial.coef))

        mean = np.array([mean_of(given) for given in mean_given])
        cov = np.empty((self.dim, self.dim))
        for i in range(self.dim):
            for k in range(i, self.dim):
                second = second_given.get((i, k), mean_given[i] * mean_given[k])
                cov[i, k] = cov[k, i] = mean_of(second) - mean[i] * mean[k]
        return Moments(mean, cov)

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        mu, a, b = self.unpack().values()
        return _drawn(mu, a, b, n, generator)


def hybrid_rosenbrock(x: Any, theta: Any) -> Any:
    n_blocks, length = theta.b.shape
    total = theta.a * (x[0] - theta.mu) ** 2
    for j in range(n_blocks):
        before = x[0]
        for i in range(length):
            here = x[1 + j * length + i]
            total += theta.b[j, i] * (here - before**2) ** 2
            before = here
    return total


def _drawn(mu: float, a: float, b: FloatArray, n: int, generator: np.random.Generator) -> FloatArray | None:
    """Points (n, dim) of the hybrid form: the shared coordinate, then each given the one before."""
    if not (a > 0.0 and (b > 0.0).all()):
        return None
    n_blocks, length = b.shape
    x = generator.standard_normal((n, 1 + b.size))
    x[:, 0] = mu + math.sqrt(0.5 / a) * x[:, 0]
    for j in range(n_blocks):
        before = x[:, 0]
        for i in range(length):
            here = x[:, 1 + j * length + i]
            here *= math.sqrt(0.5 / b[j, i])
            here += before**2
            before = here
    return x


def _pulled_back(polynomial: Polynomial, steepness: FloatArray) -> Polynomial:
    """The mean of a polynomial of the last coordinate of a chain, as a polynomial of the first.

    One step back puts x**2 + s z for the coordinate, with a standard normal z and s**2 = 1/(2b).
    """
    for b in steepness[::-1]:
        variance = 0.5 / b
        square = Polynomial([0.0, 0.0, 1.0])
        total = Polynomial([0.0])
        for k, c in enumerate(polynomial.coef):
            for m in range(0, k + 1, 2):
                total += float(c) * math.comb(k, m) * _normal_moment(m, 0.0, variance) * square ** (k - m)
        polynomial = total
    return polynomial


def _normal_moment(k: int, mean: float, variance: float) -> float:
    """The mean of x**k for a normal x."""
    before, here = 0.0, 1.0
    for n in range(k):
        before, here = here, mean * here + n * variance * before
    return here


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf
