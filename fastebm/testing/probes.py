"""Compiled transitions of one tile with prescribed energies and slopes of the proposals: what the rule decides."""

from collections.abc import Callable

import numpy as np
from numba import types
from numpy.typing import NDArray

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm._compile import (
    ENERGY_SIGNATURE,
    GRAD_SIGNATURE,
    STREAM_TILE,
    TILE,
    VECTOR,
    compiled,
    energy_at,
    grad_at,
)
from fastebm.kernels import Kernel
from fastebm.kernels.kernel import COUNTS, advance_at
from fastebm.testing.twins.streams import Stream
from fastebm.tiles import LANES

Flags = NDArray[np.bool_]
LARGEST = 2.0**100  # single precision holds it too, so that rounding to that shows as rounding


@compiled(ENERGY_SIGNATURE)
def prescribed_energy(x, packed, e):  # type: ignore[no-untyped-def]
    """e (width,) from the front of `packed`, wherever x is."""
    for l in range(e.shape[0]):
        e[l] = packed[l]


@compiled(ENERGY_SIGNATURE)
def energies_in_turn(x, packed, e):  # type: ignore[no-untyped-def]
    """e (width,) from the front of `packed` when called first, then from behind that; counts calls in packed[-1]."""
    first = int(packed[-1]) * e.shape[0]
    for l in range(e.shape[0]):
        e[l] = packed[first + l]
    packed[-1] += 1.0


@compiled(GRAD_SIGNATURE)
def prescribed_grad(x, packed, e, g):  # type: ignore[no-untyped-def]
    """e (width,) and g (dim, width) from `packed`, one behind the other, wherever x is."""
    width = e.shape[0]
    for l in range(width):
        e[l] = packed[l]
        for i in range(g.shape[0]):
            g[i, l] = packed[(1 + i) * width + l]


@compiled(
    types.void(
        types.float64, types.float64, types.float64, VECTOR, VECTOR, STREAM_TILE, TILE, VECTOR, TILE, TILE, TILE,
        COUNTS, COUNTS, TILE,
    )
)
def _transition(  # type: ignore[no-untyped-def]
    advance, energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_accepted, n_faults, fault_x
):
    """One transition of a tile, by the addresses of the functions."""
    advance_at(advance)(
        energy_at(energy), grad_at(grad), packed, settings, streams, x, e, g, memory, scratch, 1, n_accepted, n_faults,
        fault_x,
    )


class Probe:
    """The first transition of LANES chains, again and again from the same states of the same streams.

    Parameters
    ----------
    kernel, settings : the rule.
    x, e_x, slope_x : (LANES, dim), (LANES,), (LANES, dim) where chains stand, with energies and slopes of any kind.
    slope_y : (LANES, dim) slopes at the proposals.
    seed : chain c draws from the stream of (seed, c).

    Attributes
    ----------
    y : (LANES, dim) positions after the last call.
    memory : what stands in the chains after it, besides x: e (LANES,) and slopes (LANES, dim), no columns if none.
    """

    def __init__(
        self, kernel: Kernel, settings: FloatArray, x: FloatArray, e_x: FloatArray, slope_x: FloatArray,
        slope_y: FloatArray, seed: int,
    ) -> None:
        self.kernel, self.settings = kernel, settings
        self.x, self.e_x, self.slope_y = x, e_x, slope_y
        self.slope_x = slope_x if kernel.needs_grad else slope_x[:, :0]
        self.states = np.array([Stream(seed, c).state for c in range(LANES)], dtype=np.uint64).T
        self.y = x
        self.memory = e_x, self.slope_x

    def accepts(self, e_y: FloatArray) -> Flags:
        """Which proposals (LANES,) are accepted if these (LANES,) are their energies.

        Energies (n_stages, LANES) are told one after another, to kernels without slopes that propose more than once.
        """
        dim = self.x.shape[1]
        energy = prescribed_energy if e_y.ndim == 1 else energies_in_turn
        behind = self.slope_y.T.ravel() if e_y.ndim == 1 else [0.0]
        x, e, g = (tiles.aligned(one) for one in (self.x.T, self.e_x, self.slope_x.T))
        n_accepted, n_faults = np.zeros(LANES, dtype=np.int64), np.zeros(LANES, dtype=np.int64)
        memory = tiles.zeros((self.kernel.n_memory(dim), LANES))
        _transition(
            self.kernel.advance.address, energy.address, prescribed_grad.address, np.concatenate([e_y.ravel(), behind]),
            self.settings, tiles.aligned(self.states), x, e, g, memory,
            tiles.zeros((self.kernel.n_scratch(dim), LANES)), n_accepted, n_faults, tiles.zeros((dim, LANES)),
        )
        self.y, self.memory = x.T.copy(), (e, g.T.copy())
        return np.asarray(n_accepted == 1)


def thresholds(accepts: Callable[[FloatArray], Flags], n: int) -> FloatArray:
    """The largest energies (n,) that are accepted, to the last bit, by bisection over the floats up to +-LARGEST.

    +-inf where all or none of them are.
    """
    low, high = _order(np.full(n, -LARGEST)), _order(np.full(n, LARGEST))
    none, everything = ~accepts(_float(low)), accepts(_float(high))
    for _ in range(64):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)  # their sum has more than 63 bits
        is_accepted = accepts(_float(middle))
        low, high = np.where(is_accepted, middle, low), np.where(is_accepted, high, middle)
    return np.where(none, -np.inf, np.where(everything, np.inf, _float(low)))


def _order(values: FloatArray) -> NDArray[np.int64]:
    """Whole numbers in the order of the floats; neighbours are neighbours."""
    bits = np.ascontiguousarray(values).view(np.int64)
    return np.where(bits >= 0, bits, -(bits & np.int64(2**63 - 1)))


def _float(order: NDArray[np.int64]) -> FloatArray:
    """The floats of `_order`."""
    return np.where(order >= 0, order, -order | np.int64(-(2**63))).view(np.float64)
