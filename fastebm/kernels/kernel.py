"""What every transition kernel has in common, for the engine that runs it."""

import abc
from typing import Any

import numpy as np
from numba import types

from fastebm._checks import FloatArray
from fastebm._compile import ENERGY, GRAD, STREAM_TILE, TILE, VECTOR, Compiled, inlined
from fastebm.energies import Energy, refuse_discrete
from fastebm.lanes.lane import count, is_any, load, load_row, store, store_row
from fastebm.tiles import LANES

COUNTS = types.Array(types.int64, 1, "C")

# advance(energy, grad, packed, settings, streams, x, e, g, scratch, n_transitions, n_accepted, n_faults, fault_x):
# transitions of one tile. x (dim, width), e (width,) = E at x, g = dE/dx there, (dim, width) or without rows for
# kernels that need none, the streams and the counts (width,) change in place. A proposal whose energy is nan or -inf is
# a fault: it is rejected, counted, and kept in fault_x (dim, width).
ADVANCE_SIGNATURE = types.void(
    ENERGY, GRAD, VECTOR, VECTOR, STREAM_TILE, TILE, VECTOR, TILE, TILE, types.int64, COUNTS, COUNTS, TILE
)
ADVANCE = types.FunctionType(ADVANCE_SIGNATURE)


class Kernel(abc.ABC):
    """A rule of transition that leaves exp(-E) invariant.

    Attributes
    ----------
    step_size : as given; None if it is to be tuned in warm-up.
    needs_grad : whether `advance` calls the energy's gradient.
    is_reversible : whether detailed balance holds, so that a chain run backwards looks the same.
    is_exact : whether exp(-E) is left invariant exactly; otherwise nearly, and every proposal is taken.
    """

    step_size: float | FloatArray | None
    needs_grad = False
    is_reversible = False
    is_exact = True

    def refuse(self, energy: Energy) -> None:
        """Nothing, for an energy whose x this kernel can move."""
        refuse_discrete(energy, (
            f"which {type(self).__name__} steps off; draw by eb.exact.exact_draws and fit by eb.MaximumLikelihood(), "
            "where states can be enumerated"
        ))

    @property
    @abc.abstractmethod
    def advance(self) -> Compiled:
        """The compiled function of signature ADVANCE_SIGNATURE."""

    @abc.abstractmethod
    def n_scratch(self, dim: int) -> int:
        """Rows of scratch that `advance` needs."""

    @abc.abstractmethod
    def settings(self, step_size: float | FloatArray, scale: FloatArray) -> FloatArray:
        """The vector that `advance` takes, for a step size in coordinates divided by `scale` (dim,)."""

    @abc.abstractmethod
    def first_step_size(self, dim: int) -> float:
        """Where tuning starts."""

    @abc.abstractmethod
    def target_acceptance(self, dim: int) -> float:
        """The acceptance rate that tuning aims at."""

    def describe(self) -> dict[str, Any]:
        """The kernel as JSON: its name."""
        return {"type": type(self).__name__}


# ---- compiled parts, for columns l to l + LANES of tiles (dim, width) ----

@inlined
def move(accepted, l, x, y):  # type: ignore[no-untyped-def]
    """x becomes y where `accepted`."""
    for i in range(x.shape[0]):
        store(x, i, l, np.where(accepted, load(y, i, l), load(x, i, l)))


@inlined
def note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, row):  # type: ignore[no-untyped-def]
    """e becomes e_y where `accepted`; counts, and the proposals y that are no numbers; overwrites `row` (width,)."""
    store_row(e, l, np.where(accepted, load_row(e_y, l), load_row(e, l)))
    count(n_accepted, l, accepted)
    if is_any(~is_number):
        store_row(row, l, np.where(is_number, 1.0, 0.0))
        for c in range(l, l + LANES):
            if row[c] == 0.0:
                n_faults[c] += 1
                for i in range(y.shape[0]):
                    fault_x[i, c] = y[i, c]
