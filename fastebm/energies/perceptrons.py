"""The tile functions of a perceptron's energy: a lane of points at a time, layer by layer, by blocked products.

The packed vector is theta, center (dim,), scale (dim,), the widths of the hidden layers and their number; so networks
of all shapes with one activation share machine code. Scratch has a row for each coordinate of z and then for each
hidden unit, from the first layer to the last; a row is a lane of points.
"""

import functools
from typing import Any

import numpy as np

from fastebm._compile import (
    ENERGY_SIGNATURE,
    GRAD_SIGNATURE,
    GRAD_THETA_SIGNATURE,
    HVP_SIGNATURE,
    Compiled,
    inlined,
)
from fastebm.energies.activations import ACTIVATIONS
from fastebm.lanes.lane import as_lane, lane_sum, load, load_row, store, store_row
from fastebm.lanes.language import where
from fastebm.lanes.products import add_outer, add_product, rows
from fastebm.tiles import LANES


@functools.cache
def faces(activation: str) -> tuple[Compiled, Compiled, Compiled, Compiled]:
    """energy, grad, grad_theta and hvp of networks with this activation, for networks of all shapes."""
    makers = {
        "energy": (_energy, ENERGY_SIGNATURE), "grad": (_grad, GRAD_SIGNATURE),
        "grad_theta": (_grad_theta, GRAD_THETA_SIGNATURE), "hvp": (_hvp, HVP_SIGNATURE),
    }
    f = inlined(ACTIVATIONS[activation])
    energy, grad, grad_theta, hvp = (
        Compiled(functools.partial(make, f), signature, f"{face} of MLP {activation}", f"{face} of MLP")
        for face, (make, signature) in makers.items()
    )
    return energy, grad, grad_theta, hvp


@inlined
def _sizes(packed, dim):  # type: ignore[no-untyped-def]
    """Numbers of inputs and of units of each hidden layer, their sum, and where center begins in packed."""
    n_layers = int(packed[-1])
    sizes = np.empty(n_layers + 1, np.int64)
    sizes[0] = n_rows = dim
    for layer in range(n_layers):
        sizes[layer + 1] = int(packed[len(packed) - 1 - n_layers + layer])
        n_rows += sizes[layer + 1]
    return sizes, n_rows, len(packed) - 1 - n_layers - 2 * dim


@inlined
def _weights(theta, start, sizes, layer):  # type: ignore[no-untyped-def]
    """The matrix (units, inputs) of a layer in a vector like theta, where it begins at `start`."""
    fan_in, n = sizes[layer - 1], sizes[layer]
    return theta[start : start + n * fan_in].reshape((n, fan_in))


@inlined
def _forward(x, l, packed, sizes, center, activate, active, slopes, curves):  # type: ignore[no-untyped-def]
    """Fill `active` with z and the activations of the points x[:, l : l + LANES]; `activate` does one row.

    Returns where w_out begins in packed.
    """
    dim = sizes[0]
    for i in range(dim):
        store(active, i, 0, (load(x, i, l) - packed[center + i]) / packed[center + dim + i])
    start, first = 0, dim
    for layer in range(1, len(sizes)):
        fan_in, n = sizes[layer - 1], sizes[layer]
        weights = _weights(packed, start, sizes, layer)
        start += n * fan_in
        for j in range(n):
            store(active, first + j, 0, as_lane(packed[start + j]))
        add_product(weights, active[first - fan_in : first], active[first : first + n], 0)
        for row in range(first, first + n):
            activate(active, slopes, curves, row)
        start += n
        first += n
    return start


@inlined
def _energy_of(active, packed, dim, start):  # type: ignore[no-untyped-def]
    """The energy of a lane of points whose last layer meets the output weights from `start` on."""
    square = as_lane(0.0)
    for i in range(dim):
        square += load(active, i, 0) * load(active, i, 0)
    network = as_lane(0.0)
    n_rows = len(active)
    last = int(packed[-2])
    for j in range(last):
        network += packed[start + j] * load(active, n_rows - last + j, 0)
    square *= 0.5
    return where(square == np.inf, square, square + network)  # the network may overflow too; the quadratic term wins


@inlined
def _pulled_down(weights, adjoint, first):  # type: ignore[no-untyped-def]
    """Adjoints of a layer's inputs, in the rows above `first`, from those of its sums, in the rows from there on."""
    n, fan_in = weights.shape
    for row in range(first - fan_in, first):
        store(adjoint, row, 0, as_lane(0.0))
    add_product(weights.T, adjoint[first : first + n], adjoint[first - fan_in : first], 0)


def _energy(f: Any) -> Any:
    @inlined
    def activate(active, slopes, curves, row):  # type: ignore[no-untyped-def]
        store(active, row, 0, f(load(active, row, 0))[0])

    def energy(x, packed, e):  # type: ignore[no-untyped-def]
        dim, width = x.shape
        sizes, n_rows, center = _sizes(packed, dim)
        active = rows(n_rows)
        for l in range(0, width, LANES):
            start = _forward(x, l, packed, sizes, center, activate, active, active, active)
            store_row(e, l, _energy_of(active, packed, dim, start))

    return energy


def _with_slopes(f: Any) -> Any:
    """What keeps the slopes of a row of units beside their activations."""

    @inlined
    def activate(active, slopes, curves, row):  # type: ignore[no-untyped-def]
        value, slope, _ = f(load(active, row, 0))
        store(active, row, 0, value)
        store(slopes, row, 0, slope)

    return activate


