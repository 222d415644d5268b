"""Sampling: many chains in tiles over threads, with a warm-up that tunes and then freezes."""

from fastebm.sampling.runs import Run
from fastebm.sampling.sample import sample

__all__ = ["Run", "sample"]
