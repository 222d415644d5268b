"""What is zero on average where a law is left as it is, for chains that start in it: one number a chain, many kinds.

Functions of the shares of `laws`, u between 0 and 1, at a chain's start and end:

- moments: Legendre polynomials P_1 to P_8 of each column and products of two columns' P_1; f(end) - mean, less its
  regression on f(start) - mean, a control variate;
- fluxes: end inside a set less start inside it, over quantile sets, half-spaces and sets of low energy;
- exchanges: f(start) g(end) - g(start) f(end), zero on average where the kernel is reversible.

All are summed in compiled code, in groups of chains that may hang together, with their powers up to the fourth.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numba import types
from numpy.typing import NDArray

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm._compile import TILE, VECTOR, compiled, inlined

DEGREES = 8
LEVELS = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
_EXCHANGED = 3  # degrees
_ROUNDING = 1e-9  # two columns may be one and the same (E = 1.5 x): then only the last bits would say which is larger
_ALL_PAIRS = 8  # columns, above which only neighbours are looked at
_N_PARTS = 16  # sums are made in so many parts, in a fixed order, whatever the threads are
_PAIRS = types.Array(types.int64, 2, "C")

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Sums:
    """Power sums over groups of chains.

    Attributes
    ----------
    n : number of groups.
    powers : (4, n_contrasts) sums of each contrast's first to fourth power.
    """

    n: int
    powers: FloatArray


@dataclass(frozen=True)
class Contrasts:
    """The contrasts of some columns.

    Parameters
    ----------
    columns : names.
    is_reversible : whether exchanges are among them.
    """

    columns: tuple[str, ...]
    is_reversible: bool
    pairs: Pairs = field(init=False)
    swaps: Pairs = field(init=False)

    def __post_init__(self) -> None:
        q = len(self.columns)
        pairs = [(a, b) for a in range(q) for b in range(a + 1, q) if q <= _ALL_PAIRS or b in (a + 1, q - 1)]
        low = [(a, DEGREES * a + k) for a in range(q) for k in range(_EXCHANGED)]
        near = {*pairs, *((a, a) for a in range(q))}
        swaps = [(f, g) for i, (a, f) in enumerate(low) for b, g in low[i + 1 :] if (a, b) in near]
        object.__setattr__(self, "pairs", np.array(pairs, dtype=np.int64).reshape(-1, 2))
        object.__setattr__(self, "swaps", np.array(swaps if self.is_reversible else [], dtype=np.int64).reshape(-1, 2))

    @property
    def n_moments(self) -> int:
        return DEGREES * len(self.columns) + len(self.pairs)

    @property
    def n_fluxes(self) -> int:
        return len(LEVELS) * len(self.columns) + 2 * len(self.pairs)

    @property
    def n(self) -> int:
        return self.n_moments + self.n_fluxes + len(self.swaps)

    def names(self) -> list[str]:
        """What each contrast looks at."""
        moments = [f"P_{k} of {name}" for name in self.columns for k in range(1, DEGREES + 1)]
        duets = [(self.columns[a], self.columns[b]) for a, b in self.pairs]
        return [
            *moments,
            *(f"{one} times {other}" for one, other in duets),
            *(f"flux into {name} above its {level:g} quantile" for name in self.columns for level in LEVELS),
            *(f"flux into {one} {sign} {other}" for one, other in duets for sign in ("plus", "minus")),
            *(f"exchange of {moments[f]} and {moments[g]}" for f, g in self.swaps),
        ]

    def expectations(self, shares: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Means and variances (n_moments,) of the moments' functions over nodes with shares (n, q)."""
        sums = np.zeros((2, self.n_moments))
        _add_functions(shares, probabilities, self.pairs, sums)
        return sums[0], sums[1] - sums[0] ** 2

    def functions(self, shares: FloatArray) -> FloatArray:
        """The moments' functions (n, n_moments) at shares (n, q)."""
        found = np.empty((len(shares), self.n_moments))
        _evaluate(shares, self.pairs, found)
        return found

    def slopes(self, starts: FloatArray, ends: FloatArray, means: FloatArray) -> FloatArray:
        """Regression slopes (n_moments,) of the moments' functions at the end on those at the start."""
        sums = np.zeros((_N_PARTS, 2, self.n_moments))
        parts = tiles.ranges(len(starts), _N_PARTS)

        def add(first: int, last: int) -> None:
            for part in range(first, last):
                a, b = parts[part]
                _add_products(starts[a:b], ends[a:b], self.pairs, means, sums[part])

        _on_threads(add, len(parts))
        products, squares = sums.sum(axis=0)
        return np.asarray(np.divide(products, squares, out=np.zeros_like(products), where=squares > 0.0))

    def sums(
        self, starts: FloatArray, ends: FloatArray, means: FloatArray, slopes: FloatArray, group_size: int
    ) -> Sums:
        """Power sums of all contrasts over groups of so many neighbouring chains, of which n is a multiple."""
        n_groups = len(starts) // group_size
        powers = np.zeros((_N_PARTS, 4, self.n))
        parts = tiles.ranges(n_groups, _N_PARTS)

        def add(first: int, last: int) -> None:
            for part in range(first, last):
                a, b = (edge * group_size for edge in parts[part])
                _add_powers(starts[a:b], ends[a:b], self.pairs, self.swaps, means, slopes, group_size, powers[part])

        _on_threads(add, len(parts))
        return Sums(n_groups, powers.sum(axis=0))


