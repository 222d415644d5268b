"""Draws without their memory: means and variances of each chain, and quantiles of all, in constant space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastebm import tiles
from fastebm._checks import FloatArray, finite_array
from fastebm._compile import inlined_borrowing
from fastebm.lanes.lane import load, load_row, store, store_row
from fastebm.tiles import LANES

N_BINS = 4096
REACH = 20.0  # of asinh(away / width): what is farther than 2.4e8 widths is counted as if it were there


@dataclass(frozen=True, eq=False)
class Moments:
    """What is left of draws that were not kept.

    Attributes
    ----------
    n_draws : draws of each chain.
    mean, var : (n_chains, dim) of each chain's draws; var divided by n_draws - 1, nan for a single draw.
    energy_mean, energy_var : (n_chains,) the same of the energy.
    counts : (dim + 1, N_BINS) draws of all chains by bins of asinh((x - center) / width); the energy is the last row.
    center, width : (dim + 1,) what bins are laid about.
    """

    n_draws: int
    mean: FloatArray
    var: FloatArray
    energy_mean: FloatArray
    energy_var: FloatArray
    counts: NDArray[np.int64]
    center: FloatArray
    width: FloatArray

    def quantile(self, q: ArrayLike) -> FloatArray:
        """Quantiles of each coordinate over all chains' draws.

        Parameters
        ----------
        q : probabilities from 0 to 1, a number or (m,).

        Returns
        -------
        (dim,) or (m, dim), off by at most half a bin: 0.5 % of sqrt(width**2 + (x - center)**2).
        """
        return self._quantile(q)[..., :-1]

    def energy_quantile(self, q: ArrayLike) -> Any:
        """Quantiles of the energy, as `quantile`."""
        return self._quantile(q)[..., -1]

    def table(self) -> Any:
        """Mean, standard deviation, quartiles and R-hat of each coordinate and of the energy, as a pandas DataFrame.

        R-hat is that of whole chains: their halves were not kept.
        """
        from pandas import DataFrame

        means = np.column_stack([self.mean, self.energy_mean])
        variances = np.column_stack([self.var, self.energy_var])
        within, between = variances.mean(axis=0), means.var(axis=0, ddof=1) if len(means) > 1 else np.nan
        total = within * (self.n_draws - 1) / self.n_draws + between
        with np.errstate(divide="ignore", invalid="ignore"):
            rhat = np.sqrt(total / within)
            mcse = np.sqrt(between / len(means)) * np.ones(means.shape[1])
        low, middle, high = self._quantile(np.array([0.25, 0.5, 0.75]))
        return DataFrame({
            "mean": means.mean(axis=0), "sd": np.sqrt(total), "mcse_mean": mcse,
            "q25": low, "median": middle, "q75": high, "r_hat": rhat,
        }, index=[*(f"x[{i}]" for i in range(self.mean.shape[1])), "energy"])

    def _quantile(self, q: ArrayLike) -> FloatArray:
        wanted = finite_array(q, "q")
        if ((wanted < 0.0) | (wanted > 1.0)).any():
            raise ValueError(f"q is {q!r}; pass probabilities from 0 to 1.")
        edges = np.linspace(-REACH, REACH, N_BINS + 1)
        places = np.stack([_crossings(row, edges, wanted) for row in self.counts], axis=-1)
        return np.asarray(self.center + self.width * np.sinh(places))


def _crossings(counts: NDArray[np.int64], edges: FloatArray, q: FloatArray) -> FloatArray:
    """Where the distribution function crosses q, even inside each bin."""
    total = np.concatenate([[0], np.cumsum(counts)])
    if total[-1] == 0:
        return np.full(q.shape, np.nan)
    targets = q * total[-1]
    bins = np.clip(np.searchsorted(total, targets, side="left") - 1, 0, len(counts) - 1)
    first = int(np.argmax(counts > 0))
    bins = np.maximum(bins, first)
    inside = (targets - total[bins]) / np.maximum(counts[bins], 1)
    return np.asarray(edges[bins] + np.clip(inside, 0.0, 1.0) * (edges[bins + 1] - edges[bins]))


class MomentSums:
    """Running sums over the draws of chains in tiles, changed in place by `record`.

    Parameters
    ----------
    positions, energies : (n, dim) and (n,), about which the bins are laid: medians and distances of quartiles.
    n_tiles, width : of the chains.
    n_threads : threads, each of which counts apart.

    Attributes
    ----------
    sums : (n_tiles, 2 (dim + 1), width) running means, then sums of squares about them; the energy is last.
    counts : (n_threads, dim + 1, N_BINS).
    frame : (2, dim + 1) centers and widths.
    n_draws : how many went in.
    """

    def __init__(self, positions: FloatArray, energies: FloatArray, n_tiles: int, width: int, n_threads: int) -> None:
        rows = positions.shape[1] + 1
        self.sums = tiles.zeros((n_tiles, 2 * rows, width))
        self.counts = np.zeros((n_threads, rows, N_BINS), dtype=np.int64)
        some = slice(None, None, max(1, len(positions) // 10_000))
        low, middle, high = np.quantile(np.column_stack([positions[some], energies[some]]), (0.25, 0.5, 0.75), axis=0)
        spread = np.where(high > low, high - low, np.maximum(1e-3 * np.abs(middle), 1e-3))
        self.frame = np.ascontiguousarray(np.stack([middle, spread]))
        self.n_draws = 0

    def moments(self, n: int, columns: Any, dim: int, clamp: Mapping[int, float]) -> Moments:
        """Of the first n chains, with the clamped coordinates between those that move."""
        rows = self.frame.shape[1]
        places = [*columns, dim]
        mean, var, energy_mean, energy_var = np.zeros((n, dim)), np.zeros((n, dim)), np.empty(n), np.empty(n)
        n_squares = self.n_draws - 1 if self.n_draws > 1 else np.nan
        for row, place in enumerate(places):  # one after the other: chains may be many
            (energy_mean if place == dim else mean[:, place])[:] = self.sums[:, row].ravel()[:n]
            (energy_var if place == dim else var[:, place])[:] = self.sums[:, rows + row].ravel()[:n] / n_squares
        counts = np.zeros((dim + 1, N_BINS), dtype=np.int64)
        center, width = np.zeros(dim + 1), np.ones(dim + 1)
        counts[places], center[places], width[places] = self.counts.sum(axis=0), self.frame[0], self.frame[1]
        for i, value in clamp.items():
            mean[:, i], center[i] = value, value
            counts[i, N_BINS // 2 - 1 : N_BINS // 2 + 1] = 1
            width[i] = 1e-300
        return Moments(self.n_draws, mean, var, energy_mean, energy_var, counts, center, width)

    def by_chain(self, n: int) -> FloatArray:
        """The running means and sums of squares of the first n chains, (n, 2 (dim + 1))."""
        return tiles.unpack(self.sums, n)

    def restore_sums(self, sums: FloatArray) -> None:
        """Go on from what `by_chain` gave."""
        n_tiles, _, width = self.sums.shape
        self.sums[:] = tiles.pack(sums, n_tiles, width)

    def state(self, n: int) -> dict[str, Any]:
        return {
            "moment_sums": self.by_chain(n), "moment_counts": self.counts.sum(axis=0), "moment_frame": self.frame,
            "moment_draws": np.array(self.n_draws),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.restore_sums(state["moment_sums"])
        self.counts[:] = 0
        self.counts[0] = state["moment_counts"]
        self.frame[:] = state["moment_frame"]
        self.n_draws = int(state["moment_draws"])


@inlined_borrowing
def record(draw, x, e, n_columns, sums, counts, frame, row):  # type: ignore[no-untyped-def]
    """Take in draw number `draw` = 0, 1, ... of the first columns of a tile; overwrites `row` (width,)."""
    dim, width = x.shape
    for i in range(dim + 1):
        for l in range(0, width, LANES):
            value = load_row(e, l) if i == dim else load(x, i, l)
            mean = load(sums, i, l)
            away = value - mean
            mean = mean + away / (draw + 1.0)
            store(sums, i, l, mean)
            store(sums, dim + 1 + i, l, load(sums, dim + 1 + i, l) + away * (value - mean))
            far = (value - frame[0, i]) / frame[1, i]
            size = abs(far)
            place = np.log(size + np.sqrt(size * size + 1.0))
            place = np.where(far < 0.0, -place, place)
            place = (place + REACH) * (N_BINS / (2.0 * REACH))
            store_row(row, l, np.minimum(np.maximum(place, 0.0), N_BINS - 1.0))
        for c in range(n_columns):
            counts[i, int(row[c])] += 1
