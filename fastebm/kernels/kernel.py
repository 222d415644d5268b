"""What every transition kernel has in common, for the engine that runs it."""

import abc
import inspect
from typing import Any

import numpy as np
from numba import types

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import ENERGY, GRAD, STREAM_TILE, TILE, VECTOR, Compiled, function_at, inlined_borrowing
from fastebm.energies import Energy, refuse_discrete
from fastebm.lanes.lane import count, is_any, load, load_row, store, store_row, store_where
from fastebm.tiles import LANES

COUNTS = types.Array(types.int64, 1, "C")

_MOST_DENSE = 32  # dimensions: beyond, a product with a matrix costs more than most energies

# advance(energy, grad, packed, settings, streams, x, e, g, memory, scratch, n_transitions, n_accepted, n_faults,
# fault_x): transitions of one tile. x (dim, width), e (width,) = E at x, g = dE/dx there, (dim, width) or without rows
# for kernels that need none, the memory (n_memory, width), the streams and the counts (width,) change in place. A
# proposal whose energy is nan or -inf is a fault: it is rejected, counted, and kept in fault_x (dim, width).
ADVANCE_SIGNATURE = types.void(
    ENERGY, GRAD, VECTOR, VECTOR, STREAM_TILE, TILE, VECTOR, TILE, TILE, TILE, types.int64, COUNTS, COUNTS, TILE
)
ADVANCE = types.FunctionType(ADVANCE_SIGNATURE)
advance_at = function_at(ADVANCE)


