"""Sampling: many chains in tiles over threads or workers, with a warm-up that tunes and then freezes."""

from fastebm.sampling.converged import Converged
from fastebm.sampling.moments import Moments
from fastebm.sampling.runs import Run
from fastebm.sampling.sample import resume, sample
from fastebm.sampling.starts import FromData, Overdispersed, Superchains

__all__ = ["Converged", "FromData", "Moments", "Overdispersed", "Run", "Superchains", "resume", "sample"]
