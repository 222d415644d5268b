"""Slice sampling as it stands in the textbook, one chain after the other."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.twin import Energies, Twin

_MOST_WIDTHS = 16
_MOST_SHRINKS = 200
_TIE = 1e-12  # against the size of the energies: what is as close to the level cannot be judged

Point = Callable[[FloatArray], float]


class SliceTwin(Twin):
    """Stepping out and shrinkage in each coordinate; or an ellipse through a draw from a Gaussian prior.

    How many random numbers a transition takes is seen only on the way. What is drawn beforehand is therefore the
    streams themselves: `numbers` gives their places in a list that the next `attempt` uses up.

    References
    ----------
    R. M. Neal (2003), Slice sampling, doi:10.1214/aos/1056562461, figures 3 and 5.
    I. Murray, R. P. Adams and D. J. C. MacKay (2010), Elliptical slice sampling, figure 2.
    """

    is_tested = False

    def __init__(self, settings: FloatArray, dim: int) -> None:
        self.streams: list[Stream] = []
        self.mean = np.array(settings[:dim], dtype=float)
        factor = np.array(settings[dim:], dtype=float)
        self.has_prior = len(factor) > 0
        if not self.has_prior:
            self.scale = self.mean
            return
        self.factor = np.diag(factor) if len(factor) == dim else np.tril(factor.reshape(dim, dim))
        self.precision = self.factor @ self.factor.T
        self.scale = np.sqrt(np.diag(np.linalg.inv(self.precision)))

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        self.streams.append(stream)
        return [float(len(self.streams) - 1)]

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """y, zeros, and what stands in the place of log u: +inf for chains that moved, -inf for those that did not.

        It is 0.0, which is too close to call, where an energy was too close to the level.
        """
        assert energy is not None
        y, verdicts = np.array(x, dtype=float), []
        places = np.asarray(numbers, dtype=int).reshape(-1)
        move = self._ellipse if self.has_prior else self._sweep
        for row, place in zip(np.atleast_2d(y), places, strict=True):
            is_moved, is_close = move(lambda point: float(energy(point)), row, self.streams[place])
            verdicts.append(0.0 if is_close else math.inf if is_moved else -math.inf)
        self.streams.clear()
        return y, np.zeros_like(y), np.reshape(verdicts, y.shape[:-1])

    def decision(self, e_x: Energies, e_y: Energies, slope_y: FloatArray, hastings: FloatArray) -> FloatArray:
        return np.asarray(hastings)

    def _sweep(self, energy: Point, x: FloatArray, stream: Stream) -> tuple[bool, bool]:
        """Move x, in place, coordinate by coordinate; whether any moved, and whether anything was too close."""
        is_moved = is_close = False
        for i, w in enumerate(self.scale):
            level = _Level(energy(x) + stream.exponential())

            def is_inside(value: float, i: int = i, level: _Level = level) -> bool:
                point = x.copy()
                point[i] = value
                return level.is_above(energy(point))

            left = float(x[i]) - w * stream.uniform()
            right = left + w
            j = math.floor(_MOST_WIDTHS * stream.uniform())
            k = _MOST_WIDTHS - 1 - j
            while j > 0 and is_inside(left):
                left, j = left - w, j - 1
            while k > 0 and is_inside(right):
                right, k = right + w, k - 1
            for _ in range(_MOST_SHRINKS):
                value = left + stream.uniform() * (right - left)
                if is_inside(value):
                    x[i], is_moved = value, True
                    break
                if value < x[i]:
                    left = value
                else:
                    right = value
            is_close |= level.is_close
        return is_moved, is_close

    def _ellipse(self, energy: Point, x: FloatArray, stream: Stream) -> tuple[bool, bool]:
        """Move x, in place, along an ellipse; whether it moved, and whether anything was too close."""
        away = x - self.mean
        other = np.linalg.solve(self.factor.T, np.array(stream.normals(len(x))))
        prior = 0.5 * float(away @ self.precision @ away)
        level = _Level(energy(x) - prior + stream.exponential())
        angle = 2.0 * math.pi * stream.uniform()
        low, high = angle - 2.0 * math.pi, angle
        for _ in range(_MOST_SHRINKS):
            turned = away * math.cos(angle) + other * math.sin(angle)
            prior = 0.5 * float(turned @ self.precision @ turned)
            if level.is_above(energy(self.mean + turned) - prior, prior):
                x[:] = self.mean + turned
                return True, level.is_close
            low, high = (angle, high) if angle < 0.0 else (low, angle)
            angle = low + stream.uniform() * (high - low)
        return False, level.is_close


class _Level:
    """The energy up to which points are in the slice, and whether one was too close to it."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.is_close = False

    def is_above(self, energy: float, size: float = 0.0) -> bool:
        """Whether a point of this energy is in the slice; `size` is that of the terms of which the energy was made."""
        self.is_close |= abs(energy - self.value) < _TIE * (1.0 + abs(self.value) + size)
        return -math.inf < energy <= self.value and energy < math.inf
