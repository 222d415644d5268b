"""Arithmetic of energies: sums, multiples, walls and noisy observation.

Each makes a program of the programs of its parts.
"""

import functools
from typing import Any, Self

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Makers, Program, composed_on_duals


class Sum(Energy):
    """E1(x) + E2(x): the product of experts p1(x) p2(x) / Z. Parameters that share a name get _1 and _2 behind it.

    References
    ----------
    G. E. Hinton (2002), Training products of experts by minimizing contrastive divergence,
    doi:10.1162/089976602760128018.
    """

    def __init__(self, first: Energy, second: Energy) -> None:
        if first.dim != second.dim:
            raise ValueError(
                f"{first.name} has dim={first.dim} and {second.name} has dim={second.dim}; "
                "add energies of the same dimension."
            )
        shared = first.shapes.keys() & second.shapes.keys()
        theta: dict[str, Any] = {}
        for place, part in ((1, first), (2, second)):
            for key, value in part.unpack().items():
                name = f"{key}_{place}" if key in shared else key
                while key in shared and (name in theta or name in first.shapes or name in second.shapes):
                    name += f"_{place}"  # a part that is a sum itself may have this name already
                theta[name] = value
        self.parts = (first, second)
        program = _sum_program(first.program, second.program)
        domain = _intersection(first.domain, second.domain)
        super().__init__(program, theta, domain=domain, name=f"({first.name} + {second.name})")

    @property
    def packed(self) -> FloatArray:
        return np.concatenate([part.packed for part in self.parts])

    def describe(self) -> dict[str, Any]:
        return {"type": "sum", "parts": [part.describe() for part in self.parts]}

    def _replaced(self, **attributes: Any) -> Self:
        if "theta" in attributes:
            cut = self.parts[0].n_params
            pieces = (attributes["theta"][:cut], attributes["theta"][cut:])
            attributes["parts"] = tuple(part.with_theta(theta) for part, theta in zip(self.parts, pieces, strict=True))
        return super()._replaced(**attributes)


class _Wrapped(Energy):
    """An energy made of one other, whose parameters it has."""

    def __init__(self, part: Energy, program: Program, data: FloatArray, domain: FloatArray | None, name: str) -> None:
        self.part = part
        super().__init__(program, part.unpack(), data=data, domain=domain, name=name)

    @property
    def packed(self) -> FloatArray:
        return np.concatenate([self.part.packed, self.data])

    def _replaced(self, **attributes: Any) -> Self:
        if "theta" in attributes:
            attributes["part"] = self.part.with_theta(attributes["theta"])
        return super()._replaced(**attributes)


class Tempered(_Wrapped):
    """beta * E(x), beta > 0: the density p(x)**beta, flatter for beta < 1. Another beta compiles nothing."""

    def __init__(self, part: Energy, beta: float) -> None:
        self.beta = _checks.positive(beta, "beta")
        program = _tempered_program(part.program)
        super().__init__(part, program, np.array([self.beta]), part.domain, f"{beta:g} * {part.name}")

    def describe(self) -> dict[str, Any]:
        return {"type": "tempered", "beta": self.beta, "part": self.part.describe()}


class Walled(_Wrapped):
    """E(x) inside walls (dim, 2), +inf outside; other walls compile nothing."""

    def __init__(self, part: Energy, walls: FloatArray) -> None:
        domain = _intersection(part.domain, walls)
        super().__init__(part, _walled_program(part.program), walls.T.ravel(), domain, part.name)

    def describe(self) -> dict[str, Any]:
        walls = [[None if np.isinf(end) else end for end in pair] for pair in self.data.reshape(2, -1).T.tolist()]
        return {"type": "walled", "walls": walls, "part": self.part.describe()}


class Observed(_Wrapped):
    """E(x) + |y - x|**2 / (2 noise**2) as an energy of (x, y): the posterior of x given y seen through normal noise.

    Its dimension is twice that of E: coordinates dim to 2 dim - 1 hold y, and a sampler leaves them where they are.
    """

    def __init__(self, part: Energy, noise: float) -> None:
        self.noise = _checks.positive(noise, "noise")
        walls = None if part.domain is None else np.vstack([part.domain, [[-np.inf, np.inf]] * part.dim])
        super().__init__(
            part, _observed_program(part.program), np.array([self.noise**-2]), walls, f"posterior of {part.name}"
        )

    def describe(self) -> dict[str, Any]:
        return {"type": "observed", "noise": self.noise, "part": self.part.describe()}


def _intersection(first: FloatArray | None, second: FloatArray | None) -> FloatArray | None:
    if first is None or second is None:
        return second if first is None else first
    both = np.column_stack([np.maximum(first[:, 0], second[:, 0]), np.minimum(first[:, 1], second[:, 1])])
    return _checks.box(both, len(both), "the common domain")


def _key(kind: str, *parts: Program) -> str | None:
    """The sizes are part of the name: they are constants of the code, while a part's own code may serve any size."""
    if any(part.key is None for part in parts):
        return None
    return f"{kind}({'; '.join(f'{part.key} {part.dim} {part.n_params} {part.n_packed}' for part in parts)})"


@functools.lru_cache(maxsize=256)
def _sum_program(first: Program, second: Program) -> Program:
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
        "sum", _key("sum", first, second), Makers(energy, grad, grad_theta, hvp),
        duals=composed_on_duals(_sum_program, first, second),
    )


@functools.lru_cache(maxsize=256)
def _tempered_program(part: Program) -> Program:
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
    return programs.build(
        part.dim, n_params, cut + 1, "tempered", _key("tempered", part), makers,
        duals=composed_on_duals(_tempered_program, part),
    )


@functools.lru_cache(maxsize=256)
def _walled_program(part: Program) -> Program:
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
    return programs.build(
        dim, part.n_params, cut + 2 * dim, "walled", _key("walled", part), makers,
        duals=composed_on_duals(_walled_program, part),
    )


@functools.lru_cache(maxsize=256)
def _observed_program(part: Program) -> Program:
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
    return programs.build(
        2 * dim, part.n_params, cut + 1, "observed", _key("observed", part), makers,
        duals=composed_on_duals(_observed_program, part),
    )


# ---- compiled parts, which change their last argument in place, but for `_wall` and `_scale`, the first ----


@inlined
def _add(more, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for l in range(out.shape[1]):
            out[i, l] += more[i, l]


@inlined
def _scale(out, beta):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for l in range(out.shape[1]):
            out[i, l] *= beta


@inlined
def _wall(x, walls, e):  # type: ignore[no-untyped-def]
    """+inf outside of the walls: dim lower ends, then dim upper ones."""
    dim = x.shape[0]
    for i in range(dim):
        for l in range(len(e)):
            e[l] = e[l] if walls[i] <= x[i, l] <= walls[dim + i] else np.inf


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
