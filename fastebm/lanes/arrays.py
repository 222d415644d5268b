"""Arrays of lanes, plain or dual: the x of an energy, a view into tiles, and the temporaries that `eb.zeros` makes.

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

from fastebm.lanes.dual_lanes import DUAL_LANE, packed
from fastebm.lanes.lane import LANE, LaneLike, refuse
from fastebm.lanes.vectors import constant
from fastebm.tiles import LANES

_INDEX = (types.Integer, types.Boolean)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class LaneArray(types.IterableType):  # type: ignore[misc]
    """A row of lanes: `data` the first double, `step` doubles from one lane to the next, `size` lanes.

    Of dual lanes `data` is for the values, and `slopes` in the same way for their derivatives.
    """

    def __init__(self, name: str, dtype: LaneLike) -> None:
        super().__init__(name=name if dtype is LANE else f"{name} of duals")
        self.dtype = dtype

    @property
    def fields(self) -> list[tuple[str, Any]]:
        rows = ["data"] if self.dtype is LANE else ["data", "slopes"]
        return [*((row, types.CPointer(types.float64)) for row in rows), ("step", types.intp), ("size", types.intp)]

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
        super().__init__(f"iterator of {array.name}", array.dtype)
        self.array = array


LANE_VIEW, DUAL_VIEW = (LaneView("lanes", dtype) for dtype in (LANE, DUAL_LANE))
OWNED_LANES, OWNED_DUALS = (OwnedLanes("own lanes", dtype) for dtype in (LANE, DUAL_LANE))
WRITABLE_LANES, WRITABLE_DUALS = (WritableLanes("writable lanes", dtype) for dtype in (LANE, DUAL_LANE))
_WRITABLE = (OwnedLanes, WritableLanes)


@register_model(LaneView)
@register_model(WritableLanes)
class _ViewModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.fields)


@register_model(OwnedLanes)
class _OwnedModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [*kind.fields, ("owner", types.MemInfoPointer(types.voidptr))])


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


def _view_of_tiles(kind: LaneArray) -> Any:
    @intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
    def view_of_tiles(_context: Any, x: Any, slopes: Any, l: Any, size: Any) -> Any:
        """The dual lanes of columns l to l + LANES of two tiles (dim, width), values and derivatives."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            tiles = [context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 1)]
            view = _struct(context, builder, kind)
            view.data, view.slopes = (builder.gep(tile.data, [arguments[2]]) for tile in tiles)
            view.step = cgutils.unpack_tuple(builder, tiles[0].shape)[1]
            view.size = arguments[3]
            return view._getvalue()

        return kind(x, slopes, types.intp, types.intp), generate

    return view_of_tiles


dual_lanes_of, writable_dual_lanes_of = _view_of_tiles(DUAL_VIEW), _view_of_tiles(WRITABLE_DUALS)


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


def _own(kind: LaneArray) -> Any:
    n_rows = 1 if kind.dtype is LANE else 2

    @intrinsic  # type: ignore[untyped-decorator]
    def own(_context: Any, size: Any) -> Any:
        """An array of so many lanes, all zero."""

        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            n_doubles = builder.mul(arguments[0], context.get_constant(types.intp, LANES))
            n_bytes = builder.mul(n_doubles, context.get_constant(types.intp, 8 * n_rows))
            array = _struct(context, builder, kind)
            array.owner = context.nrt.meminfo_alloc(builder, n_bytes)
            memory = context.nrt.meminfo_data(builder, array.owner)
            cgutils.memset(builder, memory, n_bytes, 0)
            array.data = builder.bitcast(memory, ir.DoubleType().as_pointer())
            if n_rows == 2:
                array.slopes = builder.gep(array.data, [n_doubles])
            array.step = context.get_constant(types.intp, LANES)
            array.size = arguments[0]
            return array._getvalue()

        return kind(types.intp), generate

    return own


own_lanes, own_dual_lanes = _own(OWNED_LANES), _own(OWNED_DUALS)


