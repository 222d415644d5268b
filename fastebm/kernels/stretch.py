"""The stretch move: walkers in groups, each moved along the line to another one, whatever the shape of the law."""

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import Compiled, compiled
from fastebm.energies import Energy
from fastebm.kernels.kernel import ADVANCE_SIGNATURE, Kernel
from fastebm.lanes.lane import store_row
from fastebm.streams import lane_exponentials, lane_uniforms, load_streams, store_streams
from fastebm.tiles import LANES

_GROUPS_OF = 32  # walkers: whole lanes on every processor, so that no column is wasted


class Stretch(Kernel):
    """Proposals y = p + z (x - p), accepted when log u < (dim - 1) log z + E(x) - E(y); p is another walker.

    Chains are coupled: chains 0 to G - 1 are the walkers of one group, the next G of the next one, and a chain's draws
    depend on all of its group. A transition moves the first half of each group, each walker along the line to one p
    drawn from the second half, by z of density ~ 1/sqrt(z) between 1/a and a; then the second half in the same way,
    along the first where that is by now. An affine change of x changes nothing, so that there is no step size to tune.
    `run.draws` holds the walkers as chains; effective sample sizes take them for independent, which they nearly are.

    Parameters
    ----------
    a : the largest stretch, above 1.
    group_size : walkers of a group, an even number of at least 2 (dim + 1); n_chains must be a multiple of it. None:
        the least such multiple of 32. Multiples of 32 are fastest.

    References
    ----------
    J. Goodman and J. Weare (2010), Ensemble samplers with affine invariance, doi:10.2140/camcos.2010.5.65.
    D. Foreman-Mackey, D. W. Hogg, D. Lang and J. Goodman (2013), emcee, doi:10.1086/670067 (the two halves).
    """

    step_size = 1.0
    has_step_size = False
    acceptance_tells = False

    def __init__(self, a: float = 2.0, *, group_size: int | None = None) -> None:
        self.a = _checks.real(a, "a")
        if not self.a > 1.0:
            raise ValueError(f"a is {a}; pass a number above 1, for example 2.0.")
        self.group_size = None if group_size is None else _checks.count(group_size, "group_size", 4)
        if self.group_size is not None and self.group_size % 2:
            raise ValueError(f"group_size is {group_size}, which has no halves; pass an even number.")

    def refuse(self, energy: Energy) -> None:
        """Nothing, for an energy of real x in which half a group spans all directions."""
        super().refuse(energy)
        least = 2 * (energy.dim + 1)
        if self.group_size is not None and self.group_size < least:
            raise ValueError(
                f"group_size is {self.group_size}, too few walkers to span the {energy.dim} dimensions of "
                f"{energy.name}; pass an even number of at least {least}."
            )

    def n_coupled(self, dim: int) -> int:
        return -(-2 * (dim + 1) // _GROUPS_OF) * _GROUPS_OF if self.group_size is None else self.group_size

    def refuse_starts(self, X: FloatArray) -> None:
        """Nothing, for starts (n, dim) in whole groups of which each spans all directions, since none is ever left."""
        n, dim = X.shape
        size = self.n_coupled(dim)
        groups = X.reshape(n // size, size, dim)
        away = groups - groups[:, :1]
        widths = np.abs(away).max(axis=1, keepdims=True)
        ranks = np.linalg.matrix_rank(away / np.where(widths > 0.0, widths, 1.0))
        if (ranks < dim).any():
            worst = int(np.argmax(ranks < dim))
            raise ValueError(
                f"chains {worst * size} to {(worst + 1) * size - 1} start at points that span {ranks[worst]} of {dim} "
                "dimensions, which Stretch could never leave; let each chain start at a point of its own, for example "
                "by init=eb.Overdispersed()."
            )

    @property
    def advance(self) -> Compiled:
        return advance

    def n_scratch(self, dim: int) -> int:
        return 5 + dim // 2 + 1

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """a, and the walkers of a group."""
        return np.array([self.a, float(self.n_coupled(len(scale)))])

    def __repr__(self) -> str:
        groups = "" if self.group_size is None else f", group_size={self.group_size}"
        return f"Stretch({self.a}{groups})"


@compiled(ADVANCE_SIGNATURE, borrows=True)
def advance(  # type: ignore[no-untyped-def]
    energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults, fault_x
):
    """Transitions of one tile of whole groups; `settings` as Stretch's method gives them. See `kernel`.

    Proposals of the halves that move, one group's behind another's, fill a tile half as wide: each chain costs one
    energy a transition. The width is a multiple of 2 LANES.
    """
    dim, width = x.shape
    a, half = settings[0], int(settings[1]) // 2
    stretches, gains, partners, exponentials, taken = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    rest = scratch[5:]
    narrow = rest.reshape((2 * rest.shape[0], width // 2))
    y, e_y = narrow[:dim], narrow[dim]
    for _ in range(n_transitions):
        for l in range(0, width, LANES):
            uniform, state = lane_uniforms(load_streams(streams, l))
            root = (a - 1.0) * uniform + 1.0
            z = root * root / a
            store_row(stretches, l, z)
            store_row(gains, l, (dim - 1.0) * np.log(z))
            uniform, state = lane_uniforms(state)
            store_row(partners, l, np.minimum(half * uniform, half - 0.5))  # never the one behind the last
            exponential, state = lane_exponentials(state)
            store_row(exponentials, l, exponential)
            store_streams(streams, l, state)
        for side in range(2):
            for group in range(width // (2 * half)):
                at, own = group * half, (2 * group + side) * half
                other = (2 * group + 1 - side) * half
                for i in range(dim):
                    for k in range(half):
                        here, there = x[i, own + k], x[i, other + int(partners[own + k])]
                        y[i, at + k] = there + stretches[own + k] * (here - there)
            energy(y, packed, e_y)
            for group in range(width // (2 * half)):
                at, own = group * half, (2 * group + side) * half
                for k in range(half):
                    c = own + k
                    here, there = e[c], e_y[at + k]
                    is_number = there > -np.inf
                    # -exponential is log u; written without min(0, .), which would turn nan into an acceptance
                    accepted = (-exponentials[c] < gains[c] + here - there) & is_number
                    e[c] = there if accepted else here
                    n_accepted[c] += accepted
                    taken[k] = 1.0 if accepted else 0.0
                    if not is_number:
                        n_faults[c] += 1
                        for i in range(dim):
                            fault_x[i, c] = y[i, at + k]
                for i in range(dim):
                    for k in range(half):
                        x[i, own + k] = y[i, at + k] if taken[k] > 0.0 else x[i, own + k]
