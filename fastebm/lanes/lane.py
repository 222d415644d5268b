"""The number type `Lane`: 16 doubles of 16 chains side by side, which compiled code treats as one number.

A scalar function compiled for lanes computes the energies of 16 chains at once in a few registers. What depends on a
single chain's value (a branch, an index, an integer) has no meaning here: it is refused with a `LaneConditionError`'s
words, by which the energy falls back to a loop over chains.
"""

import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model, type_callable

from fastebm.lanes import maths
from fastebm.lanes.primitives import BINARY, UNARY
from fastebm.lanes.vectors import Mask, Real, broadcast, where
from fastebm.tiles import LANES

NEEDS_ONE_CHAIN = "needs the value of one chain"  # what errors say that a loop over chains would not meet
_LARGEST_PRODUCT = 8  # exponent; beyond, products round more often than `power` errs
_NUMBERS = (types.Float, types.Integer, types.Boolean)


class LaneLike(types.Type):  # type: ignore[misc]
    """What `Lane` and `LaneMask` have in common: plain numbers turn into them."""

    def can_convert_from(self, _context: Any, other: Any) -> Any:
        return Conversion.safe if isinstance(other, _NUMBERS) else None


class LaneType(LaneLike):
    def __init__(self) -> None:
        super().__init__(name="Lane")

    def can_convert_from(self, context: Any, other: Any) -> Any:
        return Conversion.safe if other is MASK else super().can_convert_from(context, other)

    def unify(self, _context: Any, other: Any) -> Any:
        return self if isinstance(other, (*_NUMBERS, MaskType)) else None


class MaskType(LaneLike):
    """Truth values of the chains: what comparing lanes gives."""

    def __init__(self) -> None:
        super().__init__(name="LaneMask")

    def can_convert_from(self, _context: Any, other: Any) -> Any:
        return Conversion.safe if isinstance(other, types.Boolean) else None

    def unify(self, _context: Any, other: Any) -> Any:
        return self if isinstance(other, types.Boolean) else LANE if isinstance(other, _NUMBERS) else None


LANE, MASK = LaneType(), MaskType()


@register_model(LaneType)
class _LaneModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, lane: Any) -> None:
        super().__init__(manager, lane, ir.VectorType(ir.DoubleType(), LANES))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, mask: Any) -> None:
        super().__init__(manager, mask, ir.VectorType(ir.IntType(1), LANES))


def as_real(context: Any, builder: Any, kind: Any, value: Any) -> Real:
    """A lane, a mask (1.0 where true) or a number as the lane's Real."""
    if kind is LANE:
        return Real(builder, value)
    if kind is MASK:
        return Mask(builder, value).real()
    return Real(builder, broadcast(builder, context.cast(builder, value, kind, types.float64), LANES))


def as_mask(context: Any, builder: Any, kind: Any, value: Any) -> Mask:
    """A mask, a truth value, or where a lane or a number is not zero."""
    if kind is MASK:
        return Mask(builder, value)
    if isinstance(kind, types.Boolean):
        return Mask(builder, broadcast(builder, context.cast(builder, value, kind, types.boolean), LANES))
    return as_real(context, builder, kind, value) != 0.0


@lower_cast(types.Float, LaneType)  # type: ignore[untyped-decorator]
@lower_cast(types.Integer, LaneType)  # type: ignore[untyped-decorator]
@lower_cast(types.Boolean, LaneType)  # type: ignore[untyped-decorator]
@lower_cast(MaskType, LaneType)  # type: ignore[untyped-decorator]
def _cast_to_lane(context: Any, builder: Any, kind: Any, _lane: Any, value: Any) -> Any:
    return as_real(context, builder, kind, value).value


@lower_cast(types.Boolean, MaskType)  # type: ignore[untyped-decorator]
def _cast_to_mask(context: Any, builder: Any, kind: Any, _mask: Any, value: Any) -> Any:
    return as_mask(context, builder, kind, value).value


