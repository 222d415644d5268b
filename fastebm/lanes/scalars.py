"""The formulas of `maths` on single numbers, for loops over a tile that the compiler turns into vector code."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastebm.lanes import maths
from fastebm.lanes.vectors import Real, Word


@intrinsic  # type: ignore[untyped-decorator]
def float_of_bits(_context: Any, bits: Any) -> Any:
    """The double that has these 64 bits."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), generate


def _function(formula: Callable[[Real], Real]) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def function(_context: Any, x: Any) -> Any:
        def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return formula(Real(builder, arguments[0])).value

        return types.float64(types.float64), generate

    return function


exp, log = _function(maths.exp), _function(maths.log_of_normal)


@intrinsic  # type: ignore[untyped-decorator]
def direction(_context: Any, word: Any) -> Any:
    """Sine and cosine of a uniform angle, from a random word; see `maths.direction`."""
    pair = types.UniTuple(types.float64, 2)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        both = maths.direction(Word(builder, arguments[0]))
        return context.make_tuple(builder, pair, [one.value for one in both])

    return pair(types.uint64), generate
