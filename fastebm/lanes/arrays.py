"""Arrays of lanes: the x of an energy, a view into a tile, and the temporaries that `eb.zeros` makes.

Reading outside an array gives nan, and writing there does nothing: compiled code never raises, and an energy that is
nan is reported with its x.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import RefType, iternext_impl
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from fastebm.lanes.lane import LANE, LaneLike, as_real, refuse
from fastebm.lanes.vectors import constant
from fastebm.tiles import LANES

_INDEX = (types.Integer, types.Boolean)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class LaneArray(types.IterableType):  # type: ignore[misc]
    """A row of lanes: `data` the first double, `step` doubles from one lane to the next, `size` lanes."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.dtype = LANE

    @property
    def iterator_type(self) -> Any:
        return LaneIterator(self)


class LaneView(LaneArray):
    """Lanes in memory that somebody else keeps."""


class OwnedLanes(LaneArray):
    """Lanes in memory of their own."""


class WritableLanes(LaneArray):
    """Lanes in memory that somebody else keeps, and lets be written to."""


class LaneIterator(types.SimpleIteratorType):  # type: ignore[misc]
    def __init__(self, array: LaneArray) -> None:
        super().__init__(f"iterator of {array.name}", LANE)
        self.array = array


LANE_VIEW, OWNED_LANES, WRITABLE_LANES = LaneView("lanes"), OwnedLanes("own lanes"), WritableLanes("writable lanes")
_WRITABLE = (OwnedLanes, WritableLanes)
_FIELDS = [("data", types.CPointer(types.float64)), ("step", types.intp), ("size", types.intp)]


@register_model(LaneView)
@register_model(WritableLanes)
class _ViewModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FIELDS)


@register_model(OwnedLanes)
class _OwnedModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [*_FIELDS, ("owner", types.MemInfoPointer(types.voidptr))])


@register_model(LaneIterator)
class _IteratorModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("array", kind.array), ("next", types.EphemeralPointer(types.intp))])


def _struct(context: Any, builder: Any, kind: Any, value: Any = None) -> Any:
    return cgutils.create_struct_proxy(kind)(context, builder, value=value)