class Kernel(abc.ABC):
    """A rule of transition that leaves exp(-E) invariant.

    Attributes
    ----------
    step_size : as given; None if it is to be tuned in warm-up.
    needs_grad : whether `advance` calls the energy's gradient.
    is_reversible : whether detailed balance holds, so that a chain run backwards looks the same.
    is_exact : whether exp(-E) is left invariant exactly; otherwise nearly, and every proposal is taken.
    metric : what a tuned step size follows of the law's shape: "diagonal" the widths of the coordinates, "dense" their
        covariance, None the covariance in up to 32 dimensions.
    has_rejections : whether a proposal may be refused; otherwise every transition counts as accepted.
    acceptance_tells : whether a high acceptance rate means that steps are too short.
    tunes_path : whether the length of trajectories is tuned in warm-up too.
    has_step_size : whether there is one that could be smaller or larger.
    n_step_sizes : how many step sizes it has, of kernels made of others one for each.
    tempers : whether `advance` works on beta E for more than one beta; see `target`.
    betas : inverse temperatures between which copies of a chain are exchanged, rising to 1; None for other kernels.
    tunes_ladder : whether these are tuned in warm-up.
    """

    step_size: float | FloatArray | None
    needs_grad = False
    is_reversible = False
    is_exact = True
    metric: str | None = "diagonal"
    has_rejections = True
    acceptance_tells = True
    tunes_path = False
    has_step_size = True
    n_step_sizes = 1
    tempers = False
    betas: FloatArray | None = None
    tunes_ladder = False

    def refuse(self, energy: Energy) -> None:
        """Nothing, for an energy whose x this kernel can move."""
        refuse_discrete(energy, (
            f"which {type(self).__name__} steps off; use eb.Gibbs(), eb.SpinFlip() or eb.GibbsWithGradients()"
        ))

    def on(self, energy: Energy) -> "Kernel":
        """The kernel as it runs on this energy, whose x it must be able to move."""
        self.refuse(energy)
        if isinstance(self.step_size, np.ndarray) and self.step_size.shape != (energy.dim,):
            raise ValueError(
                f"step_size has shape {self.step_size.shape}; pass one number or ({energy.dim},) numbers."
            )
        return self

    def over(self, n_transitions: int) -> "Kernel":
        """The kernel for a run of so many transitions after warm-up."""
        return self

    def target(self, energy: Energy) -> Energy:
        """What `advance` is given for this energy: itself, or beta E with beta = 1, the last number of its `packed`."""
        return energy

    @property
    @abc.abstractmethod
    def advance(self) -> Compiled:
        """The compiled function of signature ADVANCE_SIGNATURE."""

    @abc.abstractmethod
    def n_scratch(self, dim: int) -> int:
        """Rows of scratch that `advance` needs."""

    def n_memory(self, dim: int) -> int:
        """Rows of what each chain carries from transition to transition besides x, e and g; zeros at the start."""
        return 0

    def n_coupled(self, dim: int) -> int:
        """Chains whose draws depend on each other: groups of so many consecutive chains, which are never cut apart."""
        return 1

    def refuse_number(self, n_chains: int, dim: int, name: str = "n_chains") -> None:
        """Nothing, for a number of chains that makes whole groups; `name` is what the user calls it."""
        size = self.n_coupled(dim)
        if n_chains % size:
            raise ValueError(
                f"{name} is {n_chains}, but {type(self).__name__} moves chains in groups of {size}; pass a multiple of "
                f"it, for example {name}={-(-n_chains // size) * size}."
            )

    def refuse_starts(self, X: FloatArray) -> None:  # noqa: B027
        """Nothing, for starts (n, dim) from which chains can go everywhere."""

    def is_dense(self, dim: int) -> bool:
        """Whether the covariance is learned in warm-up, not only the widths of the coordinates."""
        return dim > 1 and (self.metric == "dense" or (self.metric is None and dim <= _MOST_DENSE))

    @abc.abstractmethod
    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        """The vector that `advance` takes.

        Parameters
        ----------
        step_size : in coordinates freed of their scale.
        scale : (dim,) widths of the coordinates, or (dim, dim) a lower triangular root of their covariance.
        path_length : of trajectories, as it was tuned; only for kernels that tune it.
        betas : the ladder of inverse temperatures, as it was tuned; only for kernels that have one.
        """

    def linked(self, settings: FloatArray) -> FloatArray:
        """The settings as `advance` takes them in this process: with addresses of compiled code that it calls."""
        return settings

    def first_step_size(self, dim: int) -> float | FloatArray:
        """Where tuning starts; only of kernels whose step size may be None."""
        raise TypeError(f"{type(self).__name__} has no step size to tune; it takes none, or pass one.")

    def target_acceptance(self, dim: int) -> float | FloatArray:
        """The acceptance rate that tuning aims at; only of kernels whose step size may be None."""
        raise TypeError(f"{type(self).__name__} has no step size to tune; it takes none, or pass one.")

    def rates(self, accepted: float, told: FloatArray) -> float | FloatArray:
        """What tuning compares with `target_acceptance` after a round; too large a number lengthens steps, nan nothing.

        Parameters
        ----------
        accepted : mean acceptance rate of all chains.
        told : (n_memory,) by how much a transition changed each row of the memory, on average over chains and round.
        """
        return accepted

    def learning(self, settings: FloatArray, center: FloatArray) -> FloatArray:
        """The settings with which transitions also tell how the path length should change, about a center (dim,)."""
        return settings

    def first_path(self, step_size: float | FloatArray) -> float:
        """Where tuning of the path length starts, once steps are about right; only where `tunes_path`."""
        raise TypeError(f"{type(self).__name__} has no path length.")

    def path_signal(self, told: FloatArray) -> tuple[float, float]:
        """From how much a round changed each row of the memory: a sum of slopes along the path length, of weights."""
        raise TypeError(f"{type(self).__name__} has no path length.")

    def swap_signal(self, told: FloatArray) -> tuple[FloatArray, FloatArray]:
        """From how much a round changed each row of the memory: exchanges accepted between betas, and tried."""
        raise TypeError(f"{type(self).__name__} has no ladder.")

    def place(self, memory: FloatArray, copies: FloatArray) -> None:
        """Put points (n_betas - 1, n_tiles, dim, width) into the memory, in place: where hotter copies begin."""
        raise TypeError(f"{type(self).__name__} has no copies of its chains.")

    def settle(self, memory: FloatArray) -> None:  # noqa: B027 (most kernels count nothing)
        """Forget in place what the memory (n_tiles, n_memory, width) counts: warm-up is over."""

    def retargeted(self, memory: FloatArray) -> None:  # noqa: B027 (most kernels keep no energies)
        """Mark in place what the memory (n_tiles, n_memory, width) knows of energies as that of another energy."""

    def report(self, energy: Energy, memories: FloatArray) -> dict[str, FloatArray]:
        """What a run should tell of this kernel besides, from its memories (n_chains, n_memory) at the end."""
        return {}

    def remarks(self, report: dict[str, FloatArray], n_transitions: int) -> list[str]:
        """What a user should be warned of, in sentences, by what `report` gave after so many transitions."""
        return []

    def describe(self) -> dict[str, Any]:
        """The kernel as JSON: its name, and the arguments that it was made of."""
        names = inspect.signature(type(self)).parameters
        return {"type": type(self).__name__, **{name: _described(getattr(self, name)) for name in names}}


