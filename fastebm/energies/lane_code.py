"""The tile function around a user's scalar function: a loop over lanes, LANES columns of the tile at a time."""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import errors
from numba.extending import overload

from fastebm.lanes.arrays import lanes_of
from fastebm.lanes.lane import LaneLike, as_lane, store_row
from fastebm.tiles import LANES


def tile_energy_of(call: Any, unpack: Any, dim: int) -> Callable[..., Any]:
    """The tile function of `call(x, parts)`, compiled on demand; `unpack` makes the parts of the packed vector."""

    def tile_energy(x: Any, packed: Any, out: Any) -> None:
        parts = unpack(packed)
        for l in range(0, x.shape[1], LANES):
            store_row(out, l, _one_lane(call(lanes_of(x, l, dim), parts)))

    return tile_energy


def _one_lane(value: Any) -> Any:
    return value


@overload(_one_lane, strict=False)  # type: ignore[untyped-decorator]
def _one_lane_compiled(value: Any) -> Any:
    if isinstance(value, (LaneLike, types.Float, types.Integer, types.Boolean)):
        return lambda value: as_lane(value)
    raise errors.NumbaTypeError(f"fastebm: the result is {value}, not one number")
