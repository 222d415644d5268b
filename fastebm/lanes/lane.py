"""The number type `Lane`: doubles of LANES chains side by side, which compiled code treats as one number.

A scalar function compiled for lanes computes the energies of 16 or 32 chains at once in a few registers. What depends
on a single chain's value (a branch, an index, an integer) has no meaning here: it is refused in words by which the
energy falls back to a loop over chains.
"""

import functools
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, errors
from numba.core.typeconv import Conversion
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, lower_cast, models, overload, register_model

from fastebm._compile import processor_has
from fastebm._faults import NEEDS_ONE_CHAIN
from fastebm.lanes import language, maths
from fastebm.lanes.primitives import BINARY, UNARY
from fastebm.lanes.vectors import Mask, Real, broadcast, like, where
from fastebm.tiles import LANES

_LARGEST_PRODUCT = 8  # exponent; beyond, products round more often than `power` errs
POWERS = (operator.pow, operator.ipow, pow)
_MASKED_STORES_ARE_SLOW = processor_has("avx2") and not processor_has("avx512f")
_NUMBERS = (types.Float, types.Integer, types.Boolean)


class LaneLike(types.Type):  # type: ignore[misc]
    """What `Lane` and `LaneMask` have in common: plain numbers turn into them."""

    def can_convert_from(self, _context: Any, other: Any) -> Any:
        return Conversion.safe if isinstance(other, _NUMBERS) else None


class PlainLane(LaneLike):
    """What carries no derivatives."""


class LaneType(PlainLane):
    def __init__(self) -> None:
        super().__init__(name="Lane")

    def can_convert_from(self, context: Any, other: Any) -> Any:
        return Conversion.safe if other is MASK else super().can_convert_from(context, other)

    def unify(self, _context: Any, other: Any) -> Any:
        return self if isinstance(other, (*_NUMBERS, MaskType)) else None


class MaskType(PlainLane):
    """Truth values of the chains: what comparing lanes gives."""

    def __init__(self) -> None:
        super().__init__(name="LaneMask")

    def can_convert_from(self, _context: Any, other: Any) -> Any:
        return Conversion.safe if isinstance(other, types.Boolean) else None

    def unify(self, _context: Any, other: Any) -> Any:
        return self if isinstance(other, types.Boolean) else LANE if isinstance(other, _NUMBERS) else None


class WordsType(types.Type):  # type: ignore[misc]
    """64 bits of each chain: what random streams are made of."""

    def __init__(self) -> None:
        super().__init__(name="LaneWords")


LANE, MASK, WORDS = LaneType(), MaskType(), WordsType()


class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """A vector in registers; an array in lists and the like, whose memory is not aligned as vectors would be."""

    element: ir.Type

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(self.element, LANES))

    def get_data_type(self) -> Any:
        return ir.ArrayType(self.element, LANES)

    def as_data(self, builder: Any, value: Any) -> Any:
        data = ir.Constant(self.get_data_type(), ir.Undefined)
        for l in range(LANES):
            data = builder.insert_value(data, builder.extract_element(value, ir.IntType(32)(l)), l)
        return data

    def from_data(self, builder: Any, data: Any) -> Any:
        value = ir.Constant(self.get_value_type(), ir.Undefined)
        for l in range(LANES):
            value = builder.insert_element(value, builder.extract_value(data, l), ir.IntType(32)(l))
        return value


@register_model(LaneType)
class _LaneModel(_VectorModel):
    element = ir.DoubleType()


@register_model(MaskType)
class _MaskModel(_VectorModel):
    element = ir.IntType(1)


@register_model(WordsType)
class _WordsModel(_VectorModel):
    element = ir.IntType(64)


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
    family: type[LaneLike] = PlainLane,
    packed: Callable[..., Any] = lambda _context, _builder, made: made.value,
) -> None:
    """Give callables of `arity` arguments, one of them of the family, the meaning of a formula over `vectors`.

    `operand` makes what the formula takes, and `packed` a value of type `result` of what it gives.
    """

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        pairs = zip(face.args, arguments, strict=True)
        return packed(context, builder, formula(*(operand(context, builder, kind, value) for kind, value in pairs)))

    others = (types.Any,) if family is PlainLane else (PlainLane, types.Any)
    places = [kinds for kinds in itertools.product((family, *others), repeat=arity) if family in kinds]
    for called in callables:
        names = {"key": called, "arity": arity, "result": result, "family": family}
        infer_global(called)(type("_Typing", (_Typing,), names))
        for kinds in places:
            lower_builtin(called, *kinds)(generate)


class _Typing(AbstractTemplate):  # type: ignore[misc]
    """The typing of a call with lanes among its arguments; a whole exponent in the source stays a literal."""

    prefer_literal = True
    arity: int
    result: Any
    family: type[LaneLike]

    def generic(self, arguments: Any, _named: Any) -> Any:
        known = (*_NUMBERS, PlainLane, self.family)
        if len(arguments) != self.arity or not all(isinstance(one, known) for one in arguments):
            return None
        if not any(isinstance(one, self.family) for one in arguments):
            return None
        if not (self.key in POWERS and isinstance(arguments[1], types.IntegerLiteral)):
            arguments = [types.unliteral(one) for one in arguments]
        return signature(self.result, *arguments)


