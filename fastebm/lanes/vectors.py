"""Arithmetic on SIMD vectors, as Python operators that emit LLVM instructions.

`Real`, `Word` and `Mask` stand for a value in a function that is being compiled: a vector of doubles, of 64-bit
integers or of truth values; or a single one, so that the same formula serves loops over scalars. Formulas in `maths`
are written with them. Emitting instructions, instead of letting Numba type and lower Python, makes a new energy compile
four times as fast. Products and sums may fuse, which the flag `contract` says, and nothing else may change.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from fastebm._compile import processor_has

_DOUBLE, _LONG, _BIT = ir.DoubleType(), ir.IntType(64), ir.IntType(1)
_CONTRACT = ("contract",)
ROUND = 1.5 * 2.0**52  # adding it rounds to an integer, which then stands in the low bits
ONE_BITS = 0x3FF0000000000000  # of 1.0; with 52 other bits it is a number from 1 to 2
_ROUND_BITS = 0x4338000000000000


class _Splat(ir.Constant):  # type: ignore[misc]
    """A vector constant of equal elements, in the one short word that LLVM has for it."""

    def __init__(self, kind: ir.VectorType, number: float | int | bool) -> None:
        self.type = kind
        self.constant = ir.Constant(kind.element, number)

    def _get_reference(self) -> str:
        return f"splat ({self.constant})"


def constant(like: ir.Type, element: ir.Type, number: float | int | bool) -> ir.Constant:
    """The number as a constant of type `element`, or a vector of it as long as the vector type `like`."""
    if isinstance(like, ir.VectorType):
        return _Splat(ir.VectorType(element, like.count), number)
    return ir.Constant(element, number)


def broadcast(builder: ir.IRBuilder, value: Any, count: int) -> Any:
    """A vector of `count` times the value."""
    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), count), None))


class _Vector:
    """What the three kinds have in common."""

    element: ir.Type

    def __init__(self, builder: ir.IRBuilder, value: Any) -> None:
        self.builder = builder
        self.value = value

    def of(self, number: Any) -> Any:
        """A number, or another value of this kind, as an operand."""
        if isinstance(number, _Vector):
            return number.value
        return constant(self.value.type, self.element, number)

    def _type(self, element: ir.Type) -> ir.Type:
        like = self.value.type
        return ir.VectorType(element, like.count) if isinstance(like, ir.VectorType) else element


class Mask(_Vector):
    """Truth values."""

    element = _BIT

    def __and__(self, other: "Mask | bool") -> "Mask":
        return Mask(self.builder, self.builder.and_(self.value, self.of(other)))

    def __or__(self, other: "Mask | bool") -> "Mask":
        return Mask(self.builder, self.builder.or_(self.value, self.of(other)))

    def __xor__(self, other: "Mask | bool") -> "Mask":
        return Mask(self.builder, self.builder.xor(self.value, self.of(other)))

    def __invert__(self) -> "Mask":
        return self ^ True

    def any(self) -> Any:
        """Whether one of them is true, as a single truth value for a branch."""
        kind = self.value.type
        if not isinstance(kind, ir.VectorType):
            return self.value
        return _call(self.builder, f"llvm.vector.reduce.or.v{kind.count}i1", _BIT, self.value)

    def real(self) -> "Real":
        """1.0 where true and 0.0 elsewhere."""
        return Real(self.builder, self.builder.uitofp(self.value, self._type(_DOUBLE)))


class Word(_Vector):
    """64-bit integers, shifted as unsigned numbers."""

    element = _LONG

    def __add__(self, other: "Word | int") -> "Word":
        return Word(self.builder, self.builder.add(self.value, self.of(other)))

    def __sub__(self, other: "Word | int") -> "Word":
        return Word(self.builder, self.builder.sub(self.value, self.of(other)))

    def __and__(self, other: "Word | int") -> "Word":
        return Word(self.builder, self.builder.and_(self.value, self.of(other)))

    def __or__(self, other: "Word | int") -> "Word":
        return Word(self.builder, self.builder.or_(self.value, self.of(other)))

    def __xor__(self, other: "Word | int") -> "Word":
        return Word(self.builder, self.builder.xor(self.value, self.of(other)))

    def __lshift__(self, n: int) -> "Word":
        return Word(self.builder, self.builder.shl(self.value, self.of(n)))

    def __rshift__(self, n: int) -> "Word":
        return Word(self.builder, self.builder.lshr(self.value, self.of(n)))

    def signed_shift(self, n: int) -> "Word":
        """Halved n times, as a signed number, and rounded down."""
        return Word(self.builder, self.builder.ashr(self.value, self.of(n)))

    def __eq__(self, other: object) -> Mask:  # type: ignore[override]
        return Mask(self.builder, self.builder.icmp_unsigned("==", self.value, self.of(other)))

    def __ne__(self, other: object) -> Mask:  # type: ignore[override]
        return Mask(self.builder, self.builder.icmp_unsigned("!=", self.value, self.of(other)))

    __hash__ = None  # type: ignore[assignment]

    def double(self) -> "Real":
        """The doubles that have these bits."""
        return Real(self.builder, self.builder.bitcast(self.value, self._type(_DOUBLE)))

    def real(self) -> "Real":
        """The nearest doubles to these signed numbers."""
        return Real(self.builder, self.builder.sitofp(self.value, self._type(_DOUBLE)))


class Real(_Vector):
    """Doubles."""

    element = _DOUBLE

    def _emit(self, instruction: Callable[..., Any], first: Any, second: Any) -> "Real":
        return Real(self.builder, instruction(first, second, flags=_CONTRACT))

    def __add__(self, other: "Real | float") -> "Real":
        return self._emit(self.builder.fadd, self.value, self.of(other))

    def __sub__(self, other: "Real | float") -> "Real":
        return self._emit(self.builder.fsub, self.value, self.of(other))

    def __rsub__(self, other: float) -> "Real":
        return self._emit(self.builder.fsub, self.of(other), self.value)

    def __mul__(self, other: "Real | float") -> "Real":
        return self._emit(self.builder.fmul, self.value, self.of(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: "Real | float") -> "Real":
        return self._emit(self.builder.fdiv, self.value, self.of(other))

    def __rtruediv__(self, other: float) -> "Real":
        return self._emit(self.builder.fdiv, self.of(other), self.value)

    def __neg__(self) -> "Real":
        return Real(self.builder, self.builder.fneg(self.value))

    def __lt__(self, other: "Real | float") -> Mask:
        return self._compare("<", other)

    def __le__(self, other: "Real | float") -> Mask:
        return self._compare("<=", other)

    def __gt__(self, other: "Real | float") -> Mask:
        return self._compare(">", other)

    def __ge__(self, other: "Real | float") -> Mask:
        return self._compare(">=", other)

    def __eq__(self, other: object) -> Mask:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Mask:  # type: ignore[override]
        return Mask(self.builder, self.builder.fcmp_unordered("!=", self.value, self.of(other)))

    __hash__ = None  # type: ignore[assignment]

    def _compare(self, relation: str, other: Any) -> Mask:
        return Mask(self.builder, self.builder.fcmp_ordered(relation, self.value, self.of(other)))

    def bits(self) -> Word:
        """The 64 bits of each."""
        return Word(self.builder, self.builder.bitcast(self.value, self._type(_LONG)))

    def is_nan(self) -> Mask:
        return self != self

    def __abs__(self) -> "Real":
        return self._intrinsic("fabs")

    def sqrt(self) -> "Real":
        """Correctly rounded; nan below zero."""
        return self._intrinsic("sqrt")

    def floor(self) -> "Real":
        return self._intrinsic("floor")

    def ceil(self) -> "Real":
        return self._intrinsic("ceil")

    def copysign(self, sign: "Real") -> "Real":
        """These absolute values with the signs of others."""
        return self._intrinsic("copysign", sign)

    def fma(self, factor: "Real | float", summand: "Real | float") -> "Real":
        """self * factor + summand with one rounding, whatever the processor has."""
        return self._intrinsic("fma", factor, summand)

    def scaled(self, k: "Real") -> "Real":
        """2**k times this, for whole k from -2000 to 2000; rounded once, so that it may be subnormal."""
        kind = self.value.type
        if isinstance(kind, ir.VectorType) and kind.count % 8 == 0 and processor_has("avx512f"):
            return self._scaled_by_instruction(k)
        whole = (k + ROUND).bits() - _ROUND_BITS
        half = whole.signed_shift(1)  # two steps, since 2**k itself may be out of range
        return self * ((half + 1023) << 52).double() * ((whole - half + 1023) << 52).double()

    def _scaled_by_instruction(self, k: "Real") -> "Real":
        """AVX-512 does it in one."""
        builder, count = self.builder, self.value.type.count
        result = None
        for first in range(0, count, 8):
            part = ir.Constant(ir.VectorType(ir.IntType(32), 8), list(range(first, first + 8)))
            x, power = (builder.shuffle_vector(one, one, part) for one in (self.value, k.value))
            eighth = _call(
                builder, "llvm.x86.avx512.mask.scalef.pd.512", x.type, x, power, x, ir.IntType(8)(-1), ir.IntType(32)(4)
            )
            result = eighth if result is None else _joined(builder, result, eighth)
        return Real(builder, result)

    def each(self, name: str, *others: "Real") -> "Real":
        """A function of the C library, element by element: slow, for arguments that are rare."""
        kind, values = self.value.type, [self.value, *(other.value for other in others)]
        if not isinstance(kind, ir.VectorType):
            return Real(self.builder, _call(self.builder, name, _DOUBLE, *values))
        result = ir.Constant(kind, ir.Undefined)
        for place in range(kind.count):
            index = ir.IntType(32)(place)
            one = _call(self.builder, name, _DOUBLE, *(self.builder.extract_element(v, index) for v in values))
            result = self.builder.insert_element(result, one, index)
        return Real(self.builder, result)

    def fenced(self) -> "Real":
        """The same numbers, of which LLVM does not see how they came about; no instruction."""
        return self._intrinsic("arithmetic.fence")

    def _intrinsic(self, name: str, *others: Any) -> "Real":
        kind = self.value.type
        suffix = f"v{kind.count}f64" if isinstance(kind, ir.VectorType) else "f64"
        return Real(
            self.builder, _call(self.builder, f"llvm.{name}.{suffix}", kind, self.value, *map(self.of, others))
        )


def where(mask: Mask, yes: "Real | float", no: "Real | float") -> Real:
    """`yes` where the mask is true, else `no`."""
    like = mask.value.type
    chosen = [one.value if isinstance(one, Real) else constant(like, _DOUBLE, one) for one in (yes, no)]
    return Real(mask.builder, mask.builder.select(mask.value, *chosen))


def like(x: Real, number: float) -> Real:
    """The number as often as x has numbers."""
    return Real(x.builder, x.of(number))


def polynomial(x: Real, *coefficients: float) -> Real:
    """Sum of coefficients[k] x**k, by Horner's rule."""
    result: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = x * result + coefficient
    return result  # type: ignore[no-any-return]


def rarely(mask: Mask, usual: Real, unusual: Callable[[], Real]) -> Real:
    """`unusual()` where the mask is true, else `usual`; its code is jumped over while the mask is false everywhere."""
    builder = mask.builder
    before = builder.block
    with builder.if_then(mask.any(), likely=False):
        special = where(mask, unusual(), usual)
        inside = builder.block
    result = builder.phi(usual.value.type)
    result.add_incoming(usual.value, before)
    result.add_incoming(special.value, inside)
    return Real(builder, result)


def _joined(builder: ir.IRBuilder, first: Any, second: Any) -> Any:
    """The elements of the first vector, and then those of the second, which is not longer."""
    n, more = first.type.count, second.type.count
    if n > more:  # shuffles take vectors of one length
        widening = ir.Constant(ir.VectorType(ir.IntType(32), n), [*range(more)] + [0] * (n - more))
        second = builder.shuffle_vector(second, second, widening)
    order = [*range(n), *range(n, n + more)]
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), n + more), order))


def _call(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: Any) -> Any:
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
    return builder.call(function, arguments)
