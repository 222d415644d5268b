"""Whole quotients and remainders, with Python's signs."""

from fastebm.lanes.vectors import Real, where


def modulo(a: Real, b: Real) -> Real:
    """a % b: with the sign of b."""
    rest = a.each("fmod", b)
    return where((rest != 0.0) & ((rest < 0.0) ^ (b < 0.0)), rest + b, rest)


def whole_quotient(a: Real, b: Real) -> Real:
    """a // b."""
    return ((a - modulo(a, b)) / b + 0.5).floor()
