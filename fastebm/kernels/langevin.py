"""What the Langevin kernels share: proposals that drift along the gradient."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined_borrowing
from fastebm.kernels.kernel import Kernel
from fastebm.lanes.lane import load, store
from fastebm.streams import lane_normals


class Langevin(Kernel):
    """Kernels with proposals y = x - eps dE/dx + sqrt(2 eps) normal, eps = step_size, one or (dim,) numbers above 0."""

    needs_grad = True

    def __init__(self, step_size: ArrayLike | None) -> None:
        self.step_size = _checks.step_size(step_size)

    def n_scratch(self, dim: int) -> int:
        return 4 * dim + 2

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """eps and sqrt(2 eps) of each coordinate, one behind the other; eps is a variance and grows as scale**2.

        Behind them, where `scale` is a matrix L, sqrt(2 eps) L row by row.
        """
        if scale.ndim == 2:
            eps = step_size * (scale**2).sum(axis=1)
            return np.concatenate([eps, np.sqrt(2.0 * eps), np.sqrt(2.0 * step_size) * scale.ravel()])
        eps = step_size * scale**2
        return np.concatenate([eps, np.sqrt(2.0 * eps)])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(step_size={self.step_size})"


@inlined_borrowing
def propose(x, g, settings, state, y, l):  # type: ignore[no-untyped-def]
    """y = x - eps g + sqrt(2 eps) normal in columns l to l + LANES of tiles (dim, width); the streams after it."""
    dim = x.shape[0]
    for i in range(0, dim - 1, 2):
        first, second, state = lane_normals(state)
        store(y, i, l, load(x, i, l) - settings[i] * load(g, i, l) + settings[dim + i] * first)
        store(y, i + 1, l, load(x, i + 1, l) - settings[i + 1] * load(g, i + 1, l) + settings[dim + i + 1] * second)
    if dim % 2:
        last, _, state = lane_normals(state)
        i = dim - 1
        store(y, i, l, load(x, i, l) - settings[i] * load(g, i, l) + settings[dim + i] * last)
    return state
