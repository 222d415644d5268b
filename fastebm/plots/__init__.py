"""Pictures, by matplotlib; every function draws into the axes that it is given and returns them."""

from fastebm.plots.density import density
from fastebm.plots.scores import scores
from fastebm.plots.training import training

__all__ = ["density", "scores", "training"]
