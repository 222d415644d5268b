"""Training: gradients of the likelihood, exact or by Markov chains, and the loop that follows them."""

from fastebm.training.contrastive import ContrastiveDivergence, PersistentCD
from fastebm.training.fit import Fit, fit
from fastebm.training.likelihood import MaximumLikelihood
from fastebm.training.objective import Objective
from fastebm.training.optimisers import SGD, Adam, Optimiser

__all__ = [
    "SGD", "Adam", "ContrastiveDivergence", "Fit", "MaximumLikelihood", "Objective", "Optimiser", "PersistentCD", "fit"
]
