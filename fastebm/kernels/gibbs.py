"""Gibbs sampling of discrete energies: each coordinate in turn from its law given all others."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled
from fastebm.energies import Energy
from fastebm.kernels.discrete import DiscreteKernel, index_of, value_at
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, note_faults
from fastebm.lanes.lane import as_lane, count, load, load_row, store, store_row
from fastebm.streams import lane_uniforms, load_streams, store_streams
from fastebm.tiles import LANES

_N_TRIED = 16  # random states at which colours are tried
_ROUNDED = 1e-9


class Gibbs(DiscreteKernel):
    """A sweep: x_i is drawn from p(x_i | others) for i = 1, ..., dim, by m - 1 energies each, m being how many values.

    With `colours`, all coordinates of a colour are drawn at once, from one gradient: two values only, and an energy
    that is linear in each coordinate and does not couple those of one colour. A chessboard Ising model costs two
    gradients a sweep then, a restricted Boltzmann machine two as well.

    Parameters
    ----------
    colours : None, or (dim,) whole numbers, 0 to n - 1. What they claim is tried out at random states.

    References
    ----------
    S. Geman and D. Geman (1984), doi:10.1109/TPAMI.1984.4767596.
    """

    has_rejections = False

    def __init__(self, colours: ArrayLike | None = None) -> None:
        self.colours = None if colours is None else _whole_numbers(colours)
        self.needs_grad = self.colours is not None

    @property
    def advance(self) -> Compiled:
        return advance if self.colours is None else advance_colours

    def n_scratch(self, dim: int) -> int:
        if self.colours is not None:
            return 3
        return dim + 3 + (0 if self.values is None else len(self.values))

    def on(self, energy: Energy) -> Self:
        bound = super().on(energy)
        if self.colours is not None:
            _refuse_colours(energy, self.colours)
        return bound

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """The values, and behind them the colours."""
        values = super().settings(step_size, scale, path_length, betas)
        return values if self.colours is None else np.concatenate([values, self.colours.astype(float)])

    def __repr__(self) -> str:
        return "Gibbs()" if self.colours is None else f"Gibbs(colours of {len(np.unique(self.colours))} kinds)"


def _whole_numbers(colours: ArrayLike) -> NDArray[np.int64]:
    given = _checks.finite_array(colours, "colours")
    if given.ndim != 1 or (given != np.floor(given)).any() or (given < 0).any():
        raise ValueError(f"colours is {colours!r}; pass (dim,) whole numbers of at least 0.")
    return np.unique(given, return_inverse=True)[1].astype(np.int64)


def _refuse_colours(energy: Energy, colours: NDArray[np.int64]) -> None:
    """What colours claim is tried out: E is linear in each x_i, and coordinates of a colour do not meet in E."""
    values = energy.values
    assert values is not None
    if len(colours) != energy.dim:
        raise ValueError(f"colours has {len(colours)} numbers, but {energy.name} has dim={energy.dim}; pass as many.")
    if len(values) != 2:
        raise ValueError(f"{energy.name} takes {len(values)} values, and colours need 2; use eb.Gibbs().")
    generator = np.random.default_rng(0)
    X = values[generator.integers(2, size=(_N_TRIED, energy.dim))]
    grads = energy.grad(X)
    size = 1.0 + np.abs(energy.energy(X))
    for i in range(energy.dim):
        Y = X.copy()
        Y[:, i] = values.sum() - X[:, i]
        gained, slope = energy.energy(Y) - energy.energy(X), grads[:, i] * (Y[:, i] - X[:, i])
        if not (np.abs(gained - slope) <= _ROUNDED * (size + np.abs(gained))).all():
            raise ValueError(
                f"{energy.name} is not linear in x[{i}], so that its gradient does not give the law of x[{i}]; use "
                "eb.Gibbs() without colours, or write x[i] without powers."
            )
        together = np.flatnonzero((colours == colours[i]) & (np.arange(energy.dim) != i))
        changed = np.abs(energy.grad(Y)[:, together] - grads[:, together]) > _ROUNDED * (size + np.abs(gained))[:, None]
        if changed.any():
            j = int(together[np.argmax(changed.any(axis=0))])
            raise ValueError(
                f"{energy.name} couples x[{i}] and x[{j}], which have the colour {colours[i]} both; give them two."
            )


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Sweeps of one tile; `settings` (m,) holds the values. See `kernel`.

    A value whose energy is nan or -inf is a fault, and never drawn.
    """
    dim, width = x.shape
    y, e_y, row, places = scratch[:dim], scratch[dim], scratch[dim + 1], scratch[dim + 2]
    found = scratch[dim + 3 :]  # energies at the value now, and so many places on, round the circle
    m = settings.shape[0]
    for _ in range(n_transitions):
        y[:] = x
        for i in range(dim):
            for l in range(0, width, LANES):
                store_row(places, l, index_of(x, i, l, settings))
                store(found, 0, l, load_row(e, l))
            for k in range(1, m):
                for l in range(0, width, LANES):
                    place = load_row(places, l) + float(k)
                    store(y, i, l, value_at(np.where(place >= float(m), place - m, place), settings))
                energy(y, packed, e_y)
                for l in range(0, width, LANES):
                    there = load_row(e_y, l)
                    is_number = there > -np.inf
                    note_faults(is_number, l, y, n_faults, fault_x, row)
                    store(found, k, l, np.where(is_number, there, np.inf))
            for l in range(0, width, LANES):
                uniform, state = lane_uniforms(load_streams(streams, l))
                store_streams(streams, l, state)
                least = load(found, 0, l)
                for k in range(1, m):
                    least = np.minimum(least, load(found, k, l))
                total = as_lane(0.0)
                for k in range(m):
                    total += np.exp(least - load(found, k, l))
                target = uniform * total
                step, reached, lowest = as_lane(0.0), as_lane(0.0), load(found, 0, l)
                for k in range(m):
                    is_open = (reached < target) & (load(found, k, l) < np.inf)
                    reached += np.exp(least - load(found, k, l))
                    step = np.where(is_open, float(k), step)
                    lowest = np.where(is_open, load(found, k, l), lowest)
                place = load_row(places, l) + step
                value = value_at(np.where(place >= float(m), place - m, place), settings)
                store(x, i, l, value)
                store(y, i, l, value)
                store_row(e, l, lowest)
        for l in range(0, width, LANES):
            count(n_accepted, l, as_lane(0.0) == 0.0)


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance_colours(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Sweeps of one tile, colour by colour; `settings` (2 + dim,) holds the values, then the colours. See `kernel`."""
    dim, width = x.shape
    low, high, colours = settings[0], settings[1], settings[2:]
    n_colours = 0
    for i in range(dim):
        n_colours = max(n_colours, int(colours[i]) + 1)
    for _ in range(n_transitions):
        for colour in range(n_colours):
            for l in range(0, width, LANES):
                state = load_streams(streams, l)
                for i in range(dim):
                    if int(colours[i]) == colour:
                        uniform, state = lane_uniforms(state)
                        is_high = uniform * (1.0 + np.exp((high - low) * load(g, i, l))) < 1.0
                        store(x, i, l, np.where(is_high, high, low))
                store_streams(streams, l, state)
            grad(x, packed, e, g)
        for l in range(0, width, LANES):
            count(n_accepted, l, as_lane(0.0) == 0.0)
