"""E of x together with what is seen of x through normal noise."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.algebra.discrete import refuse_discrete
from fastebm.energies.energy import Energy, Moments
from fastebm.energies.programs import Makers, Program
from fastebm.energies.quadratics import Quadratic


class Observed(Combined):
    """E(x) + |y - x|**2 / (2 noise**2) as an energy of (x, y): the posterior of x given y seen through normal noise.

    Its dimension is twice that of E: coordinates dim to 2 dim - 1 hold y. Conditioned on them it is the posterior.
    """

    kind = "observed"

    def __init__(self, part: Energy, noise: float) -> None:
        refuse_discrete(part, "and normal noise leads off them; write the noise into the energy")
        self.noise = _checks.positive(noise, "noise")
        walls = None if part.domain is None else np.vstack([part.domain, [[-np.inf, np.inf]] * part.dim])
        super().__init__(
            (part,), _program(part.program), f"posterior of {part.name}", domain=walls, data=[self.noise**-2]
        )

    def settings(self) -> dict[str, Any]:
        return {"noise": self.noise}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(parts[0], settings["noise"])

    def closed_log_partition(self) -> float | None:
        inner = self.parts[0].closed_log_partition()
        return None if inner is None else inner + self.parts[0].dim * math.log(math.sqrt(2.0 * math.pi) * self.noise)

    def closed_moments(self) -> Moments | None:
        inner = self.parts[0].closed_moments()
        if inner is None:
            return None
        cov = np.tile(inner.cov, (2, 2))
        np.fill_diagonal(cov[len(inner.mean) :, len(inner.mean) :], np.diagonal(inner.cov) + self.noise**2)
        return Moments(np.tile(inner.mean, 2), cov)

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        inner = self.parts[0].closed_draws(n, generator)
        return None if inner is None else np.hstack([inner, generator.normal(inner, self.noise)])

    def quadratics(self) -> list[Quadratic] | None:
        terms = self.parts[0].quadratics()
        return None if terms is None else [term.observed(self.noise) for term in terms]


@programs.composed
def _program(part: Program) -> Program:
    cut, dim = part.n_packed, part.dim

    def energy() -> Any:
        inner = part.energy.pointer

        def tile_energy(x: Any, packed: Any, out: Any) -> None:
            inner(x[:dim], packed[:cut], out)
            _observe(x, packed[cut], out)

        return tile_energy

    def grad() -> Any:
        inner = part.grad.pointer

        def tile_grad(x: Any, packed: Any, e: Any, g: Any) -> None:
            inner(x[:dim], packed[:cut], e, g[:dim])
            _observe(x, packed[cut], e)
            _pull(x, packed[cut], g)

        return tile_grad

    def hvp() -> Any:
        inner = part.hvp.pointer

        def tile_hvp(x: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            inner(x[:dim], v[:dim], packed[:cut], g[:dim], h[:dim])
            _pull(x, packed[cut], g)
            _pull(v, packed[cut], h)

        return tile_hvp

    def grad_theta() -> Any:
        inner = part.grad_theta.pointer
        return lambda x, packed, weights, out: inner(x[:dim], packed[:cut], weights, out)

    makers = Makers(energy, grad, grad_theta, hvp)
    return programs.build(2 * dim, part.n_params, cut + 1, "observed", key_of("observed", part), makers)


@inlined
def _observe(x, precision, e):  # type: ignore[no-untyped-def]
    dim = x.shape[0] // 2
    for i in range(dim):
        for l in range(len(e)):
            away = x[dim + i, l] - x[i, l]
            e[l] += 0.5 * precision * away * away


@inlined
def _pull(x, precision, g):  # type: ignore[no-untyped-def]
    """Add the gradient of |y - x|**2 / 2 times the precision; that along y is new."""
    dim = x.shape[0] // 2
    for i in range(dim):
        for l in range(x.shape[1]):
            pull = precision * (x[dim + i, l] - x[i, l])
            g[i, l] -= pull
            g[dim + i, l] = pull
