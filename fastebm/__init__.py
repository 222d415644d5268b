"""Energy-based models on a CPU: p(x) = exp(-E(x, theta)) / Z(theta)."""

from fastebm._checks import FastebmWarning
from fastebm._compile import EnergyCompileError
from fastebm.energies import MLP, DoubleWell, Energy, Gaussian, GaussianMixture, energy
from fastebm.kernels import RandomWalk
from fastebm.sampling import Run, sample

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "DoubleWell",
    "Energy",
    "EnergyCompileError",
    "FastebmWarning",
    "Gaussian",
    "GaussianMixture",
    "RandomWalk",
    "Run",
    "energy",
    "sample",
]
