"""All modes of a density, each with the shape of its peak: scans at many scales, then many local searches at once.

Everything is measured on values of the density at the scale where its log falls by one half, never by infinitesimal
differences: kinks, flat tops and rough energies do no harm. A mode is placed to a fraction of its width, which is all
that a chart needs.

References
----------
A. Törn and S. Viitanen (1992), Topographical global optimization, in Recent Advances in Global Optimization,
Princeton University Press (where to start: points that are higher than all their neighbours).
"""

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import scipy
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.exact import scans
from fastebm.exact.densities import Density, NotNormalisableError

_N_STARTS = 48  # among the peaks of a scan
_N_ANYWHERE = 64  # whatever their height: a basin can be wide where its peak is not
_N_FAR = 4  # where the density is high although they are out of reach of the scan
_N_NEIGHBOURS = 9  # a point is the first of its own
_N_ITERATIONS = 60
_N_ROUNDS = 3
_N_CLOUDS = 16
_CLIPS = np.array([0.5, 2.0, 8.0, 64.0, 1e4, 1e9, 1e9, 1e9])  # longest steps tried, in widths of the peak
_STRETCHES = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 6.0])  # beyond Newton's step: for |x|**p with p > 2
_BLUNT = 1e-6  # far up an energy's slope differences below this share of its height are rounding
_LEAST_MASS = -60.0  # log of the mass, or of the density, against the largest, below which a mode is left out
_LEVEL = 0.1  # slope in units of the peak's height and width from which on a search has not arrived
_PRUNE_EVERY = 6
_INFINITE = 1e30
_FLAT = 1e14  # ratio of a frame's longest axis to its shortest, from which on the density does not fall along it
_CLIFF = 100.0  # fall that stands for an infinite one


BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Modes:
    """Modes, the highest first.

    Attributes
    ----------
    centres : (n, dim) where they are.
    log_heights : (n,) log density there.
    frames : (n, dim, dim) the peak's shape: log density falls by about one half from the centre c to
        c + frame @ z with |z| = 1.
    """

    centres: FloatArray
    log_heights: FloatArray
    frames: FloatArray

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def log_masses(self) -> FloatArray:
        """(n,) log of the mass of each peak, to a factor that is common to all."""
        return np.asarray(self.log_heights + np.linalg.slogdet(self.frames)[1])

    def heaviest(self, log_share: float) -> "Modes":
        """Those whose mass is at least a share of the largest."""
        kept = self.log_masses >= self.log_masses.max() + log_share
        return Modes(self.centres[kept], self.log_heights[kept], self.frames[kept])

    def moved(self, before: Density, after: Density) -> "Modes":
        """These modes of one density for the same density with another origin, which only shifts v."""
        return Modes(after.v(before.x(self.centres)), self.log_heights, self.frames)


def modes(density: Density, seeds: FloatArray | None = None) -> Modes:
    """The modes of `density`; `seeds` (n, dim) are further places to start from.

    Raises
    ------
    NotNormalisableError : the density rises, or stays the same, towards infinity.
    """
    starts = _first_starts(density)
    if seeds is not None:
        starts = np.vstack([seeds, starts])
    found = _distinct(_climbed(density, starts, _wide_frames(starts)))
    _refuse_infinite(density, found)
    for _ in range(_N_ROUNDS):
        best = min(len(found), _N_CLOUDS)
        z = scans.cloud(density.dim, best)
        starts_of = [_around(density, found, k, z) for k in range(best)]
        frames = np.repeat(found.frames[:best], [len(starts) for starts in starts_of], axis=0)
        near = _climbed(density, np.vstack(starts_of), frames)
        known = len(found)
        found = _distinct(_joined(found, near))
        if len(found) <= known:
            break
    return found


def _first_starts(density: Density) -> FloatArray:
    """Places (n, dim) to search from: peaks among scattered points, some of the points, and high ones far out."""
    points = scans.scattered(density)
    starts = np.vstack([_peaks(density, points, np.arcsinh(1e3 * points)), points[:_N_ANYWHERE]])
    heights = density.log(starts)
    if np.isneginf(heights).all():
        raise NotNormalisableError(
            f"{density.energy.name} is +inf at every point tried, so that exp(-E) is zero there; "
            "pass bounds close around the points where it is finite."
        )
    far = scans.far(density)
    far_heights = density.log(far, is_far=True)
    highest = np.argsort(-far_heights)[:_N_FAR]
    high = highest[far_heights[highest] >= heights.max() + _LEAST_MASS]
    return np.vstack([starts[heights > -np.inf], far[high]])


