"""What is compiled of an energy: four tile functions, and the drivers that run them over many points.

A program depends on an energy's form, never on the numbers in it. Theta and the energy's data travel in one vector,
`packed`, that every tile function takes: new numbers compile nothing.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm._compile import (
    ENERGY_SIGNATURE,
    GRAD_SIGNATURE,
    GRAD_THETA_SIGNATURE,
    HVP_SIGNATURE,
    TILE,
    TILES,
    VECTOR,
    Compiled,
    compiled,
    energy_at,
    explained_index_errors,
    grad_at,
    grad_theta_at,
    hvp_at,
    inlined,
)
from fastebm.tiles import LANES

Maker = Callable[[], Callable[..., Any]]

_PARALLEL_FROM = 2**17  # points times numbers that each one touches; below, a thread costs more than it saves


class Makers(NamedTuple):
    """What makes the tile functions of an energy, called when they are first needed; signatures in `_compile`."""

    energy: Maker
    grad: Maker
    grad_theta: Maker
    hvp: Maker


@dataclass(frozen=True)
class Program:
    """The tile functions of an energy; signatures in `_compile`.

    `key` names the program for the disk cache, None if it has no reproducible name. `n_packed` is the length of the
    vector that the functions take. `duals` gives the same program with derivatives from dual numbers on single points,
    by which adjoints are checked; None where there is no scalar function behind it.
    """

    dim: int
    n_params: int
    n_packed: int
    key: str | None
    energy: Compiled
    grad: Compiled
    grad_theta: Compiled
    hvp: Compiled
    duals: Callable[[], "Program"] | None = None


def build(
    dim: int, n_params: int, n_packed: int, name: str, key: str | None, makers: Makers,
    more: Mapping[str, Mapping[str, Any]] | None = None, duals: Callable[[], Program] | None = None,
) -> Program:
    """A program from makers of tile functions.

    `more` is what `Compiled` is told beside, by the face's name; with is_derived, a face is so from the energy.
    """
    signatures = (ENERGY_SIGNATURE, GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, HVP_SIGNATURE)
    faces: dict[str, Compiled] = {}
    for (face, make), signature in zip(makers._asdict().items(), signatures, strict=True):
        options = dict((more or {}).get(face, {}))
        if options.pop("is_derived", False):
            options["derived_from"] = faces["energy"]
        faces[face] = Compiled(make, signature, key and f"{face} of {key}", f"{face} of {name}", **options)
    return Program(dim, n_params, n_packed, key, **faces, duals=duals)


def composed(compose: Callable[..., Program]) -> Callable[..., Program]:
    """A maker of programs from programs and settings that remembers what it made; on duals where its parts are."""

    @functools.lru_cache(maxsize=256)
    def program(*arguments: Any) -> Program:
        whole = compose(*arguments)

        def on_duals() -> Program:
            return program(*(one.duals() if isinstance(one, Program) and one.duals else one for one in arguments))

        is_on_duals = all(one.duals for one in arguments if isinstance(one, Program))
        return replace(whole, duals=on_duals) if is_on_duals else whole

    return program


@inlined
def _fill(x, X, start, n):  # type: ignore[no-untyped-def]
    """x[:, l] = X[start + l] for l < n, and the last of these points in the columns that are left over.

    Written as loops, here and below: Numba compiles for seconds where slices of arrays are assigned.
    """
    for l in range(x.shape[1]):
        row = start + min(l, n - 1)
        for i in range(x.shape[0]):
            x[i, l] = X[row, i]


@compiled(types.void(types.float64, VECTOR, TILE, VECTOR, types.intp, types.intp, types.intp))
def _energies(energy, packed, X, out, first, last, width):  # type: ignore[no-untyped-def]
    """out[first:last] = E(X[first:last]) for points X (n, dim), a tile of `width` at a time."""
    dim, energy_there = X.shape[1], energy_at(energy)
    scratch, values = np.empty(dim * width), np.empty(width)
    for start in range(first, last, width):
        n = min(width, last - start)
        n_columns = -(-n // LANES) * LANES
        x = scratch[: dim * n_columns].reshape((dim, n_columns))
        _fill(x, X, start, n)
        energy_there(x, packed, values[:n_columns])
        for l in range(n):
            out[start + l] = values[l]


@compiled(types.void(types.float64, VECTOR, TILE, VECTOR, TILE, types.intp, types.intp, types.intp))
def _energies_and_grads(grad, packed, X, energies, slopes, first, last, width):  # type: ignore[no-untyped-def]
    """energies[first:last] and slopes[first:last] = E and dE/dx at X[first:last]."""
    dim, grad_there = X.shape[1], grad_at(grad)
    scratch, values = np.empty(2 * dim * width), np.empty(width)
    for start in range(first, last, width):
        n = min(width, last - start)
        n_columns = -(-n // LANES) * LANES
        x = scratch[: dim * n_columns].reshape((dim, n_columns))
        g = scratch[dim * width : dim * (width + n_columns)].reshape((dim, n_columns))
        _fill(x, X, start, n)
        grad_there(x, packed, values[:n_columns], g)
        for l in range(n):
            energies[start + l] = values[l]
            for i in range(dim):
                slopes[start + l, i] = g[i, l]


@compiled(types.void(types.float64, VECTOR, TILE, TILE, TILE, types.intp, types.intp, types.intp))
def _hvps(hvp, packed, X, V, out, first, last, width):  # type: ignore[no-untyped-def]
    """out[first:last] = d2E/dx2 V at X[first:last], all (n, dim)."""
    dim, hvp_there = X.shape[1], hvp_at(hvp)
    scratch = np.empty((4, dim * width))
    for start in range(first, last, width):
        n = min(width, last - start)
        n_columns = -(-n // LANES) * LANES
        x, v, g, h = [scratch[k, : dim * n_columns].reshape((dim, n_columns)) for k in range(4)]
        _fill(x, X, start, n)
        _fill(v, V, start, n)
        hvp_there(x, v, packed, g, h)
        for l in range(n):
            for i in range(dim):
                out[start + l, i] = h[i, l]


@compiled(types.void(types.float64, VECTOR, TILE, TILES, types.intp, types.intp, types.intp))
def _hessians(hvp, packed, X, out, first, last, width):  # type: ignore[no-untyped-def]
    """out[first:last] = d2E/dx2 at X[first:last], (n, dim, dim); or of its diagonal, (n, dim, 1)."""
    dim, hvp_there = X.shape[1], hvp_at(hvp)
    scratch = np.empty((4, dim * width))
    for start in range(first, last, width):
        n = min(width, last - start)
        n_columns = -(-n // LANES) * LANES
        x, v, g, h = [scratch[k, : dim * n_columns].reshape((dim, n_columns)) for k in range(4)]
        _fill(x, X, start, n)
        v[:, :] = 0.0
        for i in range(dim):
            v[i, :] = 1.0
            hvp_there(x, v, packed, g, h)
            v[i, :] = 0.0
            for l in range(n):
                if out.shape[2] == 1:
                    out[start + l, i, 0] = h[i, l]
                else:
                    for j in range(dim):
                        out[start + l, i, j] = h[j, l]


@compiled(types.void(types.float64, VECTOR, TILE, VECTOR, TILE, types.intp[::1], types.intp, types.intp, types.intp))
def _add_grad_thetas(grad_theta, packed, X, weights, sums, bounds, first, last, width):  # type: ignore[no-untyped-def]
    """sums[k] += sum of weights[n] dE/dtheta at X[n] over n from bounds[k] to bounds[k + 1], for first <= k < last."""
    dim, grad_theta_there = X.shape[1], grad_theta_at(grad_theta)
    scratch, weighted = np.empty(dim * width), np.empty(width)
    for k in range(first, last):
        for start in range(bounds[k], bounds[k + 1], width):
            n = min(width, bounds[k + 1] - start)
            n_columns = -(-n // LANES) * LANES
            x = scratch[: dim * n_columns].reshape((dim, n_columns))
            _fill(x, X, start, n)
            for l in range(n_columns):
                weighted[l] = weights[start + l] if l < n else 0.0
            grad_theta_there(x, packed, weighted[:n_columns], sums[k])


@compiled(types.void(types.float64, VECTOR, TILE, TILE, types.intp, types.intp))
def _grad_thetas(grad_theta, packed, X, out, first, last):  # type: ignore[no-untyped-def]
    """out[first:last] = dE/dtheta at X[first:last], (n, n_params); a tile for each point."""
    grad_theta_there = grad_theta_at(grad_theta)
    one = np.zeros(LANES)
    one[0] = 1.0
    x = np.empty((X.shape[1], LANES))
    for row in range(first, last):
        _fill(x, X, row, 1)
        out[row, :] = 0.0
        grad_theta_there(x, packed, one, out[row])


def energies(program: Program, packed: FloatArray, X: FloatArray) -> FloatArray:
    """E at points X (n, dim), as (n,)."""
    out = np.empty(len(X))
    width = tiles.widest(program.dim)
    energy = program.energy.address
    with explained_index_errors(program.energy):
        _spread(lambda first, last: _energies(energy, packed, X, out, first, last, width), len(X), program, len(X))
    return out


def energies_and_grads(program: Program, packed: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E as (n,) and dE/dx as (n, dim) at points X (n, dim)."""
    energies, slopes = np.empty(len(X)), np.empty_like(X)
    width = tiles.widest(program.dim)
    grad = program.grad.address
    with explained_index_errors(program.grad):
        _spread(
            lambda first, last: _energies_and_grads(grad, packed, X, energies, slopes, first, last, width),
            len(X), program, len(X),
        )
    return energies, slopes


