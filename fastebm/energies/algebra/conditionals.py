"""E of some coordinates where the others are clamped: conditioning."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.algebra.discrete import shown
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Makers, Program
from fastebm.energies.quadratics import Quadratic
from fastebm.lanes.lane import as_lane, load, store
from fastebm.tiles import LANES


class Conditioned(Combined):
    """E(x) with some coordinates clamped, as an energy of the remaining ones in their order: p(x_free | x_clamped).

    Other values, and other coordinates if as many, compile nothing: packed behind the part's numbers are, for each
    coordinate of E, its value if it is clamped, then its place among the free ones, or -1.
    """

    kind = "conditioned"

    def __init__(self, part: Energy, values: Mapping[int, float]) -> None:
        self.clamped = dict(sorted(_checked(part, values).items()))
        is_free = np.array([i not in self.clamped for i in range(part.dim)])
        places = np.where(is_free, np.cumsum(is_free) - 1, -1)
        fixed = np.zeros(part.dim)
        fixed[~is_free] = [*self.clamped.values()]
        n_free = int(is_free.sum())
        super().__init__(
            (part,), _program(part.program, n_free), f"conditioned {part.name}",
            domain=None if part.domain is None else _checks.box(part.domain[is_free], n_free), data=[fixed, places],
        )
        self.is_free = is_free
        self.values = part.values

    def settings(self) -> dict[str, Any]:
        return {"clamped": [*self.clamped], "values": [*self.clamped.values()]}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(parts[0], dict(zip(settings["clamped"], settings["values"], strict=True)))

    def quadratics(self) -> list[Quadratic] | None:
        """Conditionals of a sum of Gaussians are the sum of theirs, each with what its marginal gives to the values."""
        terms = self.parts[0].quadratics()
        if terms is None:
            return None
        values = np.array([*self.clamped.values()])
        try:
            return [term.conditioned(self.is_free, values) for term in terms]
        except np.linalg.LinAlgError:  # flat along a line: not a Gaussian
            return None


def _checked(part: Energy, values: Mapping[int, float]) -> dict[int, float]:
    if not isinstance(values, Mapping):
        raise TypeError(
            f"values is of type {type(values).__name__}; pass a dict of coordinates and values, for example {{0: 2.0}}."
        )
    checked: dict[int, float] = {}
    for i, value in values.items():
        if not isinstance(i, numbers.Integral) or isinstance(i, bool) or not 0 <= i < part.dim:
            raise ValueError(f"values clamps the coordinate {i!r}; pass whole numbers from 0 to {part.dim - 1}.")
        checked[int(i)] = number = _checks.real(value, f"values[{i}]")
        if part.domain is not None and not part.domain[i, 0] <= number <= part.domain[i, 1]:
            raise ValueError(
                f"values[{i}] is {number}, outside the walls {part.domain[i].tolist()} of {part.name}; "
                "pass a value between them."
            )
        if part.values is not None and number not in part.values:
            raise ValueError(
                f"values[{i}] is {number}, and {part.name} takes the values {shown(part.values)}; pass one of them."
            )
    if len(checked) == part.dim:
        raise ValueError(f"values clamps all {part.dim} coordinates of {part.name}; leave at least one free.")
    return checked


@programs.composed
def _program(part: Program, n_free: int) -> Program:
    cut, dim = part.n_packed, part.dim
    values, places = slice(cut, cut + dim), slice(cut + dim, cut + 2 * dim)

    def energy() -> Any:
        inner = part.energy.pointer

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            whole = np.empty((dim, x.shape[1]))
            _widened(x, packed[values], packed[places], whole)
            inner(whole, packed[:cut], out)

        return tile_energy

    def grad() -> Any:
        inner = part.grad.pointer

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            whole, whole_g = np.empty((dim, x.shape[1])), np.empty((dim, x.shape[1]))
            _widened(x, packed[values], packed[places], whole)
            inner(whole, packed[:cut], e, whole_g)
            _narrowed(whole_g, packed[places], g)

        return tile_grad

    def hvp() -> Any:
        inner = part.hvp.pointer

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            shape = (dim, x.shape[1])
            whole, whole_v, whole_g, whole_h = np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)
            _widened(x, packed[values], packed[places], whole)
            _widened(v, np.zeros(dim), packed[places], whole_v)
            inner(whole, whole_v, packed[:cut], whole_g, whole_h)
            _narrowed(whole_g, packed[places], g)
            _narrowed(whole_h, packed[places], h)

        return tile_hvp

    def grad_theta() -> Any:
        inner = part.grad_theta.pointer

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            whole = np.empty((dim, x.shape[1]))
            _widened(x, packed[values], packed[places], whole)
            inner(whole, packed[:cut], weights, out)

        return tile_grad_theta

    makers = Makers(energy, grad, grad_theta, hvp)
    key = key_of("conditioned", part)
    return programs.build(
        n_free, part.n_params, cut + 2 * dim, "conditioned", key and f"{key} to {n_free}", makers
    )


# ---- compiled parts, which change their last argument in place ----


@inlined
def _widened(x, values, places, out):  # type: ignore[no-untyped-def]
    """The free coordinates x (n_free, width) with the clamped ones between them."""
    for i in range(out.shape[0]):
        place = int(places[i])
        for l in range(0, out.shape[1], LANES):
            if place < 0:
                store(out, i, l, as_lane(values[i]))
            else:
                store(out, i, l, load(x, place, l))


@inlined
def _narrowed(whole, places, out):  # type: ignore[no-untyped-def]
    """The rows of free coordinates alone."""
    for i in range(whole.shape[0]):
        place = int(places[i])
        if place >= 0:
            for l in range(0, out.shape[1], LANES):
                store(out, place, l, load(whole, i, l))
