"""What kernels of discrete energies share: the values that coordinates take."""

import copy
from typing import Self

import numpy as np

from fastebm._checks import FloatArray
from fastebm._compile import inlined_borrowing
from fastebm.energies import Energy
from fastebm.kernels.kernel import Kernel
from fastebm.lanes.lane import as_lane, load, store


class DiscreteKernel(Kernel):
    """Kernels that exchange values of coordinates for others of the same energy; there is no step size to tune.

    Attributes
    ----------
    values : (m,) what every coordinate may be, of the energy that the kernel was put `on`.
    """

    step_size = 1.0
    has_step_size = False
    acceptance_tells = False
    values: FloatArray | None = None

    def refuse(self, energy: Energy) -> None:
        if energy.values is None:
            raise ValueError(
                f"{energy.name} takes real x, where {type(self).__name__} has no values to choose from; use "
                "eb.RandomWalk(), or define the energy with values=."
            )

    def on(self, energy: Energy) -> Self:
        self.refuse(energy)
        bound = copy.copy(self)
        bound.values = np.array(energy.values)
        return bound

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """The values."""
        if self.values is None:
            raise TypeError(f"{type(self).__name__} is on no energy yet; call its on(energy) first.")
        return self.values

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# ---- compiled parts, for columns l to l + LANES ----


@inlined_borrowing
def index_of(x, i, l, values):  # type: ignore[no-untyped-def]
    """The place of x[i] among the values, as a lane of numbers."""
    place = as_lane(0.0)
    here = load(x, i, l)
    for k in range(1, values.shape[0]):
        place = np.where(here == values[k], float(k), place)
    return place


@inlined_borrowing
def value_at(place, values):  # type: ignore[no-untyped-def]
    """The values at a lane of places."""
    found = as_lane(values[0])
    for k in range(1, values.shape[0]):
        found = np.where(place == float(k), values[k], found)
    return found


@inlined_borrowing
def exchanged(x, site, value, y, l):  # type: ignore[no-untyped-def]
    """y = x, but for `value` at the coordinate `site`, which are lanes."""
    for i in range(x.shape[0]):
        store(y, i, l, np.where(site == float(i), value, load(x, i, l)))
