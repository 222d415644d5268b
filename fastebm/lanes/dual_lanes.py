"""The number type `DualLane`: dual numbers of LANES chains side by side, a lane of values and a lane of derivatives.

Run on them, a function gives its exact derivative along one direction for each chain; an adjoint gives products of
second derivatives with a direction. Rules come from the table of primitives, as they do for single duals.

References
----------
A. Griewank and A. Walther (2008), Evaluating Derivatives, doi:10.1137/1.9780898717761 (chapter 3 on derivatives of
adjoints).
"""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model

from fastebm.lanes import language, maths
from fastebm.lanes.lane import LANE, MASK, POWERS, LaneLike, PlainLane, as_mask, as_real, literal_power, teach
from fastebm.lanes.primitives import BINARY, UNARY
from fastebm.lanes.vectors import Mask, Real, like, where

_NUMBERS = (types.Float, types.Integer, types.Boolean)


class DualLaneType(LaneLike):
    def __init__(self) -> None:
        super().__init__(name="DualLane")

    def can_convert_from(self, context: Any, other: Any) -> Any:
        return Conversion.safe if isinstance(other, PlainLane) else super().can_convert_from(context, other)

    def unify(self, _context: Any, other: Any) -> Any:
        return self if isinstance(other, (*_NUMBERS, PlainLane)) else None


DUAL_LANE = DualLaneType()


@register_model(DualLaneType)
class _DualLaneModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("value", LANE), ("slope", LANE)])


class DualReal:
    """A value and its derivative while a function is being compiled; a slope of None is that of a constant."""

    def __init__(self, value: Real, slope: Real | None) -> None:
        self.value = value
        self.slope = slope

    def along(self, factor: Any) -> Real | None:
        """The slope times a factor."""
        return None if self.slope is None else self.slope * factor


def packed(context: Any, builder: Any, value: Any, slope: Any) -> Any:
    """The struct of two vectors."""
    struct = cgutils.create_struct_proxy(DUAL_LANE)(context, builder)
    struct.value, struct.slope = value, slope
    return struct._getvalue()


def as_dual(context: Any, builder: Any, kind: Any, value: Any) -> DualReal:
    """A dual lane, a lane, a mask or a number as a DualReal."""
    if kind is not DUAL_LANE:
        return DualReal(as_real(context, builder, kind, value), None)
    struct = cgutils.create_struct_proxy(DUAL_LANE)(context, builder, value=value)
    return DualReal(Real(builder, struct.value), Real(builder, struct.slope))


def _value_of(context: Any, builder: Any, kind: Any, value: Any) -> Real:
    return as_dual(context, builder, kind, value).value


def _truth_of(context: Any, builder: Any, kind: Any, value: Any) -> Mask:
    return as_mask(context, builder, kind, value) if kind is not DUAL_LANE else (
        _value_of(context, builder, kind, value) != 0.0
    )


def _unpacked(context: Any, builder: Any, dual: DualReal) -> Any:
    slope = like(dual.value, 0.0) if dual.slope is None else dual.slope
    return packed(context, builder, dual.value.value, slope.value)


@lower_cast(types.Float, DualLaneType)  # type: ignore[untyped-decorator]
@lower_cast(types.Integer, DualLaneType)  # type: ignore[untyped-decorator]
@lower_cast(types.Boolean, DualLaneType)  # type: ignore[untyped-decorator]
@lower_cast(PlainLane, DualLaneType)  # type: ignore[untyped-decorator]
def _cast_to_dual(context: Any, builder: Any, kind: Any, _dual: Any, value: Any) -> Any:
    return _unpacked(context, builder, as_dual(context, builder, kind, value))


@intrinsic  # type: ignore[untyped-decorator]
def value_and_slope(_context: Any, value: Any) -> Any:
    """The two lanes of a dual lane, a lane or a number."""
    pair = types.UniTuple(LANE, 2)

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        dual = as_dual(context, builder, face.args[0], arguments[0])
        slope = like(dual.value, 0.0) if dual.slope is None else dual.slope
        return context.make_tuple(builder, pair, [dual.value.value, slope.value])

    return pair(value), generate


