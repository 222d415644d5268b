"""A neural network as energy: a multilayer perceptron with a confining quadratic term."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm._compile import ENERGY_SIGNATURE, GRAD_SIGNATURE, GRAD_THETA_SIGNATURE, compiled, inlined
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Program
from fastebm.lanes.scalars import exp


class MLP(Energy):
    """E(x) = |z|**2 / 2 + w^T h(z) with z = (x - center) / scale and h the last hidden layer of a perceptron.

    Layers are h <- swish(W h + b) with swish(a) = a / (1 + exp(-a)). The network grows at most linearly, so that the
    quadratic term wins far out: Z is finite for every theta. With its output weights at zero, where training starts,
    the model is the normal distribution with the given centre and scale.

    Parameters
    ----------
    dim : dimension of x, at least 1.
    hidden : widths of the hidden layers, at least one.
    center, scale : (dim,) or one number; mean and standard deviation of the data are a good choice. scale is above 0.
    rng : for the first weights, normal with variance 1/fan-in; see `fastebm.sample`.

    Notes
    -----
    theta holds `W1` (hidden[0], dim), `b1`, `W2`, `b2`, ... and `w_out` (hidden[-1],). center and scale are data of the
    energy and are not trained.

    References
    ----------
    P. Ramachandran, B. Zoph and Q. V. Le (2017), Searching for activation functions, arXiv:1710.05941.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        *,
        center: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        rng: RNGLike = 0,
    ) -> None:
        dim = _checks.count(dim, "dim")
        if not np.iterable(hidden):
            raise TypeError(f"hidden is {hidden!r}; pass one width for each layer, for example hidden=(64, 64).")
        widths = [_checks.count(width, f"hidden[{place}]") for place, width in enumerate(hidden)]
        if not widths:
            raise ValueError("hidden is empty; pass at least one layer width, for example hidden=(64, 64).")
        middle, spread = _per_coordinate(center, dim, "center"), _per_coordinate(scale, dim, "scale")
        if not (spread > 0.0).all():
            raise ValueError(f"scale has the entry {spread.min()}; pass scales above 0.")
        seed = _checks.seed(rng)
        generator = np.random.default_rng(seed)
        theta: dict[str, FloatArray] = {}
        for layer, (fan_in, width) in enumerate(itertools.pairwise([dim, *widths]), start=1):
            theta[f"W{layer}"] = generator.standard_normal((width, fan_in)) / np.sqrt(fan_in)
            theta[f"b{layer}"] = generator.standard_normal(width)
        theta["w_out"] = np.zeros(widths[-1])
        data = np.concatenate([middle, spread, np.array([*widths, len(widths)], dtype=float)])
        n_params = sum(value.size for value in theta.values())
        program = Program(dim, n_params, n_params + data.size, "MLP", mlp_energy, mlp_grad, mlp_grad_theta)
        self.settings = {
            "dim": dim, "hidden": widths, "center": middle.tolist(), "scale": spread.tolist(), "rng": seed
        }
        super().__init__(program, theta, data=data, name="MLP")

    def describe(self) -> dict[str, Any]:
        return {"type": "MLP", "settings": self.settings}


def _per_coordinate(values: ArrayLike, dim: int, name: str) -> FloatArray:
    given = _checks.finite_array(values, name)
    return np.full(dim, float(given)) if given.ndim == 0 else _checks.finite_array(given, name, (dim,))


# The packed vector is theta, center (dim,), scale (dim,), the widths of the hidden layers and their number.


@inlined
def _layers(packed, dim):  # type: ignore[no-untyped-def]
    """Sizes of the input and of each hidden layer, and where center begins in packed."""
    n_layers = int(packed[-1])
    sizes = np.empty(n_layers + 1, np.int64)
    sizes[0] = dim
    for layer in range(n_layers):
        sizes[layer + 1] = int(packed[len(packed) - 1 - n_layers + layer])
    return sizes, len(packed) - 1 - n_layers - 2 * dim


@inlined
def _add_product(A, B, out):  # type: ignore[no-untyped-def]
    """out (m, p) += A (m, n) B (n, p), four rows of B a pass, so that a pass over out does four times the work."""
    m, n = A.shape
    p = B.shape[1]
    whole = n - n % 4
    for i in range(m):
        row = out[i]
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = A[i, k], A[i, k + 1], A[i, k + 2], A[i, k + 3]
            for j in range(p):
                row[j] += a0 * B[k, j] + a1 * B[k + 1, j] + a2 * B[k + 2, j] + a3 * B[k + 3, j]
        for k in range(whole, n):
            for j in range(p):
                row[j] += A[i, k] * B[k, j]


