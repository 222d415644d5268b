"""Energy-based models on a CPU: p(x) = exp(-E(x, theta)) / Z(theta).

Write or choose an energy, then sample it, compute its log Z, fit it to data, score and denoise points.
"""

from fastebm import _edits, datasets, exact, plots  # noqa: F401 (edits are noticed from here on)
from fastebm._checks import FastebmWarning
from fastebm._faults import EnergyCompileError
from fastebm.energies import (
    MLP,
    Banana,
    DoubleWell,
    Energy,
    Funnel,
    Gaussian,
    GaussianMixture,
    HybridRosenbrock,
    LogisticPosterior,
    QuarticChain,
    Ring,
    Rosenbrock,
    StudentT,
    energy,
    mixture,
)
from fastebm.exact import NotNormalisableError
from fastebm.kernels import (
    HMC,
    MALA,
    ULA,
    Annealing,
    Barker,
    Cycle,
    DelayedRejection,
    Gibbs,
    GibbsWithGradients,
    MixtureOfKernels,
    ParallelTempering,
    RandomWalk,
    Slice,
    SpinFlip,
    Stretch,
)
from fastebm.lanes.language import sigmoid, softplus, where, zeros
from fastebm.loading import load
from fastebm.partition import log_likelihood, log_partition, log_partition_grad
from fastebm.sampling import Converged, FromData, Moments, Overdispersed, Run, Superchains, resume, sample
from fastebm.tasks import anomaly_score, anomaly_threshold, denoise
from fastebm.training import SGD, Adam, ContrastiveDivergence, Fit, MaximumLikelihood, PersistentCD, fit

__version__ = "0.1.0"

__all__ = [
    "HMC",
    "MALA",
    "MLP",
    "SGD",
    "ULA",
    "Adam",
    "Annealing",
    "Banana",
    "Barker",
    "ContrastiveDivergence",
    "Converged",
    "Cycle",
    "DelayedRejection",
    "DoubleWell",
    "Energy",
    "EnergyCompileError",
    "FastebmWarning",
    "Fit",
    "FromData",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "Gibbs",
    "GibbsWithGradients",
    "HybridRosenbrock",
    "LogisticPosterior",
    "MaximumLikelihood",
    "MixtureOfKernels",
    "Moments",
    "NotNormalisableError",
    "Overdispersed",
    "ParallelTempering",
    "PersistentCD",
    "QuarticChain",
    "RandomWalk",
    "Ring",
    "Rosenbrock",
    "Run",
    "Slice",
    "SpinFlip",
    "Stretch",
    "StudentT",
    "Superchains",
    "anomaly_score",
    "anomaly_threshold",
    "datasets",
    "denoise",
    "energy",
    "exact",
    "fit",
    "load",
    "log_likelihood",
    "log_partition",
    "log_partition_grad",
    "mixture",
    "plots",
    "resume",
    "sample",
    "sigmoid",
    "softplus",
    "where",
    "zeros",
]
