"""The catalogue: one file for each family of energies."""

from fastebm.energies.catalogue.banana import Banana
from fastebm.energies.catalogue.double_well import DoubleWell
from fastebm.energies.catalogue.funnel import Funnel
from fastebm.energies.catalogue.gaussian import Gaussian
from fastebm.energies.catalogue.gaussian_mixture import GaussianMixture
from fastebm.energies.catalogue.logistic_posterior import LogisticPosterior
from fastebm.energies.catalogue.mlp import MLP
from fastebm.energies.catalogue.quartic_chain import QuarticChain
from fastebm.energies.catalogue.ring import Ring
from fastebm.energies.catalogue.rosenbrock import HybridRosenbrock, Rosenbrock
from fastebm.energies.catalogue.student_t import StudentT

__all__ = [
    "MLP",
    "Banana",
    "DoubleWell",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "HybridRosenbrock",
    "LogisticPosterior",
    "QuarticChain",
    "Ring",
    "Rosenbrock",
    "StudentT",
]