@inlined
def _forward(x, packed, sizes, center, active, slopes):  # type: ignore[no-untyped-def]
    """Fill the layers: active[:dim] is z and then each layer's swish; slopes holds d swish at the same rows.

    Both are (sum of sizes, width). Returns where w_out begins in packed.
    """
    dim, width = x.shape
    for i in range(dim):
        for l in range(width):
            active[i, l] = (x[i, l] - packed[center + i]) / packed[center + dim + i]
    start, below, above = 0, 0, dim
    for layer in range(1, len(sizes)):
        fan_in, n = sizes[layer - 1], sizes[layer]
        weights = packed[start : start + n * fan_in].reshape((n, fan_in))
        start += n * fan_in
        rows = active[above : above + n]
        for j in range(n):
            rows[j, :] = packed[start + j]
        _add_product(weights, active[below:above], rows)
        for j in range(n):
            for l in range(width):
                a = rows[j, l]
                gate = 1.0 / (1.0 + exp(-a))
                rows[j, l] = a * gate
                slopes[above + j, l] = gate * (1.0 + a * (1.0 - gate))
        start += n
        below, above = above, above + n
    return start


@compiled(ENERGY_SIGNATURE)
def mlp_energy(x, packed, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    sizes, center = _layers(packed, dim)
    total = sizes.sum()
    active, slopes = np.empty((total, width)), np.empty((total, width))
    start = _forward(x, packed, sizes, center, active, slopes)
    out[:] = 0.0
    for i in range(dim):
        for l in range(width):
            out[l] += 0.5 * (active[i, l] * active[i, l])
    last = sizes[-1]
    for j in range(last):
        for l in range(width):
            out[l] += packed[start + j] * active[total - last + j, l]


@compiled(GRAD_SIGNATURE)
def mlp_grad(x, packed, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    sizes, center = _layers(packed, dim)
    total = sizes.sum()
    active, slopes, adjoint = np.empty((total, width)), np.empty((total, width)), np.zeros((total, width))
    start = _forward(x, packed, sizes, center, active, slopes)
    last = sizes[-1]
    for j in range(last):
        adjoint[total - last + j, :] = packed[start + j]
    above = total
    for layer in range(len(sizes) - 1, 0, -1):
        fan_in, n = sizes[layer - 1], sizes[layer]
        above -= n
        start -= n + n * fan_in
        for j in range(above, above + n):
            for l in range(width):
                adjoint[j, l] *= slopes[j, l]
        weights = packed[start : start + n * fan_in].reshape((n, fan_in))
        _add_product(weights.T.copy(), adjoint[above : above + n], adjoint[above - fan_in : above])
    for i in range(dim):
        for l in range(width):
            out[i, l] = (active[i, l] + adjoint[i, l]) / packed[center + dim + i]


@compiled(GRAD_THETA_SIGNATURE)
def mlp_grad_theta(x, packed, weights_of_points, out):  # type: ignore[no-untyped-def]
    dim, width = x.shape
    sizes, center = _layers(packed, dim)
    total = sizes.sum()
    active, slopes, adjoint = np.empty((total, width)), np.empty((total, width)), np.zeros((total, width))
    start = _forward(x, packed, sizes, center, active, slopes)
    last = sizes[-1]
    for j in range(last):
        for l in range(width):
            out[start + j] += weights_of_points[l] * active[total - last + j, l]
            adjoint[total - last + j, l] = weights_of_points[l] * packed[start + j]
    above = total
    for layer in range(len(sizes) - 1, 0, -1):
        fan_in, n = sizes[layer - 1], sizes[layer]
        above -= n
        start -= n + n * fan_in
        for j in range(n):
            for l in range(width):
                adjoint[above + j, l] *= slopes[above + j, l]
                out[start + n * fan_in + j] += adjoint[above + j, l]
        weights = packed[start : start + n * fan_in].reshape((n, fan_in))
        slope = out[start : start + n * fan_in].reshape((n, fan_in))
        _add_product(adjoint[above : above + n], active[above - fan_in : above].T.copy(), slope)
        if layer > 1:
            _add_product(weights.T.copy(), adjoint[above : above + n], adjoint[above - fan_in : above])