def _peaks(density: Density, points: FloatArray, places: FloatArray) -> FloatArray:
    """Those of the points (n, dim) that are higher than all their neighbours in `places`, the highest first."""
    heights = density.log(points)
    if density.dim == 1:  # a line needs no tree
        order = np.argsort(places[:, 0])
        beside = np.lib.stride_tricks.sliding_window_view(np.pad(heights[order], 2, constant_values=-np.inf), 5)
        around = np.empty(len(points))
        around[order] = beside.max(axis=1)
    else:
        neighbours = scipy.spatial.cKDTree(places).query(places, k=_N_NEIGHBOURS)[1]
        around = heights[neighbours].max(axis=1)
    is_peak = (heights > -np.inf) & (heights >= around)
    order = np.flatnonzero(is_peak)[np.argsort(-heights[is_peak], kind="stable")]
    return points[order[:_N_STARTS]]


def _around(density: Density, found: Modes, k: int, z: FloatArray) -> FloatArray:
    """Peaks among points scattered around mode k; z (n, dim) in its widths."""
    points = found.centres[k] + z @ found.frames[k].T
    return _peaks(density, points, np.arcsinh(z))


def _wide_frames(points: FloatArray) -> FloatArray:
    return np.abs(points)[:, :, None] * (0.3 * np.eye(points.shape[1])) + 1e-3 * np.eye(points.shape[1])


def _climbed(density: Density, centres: FloatArray, frames: FloatArray) -> Modes:
    """Local searches from all the centres (n, dim) side by side; those that did not arrive have the height -inf.

    A search fits a quadratic to a stencil at the scale of its frame, tries Newton's step at several lengths, and moves
    to the best point seen. The frame follows the quadratic's curvature, slowly enough to settle for |x|**p, p < 8.
    """
    stencil = _stencil(density.dim)
    heights = density.log(centres)
    centres, frames, gains = centres.copy(), frames.copy(), np.zeros(len(centres))
    active = np.flatnonzero(heights > -np.inf)
    rising = active[:0]
    for iteration in range(_N_ITERATIONS):
        if len(active) == 0:
            break
        c, f, top = centres[active], frames[active], heights[active]
        around = c[:, None] + np.einsum("bij,mj->bmi", f, stencil)
        seen = _log_at(density, around)
        unit = 0.5 + _BLUNT * (heights.max() - top)
        slope, curvature = _quadratic((top[:, None] - seen) / unit[:, None], density.dim)
        values, vectors = np.linalg.eigh(curvature)
        sizes = np.clip(np.abs(values), 1e-4, 1e8)
        newton = -np.einsum("bij,bi->bj", vectors, slope) / sizes
        steps = np.clip(newton[:, None], -_CLIPS[:, None], _CLIPS[:, None]) * _STRETCHES[:, None]
        tried = c[:, None] + np.einsum("bij,bmj->bmi", f @ vectors, steps)

        options = np.concatenate([c[:, None], around, tried], axis=1)
        seen = np.concatenate([top[:, None], seen, _log_at(density, tried)], axis=1)
        best = (np.arange(len(active)), seen.argmax(axis=1))
        centres[active], heights[active] = options[best], seen[best]
        gains[active] = seen[best] - top
        damping = -0.25 if iteration < _N_ITERATIONS // 2 else -0.125
        frames[active] = (f @ vectors) * (0.5 * sizes[:, None, :]) ** damping @ vectors.transpose(0, 2, 1)

        is_lost = _lost(centres[active], frames[active])
        lost = active[is_lost]
        if (heights[lost] >= heights.max() + _LEAST_MASS).any():
            _refuse(density, centres[lost[heights[lost].argmax()]])
        heights[lost] = -np.inf  # a plateau that is too low to matter
        is_level = (np.abs(slope) < _LEVEL).all(axis=1)
        is_settled = is_level & (gains[active] < 1e-3) & (np.abs(np.log(0.5 * sizes)) < 0.1).all(axis=1)
        rising, active = active[~is_level & ~is_lost], active[~is_settled & ~is_lost]
        if iteration % _PRUNE_EVERY == _PRUNE_EVERY - 1:
            is_repeat = _repeats(centres, heights, frames)[active]
            heights[active[is_repeat]] = -np.inf
            active = active[~is_repeat]
    highest = heights.argmax()
    if highest in rising and gains[highest] > 1.0:
        _refuse(density, centres[highest])
    heights[rising[rising != highest]] = -np.inf  # on its way along a valley, and no mode
    return Modes(centres, heights, frames)


