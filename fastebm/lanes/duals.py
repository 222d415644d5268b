"""Dual numbers in compiled code: a value with its derivative along one direction, exact to rounding.

An energy's own source, compiled for arrays of duals instead of arrays of floats, gives one directional derivative at
about twice the energy's cost. A dual follows the branch that its value takes.

References
----------
A. Griewank and A. Walther (2008), Evaluating Derivatives, doi:10.1137/1.9780898717761.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_cast
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, models, overload, register_model

from fastebm._compile import inlined
from fastebm.lanes.language import digamma
from fastebm.lanes.primitives import BINARY, UNARY, function_of

REAL = (types.Float, types.Integer, types.Boolean)


class Dual(types.Type):  # type: ignore[misc]
    """The Numba type of a dual number; a plain number turns into a dual with derivative zero."""

    def __init__(self) -> None:
        super().__init__(name="Dual")

    def can_convert_from(self, _context: Any, other: Any) -> Any:
        return Conversion.safe if isinstance(other, REAL) else None

    def unify(self, _context: Any, other: Any) -> Any:
        return self if isinstance(other, REAL) else None


DUAL = Dual()


@register_model(Dual)
class _DualModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, dual: Any) -> None:
        super().__init__(manager, dual, [("value", types.float64), ("derivative", types.float64)])


@lower_cast(types.Float, Dual)  # type: ignore[untyped-decorator]
@lower_cast(types.Integer, Dual)  # type: ignore[untyped-decorator]
@lower_cast(types.Boolean, Dual)  # type: ignore[untyped-decorator]
def _cast_number(context: Any, builder: Any, number: Any, dual: Any, value: Any) -> Any:
    struct = cgutils.create_struct_proxy(dual)(context, builder)
    struct.value = context.cast(builder, value, number, types.float64)
    struct.derivative = context.get_constant(types.float64, 0.0)
    return struct._getvalue()


@intrinsic  # type: ignore[untyped-decorator]
def make_dual(_context: Any, value: Any, derivative: Any) -> Any:
    """The dual number of a value and a derivative."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        struct = cgutils.create_struct_proxy(DUAL)(context, builder)
        struct.value, struct.derivative = arguments
        return struct._getvalue()

    return DUAL(types.float64, types.float64), generate


