"""The unadjusted Langevin algorithm: every proposal is taken, and the law is right but for the step size."""

from numpy.typing import ArrayLike

from fastebm._compile import Compiled, compiled
from fastebm.energies import Energy
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, move, note
from fastebm.kernels.langevin import Langevin, propose
from fastebm.lanes.lane import load, load_row
from fastebm.streams import load_streams, store_streams
from fastebm.tiles import LANES


class ULA(Langevin):
    """x <- x - eps dE/dx + sqrt(2 eps) normal, without a test: its law is exp(-E)/Z up to an error of order eps.

    On a normal distribution of variance s**2 it has the variance s**2 / (1 - eps / (2 s**2)), and none from
    eps = 2 s**2 on. It cannot stay inside walls. `MALA` corrects it.

    Parameters
    ----------
    step_size : eps, one number or (dim,) numbers, above 0. It has no best value that could be tuned: smaller is less
        biased and slower.

    References
    ----------
    G. Parisi (1981), doi:10.1016/0550-3213(81)90056-0.
    G. O. Roberts and R. L. Tweedie (1996), doi:10.2307/3318418.
    """

    is_exact = False

    def __init__(self, step_size: ArrayLike) -> None:
        if step_size is None:
            raise TypeError("step_size is None; pass a number above 0, or use eb.MALA(), which tunes its own.")
        super().__init__(step_size)

    def refuse(self, energy: Energy) -> None:
        super().refuse(energy)
        if energy.domain is not None:
            raise ValueError(f"ULA cannot stay inside the walls of {energy.name}; use eb.MALA().")

    @property
    def advance(self) -> Compiled:
        return advance

    def first_step_size(self, dim: int) -> float:
        raise TypeError("ULA has no step size to tune; pass step_size, or use eb.MALA().")

    target_acceptance = first_step_size


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile; `settings` (2 dim,) as `Langevin.settings` gives them. See `kernel`.

    A proposal where the energy or its gradient is not finite is a fault: from there it could go nowhere.
    """
    dim, width = x.shape
    y, g_y = scratch[:dim], scratch[dim : 2 * dim]
    e_y = scratch[2 * dim]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            store_streams(streams, l, propose(x, g, settings, load_streams(streams, l), y, l))
        grad(y, packed, e_y, g_y)
        for l in range(0, width, LANES):
            nothing = 0.0 * load_row(e_y, l)
            for i in range(dim):
                nothing += 0.0 * load(g_y, i, l)
            accepted = nothing == 0.0  # nan if anything was infinite or nan
            note(accepted, accepted, l, e, e_y, y, n_accepted, n_faults, fault_x, scratch[2 * dim + 1])
            move(accepted, l, x, y)
            move(accepted, l, g, g_y)