def hvps(program: Program, packed: FloatArray, X: FloatArray, V: FloatArray) -> FloatArray:
    """d2E/dx2 V at points X, both (n, dim), as (n, dim)."""
    out = np.empty_like(X)
    width = tiles.widest(program.dim)
    hvp = program.hvp.address
    with explained_index_errors(program.hvp):
        _spread(lambda first, last: _hvps(hvp, packed, X, V, out, first, last, width), len(X), program, len(X))
    return out


def hessians(program: Program, packed: FloatArray, X: FloatArray) -> FloatArray:
    """d2E/dx2 at points X (n, dim), as (n, dim, dim)."""
    return _second(program, packed, X, program.dim)


def laplacians(program: Program, packed: FloatArray, X: FloatArray) -> FloatArray:
    """The traces of d2E/dx2 at points X (n, dim), as (n,)."""
    return np.asarray(_second(program, packed, X, 1).sum(axis=(1, 2)))


def _second(program: Program, packed: FloatArray, X: FloatArray, n_columns: int) -> FloatArray:
    out = np.empty((*X.shape, n_columns))
    width = tiles.widest(program.dim)
    hvp = program.hvp.address
    n = len(X) * program.dim
    with explained_index_errors(program.hvp):
        _spread(lambda first, last: _hessians(hvp, packed, X, out, first, last, width), len(X), program, n)
    return out