def _grad(f: Any) -> Any:
    activate = _with_slopes(f)

    def grad(x, packed, e, g):  # type: ignore[no-untyped-def]
        dim, width = x.shape
        sizes, n_rows, center = _sizes(packed, dim)
        active, slopes, adjoint = rows(n_rows), rows(n_rows), rows(n_rows)
        for l in range(0, width, LANES):
            start = _forward(x, l, packed, sizes, center, activate, active, slopes, slopes)
            store_row(e, l, _energy_of(active, packed, dim, start))
            first = n_rows - sizes[-1]
            for j in range(sizes[-1]):
                store(adjoint, first + j, 0, as_lane(packed[start + j]))
            for layer in range(len(sizes) - 1, 0, -1):
                fan_in, n = sizes[layer - 1], sizes[layer]
                start -= n + n * fan_in
                for row in range(first, first + n):
                    store(adjoint, row, 0, load(adjoint, row, 0) * load(slopes, row, 0))
                _pulled_down(_weights(packed, start, sizes, layer), adjoint, first)
                first -= fan_in
            for i in range(dim):
                store(g, i, l, (load(active, i, 0) + load(adjoint, i, 0)) / packed[center + dim + i])

    return grad


def _grad_theta(f: Any) -> Any:
    activate = _with_slopes(f)

    def grad_theta(x, packed, weights_of_points, out):  # type: ignore[no-untyped-def]
        dim, width = x.shape
        sizes, n_rows, center = _sizes(packed, dim)
        active, slopes, adjoint = rows(n_rows), rows(n_rows), rows(n_rows)
        turned = rows(sizes.max()).reshape((LANES, sizes.max()))
        for l in range(0, width, LANES):
            start = _forward(x, l, packed, sizes, center, activate, active, slopes, slopes)
            first = n_rows - sizes[-1]
            weight = load_row(weights_of_points, l)
            for j in range(sizes[-1]):
                out[start + j] += lane_sum(weight * load(active, first + j, 0))
                store(adjoint, first + j, 0, weight * packed[start + j])
            for layer in range(len(sizes) - 1, 0, -1):
                fan_in, n = sizes[layer - 1], sizes[layer]
                start -= n
                for j in range(n):
                    slope = load(adjoint, first + j, 0) * load(slopes, first + j, 0)
                    store(adjoint, first + j, 0, slope)
                    out[start + j] += lane_sum(slope)
                start -= n * fan_in
                above, below = adjoint[first : first + n], active[first - fan_in : first]
                add_outer(above, below, turned, _weights(out, start, sizes, layer))
                if layer > 1:
                    _pulled_down(_weights(packed, start, sizes, layer), adjoint, first)
                first -= fan_in

    return grad_theta


def _hvp(f: Any) -> Any:
    @inlined
    def activate(active, slopes, curves, row):  # type: ignore[no-untyped-def]
        value, slope, curve = f(load(active, row, 0))
        store(active, row, 0, value)
        store(slopes, row, 0, slope)
        store(curves, row, 0, curve)

    def hvp(x, v, packed, g, h):  # type: ignore[no-untyped-def]
        dim, width = x.shape
        sizes, n_rows, center = _sizes(packed, dim)
        active, slopes, curves = rows(n_rows), rows(n_rows), rows(n_rows)
        moved, adjoint, adjoint_moved = rows(n_rows), rows(n_rows), rows(n_rows)
        for l in range(0, width, LANES):
            start = _forward(x, l, packed, sizes, center, activate, active, slopes, curves)
            _move(v, l, packed, sizes, center, moved, slopes, curves)
            first = n_rows - sizes[-1]
            for j in range(sizes[-1]):
                store(adjoint, first + j, 0, as_lane(packed[start + j]))
                store(adjoint_moved, first + j, 0, as_lane(0.0))
            for layer in range(len(sizes) - 1, 0, -1):
                fan_in, n = sizes[layer - 1], sizes[layer]
                start -= n + n * fan_in
                for row in range(first, first + n):
                    above, slope = load(adjoint, row, 0), load(slopes, row, 0)
                    store(adjoint, row, 0, above * slope)
                    store(adjoint_moved, row, 0, load(adjoint_moved, row, 0) * slope + above * load(curves, row, 0))
                weights = _weights(packed, start, sizes, layer)
                _pulled_down(weights, adjoint, first)
                _pulled_down(weights, adjoint_moved, first)
                first -= fan_in
            for i in range(dim):
                scale = packed[center + dim + i]
                store(g, i, l, (load(active, i, 0) + load(adjoint, i, 0)) / scale)
                store(h, i, l, (load(moved, i, 0) + load(adjoint_moved, i, 0)) / scale)

    return hvp


@inlined
def _move(v, l, packed, sizes, center, moved, slopes, curves):  # type: ignore[no-untyped-def]
    """Fill `moved` with the derivatives of z and the activations along v; curvatures become derivatives of slopes."""
    dim = sizes[0]
    for i in range(dim):
        store(moved, i, 0, load(v, i, l) / packed[center + dim + i])
    start, first = 0, dim
    for layer in range(1, len(sizes)):
        fan_in, n = sizes[layer - 1], sizes[layer]
        for row in range(first, first + n):
            store(moved, row, 0, as_lane(0.0))
        weights = _weights(packed, start, sizes, layer)
        add_product(weights, moved[first - fan_in : first], moved[first : first + n], 0)
        for row in range(first, first + n):
            along = load(moved, row, 0)
            store(moved, row, 0, along * load(slopes, row, 0))
            store(curves, row, 0, along * load(curves, row, 0))
        start += n * fan_in + n
        first += n
