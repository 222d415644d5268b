"""Exact answers where they can be had: log Z, expectations and independent draws."""

from fastebm.exact.densities import NotNormalisableError
from fastebm.exact.draws import exact_draws
from fastebm.exact.enumerations import Enumeration, enumeration
from fastebm.exact.quadrature import Grid, grid

__all__ = ["Enumeration", "Grid", "NotNormalisableError", "enumeration", "exact_draws", "grid"]