def grad_thetas(program: Program, packed: FloatArray, X: FloatArray) -> FloatArray:
    """dE/dtheta at points X (n, dim), as (n, n_params)."""
    out = np.empty((len(X), program.n_params))
    grad_theta = program.grad_theta.address
    with explained_index_errors(program.grad_theta):
        _spread(lambda first, last: _grad_thetas(grad_theta, packed, X, out, first, last), len(X), program, len(X))
    return out


def sum_grad_theta(program: Program, packed: FloatArray, X: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum over points of weights (n,) times dE/dtheta, as (n_params,): the same bits for any number of threads."""
    width = tiles.widest(program.dim, 4 * tiles.WIDEST)  # every tile folds its sums, which takes as long as many points
    groups = tiles.sum_groups(-(-len(X) // width))
    bounds = np.array([width * tile for tile, _ in groups] + [len(X)])  # only the last tile may be cut short
    sums = np.zeros((len(groups), program.n_params))
    grad_theta = program.grad_theta.address
    with explained_index_errors(program.grad_theta):
        _spread(
            lambda first, last: _add_grad_thetas(grad_theta, packed, X, weights, sums, bounds, first, last, width),
            len(groups), program, len(X),
        )
    total = np.zeros(program.n_params)
    for part in sums:
        total += part
    return total


def _spread(call: Callable[[int, int], None], n_items: int, program: Program, n_points: int) -> None:
    """Run `call(first, last)` over the items, on threads where the points are worth it."""
    if n_points:
        is_worth_it = n_points * (program.dim + program.n_packed) >= _PARALLEL_FROM
        n_threads = tiles.threads(None) if is_worth_it else 1
        tiles.run(call, tiles.ranges(n_items, n_threads), n_threads)
