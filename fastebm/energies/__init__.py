"""Energies: those that users write, the catalogue, and their arithmetic."""

from fastebm.energies.double_well import DoubleWell
from fastebm.energies.energy import Energy
from fastebm.energies.functions import energy
from fastebm.energies.gaussian import Gaussian
from fastebm.energies.gaussian_mixture import GaussianMixture
from fastebm.energies.mlp import MLP

__all__ = ["MLP", "DoubleWell", "Energy", "Gaussian", "GaussianMixture", "energy"]
