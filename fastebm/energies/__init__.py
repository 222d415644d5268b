"""Energies: those that users write, the catalogue, and their arithmetic."""

from fastebm.energies.algebra import mixture
from fastebm.energies.algebra.discrete import refuse_discrete
from fastebm.energies.catalogue import (
    MLP,
    Banana,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    HybridRosenbrock,
    LogisticPosterior,
    QuarticChain,
    Ring,
    Rosenbrock,
    StudentT,
)
from fastebm.energies.energy import Energy, Moments
from fastebm.energies.functions import energy

__all__ = [
    "MLP",
    "Banana",
    "DoubleWell",
    "Energy",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "HybridRosenbrock",
    "LogisticPosterior",
    "Moments",
    "QuarticChain",
    "Ring",
    "Rosenbrock",
    "StudentT",
    "energy",
    "mixture",
    "refuse_discrete",
]
