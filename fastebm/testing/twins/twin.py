"""What all twins have in common: propose, and accept by Hastings's rule."""

import abc
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import Stream

Energies = FloatArray | float


class Twin(abc.ABC):
    """A rule of transition with proposals y of density q(y | x), in plain NumPy.

    Parameters
    ----------
    settings : the vector that the compiled kernel takes.

    Attributes
    ----------
    scale : (dim,) standard deviations of proposals.
    needs_grad : whether proposals depend on the slope dE/dx.
    is_exact : whether proposals are tested, by one exponential number each; otherwise every finite one is taken.
    """

    scale: FloatArray
    needs_grad = False
    is_exact = True

    @abc.abstractmethod
    def __init__(self, settings: FloatArray) -> None: ...

    @abc.abstractmethod
    def propose(self, x: FloatArray, slope: FloatArray, normals: FloatArray) -> FloatArray:
        """y (..., dim) from x, dE/dx there and standard normal numbers, all of that shape."""

    @abc.abstractmethod
    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        """log q(y | x) with its constant (...,), for points (..., dim) that broadcast."""

    def log_ratio(
        self, x: FloatArray, e_x: Energies, slope_x: FloatArray, y: FloatArray, e_y: Energies, slope_y: FloatArray
    ) -> FloatArray:
        """log of pi(y) q(x | y) / (pi(x) q(y | x)) (...,): y is accepted when log u is below it.

        -inf where y is never accepted: where its energy is infinite or nan, or where the ratio is no number.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            there, back = self.log_density(y, x, slope_x), self.log_density(x, y, slope_y)
            found = np.subtract(e_x, e_y) + (back - there)
        return np.where(np.isfinite(e_y) & ~np.isnan(found), found, -np.inf)

    def slopes(self, grad: Callable[[Any], Any] | None, X: FloatArray) -> FloatArray:
        """dE/dx at points X (..., dim); zeros where proposals do not depend on it."""
        return np.asarray(grad(X), dtype=float) if self.needs_grad and grad is not None else np.zeros_like(X)

    def numbers(self, stream: Stream, dim: int) -> tuple[list[float], float]:
        """The random numbers of one transition: normal ones (dim,), then log u; 0.0 where nothing is tested."""
        normals = stream.normals(dim)
        return normals, -stream.exponential() if self.is_exact else 0.0

    def run(
        self,
        energy: Callable[[Any], float],
        grad: Callable[[Any], Any] | None,
        x: ArrayLike,
        stream: Stream,
        n_transitions: int,
    ) -> tuple[FloatArray, NDArray[np.bool_], float]:
        """One chain.

        Parameters
        ----------
        energy, grad : E and dE/dx of one point (dim,); None where no slope is needed.
        x : (dim,) where it starts.
        stream : its random numbers.
        n_transitions : how many.

        Returns
        -------
        Positions (n_transitions, dim) and acceptances (n_transitions,), and how close the closest decision was.
        """
        here = np.array(x, dtype=float)
        e, slope = energy(here), self.slopes(grad, here)
        positions = np.empty((n_transitions, here.size))
        accepts = np.zeros(n_transitions, dtype=bool)
        closest = math.inf
        for t in range(n_transitions):
            normals, log_u = self.numbers(stream, here.size)
            y = self.propose(here, slope, np.array(normals))
            e_y, slope_y = energy(y), self.slopes(grad, y)
            log_ratio = float(self.log_ratio(here, e, slope, y, e_y, slope_y))
            closest = min(closest, abs(log_u - log_ratio))
            accepts[t] = log_u < log_ratio
            if accepts[t]:
                here, e, slope = y, e_y, slope_y
            positions[t] = here
        return positions, accepts, closest


def log_normal(away: FloatArray, scale: FloatArray) -> FloatArray:
    """log density (...,) of independent normal numbers `away` (..., dim) of standard deviations `scale` (dim,)."""
    with np.errstate(over="ignore"):
        squares = (away / scale) ** 2
    return np.asarray(-0.5 * squares.sum(axis=-1) - np.log(scale).sum() - 0.5 * scale.size * math.log(2.0 * math.pi))
