"""Exact integrals over exp(-E) in one to three dimensions: log Z, expectations, independent draws."""

from fastebm.exact.draws import exact_draws
from fastebm.exact.quadrature import Grid, NotNormalisableError, grid

__all__ = ["Grid", "NotNormalisableError", "exact_draws", "grid"]
