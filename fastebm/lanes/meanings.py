"""What the words of `language` mean in compiled code: on floats, duals and lanes."""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, overload_attribute

from fastebm.lanes import language
from fastebm.lanes.arrays import LaneArray, own_dual_lanes, own_lanes
from fastebm.lanes.dual_lanes import DUAL_LANE
from fastebm.lanes.duals import DUAL, REAL, as_duals, derivative_of, value_of
from fastebm.lanes.lane import LaneLike


def _on_floats(function: Any) -> None:
    """Compile the plain function itself for floats."""

    def implement(x: Any) -> Any:
        return function if isinstance(x, REAL) else None

    overload(function, strict=False)(implement)


_on_floats(language.sigmoid)
_on_floats(language.softplus)
_on_floats(language.digamma)
_on_floats(language.trigamma)


@overload(language.where, strict=False)  # type: ignore[untyped-decorator]
def _where(condition: Any, yes: Any, no: Any) -> Any:
    kinds = (*REAL, type(DUAL))
    if isinstance(condition, REAL) and isinstance(yes, kinds) and isinstance(no, kinds):
        return lambda condition, yes, no: yes if condition else no
    if isinstance(condition, types.Array):
        return lambda condition, yes, no: np.where(condition, yes, no)
    return None


overload_attribute(LaneArray, "size", strict=False)(lambda x: lambda x: len(x))
overload_attribute(LaneArray, "shape", strict=False)(lambda x: lambda x: (len(x),))


@overload(float, strict=False)  # type: ignore[untyped-decorator]
def _float(truth: Any) -> Any:
    return (lambda truth: 1.0 if truth else 0.0) if isinstance(truth, types.Boolean) else None


@overload(language.vanishes, strict=False)  # type: ignore[untyped-decorator]
def _vanishes(x: Any) -> Any:
    if x is DUAL:
        return lambda x: value_of(x) == 0.0 and derivative_of(x) == 0.0
    return language.vanishes if isinstance(x, REAL) else None


@overload(language.zeros, strict=False)  # type: ignore[untyped-decorator]
def _zeros(n: Any, like: Any) -> Any:
    if not isinstance(n, types.Integer):
        return None
    number = getattr(like, "dtype", like)
    if number is DUAL_LANE:
        return lambda n, like: own_dual_lanes(n)
    if isinstance(number, LaneLike):
        return lambda n, like: own_lanes(n)
    if number is DUAL:
        return lambda n, like: as_duals(np.zeros((n, 2)))
    return lambda n, like: np.zeros(n)