def _teach_operators() -> None:
    arithmetic: list[tuple[tuple[Any, ...], Callable[[Real, Real], Real]]] = [
        ((operator.add, operator.iadd, np.add), lambda a, b: a + b),
        ((operator.sub, operator.isub, np.subtract), lambda a, b: a - b),
        ((operator.mul, operator.imul, np.multiply), lambda a, b: a * b),
        ((operator.truediv, operator.itruediv, np.divide), lambda a, b: a / b),
        ((operator.mod, operator.imod, np.remainder), maths.modulo),
        ((operator.floordiv, operator.ifloordiv, np.floor_divide), maths.whole_quotient),
        ((*POWERS, math.pow, np.power), maths.power),
    ]
    for callables, formula in arithmetic:
        teach(callables, 2, formula)
    for called in POWERS:
        lower_builtin(called, PlainLane, types.IntegerLiteral)(_literal_power)
    for callables, relation in (
        ((operator.lt, np.less), lambda a, b: a < b), ((operator.le, np.less_equal), lambda a, b: a <= b),
        ((operator.gt, np.greater), lambda a, b: a > b), ((operator.ge, np.greater_equal), lambda a, b: a >= b),
        ((operator.eq, np.equal), lambda a, b: a == b), ((operator.ne, np.not_equal), lambda a, b: a != b),
    ):
        teach(callables, 2, relation, MASK)
    for callables, combine in (
        ((operator.and_, operator.iand, np.logical_and), lambda a, b: a & b),
        ((operator.or_, operator.ior, np.logical_or), lambda a, b: a | b),
        ((operator.xor, operator.ixor, np.logical_xor), lambda a, b: a ^ b),
    ):
        teach(callables, 2, combine, MASK, as_mask)
    teach((operator.invert, np.logical_not), 1, lambda a: ~a, MASK, as_mask)
    teach((operator.neg, np.negative), 1, lambda a: -a)
    teach((operator.pos, float), 1, lambda a: a)


