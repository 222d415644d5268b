"""Exact answers in one to three dimensions: log Z, expectations and independent draws."""

from fastebm.exact.densities import NotNormalisableError
from fastebm.exact.draws import exact_draws
from fastebm.exact.quadrature import Grid, grid

__all__ = ["Grid", "NotNormalisableError", "exact_draws", "grid"]
