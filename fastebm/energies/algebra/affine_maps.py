"""E of y = A x + b for x of a given energy: affine changes of variables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies import programs
from fastebm.energies.algebra.combined import Combined, key_of
from fastebm.energies.algebra.discrete import refuse_discrete
from fastebm.energies.energy import Energy, Moments
from fastebm.energies.programs import Makers, Program
from fastebm.energies.quadratics import Quadratic
from fastebm.lanes.lane import as_lane, load, store
from fastebm.tiles import LANES

_SINGULAR = 1e15  # condition number from which on no digit of the inverse is certain


class Affine(Combined):
    """E_y(y) = E(A^-1 (y - b)) + log |det A|: the density of y = A x + b; Z is that of E.

    A is a matrix (dim, dim) or a diagonal (dim,); other numbers in A and b compile nothing. Walls stay a box under a
    diagonal; otherwise they are no domain, and the energy is +inf beyond them all the same.
    """

    kind = "affine"

    def __init__(self, part: Energy, matrix: ArrayLike, shift: ArrayLike = 0.0) -> None:
        refuse_discrete(part, "whose affine maps would be others in every coordinate; map x inside the energy")
        self.matrix, self.inverse = _with_inverse(matrix, part.dim)
        move = _checks.finite_array(shift, "shift")
        if move.shape not in ((), (part.dim,)):
            raise ValueError(f"shift has shape {move.shape}; pass ({part.dim},) or one number.")
        self.shift = np.zeros(part.dim) + move
        is_diagonal = self.matrix.ndim == 1
        self.log_volume = float(
            np.log(np.abs(self.matrix)).sum() if is_diagonal else np.linalg.slogdet(self.matrix)[1]
        )
        super().__init__(
            (part,), _program(part.program, is_diagonal), f"affine map of {part.name}",
            domain=self._moved(part.domain) if is_diagonal and part.domain is not None else None,
            data=[self.inverse, self.shift, self.log_volume],
        )

    def _moved(self, walls: FloatArray) -> FloatArray:
        """The walls of y; rounding must not put them beyond those of x."""
        lower, upper = walls.T
        ends = np.sort(self.matrix[:, None] * walls + self.shift[:, None], axis=1)
        for end, inwards in ((ends[:, 0], np.inf), (ends[:, 1], -np.inf)):
            while (is_beyond := ~_between(lower, (end - self.shift) * self.inverse, upper) & np.isfinite(end)).any():
                end[is_beyond] = np.nextafter(end[is_beyond], inwards)
        return ends

    def settings(self) -> dict[str, Any]:
        return {"matrix": self.matrix.tolist(), "shift": self.shift.tolist()}

    @classmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        return cls(parts[0], settings["matrix"], settings["shift"])

    def closed_log_partition(self) -> float | None:
        return self.parts[0].closed_log_partition()

    def closed_moments(self) -> Moments | None:
        inner = self.parts[0].closed_moments()
        if inner is None:
            return None
        if self.matrix.ndim == 1:
            return Moments(self.matrix * inner.mean + self.shift, np.outer(self.matrix, self.matrix) * inner.cov)
        with np.errstate(invalid="ignore"):  # parts without moments
            return Moments(self.matrix @ inner.mean + self.shift, self.matrix @ inner.cov @ self.matrix.T)

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        inner = self.parts[0].closed_draws(n, generator)
        if inner is None:
            return None
        return self.shift + (self.matrix * inner if self.matrix.ndim == 1 else inner @ self.matrix.T)

    def quadratics(self) -> list[Quadratic] | None:
        terms = self.parts[0].quadratics()
        if terms is None:
            return None
        return [term.mapped(self.matrix, self.inverse, self.shift, self.log_volume) for term in terms]


def _between(lower: FloatArray, x: FloatArray, upper: FloatArray) -> Any:
    return (lower <= x) & (x <= upper)


def _with_inverse(matrix: ArrayLike, dim: int) -> tuple[FloatArray, FloatArray]:
    """A matrix (dim, dim), or a diagonal (dim,) also for one number, and its inverse."""
    given = _checks.finite_array(matrix, "matrix")
    if given.ndim == 0:
        given = np.full(dim, float(given))
    if given.shape not in ((dim, dim), (dim,)):
        raise ValueError(f"matrix has shape {given.shape}; pass ({dim}, {dim}), a diagonal ({dim},) or one number.")
    if given.ndim == 1:
        with np.errstate(divide="ignore", over="ignore"):
            inverse = 1.0 / given
        if not np.isfinite(inverse).all():
            raise ValueError(f"matrix has the diagonal entry {_least(given)}; pass entries other than 0.")
        return given.copy(), inverse
    if not _condition(given) < _SINGULAR:
        raise ValueError(
            f"matrix is singular, of rank {np.linalg.matrix_rank(given)} where dim={dim}; pass a regular matrix."
        )
    return given.copy(), np.asarray(np.linalg.inv(given), dtype=float)


def _least(values: FloatArray) -> float:
    return float(values[np.abs(values).argmin()])


def _condition(matrix: FloatArray) -> float:
    """The condition number after each row, then each column is brought to the size 1: units do not count."""
    for axis in (1, 0):
        size = np.abs(matrix).max(axis=axis, keepdims=True)
        if not size.all():
            return np.inf
        matrix = matrix / size
    return float(np.linalg.cond(matrix))


@programs.composed
def _program(part: Program, is_diagonal: bool) -> Program:
    cut, dim = part.n_packed, part.dim
    n_matrix = dim if is_diagonal else dim * dim
    log_volume = cut + n_matrix + dim
    applied, pulled_back = (_scaled, _scaled) if is_diagonal else (_product, _transposed_product)

    @inlined
    def original(y, packed, x):  # type: ignore[no-untyped-def]
        """x = A^-1 (y - b)."""
        applied(packed[cut : cut + n_matrix], y, packed[cut + n_matrix : log_volume], x)

    def energy() -> Any:
        inner = part.energy.pointer

        def tile_energy(y: Any, packed: Any, out: Any) -> None:
            x = np.empty(y.shape)
            original(y, packed, x)
            inner(x, packed[:cut], out)
            for l in range(len(out)):
                out[l] += packed[log_volume]

        return tile_energy

    def grad() -> Any:
        inner = part.grad.pointer

        def tile_grad(y: Any, packed: Any, e: Any, g: Any) -> None:
            x, inner_g = np.empty(y.shape), np.empty(y.shape)
            original(y, packed, x)
            inner(x, packed[:cut], e, inner_g)
            for l in range(len(e)):
                e[l] += packed[log_volume]
            pulled_back(packed[cut : cut + n_matrix], inner_g, np.zeros(dim), g)

        return tile_grad

    def hvp() -> Any:
        inner = part.hvp.pointer

        def tile_hvp(y: Any, v: Any, packed: Any, g: Any, h: Any) -> None:
            x, inner_v, inner_g, inner_h = np.empty(y.shape), np.empty(y.shape), np.empty(y.shape), np.empty(y.shape)
            inverse = packed[cut : cut + n_matrix]
            original(y, packed, x)
            applied(inverse, v, np.zeros(dim), inner_v)
            inner(x, inner_v, packed[:cut], inner_g, inner_h)
            pulled_back(inverse, inner_g, np.zeros(dim), g)
            pulled_back(inverse, inner_h, np.zeros(dim), h)

        return tile_hvp

    def grad_theta() -> Any:
        inner = part.grad_theta.pointer

        def tile_grad_theta(y: Any, packed: Any, weights: Any, out: Any) -> None:
            x = np.empty(y.shape)
            original(y, packed, x)
            inner(x, packed[:cut], weights, out)

        return tile_grad_theta

    kind = "affine diagonal" if is_diagonal else "affine"
    makers = Makers(energy, grad, grad_theta, hvp)
    return programs.build(dim, part.n_params, log_volume + 1, kind, key_of(kind, part), makers)


# ---- compiled parts: `out` becomes a matrix, which is flat, times x - shift; directions and slopes have no shift ----


@inlined
def _scaled(diagonal, x, shift, out):  # type: ignore[no-untyped-def]
    for l in range(0, x.shape[1], LANES):
        for i in range(x.shape[0]):
            store(out, i, l, diagonal[i] * (load(x, i, l) - shift[i]))


@inlined
def _product(matrix, x, shift, out):  # type: ignore[no-untyped-def]
    dim = x.shape[0]
    for l in range(0, x.shape[1], LANES):
        for i in range(dim):
            total = as_lane(0.0)
            for j in range(dim):
                total += matrix[dim * i + j] * (load(x, j, l) - shift[j])
            store(out, i, l, total)


@inlined
def _transposed_product(matrix, x, shift, out):  # type: ignore[no-untyped-def]
    dim = x.shape[0]
    for l in range(0, x.shape[1], LANES):
        for i in range(dim):
            total = as_lane(0.0)
            for j in range(dim):
                total += matrix[dim * j + i] * (load(x, j, l) - shift[j])
            store(out, i, l, total)
