"""beta * E: tempering."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.energy import Energy, Links
from fastebm.energies.programs import Makers, Program
from fastebm.energies.quadratics import Quadratic


class Tempered(Combined):
    """beta * E(x), beta > 0: the density p(x)**beta, flatter for beta < 1. Another beta compiles nothing."""

    kind = "tempered"

    def __init__(self, part: Energy, beta: float) -> None:
        self.beta = _checks.positive(beta, "beta")
        super().__init__(
            (part,), _program(part.program), f"{beta:g} * {part.name}", domain=part.domain, data=[self.beta]
        )
        self.values = part.values

    def settings(self) -> dict[str, Any]:
        return {"beta": self.beta}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(parts[0], settings["beta"])

    def links(self) -> Links | None:
        inner, beta = self.parts[0].links(), self.beta
        return inner and Links(
            lambda x: beta * inner.site(x),
            lambda x, y: beta * inner.bond(x, y),
            lambda x: [beta * slope for slope in inner.site_grad_theta(x)],
            lambda x, y: [beta * slope for slope in inner.bond_grad_theta(x, y)],
        )

    def quadratics(self) -> list[Quadratic] | None:
        """Powers of a single Gaussian are known, of a sum of several not."""
        terms = self.parts[0].quadratics()
        return None if terms is None or len(terms) > 1 else [terms[0].times(self.beta)]


@programs.composed
def _program(part: Program) -> Program:
    cut, n_params = part.n_packed, part.n_params

    def energy() -> Any:
        inner = part.energy.pointer

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            inner(x, packed[:cut], out)
            for l in range(len(out)):
                out[l] *= packed[cut]

        return tile_energy

    def grad() -> Any:
        inner = part.grad.pointer

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            inner(x, packed[:cut], e, g)
            for l in range(len(e)):
                e[l] *= packed[cut]
            _scale(g, packed[cut])

        return tile_grad

    def hvp() -> Any:
        inner = part.hvp.pointer

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            inner(x, v, packed[:cut], g, h)
            _scale(g, packed[cut])
            _scale(h, packed[cut])

        return tile_hvp

    def grad_theta() -> Any:
        inner = part.grad_theta.pointer

        def tile_grad_theta(x: Any, packed: Any, weights: Any, out: Any) -> None:
            scaled = np.empty(len(weights))
            for l in range(len(weights)):
                scaled[l] = packed[cut] * weights[l]
            inner(x, packed[:cut], scaled, out[:n_params])

        return tile_grad_theta

    makers = Makers(energy, grad, grad_theta, hvp)
    return programs.build(part.dim, n_params, cut + 1, "tempered", key_of("tempered", part), makers)


@inlined
def _scale(out, beta):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for l in range(out.shape[1]):
            out[i, l] *= beta
