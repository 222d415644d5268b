"""Choosing by size, and signs."""

from fastebm.lanes.vectors import Real, where


def maximum(a: Real, b: Real) -> Real:
    """As Python's max: the first argument where the two do not compare."""
    return where(b > a, b, a)


def minimum(a: Real, b: Real) -> Real:
    """As Python's min: the first argument where the two do not compare."""
    return where(b < a, b, a)


def numpy_maximum(a: Real, b: Real) -> Real:
    """As NumPy's maximum: nan where either is."""
    return where((a >= b) | a.is_nan(), a, b)


def numpy_minimum(a: Real, b: Real) -> Real:
    """As NumPy's minimum: nan where either is."""
    return where((a <= b) | a.is_nan(), a, b)


def sign(x: Real) -> Real:
    """-1, 0 or 1; nan stays."""
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, where(x == 0.0, 0.0, x)))