def _sum(*terms: Real | None) -> Real | None:
    """What is there of the terms, added up."""
    there = [term for term in terms if term is not None]
    return functools.reduce(operator.add, there) if there else None


def _negative(a: Real | None) -> Real | None:
    return None if a is None else -a


def _words(x: Real) -> dict[str, Callable[..., Any]]:
    """The words of the table's derivatives, as formulas over reals like x."""

    def real(one: Any) -> Real:
        return one if isinstance(one, Real) else like(x, one)

    words: dict[str, Callable[..., Any]] = {name: rule.formula for name, rule in UNARY.items()}
    return words | {
        "where": lambda mask, yes, no: where(mask, real(yes), real(no)),
        "copysign": lambda size, sign: real(size).copysign(real(sign)),
        "digamma": maths.digamma,
        "trigamma": maths.trigamma,
    }


def _partial(text: str, **operands: Real) -> Any:
    """A derivative of the table at these operands: a Real, or a number."""
    return eval(text, _words(operands["y"]), operands)


def _unary(formula: Callable[[Real], Real], derivative: str) -> Callable[[DualReal], DualReal]:
    def rule(x: DualReal) -> DualReal:
        y = formula(x.value)
        return DualReal(y, x.along(_partial(derivative, x=x.value, y=y)) if derivative != "0.0" else None)

    return rule


def _binary(formula: Callable[[Real, Real], Real], first: str, second: str) -> Callable[..., DualReal]:
    def rule(a: DualReal, b: DualReal) -> DualReal:
        y = formula(a.value, b.value)
        slopes = [
            operand.along(_partial(text, a=a.value, b=b.value, y=y))
            for operand, text in ((a, first), (b, second)) if operand.slope is not None and text != "0.0"
        ]
        return DualReal(y, _sum(*slopes))

    return rule


def _add(a: DualReal, b: DualReal) -> DualReal:
    return DualReal(a.value + b.value, _sum(a.slope, b.slope))


def _subtract(a: DualReal, b: DualReal) -> DualReal:
    if a.slope is not None and b.slope is not None:
        return DualReal(a.value - b.value, a.slope - b.slope)
    return DualReal(a.value - b.value, a.slope if b.slope is None else _negative(b.slope))


def _multiply(a: DualReal, b: DualReal) -> DualReal:
    return DualReal(a.value * b.value, _sum(a.along(b.value), b.along(a.value)))


def _divide(a: DualReal, b: DualReal) -> DualReal:
    quotient = a.value / b.value
    above = _sum(a.slope, _negative(b.along(quotient)))
    return DualReal(quotient, None if above is None else above / b.value)


def _power(a: DualReal, b: DualReal) -> DualReal:
    y = maths.power(a.value, b.value)
    first = second = None
    if a.slope is not None:  # a constant base or exponent 0 adds nothing, not 0 * inf
        steepness = b.value * maths.power(a.value, b.value - 1.0)
        first = where((a.slope == 0.0) | (b.value == 0.0), 0.0, a.slope * steepness)
    if b.slope is not None:  # 0**b stays 0 as b moves
        second = where((b.slope == 0.0) | (a.value == 0.0), 0.0, b.slope * y * maths.log(a.value))
    return DualReal(y, _sum(first, second))