def teach(
    callables: tuple[Any, ...],
    arity: int,
    formula: Callable[..., Any],
    result: Any = LANE,
    operand: Callable[..., Any] = as_real,
) -> None:
    """Give callables of `arity` arguments, one of them a lane or a mask, the meaning of a formula over `vectors`."""

    def typer_of(_context: Any) -> Any:
        def typer(*kinds: Any) -> Any:
            known = all(isinstance(kind, (*_NUMBERS, LaneLike)) for kind in kinds)
            return result if known and any(isinstance(kind, LaneLike) for kind in kinds) else None

        return (lambda a: typer(a)) if arity == 1 else (lambda a, b: typer(a, b)) if arity == 2 else (
            lambda a, b, c: typer(a, b, c)
        )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(signature.args, arguments, strict=True)
        return formula(*(operand(context, builder, kind, value) for kind, value in pairs)).value

    places = [kinds for kinds in itertools.product((LaneLike, types.Any), repeat=arity) if LaneLike in kinds]
    for called in callables:
        type_callable(called)(typer_of)
        for kinds in places:
            lower_builtin(called, *kinds)(generate)


def _teach_operators() -> None:
    arithmetic: list[tuple[tuple[Any, ...], Callable[[Real, Real], Real]]] = [
        ((operator.add, operator.iadd), lambda a, b: a + b),
        ((operator.sub, operator.isub), lambda a, b: a - b),
        ((operator.mul, operator.imul), lambda a, b: a * b),
        ((operator.truediv, operator.itruediv), lambda a, b: a / b),
        ((operator.mod, operator.imod), _modulo),
        ((operator.floordiv, operator.ifloordiv), lambda a, b: ((a - _modulo(a, b)) / b + 0.5).floor()),
        ((operator.pow, operator.ipow, pow, math.pow, np.power), maths.power),
    ]
    for callables, formula in arithmetic:
        teach(callables, 2, formula)
    for called in (operator.pow, operator.ipow):
        lower_builtin(called, LaneLike, types.IntegerLiteral)(_literal_power)
    for called, relation in (
        (operator.lt, lambda a, b: a < b), (operator.le, lambda a, b: a <= b),
        (operator.gt, lambda a, b: a > b), (operator.ge, lambda a, b: a >= b),
        (operator.eq, lambda a, b: a == b), (operator.ne, lambda a, b: a != b),
    ):
        teach((called,), 2, relation, MASK)
    for callables, combine in (
        ((operator.and_, operator.iand, np.logical_and), lambda a, b: a & b),
        ((operator.or_, operator.ior, np.logical_or), lambda a, b: a | b),
        ((operator.xor, operator.ixor, np.logical_xor), lambda a, b: a ^ b),
    ):
        teach(callables, 2, combine, MASK, as_mask)
    teach((operator.invert, np.logical_not), 1, lambda a: ~a, MASK, as_mask)
    teach((operator.neg,), 1, lambda a: -a)
    teach((operator.pos, float), 1, lambda a: a)


def _modulo(a: Real, b: Real) -> Real:
    """Python's a % b: with the sign of b."""
    rest = a.each("fmod", b)
    return where((rest != 0.0) & ((rest < 0.0) ^ (b < 0.0)), rest + b, rest)


def _literal_power(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """x**n by multiplication for a small whole number n that stands in the source."""
    n = signature.args[1].literal_value
    x = as_real(context, builder, signature.args[0], arguments[0])
    if abs(n) > _LARGEST_PRODUCT:
        exponent = Real(builder, x.of(float(n)))
        return maths.power(x, exponent).value
    result: Any = None
    for digit in bin(abs(n))[2:]:
        result = result * result if result is not None else None
        if digit == "1":
            result = x if result is None else result * x
    result = Real(builder, x.of(1.0)) if result is None else result
    return (1.0 / result if n < 0 else result).value


def _teach_functions() -> None:
    for unary in UNARY.values():
        teach(unary.callables, 1, unary.formula)
    for binary in BINARY.values():
        teach(binary.callables, 2, binary.formula)


_teach_operators()
_teach_functions()


@intrinsic  # type: ignore[untyped-decorator]
def load(_context: Any, x: Any, i: Any, l: Any) -> Any:
    """The lane x[i, l : l + LANES] of a tile (dim, width)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_place(context, builder, signature, arguments))
        loaded.align = 8
        return loaded

    return LANE(x, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(_context: Any, x: Any, i: Any, l: Any, value: Any) -> Any:
    """x[i, l : l + LANES] = value for a tile (dim, width)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        stored = builder.store(arguments[3], _place(context, builder, signature, arguments))
        stored.align = 8
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, LANE), generate


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = signature.args[0]
    array = context.make_array(kind)(context, builder, arguments[0])
    first = cgutils.get_item_pointer(context, builder, kind, array, arguments[1:3])
    return builder.bitcast(first, ir.VectorType(ir.DoubleType(), LANES).as_pointer())
