"""What kernels share that run another kernel on beta E for more than one beta."""

import copy
from typing import Any, Self

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined_borrowing
from fastebm.energies import Energy
from fastebm.energies.algebra import Tempered
from fastebm.kernels.kernel import Kernel


class TemperedKernel(Kernel):
    """Kernels that run another one at several inverse temperatures; steps are wider by beta**-1/2 where beta is small.

    Attributes
    ----------
    kernel : the rule at each temperature.
    """

    tempers = True
    acceptance_tells = False
    dim: int | None = None

    def __init__(self, kernel: Kernel) -> None:
        _checks.instance(kernel, Kernel, "kernel", "eb.RandomWalk()")
        if kernel.tempers:
            raise ValueError(f"kernel is {kernel!r}, which has temperatures of its own; pass the kernel inside of it.")
        if kernel.tunes_path:
            raise ValueError(f"kernel is {kernel!r}, which tunes its path length; pass n_leapfrog, for example 10.")
        self.kernel = kernel
        self.needs_grad = kernel.needs_grad
        self.has_rejections = kernel.has_rejections
        self.step_size = kernel.step_size

    def refuse(self, energy: Energy) -> None:
        self.kernel.refuse(energy)

    def on(self, energy: Energy) -> Self:
        bound = copy.copy(self)
        bound.kernel = self.kernel.on(energy)
        bound.dim = energy.dim
        return bound

    def target(self, energy: Energy) -> Energy:
        return Tempered(energy, 1.0)

    def n_scratch(self, dim: int) -> int:
        return self.kernel.n_scratch(dim)

    def n_coupled(self, dim: int) -> int:
        return self.kernel.n_coupled(dim)

    def refuse_starts(self, X: FloatArray) -> None:
        self.kernel.refuse_starts(X)

    def is_dense(self, dim: int) -> bool:
        return self.kernel.is_dense(dim)

    def blocks(self, step_sizes: Any, scale: FloatArray, betas: FloatArray) -> FloatArray:
        """What the kernel takes at each beta, (n_betas, n_settings)."""
        kernel = self.kernel
        if kernel.step_size is not None:
            step_sizes, scale = [kernel.step_size] * len(betas), np.ones(len(scale))
        elif kernel.n_step_sizes == 1:
            step_sizes = np.broadcast_to(step_sizes, len(betas))
        else:
            shape = len(betas), kernel.n_step_sizes
            step_sizes = np.broadcast_to(np.reshape(step_sizes, (-1, kernel.n_step_sizes)), shape)
        return np.array([
            kernel.settings(float(size) if np.ndim(size) == 0 else size, scale / np.sqrt(beta))
            for size, beta in zip(step_sizes, betas, strict=True)
        ])


def checked_betas(betas: Any) -> FloatArray:
    """Inverse temperatures above 0 that rise."""
    given = _checks.finite_array(betas, "betas")
    if given.ndim != 1 or len(given) < 2 or not (given > 0.0).all() or not (np.diff(given) > 0.0).all():
        raise ValueError(f"betas is {given.tolist()}; pass at least two numbers above 0 that rise.")
    return given


# ---- compiled parts ----


@inlined_borrowing
def evaluate(energy, grad, packed, x, e, g):  # type: ignore[no-untyped-def]
    """e and, where g has rows, g at x."""
    if g.shape[0] > 0:
        grad(x, packed, e, g)
    else:
        energy(x, packed, e)
