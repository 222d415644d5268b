"""Transition kernels: one file each, every one a class with its settings and a compiled `advance` for one tile."""

from fastebm.kernels.barker import Barker
from fastebm.kernels.defaults import default_kernel
from fastebm.kernels.delayed_rejection import DelayedRejection
from fastebm.kernels.gibbs import Gibbs
from fastebm.kernels.gibbs_with_gradients import GibbsWithGradients
from fastebm.kernels.hmc import HMC
from fastebm.kernels.kernel import Kernel
from fastebm.kernels.mala import MALA
from fastebm.kernels.random_walk import RandomWalk
from fastebm.kernels.spin_flip import SpinFlip
from fastebm.kernels.ula import ULA

__all__ = [
    "HMC", "MALA", "ULA", "Barker", "DelayedRejection", "Gibbs", "GibbsWithGradients", "Kernel", "RandomWalk",
    "SpinFlip", "default_kernel",
]