def _log_at(density: Density, places: FloatArray) -> FloatArray:
    """log density (b, m) at places (b, m, dim)."""
    return density.log(places.reshape(-1, density.dim)).reshape(places.shape[:2])


def _lost(centres: FloatArray, frames: FloatArray) -> BoolArray:
    """(n,) which searches are at infinity, or where the density is the same along some line."""
    lengths = np.linalg.svd(frames, compute_uv=False)
    is_flat = (lengths[:, 0] > _INFINITE) | (lengths[:, 0] > _FLAT * lengths[:, -1])
    return np.asarray(is_flat | (np.abs(centres) > _INFINITE).any(axis=1))


def _stencil(dim: int) -> FloatArray:
    """Steps (m, dim): one along each axis and back, then the diagonals of each pair of axes."""
    eye = np.eye(dim)
    rows = [eye[i] * side for i in range(dim) for side in (1.0, -1.0)]
    for i in range(dim):
        for j in range(i):
            rows += [a * eye[i] + b * eye[j] for a, b in ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0))]
    return np.array(rows)


def _quadratic(falls: FloatArray, dim: int) -> tuple[FloatArray, FloatArray]:
    """Slope (n, dim) and curvature (n, dim, dim) of the quadratic through falls (n, m) of the log density at a stencil.

    Where the density is zero, the far side of a wall inside the energy, the fall is taken from the near side.
    """
    falls = falls.copy()
    opposite = falls.reshape(len(falls), -1, 2)[:, :, ::-1].reshape(falls.shape)
    falls = np.where(np.isinf(falls), np.where(np.isinf(opposite), _CLIFF, opposite), falls)
    up, down = falls[:, 0 : 2 * dim : 2], falls[:, 1 : 2 * dim : 2]
    curvature = np.zeros((len(falls), dim, dim))
    curvature[:, range(dim), range(dim)] = up + down
    column = 2 * dim
    for i in range(dim):
        for j in range(i):
            both, neither, first, second = falls[:, column : column + 4].T
            curvature[:, i, j] = curvature[:, j, i] = 0.25 * (both + neither - first - second)
            column += 4
    return 0.5 * (up - down), curvature


def _joined(first: Modes, second: Modes) -> Modes:
    return Modes(
        np.concatenate([first.centres, second.centres]),
        np.concatenate([first.log_heights, second.log_heights]),
        np.concatenate([first.frames, second.frames]),
    )


def _repeats(centres: FloatArray, heights: FloatArray, frames: FloatArray) -> BoolArray:
    """(n,) which searches have come close to a higher one, in their own widths and in its."""
    inverse = np.linalg.inv(frames)
    away = np.einsum("aij,baj->abi", inverse, centres[:, None] - centres)  # from a to b, in widths of a
    is_near = (away**2).sum(axis=2) < 1.0
    rank = np.argsort(np.argsort(-heights, kind="stable"))
    return np.asarray((is_near & is_near.T & (rank < rank[:, None])).any(axis=1))


def _distinct(found: Modes) -> Modes:
    """The modes without repetitions and without those of negligible mass, the highest first."""
    order = np.argsort(-found.log_heights, kind="stable")
    order = order[np.isfinite(found.log_heights[order])]
    masses = found.log_masses
    kept: list[int] = []
    for k in order:
        away = np.linalg.solve(found.frames[k], (found.centres[kept] - found.centres[k]).T)
        if masses[k] >= masses[order].max() + _LEAST_MASS and not ((away**2).sum(axis=0) < 1.0).any():
            kept.append(int(k))
    return Modes(found.centres[kept], found.log_heights[kept], found.frames[kept])


def _refuse_infinite(density: Density, found: Modes) -> None:
    """Refuse a density with a mode at the limits: at infinity, or in a pole at a wall that has no finite integral."""
    lower, upper = 0.99 * density.limits.T
    at_end = ((found.centres < lower) | (found.centres > upper)).any(axis=1)
    if at_end.any():
        _refuse(density, found.centres[at_end][0])


def _refuse(density: Density, v: FloatArray) -> NoReturn:
    raise NotNormalisableError(
        f"{density.energy.name} does not rise away from x={density.x(v[None])[0].tolist()} in every direction, so that "
        "exp(-E) has no finite integral; add a term that confines x, or pass bounds."
    )
