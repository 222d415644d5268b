"""Transition kernels: one file each, every one a class with its settings and a compiled `advance` for one tile."""

from fastebm.kernels.kernel import Kernel
from fastebm.kernels.mala import MALA
from fastebm.kernels.random_walk import RandomWalk
from fastebm.kernels.ula import ULA

__all__ = ["MALA", "ULA", "Kernel", "RandomWalk"]
