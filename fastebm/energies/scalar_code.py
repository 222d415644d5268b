"""Tile functions around a user's scalar function: a loop over the columns of a tile, on floats or on dual numbers."""

import math
from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any

import numba
import numpy as np
from numba import literal_unroll, types
from numba.core import cgutils, errors
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array

from fastebm._compile import FLAGS, inlined, inlined_checking_indices
from fastebm.lanes import meanings  # noqa: F401 (registers them)
from fastebm.lanes.duals import DUAL, REAL, as_duals, derivative_of, make_dual, value_of

Function = Callable[..., Any]


class ScalarCode:
    """Makers of the tile functions around a user's scalar function."""

    def __init__(
        self,
        function: Any,
        dim: int,
        shapes: dict[str, tuple[int, ...]],
        data_shapes: dict[str, tuple[str, tuple[int, ...]]],
        *,
        takes_theta: bool,
    ) -> None:
        self.dim = dim
        self.n_params = sum(math.prod(shape) for shape in shapes.values())
        self.takes_theta, self.takes_data = takes_theta, bool(data_shapes)
        self.call = self._with_parts(function)
        theta = _parts(shapes, "packed[{start}]", "float64_part(packed, {start}, {shape})")
        duals = _parts(
            shapes, "make_dual(pairs[{start}, 0], pairs[{start}, 1])",
            "as_duals(pairs[{start}:{stop}].reshape({shape} + (2,)))",
        )
        data, start = [], self.n_params
        for kind, shape in data_shapes.values():
            data.append(f"{kind}_part(packed, {start}, {shape})")
            start += math.prod(shape)
        self.unpack = _unpacker("packed", shapes, theta, data_shapes, data)
        rows = _parts(shapes, "out[{start}:{stop}]", "out[{start}:{stop}]")
        self.unpack_rows = _unpacker("out", shapes, rows, {}, [])
        self.unpack_duals = _unpacker("packed, pairs", shapes, duals, data_shapes, data)

    def _with_parts(self, function: Any) -> Any:
        """The function, compiled on demand, with the two arguments x and (theta, data)."""
        user = inlined_checking_indices(function)
        if self.takes_data:
            if self.takes_theta:
                return inlined(lambda x, parts: user(x, parts[0], parts[1]))
            return inlined(lambda x, parts: user(x, parts[1]))
        return inlined((lambda x, parts: user(x, parts[0])) if self.takes_theta else (lambda x, parts: user(x)))

    def energy(self) -> Function:
        call, unpack, dim = self.call, self.unpack, self.dim

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            point = np.empty(dim)
            parts = unpack(packed)
            for l in range(x.shape[1]):
                for i in range(dim):
                    point[i] = x[i, l]
                out[l] = _one_number(call(point, parts))

        return tile_energy

    def adjoint_grad(self, adjoint: Any) -> Function:
        """Of an adjoint along x: (x, theta, data, x_bar, weight) -> the energy."""
        user, unpack, dim = inlined_checking_indices(adjoint), self.unpack, self.dim

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            point, x_bar = np.empty(dim), np.empty(dim)
            theta, data = unpack(packed)
            for l in range(x.shape[1]):
                for i in range(dim):
                    point[i] = x[i, l]
                    x_bar[i] = 0.0
                e[l] = _one_number(user(point, theta, data, x_bar, 1.0))
                for i in range(dim):
                    g[i, l] = x_bar[i]

        return tile_grad

    def adjoint_grad_theta(self, adjoint: Any) -> Function:
        """Of an adjoint along theta: (x, theta, data, theta_bar, weight)."""
        user, unpack, dim, parts = inlined_checking_indices(adjoint), self.unpack, self.dim, self.unpack_rows

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            point = np.empty(dim)
            theta, data = unpack(packed)
            theta_bar = parts(out)[0]
            for l in range(x.shape[1]):
                for i in range(dim):
                    point[i] = x[i, l]
                user(point, theta, data, theta_bar, weights[l])

        return tile_grad_theta

    def adjoint_hvp(self, adjoint: Any) -> Function:
        """Of an adjoint along x, run on dual numbers."""
        user, unpack, dim = inlined_checking_indices(adjoint), self.unpack, self.dim

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            pairs, bars = np.empty((dim, 2)), np.empty((dim, 2))
            point, x_bar = as_duals(pairs), as_duals(bars)
            theta, data = unpack(packed)
            for l in range(x.shape[1]):
                for i in range(dim):
                    pairs[i, 0], pairs[i, 1] = x[i, l], v[i, l]
                    bars[i, 0] = bars[i, 1] = 0.0
                user(point, theta, data, x_bar, 1.0)
                for i in range(dim):
                    g[i, l], h[i, l] = bars[i, 0], bars[i, 1]

        return tile_hvp

    def dual_grad(self) -> Function:
        """On duals, one direction after the other."""
        call, unpack, dim = self.call, self.unpack, self.dim

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            pairs = np.zeros((dim, 2))
            point = as_duals(pairs)
            parts = unpack(packed)
            for l in range(x.shape[1]):
                for i in range(dim):
                    pairs[i, 0] = x[i, l]
                for i in range(dim):
                    pairs[i, 1] = 1.0
                    e[l], g[i, l] = _both(call(point, parts))
                    pairs[i, 1] = 0.0

        return tile_grad

    def dual_grad_theta(self) -> Function:
        """On duals, one parameter after the other."""
        call, unpack_duals, dim, n_params = self.call, self.unpack_duals, self.dim, self.n_params

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            pairs = np.zeros((n_params, 2))
            for k in range(n_params):
                pairs[k, 0] = packed[k]
            x_pairs = np.zeros((dim, 2))  # duals too, so that temporaries made like x can hold those made from theta
            point = as_duals(x_pairs)
            for l in range(x.shape[1]):
                for i in range(dim):
                    x_pairs[i, 0] = x[i, l]
                for k in range(n_params):
                    pairs[k, 1] = 1.0
                    out[k] += weights[l] * _both(call(point, unpack_duals(packed, pairs)))[1]
                    pairs[k, 1] = 0.0

        return tile_grad_theta

    def given_grad(self, function: Any) -> Callable[[], Function]:
        energy, call, unpack, dim = self.call, self._with_parts(function), self.unpack, self.dim

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            point, components = np.empty(dim), np.empty(dim)
            parts = unpack(packed)
            for l in range(x.shape[1]):
                for i in range(dim):
                    point[i] = x[i, l]
                e[l] = _one_number(energy(point, parts))
                _store(call(point, parts), components)
                for i in range(dim):
                    g[i, l] = components[i]

        return lambda: tile_grad

    def given_grad_theta(self, function: Any) -> Callable[[], Function]:
        call, unpack, dim, n_params = self._with_parts(function), self.unpack, self.dim, self.n_params

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            point, components = np.empty(dim), np.empty(n_params)
            parts = unpack(packed)
            for l in range(x.shape[1]):
                for i in range(dim):
                    point[i] = x[i, l]
                _store(call(point, parts), components)
                for k in range(n_params):
                    out[k] += weights[l] * components[k]

        return lambda: tile_grad_theta