def _on_threads(add: Callable[[int, int], None], n_parts: int) -> None:
    n_threads = tiles.threads(None)
    tiles.run(add, tiles.ranges(n_parts, n_threads), n_threads)


# ---- compiled: u (q,) are the shares of one chain, f (n_moments,) its functions ----

_N_LEVELS = len(LEVELS)
_LEVELS = tuple(LEVELS.tolist())


@inlined
def _functions(u, pairs, f):  # type: ignore[no-untyped-def]
    """Normalised Legendre polynomials of 2 u - 1, then the products of pairs."""
    q = u.shape[0]
    for a in range(q):
        x = 2.0 * u[a] - 1.0
        before, here = 1.0, x
        for k in range(1, DEGREES + 1):
            f[DEGREES * a + k - 1] = np.sqrt(2.0 * k + 1.0) * here
            before, here = here, ((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0)
    for p in range(pairs.shape[0]):
        f[DEGREES * q + p] = f[DEGREES * pairs[p, 0]] * f[DEGREES * pairs[p, 1]]


@inlined
def _sets(u, pairs, s):  # type: ignore[no-untyped-def]
    """1 inside and 0 outside of the sets."""
    q = u.shape[0]
    for a in range(q):
        for k in range(_N_LEVELS):
            s[_N_LEVELS * a + k] = 1.0 if u[a] > _LEVELS[k] else 0.0
    for p in range(pairs.shape[0]):
        one, other = u[pairs[p, 0]], u[pairs[p, 1]]
        s[_N_LEVELS * q + 2 * p] = 1.0 if one + other > 1.0 + _ROUNDING else 0.0
        s[_N_LEVELS * q + 2 * p + 1] = 1.0 if one > other + _ROUNDING else 0.0


@compiled(types.void(TILE, _PAIRS, TILE))
def _evaluate(u, pairs, out):  # type: ignore[no-untyped-def]
    for c in range(u.shape[0]):
        _functions(u[c], pairs, out[c])


@compiled(types.void(TILE, VECTOR, _PAIRS, TILE))
def _add_functions(u, weights, pairs, out):  # type: ignore[no-untyped-def]
    """Weighted sums of the functions and of their squares, added to out (2, n_moments)."""
    f = np.empty(out.shape[1])
    for c in range(u.shape[0]):
        _functions(u[c], pairs, f)
        for j in range(len(f)):
            out[0, j] += weights[c] * f[j]
            out[1, j] += weights[c] * f[j] * f[j]


@compiled(types.void(TILE, TILE, _PAIRS, VECTOR, TILE))
def _add_products(u, v, pairs, means, out):  # type: ignore[no-untyped-def]
    """Sums of f(start) f(end) and f(start)**2, centred, added to out (2, n_moments)."""
    f, g = np.empty(out.shape[1]), np.empty(out.shape[1])
    for c in range(u.shape[0]):
        _functions(u[c], pairs, f)
        _functions(v[c], pairs, g)
        for j in range(len(f)):
            out[0, j] += (f[j] - means[j]) * (g[j] - means[j])
            out[1, j] += (f[j] - means[j]) ** 2


@compiled(types.void(TILE, TILE, _PAIRS, _PAIRS, VECTOR, VECTOR, types.intp, TILE))
def _add_powers(u, v, pairs, swaps, means, slopes, group_size, out):  # type: ignore[no-untyped-def]
    """Powers 1 to 4 of the contrasts of each group, added to out (4, n)."""
    n_moments, n = len(means), out.shape[1]
    n_fluxes = n - n_moments - swaps.shape[0]
    f, g = np.empty(n_moments), np.empty(n_moments)
    s, t = np.empty(n_fluxes), np.empty(n_fluxes)
    total = np.zeros(n)
    for c in range(u.shape[0]):
        _functions(u[c], pairs, f)
        _functions(v[c], pairs, g)
        _sets(u[c], pairs, s)
        _sets(v[c], pairs, t)
        for j in range(n_moments):
            total[j] += g[j] - means[j] - slopes[j] * (f[j] - means[j])
        for j in range(n_fluxes):
            total[n_moments + j] += t[j] - s[j]
        for j in range(swaps.shape[0]):
            one, other = swaps[j, 0], swaps[j, 1]
            total[n_moments + n_fluxes + j] += f[one] * g[other] - f[other] * g[one]
        if (c + 1) % group_size == 0:
            for j in range(n):
                value = total[j]
                square = value * value
                out[0, j] += value
                out[1, j] += square
                out[2, j] += square * value
                out[3, j] += square * square
                total[j] = 0.0
