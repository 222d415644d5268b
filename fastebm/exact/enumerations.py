"""Exact answers for discrete energies: sums over all states, in parts that fit into memory."""

import functools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact.densities import NotNormalisableError

MAX_STATES = 2**22
_PART = 2**16  # states whose coordinates are in memory at once
_ROUNDING = 64.0 * float(np.finfo(float).eps)


class Enumeration:
    """All states of a discrete energy, the last coordinate changing fastest.

    Attributes
    ----------
    energy : the energy E.
    n_states : m**dim.
    energies : (n_states,)
    log_partition : log Z, the log of the sum of exp(-E) over all states.
    error : bound on its rounding error; absolute.
    probabilities : (n_states,) exp(-E) / Z; they sum to one.
    """

    def __init__(self, energy: Energy) -> None:
        self.energy = energy
        self.n_states = n_states(energy)
        if self.n_states > MAX_STATES:
            raise ValueError(
                f"{energy.name} has {len(_values(energy))}**{energy.dim} states, more than the {MAX_STATES:,} that can "
                "be enumerated; take fewer coordinates, or fewer values."
            )
        self.energies = np.concatenate([self._checked(states) for _, states in self.parts()])
        least = float(self.energies.min())
        if least == math.inf:
            raise NotNormalisableError(
                f"{energy.name} is inf in all of its {self.n_states:,} states, so that Z is 0; make one possible."
            )
        masses = np.exp(least - self.energies)
        total = float(masses.sum())
        self.log_partition = math.log(total) - least
        self.probabilities = masses / total
        possible = np.where(np.isfinite(self.energies), self.energies, 0.0)
        self.mean_energy = float(self.probabilities @ possible)
        self.energy_spread = float(self.probabilities @ (possible - self.mean_energy) ** 2) ** 0.5
        self.error = _ROUNDING * (1.0 + abs(self.log_partition) + float(self.probabilities @ np.abs(possible)))

    @functools.cached_property
    def states(self) -> FloatArray:
        """(n_states, dim)"""
        return self.rows(np.arange(self.n_states))

    def rows(self, places: NDArray[np.intp]) -> FloatArray:
        """The states (n, dim) with these numbers."""
        values, dim = _values(self.energy), self.energy.dim
        return values[np.stack(np.unravel_index(places, (len(values),) * dim), axis=-1)]

    def parts(self) -> Iterator[tuple[slice, FloatArray]]:
        """Stretches of the states, with the states in them."""
        for first in range(0, self.n_states, _PART):
            last = min(first + _PART, self.n_states)
            yield slice(first, last), self.rows(np.arange(first, last))

    def mean_grad_theta(self) -> FloatArray:
        """Mean of dE/dtheta under the model, (n_params,)."""
        total = np.zeros(self.energy.n_params)
        for part, states in self.parts():
            weights = self.probabilities[part]
            is_possible = weights > 0.0  # slopes at others may be nan
            if is_possible.any():
                weight = weights[is_possible].sum()
                total += weight * self.energy.mean_grad_theta(states[is_possible], weights[is_possible])
        return total

    def draws(self, n: int, generator: np.random.Generator) -> FloatArray:
        """Independent states (n, dim), by inverting the cumulative distribution over all states."""
        uniforms = generator.random(n) * self._cumulative[-1]
        return self.rows(np.searchsorted(self._cumulative[:-1], uniforms, side="right"))

    @functools.cached_property
    def _cumulative(self) -> FloatArray:
        return np.cumsum(self.probabilities)

    def _checked(self, states: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            energies = np.asarray(self.energy.energy(states))
        is_bad = np.isnan(energies) | np.isneginf(energies)
        if is_bad.any():
            c = int(np.argmax(is_bad))
            kind = ValueError if np.isnan(energies[c]) else NotNormalisableError
            raise kind(
                f"{self.energy.name} is {energies[c]} at x={states[c].tolist()}; return a number there, or math.inf "
                "where x is impossible."
            )
        return energies


def n_states(energy: Energy) -> int:
    """How many states a discrete energy has."""
    return int(len(_values(energy)) ** energy.dim)


def enumeration(energy: Energy) -> Enumeration:
    """All states of a discrete energy with their probabilities, and log Z.

    Parameters
    ----------
    energy : defined with values=, of at most 2**22 states.

    Raises
    ------
    ValueError : a continuous energy; too many states; an energy that is nan.
    NotNormalisableError : a ValueError; the energy is -inf at a state, or +inf at all of them.

    Examples
    --------
    >>> import fastebm as eb
    >>> spins = eb.energy(2, {"coupling": 0.5}, values=(-1, 1))(lambda x, theta: -theta.coupling * x[0] * x[1])
    >>> eb.exact.enumeration(spins).probabilities.round(3)
    array([0.366, 0.134, 0.134, 0.366])
    """
    return Enumeration(energy)


def _values(energy: Energy) -> FloatArray:
    if energy.values is None:
        raise ValueError(f"{energy.name} is continuous and has no states to enumerate; define it with values=.")
    return energy.values
