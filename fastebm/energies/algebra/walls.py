"""E inside a box: restriction."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.algebra.discrete import refuse_discrete
from fastebm.energies.algebra.sums import common_domain
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Makers, Program


class Walled(Combined):
    """E(x) inside walls (dim, 2), +inf outside; other walls compile nothing."""

    kind = "walled"

    def __init__(self, part: Energy, walls: FloatArray) -> None:
        refuse_discrete(part, "and needs no walls; define it with the values= that are wanted")
        self.walls = walls
        domain = common_domain(part.domain, walls)
        super().__init__((part,), _program(part.program), part.name, domain=domain, data=[walls.T])

    def settings(self) -> dict[str, Any]:
        return {"walls": [[None if np.isinf(end) else end for end in pair] for pair in self.walls.tolist()]}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        lower, upper = np.array(settings["walls"], dtype=float).T  # None, where there is no wall, becomes nan
        walls = np.column_stack([np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)])
        return cls(parts[0], walls)


@programs.composed
def _program(part: Program) -> Program:
    cut, dim = part.n_packed, part.dim

    def energy() -> Any:
        inner = part.energy.pointer

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            inner(x, packed[:cut], out)
            _wall(x, packed[cut:], out)

        return tile_energy

    def grad() -> Any:
        inner = part.grad.pointer

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            inner(x, packed[:cut], e, g)
            _wall(x, packed[cut:], e)

        return tile_grad

    def hvp() -> Any:
        inner = part.hvp.pointer
        return lambda x, v, packed, g, h: inner(x, v, packed[:cut], g, h)

    def grad_theta() -> Any:
        inner = part.grad_theta.pointer
        return lambda x, packed, weights, out: inner(x, packed[:cut], weights, out)

    makers = Makers(energy, grad, grad_theta, hvp)
    return programs.build(dim, part.n_params, cut + 2 * dim, "walled", key_of("walled", part), makers)


@inlined
def _wall(x, walls, e):  # type: ignore[no-untyped-def]
    """+inf outside of the walls: dim lower ends, then dim upper ones."""
    dim = x.shape[0]
    for i in range(dim):
        for l in range(len(e)):
            e[l] = e[l] if walls[i] <= x[i, l] <= walls[dim + i] else np.inf
