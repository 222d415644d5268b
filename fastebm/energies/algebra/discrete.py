"""E on a finite set of values for each coordinate, +inf off them: discrete energies."""

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Makers, Program

_MOST_SHOWN = 6


class Discrete(Combined):
    """E(x) where every x_i is one of the values (m,), +inf elsewhere; other values, if as many, compile nothing.

    The formula itself is asked for at values alone. Gradients along x are those of the formula there.
    """

    kind = "discrete"

    def __init__(self, part: Energy, values: FloatArray) -> None:
        super().__init__((part,), _program(part.program, len(values)), part.name, data=[values])
        self.values = values

    def settings(self) -> dict[str, Any]:
        return {"values": [] if self.values is None else self.values.tolist()}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(parts[0], np.array(settings["values"], dtype=float))


def sorted_values(values: Any) -> FloatArray | None:
    """The values (m,) of a coordinate, sorted, m >= 2, from a sequence of numbers or n for 0 to n - 1."""
    if values is None:
        return None
    if isinstance(values, numbers.Integral) and not isinstance(values, bool):
        return np.arange(float(_checks.count(values, "values", 2)))
    given = _checks.finite_array(values, "values")
    if given.ndim != 1 or given.size < 2:
        raise ValueError(
            f"values is {values!r}; pass two or more different numbers, for example (0, 1), or n for 0 to n - 1."
        )
    distinct = np.unique(given) + 0.0  # no negative zeros
    if distinct.size < given.size:
        twice = next(value for value in distinct if np.count_nonzero(given == value) > 1)
        raise ValueError(f"values has {twice:g} more than once; pass every value once.")
    return distinct


def shown(values: FloatArray) -> str:
    """Values in a message."""
    few = values if len(values) <= _MOST_SHOWN else [*values[:2], values[-1]]
    words = [f"{value:g}" for value in few]
    return ", ".join(words if len(values) <= _MOST_SHOWN else [*words[:2], "...", words[2]])


def common_values(parts: Iterable[Energy]) -> FloatArray | None:
    """The values that all parts share, None if all are continuous."""
    first, *others = parts
    for other in others:
        if (first.values is None) != (other.values is None) or not np.array_equal(
            [] if first.values is None else first.values, [] if other.values is None else other.values
        ):
            what = [
                "is continuous" if one.values is None else f"takes the values {shown(one.values)}"
                for one in (first, other)
            ]
            raise ValueError(
                f"{first.name} {what[0]} and {other.name} {what[1]}; combine energies with the same values=."
            )
    return first.values


def refuse_discrete(energy: Energy, why: str) -> None:
    """Nothing, for a continuous energy; `why` says what is impossible for others, and what to do."""
    if energy.values is not None:
        raise ValueError(f"{energy.name} takes the values {shown(energy.values)} only, {why}.")


@programs.composed
def _program(part: Program, n_values: int) -> Program:
    cut, dim = part.n_packed, part.dim

    def energy() -> Any:
        inner = part.energy.pointer

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            y = np.empty(x.shape)
            _to_values(x, packed[cut:], y)
            inner(y, packed[:cut], out)
            _forbid(x, y, out)

        return tile_energy

    def grad() -> Any:
        inner = part.grad.pointer

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            y = np.empty(x.shape)
            _to_values(x, packed[cut:], y)
            inner(y, packed[:cut], e, g)
            _forbid(x, y, e)

        return tile_grad

    def hvp() -> Any:
        inner = part.hvp.pointer

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            y = np.empty(x.shape)
            _to_values(x, packed[cut:], y)
            inner(y, v, packed[:cut], g, h)

        return tile_hvp

    def grad_theta() -> Any:
        inner = part.grad_theta.pointer

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            y = np.empty(x.shape)
            _to_values(x, packed[cut:], y)
            inner(y, packed[:cut], weights, out)

        return tile_grad_theta

    makers = Makers(energy, grad, grad_theta, hvp)
    key = key_of(f"discrete {n_values}", part)
    return programs.build(dim, part.n_params, cut + n_values, "discrete", key, makers)


@inlined
def _to_values(x, values, out):  # type: ignore[no-untyped-def]
    """Copy x to `out`, with the first value in the place of what is none: tables in an energy have no entry for it."""
    for i in range(x.shape[0]):
        for l in range(x.shape[1]):
            found = values[0]
            for k in range(1, len(values)):
                found = values[k] if x[i, l] == values[k] else found
            out[i, l] = found


@inlined
def _forbid(x, y, e):  # type: ignore[no-untyped-def]
    """+inf in the columns where x is not y."""
    for i in range(x.shape[0]):
        for l in range(len(e)):
            e[l] = e[l] if x[i, l] == y[i, l] else np.inf
