"""Tile functions around a user's scalar function, or its adjoint: loops over lanes, LANES columns at a time."""

import math
from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import errors
from numba.extending import overload

from fastebm._compile import FLAGS, inlined_checking_indices
from fastebm.lanes.arrays import (
    dual_lanes_of,
    lanes_of,
    own_lanes,
    part_of_lanes,
    writable_dual_lanes_of,
    writable_lanes_of,
)
from fastebm.lanes.dual_lanes import value_and_slope
from fastebm.lanes.lane import LaneLike, as_lane, lane_sum, load_row, store, store_row
from fastebm.tiles import LANES


def tile_energy_of(call: Any, unpack: Any, dim: int) -> Callable[..., Any]:
    """The tile function of `call(x, parts)`, compiled on demand; `unpack` makes the parts of the packed vector."""

    def tile_energy(x: Any, packed: Any, out: Any) -> None:
        parts = unpack(packed)
        for l in range(0, x.shape[1], LANES):
            store_row(out, l, as_lane(_one_number(call(lanes_of(x, l, dim), parts))))

    return tile_energy


def _one_number(value: Any) -> Any:
    return value


def tile_grad_of(adjoint: Any, unpack: Any, dim: int, *, sets_all: bool = False) -> Callable[..., Any]:
    """The tile function of an adjoint along x: (x, theta, data, x_bar, weight) -> the energy.

    `sets_all` if that does not need x_bar to be 0 before: beginning with zeros takes a third of a simple gradient.
    """
    n_zeros = 0 if sets_all else dim
    user = inlined_checking_indices(adjoint)

    def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
        theta, data = unpack(packed)
        for l in range(0, x.shape[1], LANES):
            for i in range(n_zeros):
                store(g, i, l, as_lane(0.0))
            value = user(lanes_of(x, l, dim), theta, data, writable_lanes_of(g, l, dim), as_lane(1.0))
            store_row(e, l, as_lane(_one_number(value)))

    return tile_grad


def tile_dual_grad_of(call: Any, unpack: Any, dim: int) -> Callable[..., Any]:
    """The tile function of dE/dx for a `call(x, parts)`, run on dual lanes for one direction after the other."""

    def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
        parts = unpack(packed)
        v = np.zeros(x.shape)
        for i in range(dim):
            v[i, :] = 1.0
            for l in range(0, x.shape[1], LANES):
                value, slope = value_and_slope(_one_number(call(dual_lanes_of(x, v, l, dim), parts)))
                store_row(e, l, value)
                store(g, i, l, slope)
            v[i, :] = 0.0

    return tile_grad


def tile_hvp_of(adjoint: Any, unpack: Any, dim: int) -> Callable[..., Any]:
    """The tile function of second derivatives: an adjoint along x, run on dual lanes with v as their derivatives."""
    user = inlined_checking_indices(adjoint)

    def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
        theta, data = unpack(packed)
        for l in range(0, x.shape[1], LANES):
            for i in range(dim):
                store(g, i, l, as_lane(0.0))
                store(h, i, l, as_lane(0.0))
            point, slopes = dual_lanes_of(x, v, l, dim), writable_dual_lanes_of(g, h, l, dim)
            user(point, theta, data, slopes, as_lane(1.0))

    return tile_hvp


def tile_grad_theta_of(
    adjoint: Any, unpack: Any, dim: int, shapes: Mapping[str, tuple[int, ...]]
) -> Callable[..., Any]:
    """The tile function of an adjoint along theta: (x, theta, data, theta_bar, weight); sums over columns by halves."""
    user = inlined_checking_indices(adjoint)
    n_params = sum(math.prod(shape) for shape in shapes.values())
    parts = _bars_by_name(shapes)

    def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
        theta, data = unpack(packed)
        bars = own_lanes(n_params)
        theta_bar = parts(bars)
        for l in range(0, x.shape[1], LANES):
            user(lanes_of(x, l, dim), theta, data, theta_bar, load_row(weights, l))
        for k in range(n_params):
            out[k] += lane_sum(bars[k])

    return tile_grad_theta


def _bars_by_name(shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """Compiled function of lanes that gives the parts of theta_bar by name, each in a row."""
    start, parts = 0, []
    for shape in shapes.values():
        parts.append(f"part_of_lanes(bars, {start}, {math.prod(shape)})")
        start += math.prod(shape)
    scope: dict[str, Any] = {"theta_bar": namedtuple("theta_bar", list(shapes)), "part_of_lanes": part_of_lanes}
    exec(f"def by_name(bars):\n    return theta_bar({', '.join(parts)})", scope)
    return numba.njit(no_cpython_wrapper=True, forceinline=True, **FLAGS)(scope["by_name"])


@overload(_one_number, strict=False)  # type: ignore[untyped-decorator]
def _one_number_compiled(value: Any) -> Any:
    if isinstance(value, (LaneLike, types.Float, types.Integer, types.Boolean)):
        return lambda value: value
    raise errors.NumbaTypeError(f"fastebm: the result is {value}, not one number")
