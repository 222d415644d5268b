"""A neural network as energy: a multilayer perceptron with a confining quadratic term."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies.activations import ACTIVATIONS
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Program


class MLP(Energy):
    """E(x) = |z|**2 / 2 + w^T h(z) with z = (x - center) / scale and h the last hidden layer of a perceptron.

    Layers are h <- f(W h + b) with one activation f for all. The quadratic term confines: softplus, swish and relu grow
    at most linearly and tanh is bounded, so that the network is at most a + b |z| in size with some a and b that depend
    on theta, the quadratic term wins far out, and Z is finite for every theta. Where |z|**2 overflows, E is inf. With
    its output weights at zero, where training starts, the model is the normal distribution with the given centre and
    scale.

    Parameters
    ----------
    dim : dimension of x, at least 1.
    hidden : widths of the hidden layers, at least one; multiples of 32 use the processor best.
    center, scale : (dim,) or one number; mean and standard deviation of the data are a good choice. scale is above 0.
    rng : for the first weights, normal with variance 1/fan-in; see `fastebm.sample`.
    activation : "swish", a / (1 + exp(-a)); "softplus", log(1 + exp(a)); "tanh"; or "relu", max(a, 0).

    Notes
    -----
    theta holds `W1` (hidden[0], dim), `b1`, `W2`, `b2`, ... and `w_out` (hidden[-1],). center and scale are data of the
    energy and are not trained.

    Gradients of relu are one-sided at its kinks: the slope at 0 is 0. Its second derivatives are 0 on both sides, so
    that `hvp` and `laplacian` miss what the kinks contribute to an average, and score matching with them would be
    wrong: take a smooth activation there.

    References
    ----------
    P. Ramachandran, B. Zoph and Q. V. Le (2017), Searching for activation functions, arXiv:1710.05941; the others are
    in `energies.activations`.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        *,
        center: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        rng: RNGLike = 0,
        activation: str = "swish",
    ) -> None:
        from fastebm.energies.perceptrons import faces  # number types take a tenth of Numba's own import time

        dim = _checks.count(dim, "dim")
        if not np.iterable(hidden):
            raise TypeError(f"hidden is {hidden!r}; pass one width for each layer, for example hidden=(64, 64).")
        widths = [_checks.count(width, f"hidden[{place}]") for place, width in enumerate(hidden)]
        if not widths:
            raise ValueError("hidden is empty; pass at least one layer width, for example hidden=(64, 64).")
        middle, spread = _per_coordinate(center, dim, "center"), _per_coordinate(scale, dim, "scale")
        if not (spread > 0.0).all():
            raise ValueError(f"scale has the entry {spread.min()}; pass scales above 0.")
        activation = _checks.choice(activation, "activation", list(ACTIVATIONS))
        seed = _checks.seed(rng)
        generator = np.random.default_rng(seed)
        theta: dict[str, FloatArray] = {}
        for layer, (fan_in, width) in enumerate(itertools.pairwise([dim, *widths]), start=1):
            theta[f"W{layer}"] = generator.standard_normal((width, fan_in)) / np.sqrt(fan_in)
            theta[f"b{layer}"] = generator.standard_normal(width)
        theta["w_out"] = np.zeros(widths[-1])
        data = np.concatenate([middle, spread, np.array([*widths, len(widths)], dtype=float)])
        n_params = sum(value.size for value in theta.values())
        program = Program(dim, n_params, n_params + data.size, f"MLP {activation}", *faces(activation))
        self.settings = {
            "dim": dim, "hidden": widths, "center": middle.tolist(), "scale": spread.tolist(), "rng": seed
        }
        if activation != "swish":  # files of before there was a choice do not name it
            self.settings["activation"] = activation
        super().__init__(program, theta, data=data, name="MLP")

    def describe(self) -> dict[str, Any]:
        return {"type": "MLP", "settings": self.settings}


def _per_coordinate(values: ArrayLike, dim: int, name: str) -> FloatArray:
    given = _checks.finite_array(values, name)
    return np.full(dim, float(given)) if given.ndim == 0 else _checks.finite_array(given, name, (dim,))
