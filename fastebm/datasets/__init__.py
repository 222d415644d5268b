"""Data to try things on: small real tables that are shipped with the library, toys with a known law, held-out rows."""

from fastebm.datasets.bundled import Table, breast_cancer, digits, iris, wine
from fastebm.datasets.splits import split
from fastebm.datasets.toys import eight_gaussians, rings, two_moons

__all__ = [
    "Table",
    "breast_cancer",
    "digits",
    "eight_gaussians",
    "iris",
    "rings",
    "split",
    "two_moons",
    "wine",
]
