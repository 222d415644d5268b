"""What twins have in common: an attempt, and its test; Hastings's rule, where proposals have a density."""

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
    """A rule of transition that attempts and tests, in plain NumPy.

    Parameters
    ----------
    settings : the vector that the compiled kernel takes.
    dim : of the energy.

    Attributes
    ----------
    scale : (dim,) standard deviations of proposals.
    needs_grad : whether proposals depend on the slope dE/dx.
    is_exact : whether exp(-E) is left invariant exactly.
    is_tested : whether one exponential number decides on a proposal; otherwise every finite one is taken.
    is_discrete : whether coordinates take a few values only.
    decides : whether `attempt` tests by itself, so that where it leads is where the chain will be.
    is_coupled : whether proposals depend on the other chains of a group, so that an attempt is one of whole groups.
    close : most that a position may differ by from the compiled one, against the size of its terms.
    """

    scale: FloatArray
    needs_grad = False
    is_exact = True
    is_tested = True
    is_discrete = False
    decides = False
    is_coupled = False
    close = 1e-12

    @abc.abstractmethod
    def __init__(self, settings: FloatArray, dim: int) -> None: ...

    @abc.abstractmethod
    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The proposal y (..., dim), dE/dx there, and log q(x | y) / q(y | x) (...,) or what takes its place.

        `turn` is the number of transitions before this one, for rules that are not the same in each; the energy is for
        those that look at more points than the proposal.
        """

    def decision(self, e_x: Energies, e_y: Energies, slope_y: FloatArray, hastings: FloatArray) -> FloatArray:
        """What log u has to be below for y to be accepted (...,); -inf where it never is."""
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.subtract(e_x, e_y) + hastings
        return np.where(np.isfinite(e_y) & ~np.isnan(found), found, -np.inf)

    def slopes(self, grad: Callable[[Any], Any] | None, X: FloatArray) -> FloatArray:
        """dE/dx at points X (..., dim); zeros where proposals do not depend on it."""
        return np.asarray(grad(X), dtype=float) if self.needs_grad and grad is not None else np.zeros_like(X)

    def numbers(self, stream: Stream, dim: int, turn: int = 0) -> tuple[list[float], float]:
        """The random numbers of one transition: what `propose` takes, then log u; 0.0 where nothing is tested.

        `turn` is the number of transitions before this one.
        """
        numbers = self.drawn(stream, dim)
        return numbers, -stream.exponential() if self.is_tested else 0.0

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        """What `propose` takes, from one chain's stream: standard normal numbers."""
        return stream.normals(dim)

    def sampled(self, generator: np.random.Generator, n: int, dim: int) -> FloatArray:
        """The same (n, k) for n chains, from another generator."""
        return generator.standard_normal((n, dim))

    def points(self, generator: np.random.Generator, n: int) -> FloatArray:
        """Points (n, dim) some proposals apart, at which any energy may be prescribed."""
        return 3.0 * self.scale * generator.standard_normal((n, len(self.scale)))

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
            numbers, log_u = self.numbers(stream, here.size, t)
            y, slope_y, hastings = self.attempt(here, slope, np.array(numbers), grad, t, energy)
            e_y = energy(y)
            log_ratio = float(self.decision(e, e_y, slope_y, hastings))
            closest = min(closest, abs(log_u - log_ratio))
            accepts[t] = log_u < log_ratio
            if accepts[t]:
                here, e, slope = y, e_y, slope_y
            positions[t] = here
        return positions, accepts, closest


class ProposalTwin(Twin):
    """A rule whose proposals have a density q(y | x) that is known; Hastings's ratio follows from it."""

    @abc.abstractmethod
    def propose(self, x: FloatArray, slope: FloatArray, numbers: FloatArray) -> FloatArray:
        """y (..., dim) from x and dE/dx there, of that shape, and random numbers (..., k)."""

    @abc.abstractmethod
    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        """log q(y | x) with its constant (...,), for points (..., dim) that broadcast."""

    def attempt(
        self, x: FloatArray, slope_x: FloatArray, numbers: FloatArray, grad: Callable[[Any], Any] | None, turn: int = 0,
        energy: Callable[[Any], Any] | None = None,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        y = self.propose(x, slope_x, numbers)
        slope_y = self.slopes(grad, y)
        with np.errstate(invalid="ignore", over="ignore"):
            return y, slope_y, self.log_density(x, y, slope_y) - self.log_density(y, x, slope_x)

    def log_ratio(
        self, x: FloatArray, e_x: Energies, slope_x: FloatArray, y: FloatArray, e_y: Energies, slope_y: FloatArray
    ) -> FloatArray:
        """log of pi(y) q(x | y) / (pi(x) q(y | x)) (...,): y is accepted when log u is below it.

        -inf where y is never accepted: where its energy is infinite or nan, or where the ratio is no number.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            hastings = self.log_density(x, y, slope_y) - self.log_density(y, x, slope_x)
        return self.decision(e_x, e_y, slope_y, hastings)


def log_normal(away: FloatArray, scale: FloatArray) -> FloatArray:
    """log density (...,) of independent normal numbers `away` (..., dim) of standard deviations `scale` (dim,)."""
    with np.errstate(over="ignore"):
        squares = (away / scale) ** 2
    return np.asarray(-0.5 * squares.sum(axis=-1) - np.log(scale).sum() - 0.5 * scale.size * math.log(2.0 * math.pi))


def log_along(away: FloatArray, root: FloatArray) -> FloatArray:
    """log density (...,) of L z at `away` (..., dim), for normal z and the lower triangular L (dim, dim) = root."""
    z = standardised(away, root)
    with np.errstate(over="ignore"):
        squares = z**2
    constant = np.log(np.diag(root)).sum() + 0.5 * len(root) * math.log(2.0 * math.pi)
    return np.asarray(-0.5 * squares.sum(axis=-1) - constant)


def standardised(away: FloatArray, root: FloatArray) -> FloatArray:
    """L^-1 away, for points (..., dim)."""
    flat = np.reshape(away, (-1, len(root)))
    return np.asarray(np.linalg.solve(root, flat.T).T.reshape(np.shape(away)))
