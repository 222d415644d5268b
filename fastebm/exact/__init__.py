"""Exact integrals over exp(-E) in one to three dimensions: log Z, expectations, independent draws."""

from fastebm.exact.quadrature import Grid, NotNormalisableError, grid

__all__ = ["Grid", "NotNormalisableError", "grid"]
