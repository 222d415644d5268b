"""Which kernel runs where none is asked for."""

from fastebm.energies import Energy
from fastebm.kernels.gibbs import Gibbs
from fastebm.kernels.kernel import Kernel
from fastebm.kernels.random_walk import RandomWalk


def default_kernel(energy: Energy) -> Kernel:
    """Gibbs() for discrete energies, RandomWalk() for others."""
    return RandomWalk() if energy.values is None else Gibbs()