def _field(name: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def field(_context: Any, dual: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(cgutils.create_struct_proxy(DUAL)(context, builder, value=arguments[0]), name)

        return types.float64(dual), generate

    return field


value_of, derivative_of = _field("value"), _field("derivative")


@intrinsic  # type: ignore[untyped-decorator]
def as_duals(_context: Any, pairs: Any) -> Any:
    """A C-contiguous array (..., 2) of values and derivatives seen as an array (...) of duals, without a copy."""
    viewed = types.Array(DUAL, pairs.ndim - 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        view = context.make_array(viewed)(context, builder)
        two = context.get_constant(types.intp, 2)
        view.meminfo = source.meminfo
        view.parent = source.parent
        view.nitems = builder.udiv(source.nitems, two)
        view.itemsize = builder.mul(source.itemsize, two)
        view.data = builder.bitcast(source.data, context.get_data_type(DUAL).as_pointer())
        view.shape = cgutils.pack_array(builder, cgutils.unpack_tuple(builder, source.shape)[:-1])
        view.strides = cgutils.pack_array(builder, cgutils.unpack_tuple(builder, source.strides)[:-1])
        result = view._getvalue()
        context.nrt.incref(builder, viewed, result)  # the view shares the owner of the pairs
        return result

    return viewed(pairs), generate


def _overload_binary(operation: Any, rule: Callable[[Any, Any], Any]) -> None:
    """Teach `operation` duals and numbers: `rule` is compiled for two duals."""
    compiled_rule = inlined(rule)

    def implement(a: Any, b: Any) -> Any:
        if a is DUAL and b is DUAL:
            return lambda a, b: compiled_rule(a, b)
        if a is DUAL and isinstance(b, REAL):
            return lambda a, b: compiled_rule(a, make_dual(1.0 * b, 0.0))  # float() takes no bool
        if isinstance(a, REAL) and b is DUAL:
            return lambda a, b: compiled_rule(make_dual(1.0 * a, 0.0), b)
        return None

    overload(operation, strict=False)(implement)


def _overload_on_values(operation: Any) -> None:
    """Of two numbers, what has no slope."""

    def implement(a: Any, b: Any) -> Any:
        if a is DUAL and b is DUAL:
            return lambda a, b: operation(value_of(a), value_of(b))
        if a is DUAL and isinstance(b, REAL):
            return lambda a, b: operation(value_of(a), b)
        if isinstance(a, REAL) and b is DUAL:
            return lambda a, b: operation(a, value_of(b))
        return None

    overload(operation, strict=False)(implement)


def _overload_flat(operation: Any) -> None:
    """What has no slope, but at its jumps: of the value alone."""
    def implement(a: Any) -> Any:
        return (lambda a: operation(value_of(a))) if a is DUAL else None

    overload(operation, strict=False)(implement)


def _overload_unary(operation: Any, derivative: Any) -> None:
    def implement(x: Any) -> Any:
        if x is not DUAL:
            return None

        def apply(x: Any) -> Any:
            v = value_of(x)
            y = operation(v)
            return make_dual(float(y), derivative(v, y) * derivative_of(x))

        return apply

    overload(operation, strict=False)(implement)


def _overload_of_many(operation: Any) -> None:
    """max and min of three to five numbers, two by two, as on lanes."""
    of_many = {
        3: lambda a, b, c: operation(operation(a, b), c),
        4: lambda a, b, c, d: operation(operation(operation(a, b), c), d),
        5: lambda a, b, c, d, e: operation(operation(operation(operation(a, b), c), d), e),
    }
    overload(operation, strict=False)(lambda *terms: of_many.get(len(terms)) if DUAL in terms else None)


def _binary_rule(operation: Any, first: Any, second: Any) -> Callable[[Any, Any], Any]:
    def rule(a: Any, b: Any) -> Any:
        u, v = value_of(a), value_of(b)
        y = operation(u, v)
        return make_dual(float(y), first(u, v, y) * derivative_of(a) + second(u, v, y) * derivative_of(b))

    return rule


def _add(a: Any, b: Any) -> Any:
    return make_dual(value_of(a) + value_of(b), derivative_of(a) + derivative_of(b))


def _subtract(a: Any, b: Any) -> Any:
    return make_dual(value_of(a) - value_of(b), derivative_of(a) - derivative_of(b))


def _multiply(a: Any, b: Any) -> Any:
    return make_dual(value_of(a) * value_of(b), value_of(a) * derivative_of(b) + value_of(b) * derivative_of(a))


def _divide(a: Any, b: Any) -> Any:
    quotient = value_of(a) / value_of(b)
    return make_dual(quotient, (derivative_of(a) - quotient * derivative_of(b)) / value_of(b))


def _modulo(a: Any, b: Any) -> Any:
    u, v = value_of(a), value_of(b)
    return make_dual(u % v, derivative_of(a) - math.floor(u / v) * derivative_of(b))


def _power(a: Any, b: Any) -> Any:
    u, v = value_of(a), value_of(b)
    slope = 0.0
    if derivative_of(a) != 0.0 and v != 0.0:  # a constant base or exponent 0 adds nothing, not 0 * inf
        slope += v * u ** (v - 1.0) * derivative_of(a)
    if derivative_of(b) != 0.0 and u != 0.0:  # 0**v stays 0 as v moves
        slope += u**v * math.log(u) * derivative_of(b)
    return make_dual(u**v, slope)


@overload(np.negative, strict=False)  # type: ignore[untyped-decorator]
@overload(operator.neg, strict=False)  # type: ignore[untyped-decorator]
def _negate(a: Any) -> Any:
    return (lambda a: make_dual(-value_of(a), -derivative_of(a))) if a is DUAL else None


@overload(operator.pos, strict=False)  # type: ignore[untyped-decorator]
def _keep(a: Any) -> Any:
    return (lambda a: a) if a is DUAL else None


@overload(float, strict=False)  # type: ignore[untyped-decorator]
def _float_of_dual(a: Any) -> Any:
    return (lambda a: a) if a is DUAL else None


def _register() -> None:
    """Give every operator and every primitive of the table its meaning on duals."""
    for rule, operations in (
        (_add, (operator.add, operator.iadd, np.add)),
        (_subtract, (operator.sub, operator.isub, np.subtract)),
        (_multiply, (operator.mul, operator.imul, np.multiply)),
        (_divide, (operator.truediv, operator.itruediv, np.divide)),
        (_modulo, (operator.mod, operator.imod, np.remainder)),
        (_power, (operator.pow, operator.ipow, pow, math.pow, np.power)),
    ):
        for operation in operations:
            _overload_binary(operation, rule)
    for on_values in (
        operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne, np.less, np.less_equal,
        np.greater, np.greater_equal, np.equal, np.not_equal, operator.floordiv, operator.ifloordiv, np.floor_divide,
    ):
        _overload_on_values(on_values)
    for test in (math.isnan, math.isinf, math.isfinite, np.isnan, np.isinf, np.isfinite, int, bool, round):
        _overload_flat(test)
    for unary in UNARY.values():
        derivative = inlined(function_of(unary.derivative, "x", "y"))
        for operation in unary.callables:
            _overload_unary(operation, derivative)
    _overload_unary(digamma, inlined(function_of("trigamma(x)", "x", "y")))  # of lgamma, for second derivatives
    for binary in BINARY.values():
        first, second = (inlined(function_of(text, "a", "b", "y")) for text in (binary.first, binary.second))
        for operation in binary.callables:
            _overload_binary(operation, _binary_rule(operation, first, second))
    for operation in (max, min):
        _overload_of_many(operation)


_register()
