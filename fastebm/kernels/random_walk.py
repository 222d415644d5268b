"""Random-walk Metropolis: propose a normal step, accept it by the ratio of the densities."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel
from fastebm.streams import fill_exponentials, fill_normals


class RandomWalk(Kernel):
    """Metropolis's rule with proposals y = x + step_size * normal, accepted when log u < E(x) - E(y).

    Parameters
    ----------
    step_size : standard deviation of the proposal in each coordinate, one number or (dim,) numbers, above 0, final as
        given. None: tuned in warm-up, pooled over chains, together with the relative scales of the coordinates, towards
        an acceptance rate between 0.44 (one dimension) and 0.234 (many); then frozen.

    References
    ----------
    N. Metropolis, A. W. Rosenbluth, M. N. Rosenbluth, A. H. Teller and E. Teller (1953), doi:10.1063/1.1699114.
    W. K. Hastings (1970), doi:10.1093/biomet/57.1.97.
    G. O. Roberts, A. Gelman and W. R. Gilks (1997), doi:10.1214/aoap/1034625254 (the optimal acceptance rate).
    """

    def __init__(self, step_size: ArrayLike | None = None) -> None:
        self.step_size: float | FloatArray | None = None
        if step_size is not None:
            if np.ndim(step_size) == 0:
                self.step_size = _checks.positive(step_size, "step_size")
            else:
                self.step_size = _checks.finite_array(step_size, "step_size")
                if self.step_size.ndim != 1 or not (self.step_size > 0.0).all():
                    raise ValueError(f"step_size is {step_size}; pass one number or (dim,) numbers, all above 0.")

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return dim + 2

    def settings(self, step_size: float | FloatArray, scale: FloatArray) -> FloatArray:
        return np.ascontiguousarray(step_size * scale)

    def first_step_size(self, dim: int) -> float:
        return 2.38 / math.sqrt(dim)

    def target_acceptance(self, dim: int) -> float:
        return 0.234 + 0.206 / dim

    def __repr__(self) -> str:
        return f"RandomWalk(step_size={self.step_size})"


@compiled(ADVANCE_SIGNATURE)
def advance(  # type: ignore[no-untyped-def]
    energy, packed, settings, streams, x, e, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (dim,) holds the proposal's standard deviations. See `kernel`."""
    dim, width = x.shape
    y = scratch[:dim]
    e_y = scratch[dim]
    accepts = scratch[dim + 1]
    for _ in range(n_transitions):
        fill_normals(streams, y)
        for i in range(dim):
            step = settings[i]
            for l in range(width):
                y[i, l] = x[i, l] + step * y[i, l]
        energy(y, packed, e_y)
        fill_exponentials(streams, accepts)
        n_bad = 0
        for l in range(width):
            # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
            accepted = (-accepts[l] < e[l] - e_y[l]) & (e_y[l] > -np.inf)
            accepts[l] = 1.0 if accepted else 0.0
            e[l] = e_y[l] if accepted else e[l]
            n_accepted[l] += accepted
            n_bad += not e_y[l] > -np.inf
        for i in range(dim):
            for l in range(width):
                here, there = x[i, l], y[i, l]  # both read first: a read on one side only would not be vector code
                x[i, l] = there if accepts[l] > 0.5 else here
        if n_bad:
            for l in range(width):
                if not e_y[l] > -np.inf:
                    n_faults[l] += 1
                    fault_x[:, l] = y[:, l]