def _parts(shapes: dict[str, tuple[int, ...]], scalar: str, array: str) -> list[str]:
    """How the parts of a flat vector are written: numbers and arrays of the given shapes."""
    parts, start = [], 0
    for shape in shapes.values():
        stop = start + math.prod(shape)
        parts.append((array if shape else scalar).format(start=start, stop=stop, shape=shape))
        start = stop
    return parts


def _unpacker(
    arguments: str, theta_names: Iterable[str], theta: list[str], data_names: Iterable[str], data: list[str]
) -> Any:
    """Compiled function of some vectors that gives (theta, data), each with named parts.

    A named tuple of parts of different types can only be written out, so the function's text is made here.
    """
    scope: dict[str, Any] = {
        "theta": namedtuple("theta", list(theta_names)), "data": namedtuple("data", list(data_names)),
        "make_dual": make_dual, "as_duals": as_duals, "float64_part": float64_part, "int64_part": int64_part,
    }
    written = [f"{name}({', '.join(parts)})" if parts else "None" for name, parts in (("theta", theta), ("data", data))]
    exec(f"def unpack({arguments}):\n    return {', '.join(written)}", scope)
    # duals have no Python form to wrap
    return numba.njit(no_cpython_wrapper=True, forceinline=True, **FLAGS)(scope["unpack"])