def _literal_power(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
    """x**n for a whole number n that stands in the source."""
    x = as_real(context, builder, face.args[0], arguments[0])
    return literal_power(x, face.args[1].literal_value).value


def literal_power(x: Real, n: int) -> Real:
    """x**n, by multiplication for small n."""
    if abs(n) > _LARGEST_PRODUCT:
        return maths.power(x, like(x, float(n)))
    result: Any = None
    for digit in bin(abs(n))[2:]:
        result = result * result if result is not None else None
        if digit == "1":
            result = x if result is None else result * x
    result = like(x, 1.0) if result is None else result
    return 1.0 / result if n < 0 else result  # type: ignore[no-any-return]


def _teach_functions() -> None:
    teach((np.where, language.where), 3, lambda mask, yes, no: where(mask != 0.0, yes, no))
    for unary in UNARY.values():
        teach(unary.callables, 1, unary.formula)
    for binary in BINARY.values():
        teach(binary.callables, 2, binary.formula)
    for called, name in ((max, "max"), (min, "min")):
        for arity in (3, 4, 5):
            teach((called,), arity, lambda *terms, formula=BINARY[name].formula: functools.reduce(formula, terms))
    teach((language.digamma,), 1, maths.digamma)
    teach((language.vanishes,), 1, lambda x: x == 0.0, MASK)
    teach((math.isnan, np.isnan), 1, Real.is_nan, MASK)
    teach((math.isinf, np.isinf), 1, lambda x: abs(x) == math.inf, MASK)
    teach((math.isfinite, np.isfinite), 1, lambda x: abs(x) < math.inf, MASK)


def refuse(called: Any, arity: int, is_wrong: Callable[..., bool], words: str) -> None:
    """Let the typing of a call fail with these words where `is_wrong(*kinds)`."""

    def check(*kinds: Any) -> None:
        if is_wrong(*kinds):
            raise errors.NumbaTypeError(f"fastebm: {words}")

    face = (lambda a: check(a)) if arity == 1 else (lambda a, b: check(a, b))
    overload(called, strict=False)(face)


_teach_operators()
_teach_functions()
for _called, _what in (
    (bool, "a condition"), (operator.not_, "a condition"), (operator.truth, "a condition"), (int, "int()"),
    (range, "range()"), (round, "round()"),
):
    refuse(_called, 1, lambda kind: isinstance(kind, LaneLike), f"{_what} {NEEDS_ONE_CHAIN}")
refuse(operator.getitem, 2, lambda _array, i: isinstance(i, LaneLike), f"an index made from x {NEEDS_ONE_CHAIN}")


@lower_builtin("print_item", LaneLike)  # type: ignore[untyped-decorator]
def _print(*_: Any) -> Any:
    raise errors.UnsupportedError(f"fastebm: print() {NEEDS_ONE_CHAIN}")


def place(context: Any, builder: Any, kind: Any, array: Any, indices: Any, vector: Any) -> Any:
    """Pointer to the vector that begins at array[indices]."""
    data = context.make_array(kind)(context, builder, array)
    first = cgutils.get_item_pointer(context, builder, kind, data, indices)
    return builder.bitcast(first, vector.as_pointer())


def loaded(builder: Any, pointer: Any) -> Any:
    """The vector there, which need not be aligned as vectors are."""
    vector = builder.load(pointer)
    vector.align = 8
    return vector


def stored(builder: Any, vector: Any, pointer: Any) -> None:
    """Put the vector there, which need not be aligned as vectors are."""
    builder.store(vector, pointer).align = 8


@intrinsic  # type: ignore[untyped-decorator]
def as_lane(_context: Any, value: Any) -> Any:
    """A number, a truth value, a mask or a lane as a lane."""

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        return as_real(context, builder, face.args[0], arguments[0]).value

    return LANE(value), generate


def _load(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
    array, *indices = arguments
    kind = context.get_value_type(LANE)
    return loaded(builder, place(context, builder, face.args[0], array, indices, kind))


@intrinsic  # type: ignore[untyped-decorator]
def load(_context: Any, x: Any, i: Any, l: Any) -> Any:
    """The lane x[i, l : l + LANES] of a tile (dim, width)."""
    return LANE(x, types.intp, types.intp), _load


@intrinsic  # type: ignore[untyped-decorator]
def load_row(_context: Any, row: Any, l: Any) -> Any:
    """The lane row[l : l + LANES] of a row (width,)."""
    return LANE(row, types.intp), _load


def _store(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
    array, *indices, value = arguments
    kind = context.get_value_type(LANE)
    stored(builder, value, place(context, builder, face.args[0], array, indices, kind))
    return context.get_dummy_value()


@intrinsic  # type: ignore[untyped-decorator]
def store(_context: Any, x: Any, i: Any, l: Any, _value: Any) -> Any:
    """x[i, l : l + LANES] = value for a tile (dim, width)."""
    return types.void(x, types.intp, types.intp, LANE), _store


@intrinsic  # type: ignore[untyped-decorator]
def store_where(_context: Any, x: Any, i: Any, l: Any, _mask: Any, _value: Any) -> Any:
    """x[i, l : l + LANES] = value where the mask is true, for a tile (dim, width).

    LLVM would make this a masked store, which takes six times as long as a whole one on Zen 3:
    the fence, which itself is no instruction, hides from it that a part of what is stored was there before.
    """

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        array, i, l, mask, value = arguments
        kind = context.get_value_type(LANE)
        pointer = place(context, builder, face.args[0], array, (i, l), kind)
        chosen = where(Mask(builder, mask), Real(builder, value), Real(builder, loaded(builder, pointer)))
        stored(builder, (chosen.fenced() if _MASKED_STORES_ARE_SLOW else chosen).value, pointer)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, MASK, LANE), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_row(_context: Any, row: Any, l: Any, _value: Any) -> Any:
    """row[l : l + LANES] = value for a row (width,)."""
    return types.void(row, types.intp, LANE), _store


@intrinsic  # type: ignore[untyped-decorator]
def count(_context: Any, counts: Any, l: Any, _mask: Any) -> Any:
    """counts[l : l + LANES] += mask for integers (width,)."""

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        kind = context.get_value_type(WORDS)
        pointer = place(context, builder, face.args[0], arguments[0], arguments[1:2], kind)
        stored(builder, builder.add(loaded(builder, pointer), builder.zext(arguments[2], kind)), pointer)
        return context.get_dummy_value()

    return types.void(counts, types.intp, MASK), generate


@intrinsic  # type: ignore[untyped-decorator]
def lane_sum(_context: Any, _lane: Any) -> Any:
    """The sum of the numbers of a lane: the two halves, their halves, and so on; always in the same order."""

    def generate(_context: Any, builder: Any, _face: Any, arguments: Any) -> Any:
        lane, n = arguments[0], LANES
        while n > 1:
            n //= 2
            places = ir.VectorType(ir.IntType(32), n)
            halves = [
                builder.shuffle_vector(lane, lane, ir.Constant(places, [*range(first, first + n)])) for first in (0, n)
            ]
            lane = builder.fadd(*halves)
        return builder.extract_element(lane, ir.IntType(32)(0))

    return types.float64(LANE), generate


@intrinsic  # type: ignore[untyped-decorator]
def is_any(_context: Any, _mask: Any) -> Any:
    """Whether a mask is true for some chain."""

    def generate(_context: Any, builder: Any, _face: Any, arguments: Any) -> Any:
        return Mask(builder, arguments[0]).any()

    return types.boolean(MASK), generate