def _literal_power(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
    """x**n for a whole number n that stands in the source."""
    n = face.args[1].literal_value
    x = as_dual(context, builder, face.args[0], arguments[0])
    slope = None if n == 0 else x.along(float(n) * literal_power(x.value, n - 1))
    return _unpacked(context, builder, DualReal(literal_power(x.value, n), slope))


def _choice(condition: DualReal, yes: DualReal, no: DualReal) -> DualReal:
    mask = condition.value != 0.0
    value = where(mask, yes.value, no.value)
    if yes.slope is None and no.slope is None:
        return DualReal(value, None)
    return DualReal(value, where(mask, *(0.0 if one.slope is None else one.slope for one in (yes, no))))


def _modulo(a: DualReal, b: DualReal) -> DualReal:
    quotient = maths.whole_quotient(a.value, b.value)
    return DualReal(maths.modulo(a.value, b.value), _sum(a.slope, _negative(b.along(quotient))))


def _vanishes(a: DualReal) -> Mask:
    return a.value == 0.0 if a.slope is None else (a.value == 0.0) & (a.slope == 0.0)


def _register() -> None:
    def on_duals(callables: Any, arity: int, rule: Callable[..., DualReal]) -> None:
        teach(callables, arity, rule, DUAL_LANE, as_dual, DualLaneType, _unpacked)

    def on_values(callables: Any, arity: int, rule: Callable[..., Any], result: Any = MASK) -> None:
        teach(callables, arity, rule, result, _value_of, DualLaneType)

    arithmetic: list[tuple[tuple[Any, ...], Callable[..., DualReal]]] = [
        ((operator.add, operator.iadd, np.add), _add), ((operator.sub, operator.isub, np.subtract), _subtract),
        ((operator.mul, operator.imul, np.multiply), _multiply),
        ((operator.truediv, operator.itruediv, np.divide), _divide),
        ((operator.mod, operator.imod, np.remainder), _modulo), ((*POWERS, math.pow, np.power), _power),
    ]
    for callables, rule in arithmetic:
        on_duals(callables, 2, rule)
    for called in POWERS:
        lower_builtin(called, DualLaneType, types.IntegerLiteral)(_literal_power)
    on_duals((operator.neg, np.negative), 1, lambda a: DualReal(-a.value, _negative(a.slope)))
    on_duals((operator.pos, float), 1, lambda a: a)
    for unary in UNARY.values():
        on_duals(unary.callables, 1, _unary(unary.formula, unary.derivative))
    on_duals((language.digamma,), 1, _unary(maths.digamma, "trigamma(x)"))  # of lgamma, for second derivatives
    for binary in BINARY.values():
        on_duals(binary.callables, 2, _binary(binary.formula, binary.first, binary.second))
    for called, name in ((max, "max"), (min, "min")):
        of_two = _binary(*BINARY[name][1:])
        for arity in (3, 4, 5):
            on_duals((called,), arity, lambda *terms, of_two=of_two: functools.reduce(of_two, terms))
    relations: list[tuple[Any, Any]] = [
        (operator.lt, np.less), (operator.le, np.less_equal), (operator.gt, np.greater),
        (operator.ge, np.greater_equal), (operator.eq, np.equal), (operator.ne, np.not_equal),
    ]
    for pair in relations:
        on_values(pair, 2, pair[0])
    on_values((operator.floordiv, operator.ifloordiv, np.floor_divide), 2, maths.whole_quotient, LANE)
    on_values((math.isnan, np.isnan), 1, Real.is_nan)
    on_values((math.isinf, np.isinf), 1, lambda x: abs(x) == math.inf)
    on_values((math.isfinite, np.isfinite), 1, lambda x: abs(x) < math.inf)
    teach((language.vanishes,), 1, _vanishes, MASK, as_dual, DualLaneType)
    junctions: list[tuple[Any, Any, Any]] = [
        (operator.and_, operator.iand, np.logical_and), (operator.or_, operator.ior, np.logical_or),
        (operator.xor, operator.ixor, np.logical_xor),
    ]
    for three in junctions:
        teach(three, 2, three[0], MASK, _truth_of, DualLaneType)
    teach((operator.invert, np.logical_not), 1, operator.invert, MASK, _truth_of, DualLaneType)
    on_duals((np.where, language.where), 3, _choice)


_register()
