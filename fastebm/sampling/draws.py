"""Draws as they are kept: columns of a tile become rows of an array, four at a time."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastebm._compile import inlined_borrowing
from fastebm.lanes.lane import loaded, place, stored

_SIDE = 4  # columns that are turned at a time
_LINE = 8  # numbers in a cache line
_SHORT = 64  # numbers; the processor itself foresees what comes in longer rows


@inlined_borrowing
def keep(x, e, n_columns, first, draw, draws, energies, columns):  # type: ignore[no-untyped-def]
    """The first columns of a tile as draw number `draw` of the chains from `first`.

    Parameters
    ----------
    x, e : (dim, width) and (width,) positions and energies.
    draws, energies : (n_chains, n_draws, n) and (n_chains, n_draws), written to.
    columns : (dim,) the places of coordinates in the last axis of draws, 0 to dim - 1 where that is no longer.
    """
    dim, n = x.shape[0], draws.shape[2]
    is_short = n <= _SHORT
    n_turned = n_columns - n_columns % _SIDE if dim == n else 0
    for l in range(0, n_turned, _SIDE):
        c = first + l
        for i in range(0, dim - 3, 4):
            _turn_four(x, i, l, draws, c, draw)
        if dim % 4 >= 2:
            _turn_two(x, dim // 4 * 4, l, draws, c, draw)
        if dim % 2:
            _turn_one(x, dim - 1, l, draws, c, draw)
        for k in range(_SIDE):
            energies[c + k, draw] = e[l + k]
            if is_short:
                _foresee_next(draws, energies, c + k, draw)
    for l in range(n_turned, n_columns):
        c = first + l
        for i in range(dim):
            draws[c, draw, columns[i]] = x[i, l]
        energies[c, draw] = e[l]
        if is_short:
            _foresee_next(draws, energies, c, draw)


@inlined_borrowing
def _foresee_next(draws, energies, c, draw):  # type: ignore[no-untyped-def]
    """Rows of chains lie far apart: let the next lines come while the kernel is at work.

    A loop over a row's lines would take the registers of the loop around it: up to eight are asked for one by one.
    """
    end = draws.shape[2] - 1
    _foresee(draws, (c, draw + 1, min(_LINE - 1, end)))  # the first line that is not this draw's last
    _foresee(draws, (c, draw + 1, end))
    if end >= 2 * _LINE:
        _foresee(draws, (c, draw + 1, 2 * _LINE - 1))
        _foresee(draws, (c, draw + 1, min(3 * _LINE - 1, end)))
    if end >= 4 * _LINE:
        _foresee(draws, (c, draw + 1, 4 * _LINE - 1))
        _foresee(draws, (c, draw + 1, min(5 * _LINE - 1, end)))
        _foresee(draws, (c, draw + 1, min(6 * _LINE - 1, end)))
        _foresee(draws, (c, draw + 1, min(7 * _LINE - 1, end)))
    if draw % _LINE == 0:
        _foresee(energies, (c, draw + _LINE))


def _turner(n_rows: int) -> Any:
    """The compiled function: draws[c : c + 4, draw, i : i + n_rows] = x[i : i + n_rows, l : l + 4], transposed."""

    @intrinsic  # type: ignore[untyped-decorator]
    def turn(_context: Any, x: Any, i: Any, l: Any, draws: Any, c: Any, draw: Any) -> Any:
        def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
            x, i, l, draws, c, draw = arguments
            row, column = (ir.VectorType(ir.DoubleType(), n) for n in (_SIDE, n_rows))
            rows = [
                loaded(builder, place(context, builder, face.args[0], x, [builder.add(i, i.type(r)), l], row))
                for r in range(n_rows)
            ]
            for k in range(_SIDE):
                there = place(context, builder, face.args[3], draws, [builder.add(c, c.type(k)), draw, i], column)
                stored(builder, _column(builder, rows, k), there)
            return context.get_dummy_value()

        return types.void(x, types.intp, types.intp, draws, types.intp, types.intp), generate

    return turn


def _column(builder: Any, rows: list[Any], k: int) -> Any:
    """Number k of each row, as a vector: by pairs, and pairs of pairs."""
    parts, places = rows, [k, _SIDE + k]
    if len(rows) == 1:
        return _shuffled(builder, rows[0], rows[0], [k])
    while len(parts) > 1:
        parts = [_shuffled(builder, *pair, places) for pair in zip(parts[::2], parts[1::2], strict=True)]
        places = [*range(2 * len(places))]
    return parts[0]


def _shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))


_turn_four, _turn_two, _turn_one = (_turner(n) for n in (4, 2, 1))


@intrinsic  # type: ignore[untyped-decorator]
def _foresee(_context: Any, array: Any, indices: Any) -> Any:
    """Ask for the cache line of array[indices], to write to it soon; a place beyond the array's end does no harm."""
    numbers = ir.IntType(32)

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        array, indices = arguments
        indices = cgutils.unpack_tuple(builder, indices)
        there = place(context, builder, face.args[0], array, indices, ir.IntType(8))
        prefetch: Callable[..., Any] = builder.module.declare_intrinsic(
            "llvm.prefetch", [cgutils.voidptr_t],
            ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, numbers, numbers, numbers]),
        )
        is_write, stays, is_data = numbers(1), numbers(3), numbers(1)
        builder.call(prefetch, [there, is_write, stays, is_data])
        return context.get_dummy_value()

    return types.void(array, types.UniTuple(types.intp, len(indices))), generate
