"""Coordinates without walls: x(v) for v on the whole line, one class for each kind of range that x can have.

v = 0 is the `origin`, and x - origin keeps its digits around it; distances from a wall keep theirs near the wall.
`limits` are the v beyond which floating-point numbers overflow or do not tell x from its wall.
"""

import math

import numpy as np

from fastebm._checks import FloatArray

_FAR = 1e150  # beyond, squares overflow
_NEAR = 1e-300


class Line:
    """x = origin + v: no wall."""

    def __init__(self, origin: float) -> None:
        self.origin = origin
        self.limits = (-_FAR, _FAR)

    def x(self, v: FloatArray) -> FloatArray:
        return self.origin + v

    def v(self, x: FloatArray) -> FloatArray:
        return x - self.origin

    def log_slope(self, v: FloatArray) -> FloatArray:
        """log dx/dv."""
        return np.zeros_like(v)


class HalfLine:
    """|x - wall| = |origin - wall| exp(+-v), rising in v: one wall, below (side = 1) or above (side = -1)."""

    def __init__(self, wall: float, side: int, origin: float) -> None:
        self.wall, self.side, self.origin = wall, side, origin
        self.distance = side * (origin - wall)
        ends = (math.log(_closest(wall)) - math.log(self.distance), math.log(_FAR) - math.log(self.distance))
        self.limits = ends if side == 1 else (-ends[1], -ends[0])

    def x(self, v: FloatArray) -> FloatArray:
        u = self.side * v
        near = self.wall + self.side * self.distance * np.exp(u)
        return np.where(u < -math.log(2.0), near, self.origin + self.side * self.distance * np.expm1(u))

    def v(self, x: FloatArray) -> FloatArray:
        return self.side * np.log(self.side * (x - self.wall) / self.distance)

    def log_slope(self, v: FloatArray) -> FloatArray:
        """log dx/dv."""
        return math.log(self.distance) + self.side * v


class Interval:
    """v = log((x - lower)/(upper - x)) - its value at the origin: two walls."""

    def __init__(self, lower: float, upper: float, origin: float) -> None:
        self.lower, self.upper, self.origin = lower, upper, origin
        self.width = upper - lower
        self.p, self.q = (origin - lower) / self.width, (upper - origin) / self.width
        ratio = math.log(self.q) - math.log(self.p)
        self.limits = (
            math.log(_closest(lower)) - math.log(self.width) + ratio,
            math.log(self.width) - math.log(_closest(upper)) + ratio,
        )

    def x(self, v: FloatArray) -> FloatArray:
        # Origin and walls: whichever is nearest is what to start from, so that no digits are lost.
        this, other, share = self._shares(v)
        steps = self.width * this / (other + this * share)  # from either of them towards the wall of v's side
        from_wall, from_origin = steps * share, steps * other * -np.expm1(-np.abs(v))
        wall, side = np.where(v < 0.0, self.lower, self.upper), np.where(v < 0.0, 1.0, -1.0)
        return np.where(from_origin < from_wall, self.origin - side * from_origin, wall + side * from_wall)

    def v(self, x: FloatArray) -> FloatArray:
        return np.log((x - self.lower) / self.p) - np.log((self.upper - x) / self.q)

    def log_slope(self, v: FloatArray) -> FloatArray:
        """log dx/dv."""
        this, other, share = self._shares(v)
        return math.log(self.width * self.p * self.q) - np.abs(v) - 2.0 * np.log(other + this * share)

    def _shares(self, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The origin's distance from the wall of v's side and from the other, over the width; and exp(-|v|)."""
        return np.where(v < 0.0, self.p, self.q), np.where(v < 0.0, self.q, self.p), np.exp(-np.abs(v))


Coordinate = Line | HalfLine | Interval


def coordinate(lower: float, upper: float, origin: float | None = None) -> Coordinate:
    """The coordinate for x between two ends, which may be infinite."""
    if math.isinf(lower) and math.isinf(upper):
        return Line(0.0 if origin is None else origin)
    if math.isinf(upper):
        return HalfLine(lower, 1, lower + max(1.0, 1e-3 * abs(lower)) if origin is None else origin)
    if math.isinf(lower):
        return HalfLine(upper, -1, upper - max(1.0, 1e-3 * abs(upper)) if origin is None else origin)
    return Interval(lower, upper, lower + 0.5 * (upper - lower) if origin is None else origin)


def _closest(wall: float) -> float:
    """The smallest distance from a wall at which x still has a few distinct neighbours."""
    return max(2.0 * math.ulp(wall), _NEAR)