def _part_of(dtype: Any) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def part(_context: Any, packed: Any, start: Any, shape: Any) -> Any:
        """A read-only array of this shape over the numbers of `packed` from `start` on, which `packed` keeps alive."""
        kind = types.Array(dtype, len(shape), "C", readonly=True)
        sizes = types.UniTuple(types.intp, len(shape))

        def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
            whole = context.make_array(face.args[0])(context, builder, arguments[0])
            view = context.make_array(kind)(context, builder)
            first = builder.gep(whole.data, [arguments[1]])
            extents = cgutils.unpack_tuple(builder, arguments[2])
            steps = [context.get_constant(types.intp, 8)]
            for extent in reversed(extents[1:]):
                steps.insert(0, builder.mul(steps[0], extent))
            populate_array(
                view, data=builder.bitcast(first, context.get_value_type(dtype).as_pointer()), shape=extents,
                strides=steps, itemsize=context.get_constant(types.intp, 8), meminfo=None,
            )
            return view._getvalue()

        return kind(packed, types.intp, sizes), generate

    return part


float64_part, int64_part = _part_of(types.float64), _part_of(types.int64)


def _one_number(value: Any) -> Any:
    return float(value)


@overload(_one_number, strict=False)  # type: ignore[untyped-decorator]
def _one_number_compiled(value: Any) -> Any:
    if isinstance(value, REAL):
        return lambda value: 1.0 * value  # float() takes no bool
    raise errors.NumbaTypeError(f"fastebm: the result is {_in_words(value)}, not one number")


def _both(value: Any) -> Any:
    return value, 0.0


@overload(_both, strict=False)  # type: ignore[untyped-decorator]
def _both_compiled(value: Any) -> Any:
    if value is DUAL:
        return lambda value: (value_of(value), derivative_of(value))
    if isinstance(value, REAL):
        return lambda value: (1.0 * value, 0.0)
    raise errors.NumbaTypeError(f"fastebm: the result is {_in_words(value)}, not one number")


def _store(values: Any, out: Any) -> None:
    out[:] = values


@overload(_store, strict=False)  # type: ignore[untyped-decorator]
def _store_compiled(values: Any, out: Any) -> Any:
    if isinstance(values, REAL):

        def store_number(values: Any, out: Any) -> None:
            out[0] = values

        return store_number
    if isinstance(values, types.BaseTuple):

        def store_tuple(values: Any, out: Any) -> None:
            k = 0
            for value in literal_unroll(values):
                out[k] = value
                k += 1  # noqa: SIM113 (Numba unrolls no enumerate)

        return store_tuple
    if isinstance(values, types.Array | types.List):

        def store_sequence(values: Any, out: Any) -> None:
            for k in range(len(out)):
                out[k] = values[k]

        return store_sequence
    raise errors.NumbaTypeError(f"fastebm: the gradient is {_in_words(values)}, not a sequence of numbers")


def _in_words(value: Any) -> str:
    if isinstance(value, types.NoneType):
        return "nothing (is a return missing?)"
    if isinstance(value, types.Array):
        return f"an array of {value.ndim} dimension(s)"
    return f"of type {value}"