def _described(argument: Any) -> Any:
    """An argument of a kernel as JSON."""
    if isinstance(argument, Kernel):
        return argument.describe()
    if isinstance(argument, Energy):
        return {"energy": argument.describe(), "theta": argument.theta.tolist()}
    if isinstance(argument, list | tuple):
        return [_described(one) for one in argument]
    return argument.tolist() if isinstance(argument, np.ndarray) else argument


def checked_metric(metric: str | None) -> str | None:
    """One of the words for `Kernel.metric`."""
    return None if metric is None else _checks.choice(metric, "metric", ("diagonal", "dense"))


# ---- compiled parts, for columns l to l + LANES of tiles (dim, width) ----

@inlined_borrowing
def correlate(root, y, l):  # type: ignore[no-untyped-def]
    """y becomes L y, for the lower triangular matrix L (dim * dim,) = root, row by row."""
    dim = y.shape[0]
    for i in range(dim - 1, -1, -1):  # from below, so that what is still needed is still there
        total = root[i * dim + i] * load(y, i, l)
        for j in range(i):
            total += root[i * dim + j] * load(y, j, l)
        store(y, i, l, total)


@inlined_borrowing
def correlate_back(root, y, out, l):  # type: ignore[no-untyped-def]
    """out = L^T y, for the lower triangular matrix L (dim * dim,) = root, row by row."""
    dim = y.shape[0]
    for j in range(dim):
        total = root[j * dim + j] * load(y, j, l)
        for i in range(j + 1, dim):
            total += root[i * dim + j] * load(y, i, l)
        store(out, j, l, total)



@inlined_borrowing
def move(accepted, l, x, y):  # type: ignore[no-untyped-def]
    """x becomes y where `accepted`."""
    for i in range(x.shape[0]):
        store_where(x, i, l, accepted, load(y, i, l))


@inlined_borrowing
def note(accepted, is_number, l, e, e_y, y, n_accepted, n_faults, fault_x, row):  # type: ignore[no-untyped-def]
    """e becomes e_y where `accepted`; counts, and the proposals y that are no numbers; overwrites `row` (width,)."""
    store_row(e, l, np.where(accepted, load_row(e_y, l), load_row(e, l)))
    count(n_accepted, l, accepted)
    note_faults(is_number, l, y, n_faults, fault_x, row)


@inlined_borrowing
def note_faults(is_number, l, y, n_faults, fault_x, row):  # type: ignore[no-untyped-def]
    """Count the columns of y that are no numbers, and keep them in fault_x; overwrites `row` (width,)."""
    if is_any(~is_number):
        store_row(row, l, np.where(is_number, 1.0, 0.0))
        for c in range(l, l + LANES):
            if row[c] == 0.0:
                n_faults[c] += 1
                for i in range(y.shape[0]):
                    fault_x[i, c] = y[i, c]
