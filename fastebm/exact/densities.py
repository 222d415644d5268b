"""The density exp(-E) as a function of coordinates without walls."""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact.coordinates import coordinate

_CHUNK = 2**17  # points a call of the energy: tens of megabytes


class NotNormalisableError(ValueError):
    """exp(-E) has no finite integral, or none that this quadrature can tell from an infinite one."""


class Density:
    """log of exp(-E(x)) |dx/dv| for v in R^dim, counting its evaluations.

    A coordinate with a wall is replaced by the logarithm of its distance from it, one between two walls by the
    difference of two such logarithms: walls, and poles of the density at them, are then at infinity.

    Parameters
    ----------
    energy : the energy E.
    walls : (dim, 2) lower and upper ends, infinite where there is none.
    origin : (dim,) the x that has v = 0, inside the walls. Around it v keeps all its digits.

    Attributes
    ----------
    limits : (dim, 2) v beyond which floating-point numbers overflow or do not tell x from its wall.
    n_evaluations : energies computed so far.
    """

    def __init__(self, energy: Energy, walls: FloatArray, origin: FloatArray | None = None) -> None:
        self.energy = energy
        self.walls = walls
        self.dim = energy.dim
        origins = [None] * self.dim if origin is None else origin.tolist()
        self.coordinates = [coordinate(a, b, start) for (a, b), start in zip(walls.tolist(), origins, strict=True)]
        self.origin = np.array([one.origin for one in self.coordinates])
        self.limits = np.array([one.limits for one in self.coordinates])
        self.n_evaluations = 0

    def recentred(self, origin: FloatArray) -> "Density":
        """The same with v = 0 at another x, and the count so far."""
        other = Density(self.energy, self.walls, origin)
        other.n_evaluations = self.n_evaluations
        return other

    def x(self, v: FloatArray) -> FloatArray:
        """Points (n, dim) of the energy for coordinates v (n, dim)."""
        return np.column_stack([one.x(v[:, i]) for i, one in enumerate(self.coordinates)])

    def v(self, x: FloatArray) -> FloatArray:
        """Coordinates (n, dim) of points x (n, dim) strictly inside the walls."""
        return np.column_stack([one.v(x[:, i]) for i, one in enumerate(self.coordinates)])

    def log_slope(self, v: FloatArray) -> FloatArray:
        """log |dx/dv| (n,)."""
        return np.asarray(np.sum([one.log_slope(v[:, i]) for i, one in enumerate(self.coordinates)], axis=0))

    def log(self, v: FloatArray, *, is_far: bool = False) -> FloatArray:
        """log density (n,) at v (n, dim); -inf beyond the limits.

        Raises
        ------
        ValueError : the energy is nan, unless `is_far`: out there inf - inf may be rounding; the message names x.
        NotNormalisableError : the energy is -inf.
        """
        out = np.full(len(v), -np.inf)
        inside = ((v >= self.limits[:, 0]) & (v <= self.limits[:, 1])).all(axis=1)
        for rows in np.array_split(np.flatnonzero(inside), -(-len(v) // _CHUNK) or 1):
            out[rows] = self.log_slope(v[rows]) - self.energies(self.x(v[rows]), is_far=is_far)
        return out

    def energies(self, x: FloatArray, *, is_far: bool = False) -> FloatArray:
        """E (n,) at points x (n, dim), which are counted; nan and -inf are refused as by `log`."""
        self.n_evaluations += len(x)
        with np.errstate(all="ignore"):
            energies = np.asarray(self.energy.energy(x))
        is_nan = np.isnan(energies)
        if is_nan.any():
            if not is_far:
                raise ValueError(
                    f"{self.energy.name} is nan at x={x[np.argmax(is_nan)].tolist()}; return a number there, "
                    "or math.inf where x is impossible, or pass bounds that leave it out."
                )
            energies = np.where(is_nan, np.inf, energies)
        if np.isneginf(energies).any():
            raise NotNormalisableError(
                f"{self.energy.name} is -inf at x={x[np.argmin(energies)].tolist()}, so that exp(-E) is infinite; "
                "keep the energy above a finite number."
            )
        return energies