@type_callable(len)  # type: ignore[untyped-decorator]
def _type_len(_context: Any) -> Any:
    return lambda array: types.intp if isinstance(array, LaneArray) else None


@lower_builtin(len, LaneArray)  # type: ignore[untyped-decorator]
def _len(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _struct(context, builder, signature.args[0], arguments[0]).size


@type_callable(operator.getitem)  # type: ignore[untyped-decorator]
def _type_getitem(_context: Any) -> Any:
    return lambda array, i: array.dtype if isinstance(array, LaneArray) and isinstance(i, _INDEX) else None


@lower_builtin(operator.getitem, LaneArray, types.Any)  # type: ignore[untyped-decorator]
def _getitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind, index_kind = signature.args
    array = _struct(context, builder, kind, arguments[0])
    index, is_inside = _wrapped(builder, array, context.cast(builder, arguments[1], index_kind, types.intp))
    index = builder.select(is_inside, index, ir.Constant(index.type, 0))
    nothing = constant(_VECTOR, ir.DoubleType(), float("nan"))
    rows = [builder.select(is_inside, row, nothing) for row in _loaded(builder, kind, array, index)]
    return _element(context, builder, rows)


@type_callable(operator.setitem)  # type: ignore[untyped-decorator]
def _type_setitem(_context: Any) -> Any:
    def typer(array: Any, i: Any, value: Any) -> Any:
        if not isinstance(array, _WRITABLE) or not isinstance(i, _INDEX):
            return None
        is_number = value is array.dtype or array.dtype.can_convert_from(None, value) is not None
        return types.none(array, i, array.dtype) if is_number else None

    return typer


@lower_builtin(operator.setitem, OwnedLanes, types.Any, types.Any)  # type: ignore[untyped-decorator]
@lower_builtin(operator.setitem, WritableLanes, types.Any, types.Any)  # type: ignore[untyped-decorator]
def _setitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind, index_kind, value_kind = signature.args
    array = _struct(context, builder, kind, arguments[0])
    index, is_inside = _wrapped(builder, array, context.cast(builder, arguments[1], index_kind, types.intp))
    value = context.cast(builder, arguments[2], value_kind, kind.dtype)
    rows = [value] if kind.dtype is LANE else cgutils.unpack_tuple(builder, value)
    with builder.if_then(is_inside, likely=True):
        for row, place in zip(rows, _places(builder, kind, array, index), strict=True):
            builder.store(row, place).align = 8
    return context.get_dummy_value()


def _wrapped(builder: Any, array: Any, index: Any) -> tuple[Any, Any]:
    """The index, from the end if negative, and whether it is inside."""
    is_negative = builder.icmp_signed("<", index, ir.Constant(index.type, 0))
    index = builder.select(is_negative, builder.add(index, array.size), index)
    return index, builder.icmp_unsigned("<", index, array.size)


def _places(builder: Any, kind: LaneArray, array: Any, index: Any) -> list[Any]:
    """Where the vectors of an element stand."""
    rows = [array.data] if kind.dtype is LANE else [array.data, array.slopes]
    first = builder.mul(index, array.step)
    return [builder.bitcast(builder.gep(row, [first]), _VECTOR.as_pointer()) for row in rows]


def _loaded(builder: Any, kind: LaneArray, array: Any, index: Any) -> list[Any]:
    loaded = [builder.load(place) for place in _places(builder, kind, array, index)]
    for row in loaded:
        row.align = 8
    return loaded


def _element(context: Any, builder: Any, rows: list[Any]) -> Any:
    return rows[0] if len(rows) == 1 else packed(context, builder, *rows)


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
        result.yield_(_element(context, builder, _loaded(builder, kind.array, array, index)))
        builder.store(builder.add(index, ir.Constant(index.type, 1)), iterator.next)


refuse(
    operator.getitem, 2, lambda array, i: isinstance(array, LaneArray) and not isinstance(i, (*_INDEX, LaneLike)),
    "x takes one index at a time, no slices",
)
