"""Points scattered at many scales, the same at every call: where a search for modes begins.

References
----------
H. Niederreiter (1992), Random number generation and quasi-Monte Carlo methods, doi:10.1137/1.9781611970081 (chapter 3:
sequences n alpha modulo 1).
"""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.exact.densities import Density

_N_SCATTERED = {1: 32768, 2: 8192, 3: 8192}
_N_FAR = 256
_N_CLOUD = {1: 512, 2: 16384, 3: 32768}  # in all clouds together


def scattered(density: Density) -> FloatArray:
    """Coordinates (n, dim) of points at distances of 1e-3 to 1e6 from 0 and from walls, and between walls."""
    shares = _evenly(_N_SCATTERED[density.dim], density.dim)
    x = [_column(share, *pair) for share, pair in zip(shares.T, density.walls.tolist(), strict=True)]
    with np.errstate(divide="ignore"):
        return np.clip(density.v(np.column_stack(x)), density.limits[:, 0], density.limits[:, 1])


def far(density: Density) -> FloatArray:
    """Coordinates (n, dim) of points at distances of 1e6 to 1e20, where an energy may fall again."""
    shares = _evenly(_N_FAR, density.dim)
    x = [
        _signed(share, 6.0, 20.0) if np.isinf(lower) and np.isinf(upper)
        else lower + 10.0 ** (6.0 + 14.0 * share) if np.isinf(upper)
        else upper - 10.0 ** (6.0 + 14.0 * share) if np.isinf(lower)
        else lower + (upper - lower) * share
        for share, (lower, upper) in zip(shares.T, density.walls.tolist(), strict=True)
    ]
    return density.v(np.column_stack(x))


def cloud(dim: int, n_clouds: int) -> FloatArray:
    """Points (n, dim) around 0 whose coordinates have sizes of 0.1 to 1000: fewer the more clouds there will be."""
    return _signed(_evenly(_N_CLOUD[dim] // n_clouds, dim), -1.0, 3.0)


def _column(share: FloatArray, lower: float, upper: float) -> FloatArray:
    """One coordinate of scattered points: each kind of place in turn, by the first digit of `share`."""
    free = _signed(share, -3.0, 6.0)
    if np.isinf(lower) and np.isinf(upper):
        return free
    if np.isfinite(lower) and np.isfinite(upper):
        kind, share = (4.0 * share) // 1.0, (4.0 * share) % 1.0
        width = upper - lower
        near = 0.5 * width * 10.0 ** (-9.0 * share)
        places = [lower + near, upper - near, lower + width * share, _signed(share, -3.0, 6.0)]
    else:
        kind, share = (2.0 * share) // 1.0, (2.0 * share) % 1.0
        away = 10.0 ** (9.0 * share - 3.0)
        places = [lower + away if np.isfinite(lower) else upper - away, _signed(share, -3.0, 6.0)]
    outside = (places[-1] <= lower) | (places[-1] >= upper)
    places[-1] = np.where(outside, places[-2], places[-1])
    return np.choose(kind.astype(int), places)


def _signed(share: FloatArray, first: float, last: float) -> FloatArray:
    """Numbers of both signs, their sizes evenly spread between two powers of ten."""
    size = 10.0 ** (first + (last - first) * (2.0 * share % 1.0))
    return np.where(share < 0.5, -size, size)


def _evenly(n: int, dim: int) -> FloatArray:
    """Points (n, dim) in the unit cube: multiples of 2**(i/(dim + 1)) modulo 1."""
    alphas = 2.0 ** (np.arange(1, dim + 1) / (dim + 1.0))
    return np.asarray((0.5 + np.arange(n)[:, None] * alphas) % 1.0)
