"""Transition kernels: one file each, every one a class with its settings and a compiled `advance` for one tile."""

from fastebm.kernels.annealing import Annealing
from fastebm.kernels.barker import Barker
from fastebm.kernels.cycle import Cycle
from fastebm.kernels.defaults import default_kernel
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

__all__ = [
    "HMC", "MALA", "ULA", "Annealing", "Barker", "Cycle", "DelayedRejection", "Gibbs", "GibbsWithGradients", "Kernel",
    "MixtureOfKernels", "ParallelTempering", "RandomWalk", "Slice", "SpinFlip", "Stretch", "default_kernel",
]
