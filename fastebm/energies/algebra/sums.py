"""E1 + E2: products of experts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.algebra.discrete import common_values
from fastebm.energies.energy import Energy, Links
from fastebm.energies.programs import Makers, Program
from fastebm.energies.quadratics import Quadratic

_MOST_TERMS = 1000  # of a product of mixtures, beyond which a closed form is no help

class Sum(Combined):
    """E1(x) + E2(x): the product of experts p1(x) p2(x) / Z. Parameters that share a name get _1 and _2 behind it.

    References
    ----------
    G. E. Hinton (2002), Training products of experts by minimizing contrastive divergence,
    doi:10.1162/089976602760128018.
    """

    kind = "sum"

    def __init__(self, first: Energy, second: Energy) -> None:
        if first.dim != second.dim:
            raise ValueError(
                f"{first.name} has dim={first.dim} and {second.name} has dim={second.dim}; "
                "add energies of the same dimension."
            )
        values = common_values((first, second))
        program = _program(first.program, second.program)
        domain = common_domain(first.domain, second.domain)
        super().__init__((first, second), program, f"({first.name} + {second.name})", domain=domain)
        self.values = values

    def settings(self) -> dict[str, Any]:
        return {}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(*parts)

    def links(self) -> Links | None:
        one, other = (part.links() for part in self.parts)
        if one is None or other is None:
            return None
        return Links(
            lambda x: one.site(x) + other.site(x),
            lambda x, y: one.bond(x, y) + other.bond(x, y),
            lambda x: one.site_grad_theta(x) + other.site_grad_theta(x),  # lists: theta of one, then of the other
            lambda x, y: one.bond_grad_theta(x, y) + other.bond_grad_theta(x, y),
        )

    def quadratics(self) -> list[Quadratic] | None:
        """The product of two sums of Gaussians is the sum of the products."""
        first, second = (part.quadratics() for part in self.parts)
        if first is None or second is None or len(first) * len(second) > _MOST_TERMS:
            return None
        try:
            return [one.plus(other) for one in first for other in second]
        except np.linalg.LinAlgError:  # flat along a line: not a Gaussian
            return None


def common_domain(first: FloatArray | None, second: FloatArray | None) -> FloatArray | None:
    """The intersection of two boxes (dim, 2), None for all of R^dim."""
    if first is None or second is None:
        return second if first is None else first
    both = np.column_stack([np.maximum(first[:, 0], second[:, 0]), np.minimum(first[:, 1], second[:, 1])])
    return _checks.box(both, len(both), "the common domain")


@programs.composed
def _program(first: Program, second: Program) -> Program:
    cut, cut_theta = first.n_packed, first.n_params

    def energy() -> Any:
        one, other = first.energy.pointer, second.energy.pointer

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            more = np.empty(len(out))
            one(x, packed[:cut], out)
            other(x, packed[cut:], more)
            for l in range(len(out)):
                out[l] += more[l]

        return tile_energy

    def grad() -> Any:
        one, other = first.grad.pointer, second.grad.pointer

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            more_e, more_g = np.empty(len(e)), np.empty(g.shape)
            one(x, packed[:cut], e, g)
            other(x, packed[cut:], more_e, more_g)
            for l in range(len(e)):
                e[l] += more_e[l]
            _add(more_g, g)

        return tile_grad

    def hvp() -> Any:
        one, other = first.hvp.pointer, second.hvp.pointer

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            more_g, more_h = np.empty(g.shape), np.empty(g.shape)
            one(x, v, packed[:cut], g, h)
            other(x, v, packed[cut:], more_g, more_h)
            _add(more_g, g)
            _add(more_h, h)

        return tile_hvp

    def grad_theta() -> Any:
        one, other = first.grad_theta.pointer, second.grad_theta.pointer

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            one(x, packed[:cut], weights, out[:cut_theta])
            other(x, packed[cut:], weights, out[cut_theta:])

        return tile_grad_theta

    return programs.build(
        first.dim, first.n_params + second.n_params, first.n_packed + second.n_packed,
        "sum", key_of("sum", first, second), Makers(energy, grad, grad_theta, hvp),
    )


@inlined
def _add(more, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for l in range(out.shape[1]):
            out[i, l] += more[i, l]
