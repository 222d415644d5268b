"""Kernels from their descriptions."""

from typing import Any

from fastebm.energies.descriptions import build
from fastebm.kernels.annealing import Annealing
from fastebm.kernels.barker import Barker
from fastebm.kernels.cycle import Cycle
from fastebm.kernels.delayed_rejection import DelayedRejection
from fastebm.kernels.gibbs import Gibbs
from fastebm.kernels.gibbs_with_gradients import GibbsWithGradients
from fastebm.kernels.hmc import HMC
from fastebm.kernels.kernel import Kernel
from fastebm.kernels.mala import MALA
from fastebm.kernels.mixture_of_kernels import MixtureOfKernels
from fastebm.kernels.parallel_tempering import ParallelTempering
from fastebm.kernels.random_walk import RandomWalk
from fastebm.kernels.slice import Slice
from fastebm.kernels.spin_flip import SpinFlip
from fastebm.kernels.stretch import Stretch
from fastebm.kernels.ula import ULA

KERNELS: dict[str, type[Kernel]] = {
    kind.__name__: kind for kind in (
        HMC, MALA, ULA, Annealing, Barker, Cycle, DelayedRejection, Gibbs, GibbsWithGradients, MixtureOfKernels,
        ParallelTempering, RandomWalk, Slice, SpinFlip, Stretch,
    )
}


def rebuild(description: dict[str, Any]) -> Kernel:
    """The kernel that `Kernel.describe` described.

    Raises
    ------
    ValueError : it is none of this library's.
    """
    arguments = {name: _rebuilt(value) for name, value in description.items() if name != "type"}
    kind = KERNELS.get(description["type"])
    if kind is None:
        raise ValueError(f"the file names the kernel {description['type']!r}, which fastebm does not have; upgrade it.")
    return kind(**arguments)


def _rebuilt(value: Any) -> Any:
    if isinstance(value, dict) and "type" in value:
        return rebuild(value)
    if isinstance(value, dict) and "energy" in value:
        made = build(value["energy"])
        return made if made.theta.tolist() == value["theta"] else made.with_theta(value["theta"])
    return [_rebuilt(one) for one in value] if isinstance(value, list) else value