def _view_of_tile(kind: LaneArray) -> Any:
    @intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
    def view_of_tile(_context: Any, x: Any, l: Any, size: Any) -> Any:
        """The lanes of columns l to l + LANES of a tile x (dim, width); `size` is dim, as a constant."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            tile = context.make_array(signature.args[0])(context, builder, arguments[0])
            view = _struct(context, builder, kind)
            view.data = builder.gep(tile.data, [arguments[1]])
            view.step = cgutils.unpack_tuple(builder, tile.shape)[1]
            view.size = arguments[2]
            return view._getvalue()

        return kind(x, types.intp, types.intp), generate

    return view_of_tile


lanes_of, writable_lanes_of = _view_of_tile(LANE_VIEW), _view_of_tile(WRITABLE_LANES)


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def part_of_lanes(_context: Any, lanes: Any, start: Any, size: Any) -> Any:
    """Some of the lanes of an array, which keeps the memory."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = _struct(context, builder, signature.args[0], arguments[0])
        view = _struct(context, builder, WRITABLE_LANES)
        view.data = builder.gep(whole.data, [builder.mul(arguments[1], whole.step)])
        view.step = whole.step
        view.size = arguments[2]
        return view._getvalue()

    return WRITABLE_LANES(lanes, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def own_lanes(_context: Any, size: Any) -> Any:
    """An array of so many lanes, all zero."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        n_bytes = builder.mul(arguments[0], context.get_constant(types.intp, 8 * LANES))
        array = _struct(context, builder, OWNED_LANES)
        array.owner = context.nrt.meminfo_alloc(builder, n_bytes)
        memory = context.nrt.meminfo_data(builder, array.owner)
        cgutils.memset(builder, memory, n_bytes, 0)
        array.data = builder.bitcast(memory, ir.DoubleType().as_pointer())
        array.step = context.get_constant(types.intp, LANES)
        array.size = arguments[0]
        return array._getvalue()

    return OWNED_LANES(types.intp), generate


@type_callable(len)  # type: ignore[untyped-decorator]
def _type_len(_context: Any) -> Any:
    return lambda array: types.intp if isinstance(array, LaneArray) else None


@lower_builtin(len, LaneArray)  # type: ignore[untyped-decorator]
def _len(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _struct(context, builder, signature.args[0], arguments[0]).size


@type_callable(operator.getitem)  # type: ignore[untyped-decorator]
def _type_getitem(_context: Any) -> Any:
    return lambda array, i: LANE if isinstance(array, LaneArray) and isinstance(i, _INDEX) else None


@lower_builtin(operator.getitem, LaneArray, types.Any)  # type: ignore[untyped-decorator]
def _getitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind, index_kind = signature.args
    array = _struct(context, builder, kind, arguments[0])
    index, is_inside = _wrapped(builder, array, context.cast(builder, arguments[1], index_kind, types.intp))
    index = builder.select(is_inside, index, ir.Constant(index.type, 0))
    return builder.select(is_inside, _load(builder, array, index), constant(_VECTOR, ir.DoubleType(), float("nan")))


@type_callable(operator.setitem)  # type: ignore[untyped-decorator]
def _type_setitem(_context: Any) -> Any:
    def typer(array: Any, i: Any, value: Any) -> Any:
        is_number = isinstance(value, (LaneLike, types.Number, types.Boolean))
        return types.none if isinstance(array, _WRITABLE) and isinstance(i, _INDEX) and is_number else None

    return typer


@lower_builtin(operator.setitem, OwnedLanes, types.Any, types.Any)  # type: ignore[untyped-decorator]
@lower_builtin(operator.setitem, WritableLanes, types.Any, types.Any)  # type: ignore[untyped-decorator]
def _setitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind, index_kind, value_kind = signature.args
    array = _struct(context, builder, kind, arguments[0])
    index, is_inside = _wrapped(builder, array, context.cast(builder, arguments[1], index_kind, types.intp))
    value = as_real(context, builder, value_kind, arguments[2]).value
    with builder.if_then(is_inside, likely=True):
        stored = builder.store(value, _place(builder, array, index))
        stored.align = 8
    return context.get_dummy_value()


def _wrapped(builder: Any, array: Any, index: Any) -> tuple[Any, Any]:
    """The index, from the end if negative, and whether it is inside."""
    is_negative = builder.icmp_signed("<", index, ir.Constant(index.type, 0))
    index = builder.select(is_negative, builder.add(index, array.size), index)
    return index, builder.icmp_unsigned("<", index, array.size)


def _place(builder: Any, array: Any, index: Any) -> Any:
    first = builder.gep(array.data, [builder.mul(index, array.step)])
    return builder.bitcast(first, _VECTOR.as_pointer())


def _load(builder: Any, array: Any, index: Any) -> Any:
    loaded = builder.load(_place(builder, array, index))
    loaded.align = 8
    return loaded


@lower_builtin("getiter", LaneArray)  # type: ignore[untyped-decorator]
def _getiter(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    iterator = _struct(context, builder, signature.return_type)
    iterator.array = arguments[0]
    iterator.next = cgutils.alloca_once_value(builder, context.get_constant(types.intp, 0))
    if context.enable_nrt:
        context.nrt.incref(builder, signature.args[0], arguments[0])
    return iterator._getvalue()


@lower_builtin("iternext", LaneIterator)  # type: ignore[untyped-decorator]
@iternext_impl(RefType.UNTRACKED)  # type: ignore[untyped-decorator]
def _iternext(context: Any, builder: Any, signature: Any, arguments: Any, result: Any) -> None:
    kind = signature.args[0]
    iterator = _struct(context, builder, kind, arguments[0])
    array = _struct(context, builder, kind.array, iterator.array)
    index = builder.load(iterator.next)
    is_valid = builder.icmp_signed("<", index, array.size)
    result.set_valid(is_valid)
    with builder.if_then(is_valid):
        result.yield_(_load(builder, array, index))
        builder.store(builder.add(index, ir.Constant(index.type, 1)), iterator.next)


refuse(
    operator.getitem, 2, lambda array, i: isinstance(array, LaneArray) and not isinstance(i, (*_INDEX, LaneLike)),
    "x takes one index at a time, no slices",
)
