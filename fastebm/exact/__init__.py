"""Exact answers: log Z, expectations and independent draws, in one to three dimensions or for laws of known form."""

from fastebm.exact.densities import NotNormalisableError
from fastebm.exact.draws import exact_draws
from fastebm.exact.quadrature import Grid, grid

__all__ = ["Grid", "NotNormalisableError", "exact_draws", "grid"]
