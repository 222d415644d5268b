"""An energy: E(x, theta) with its parameters, its gradients and its arithmetic."""

import abc
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, files
from fastebm._checks import FloatArray
from fastebm._compile import NotThisWay
from fastebm.energies import programs
from fastebm.energies.programs import Program
from fastebm.energies.quadratics import Quadratic, mixed_draws, mixed_moments

Shapes = dict[str, tuple[int, ...]]


class Moments(NamedTuple):
    """Mean (dim,) and covariance (dim, dim) of a density."""

    mean: FloatArray
    cov: FloatArray


class Links(NamedTuple):
    """An energy of a chain, sum over i of site(x_i) + sum over i < dim - 1 of bond(x_i, x_{i+1}), by its terms.

    Derivatives of the terms in theta come as lists of n_params arrays, or numbers where they are the same everywhere.
    """

    site: Callable[[FloatArray], FloatArray]
    bond: Callable[[FloatArray, FloatArray], FloatArray]
    site_grad_theta: Callable[[FloatArray], list[Any]]
    bond_grad_theta: Callable[[FloatArray, FloatArray], list[Any]]


class Source(str):
    """Python code as text, which notebooks and prompts show as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Energy(abc.ABC):
    """E(x, theta), which defines the density p(x | theta) = exp(-E(x, theta)) / Z(theta).

    An energy does not change: `with_theta` and the operations of the algebra make new ones. Users make energies with
    `fastebm.energy` or take one of the catalogue; they do not call this constructor.

    Attributes
    ----------
    dim : dimension of x.
    n_params : length of theta.
    theta : (n_params,) parameters, flat, in the order of `unpack()`; read-only.
    first_theta : the one it was made with, before any `with_theta`.
    domain : (dim, 2) lower and upper walls, infinite where there is none; None for all of R^dim.
    values : (m,) what every coordinate of a discrete energy may be, sorted; None if x is continuous.
    name : how messages call this energy.
    """

    values: FloatArray | None = None

    def __init__(
        self,
        program: Program,
        theta: Mapping[str, ArrayLike],
        data: FloatArray | None = None,
        domain: FloatArray | None = None,
        name: str = "energy",
    ) -> None:
        arrays = {key: _checks.finite_array(value, key) for key, value in theta.items()}
        self.program = program
        self.shapes: Shapes = {key: value.shape for key, value in arrays.items()}
        self.data = np.zeros(0) if data is None else data
        self.domain = domain
        self.name = name
        self.dim = program.dim
        self.n_params = program.n_params
        self.theta = self.first_theta = _frozen(
            np.concatenate([np.zeros(0), *(value.ravel() for value in arrays.values())])
        )

    @property
    def packed(self) -> FloatArray:
        """What compiled code takes: theta with the energy's data behind it."""
        return np.concatenate([self.theta, self.data])

    def unpack(self) -> dict[str, Any]:
        """Parameters by name: arrays of their own shape, scalars as floats."""
        named: dict[str, Any] = {}
        start = 0
        for key, shape in self.shapes.items():
            size = math.prod(shape)
            value = self.theta[start : start + size].reshape(shape)
            named[key] = float(value) if shape == () else value.copy()
            start += size
        return named

    def with_theta(self, theta: ArrayLike | None = None, /, **named: ArrayLike) -> Self:
        """This energy with other parameters, given as one flat vector or by name; nothing is compiled again.

        Raises
        ------
        ValueError : a vector of the wrong length, an unknown name, a wrong shape, a value that is not finite.
        """
        if theta is not None and named:
            raise TypeError("with_theta got a vector and names; pass with_theta(vector) or with_theta(name=...).")
        if theta is not None:
            vector = _checks.finite_array(theta, "theta", (self.n_params,))
        else:
            unknown = [key for key in named if key not in self.shapes]
            if unknown:
                known = ", ".join(self.shapes) or "none"
                raise ValueError(f"{self.name} has no parameter {unknown[0]!r}; its parameters are: {known}.")
            arrays = self.unpack() | {
                key: _checks.finite_array(value, key, self.shapes[key]) for key, value in named.items()
            }
            vector = np.concatenate([np.zeros(0), *(np.ravel(value) for value in arrays.values())])
        return self._replaced(theta=_frozen(vector.copy()))

    def energy(self, X: ArrayLike) -> Any:
        """E at X.

        Parameters
        ----------
        X : (n, dim) or (dim,) points; any floats.

        Returns
        -------
        (n,) float64, or a float for a single point. Outside the domain, or off the values, it is +inf.
        """
        points, is_single = _checks.points(X, self.dim)
        values = programs.energies(self.program, self.packed, points)
        return float(values[0]) if is_single else values

    def grad(self, X: ArrayLike) -> FloatArray:
        """dE/dx at X (n, dim) or (dim,): an array of the same shape, exact to rounding."""
        points, is_single = _checks.points(X, self.dim)
        values = programs.energies_and_grads(self.program, self.packed, points)[1]
        return values[0] if is_single else values

    def hvp(self, X: ArrayLike, V: ArrayLike) -> FloatArray:
        """Products of second derivatives with directions, exact to rounding.

        Parameters
        ----------
        X : (n, dim) or (dim,) points.
        V : directions, of the same shape; or (dim,), one for all points.

        Returns
        -------
        sum_j d2E/dx_i dx_j V_j, of the shape of X.

        Raises
        ------
        EnergyCompileError : the energy's source is not to be had, or has what cannot be read backwards.
        """
        points, is_single = _checks.points(X, self.dim)
        directions = _checks.points(V, self.dim, "V")[0]
        if len(directions) not in (1, len(points)):
            raise ValueError(f"V has {len(directions)} rows and X {len(points)}; pass a direction for every point.")
        everywhere = np.broadcast_to(directions, points.shape).copy()  # compiled code takes no read-only views
        values = programs.hvps(self.program, self.packed, points, everywhere)
        return values[0] if is_single else values

    def hessian(self, X: ArrayLike) -> FloatArray:
        """d2E/dx2 at X (n, dim) or (dim,): (n, dim, dim) or (dim, dim), exact to rounding; errors as of `hvp`."""
        points, is_single = _checks.points(X, self.dim)
        values = programs.hessians(self.program, self.packed, points)
        return values[0] if is_single else values

    def laplacian(self, X: ArrayLike) -> Any:
        """The trace of d2E/dx2 at X (n, dim) or (dim,): (n,) or a float, exact to rounding; errors as of `hvp`."""
        points, is_single = _checks.points(X, self.dim)
        values = programs.laplacians(self.program, self.packed, points)
        return float(values[0]) if is_single else values

    def grad_theta(self, X: ArrayLike) -> FloatArray:
        """dE/dtheta at X (n, dim) or (dim,): (n, n_params) or (n_params,), exact to rounding."""
        points, is_single = _checks.points(X, self.dim)
        values = programs.grad_thetas(self.program, self.packed, points)
        return values[0] if is_single else values

    def mean_grad_theta(self, X: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
        """Mean of dE/dtheta over points, the same bits for any number of threads.

        Parameters
        ----------
        X : (n, dim) points, n >= 1.
        weights : (n,) weights that need not sum to one; equal if None.

        Returns
        -------
        (n_params,) sum of weights times dE/dtheta, over the sum of weights.
        """
        points = _checks.points(X, self.dim)[0]
        if len(points) == 0:
            raise ValueError(f"X has no rows; pass at least one point of dimension {self.dim}.")
        if weights is None:
            return programs.sum_grad_theta(self.program, self.packed, points, np.ones(len(points))) / len(points)
        weighted = _checks.finite_array(weights, "weights", (len(points),))
        total = weighted.sum()
        if total == 0.0:
            raise ValueError("weights sum to 0; pass weights with a sum that is not 0.")
        return np.asarray(programs.sum_grad_theta(self.program, self.packed, points, weighted) / total)

    def log_ratio(self, X: ArrayLike, Y: ArrayLike) -> Any:
        """log p(X) - log p(Y) = E(Y) - E(X), (n,) or a float: Z cancels. X and Y broadcast over their rows."""
        with np.errstate(invalid="ignore"):  # nan where both energies are infinite
            return self.energy(Y) - self.energy(X)

    def closed_log_partition(self) -> float | None:
        """log Z where a closed form is known, else None."""
        terms = self.quadratics()
        return None if terms is None else float(np.logaddexp.reduce([term.log_partition() for term in terms]))

    def closed_moments(self) -> Moments | None:
        """Mean and covariance where closed forms are known, else None; infinite where they do not exist."""
        terms = self.quadratics()
        if terms is None:
            return None
        covs = [term.covariance() for term in terms]
        if len(terms) == 1:
            return Moments(terms[0].mean, covs[0])
        masses = [term.log_partition() for term in terms]
        return Moments(*mixed_moments(masses, [term.mean for term in terms], covs))

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        """Independent points (n, dim) of the density where they can be drawn at once, else None."""
        terms = self.quadratics()
        return None if terms is None else mixed_draws(terms, n, generator)

    def quadratics(self) -> list[Quadratic] | None:
        """Quadratic q_k with exp(-E) = sum_k exp(-q_k), for Gaussians and what is made of them; None for others."""
        return None

    def links(self) -> Links | None:
        """The terms of an energy that couples neighbouring coordinates alone, all alike; None for others."""
        return None

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """What this energy is apart from theta, as JSON: names and settings, never code."""

    def show(self, face: str = "energy") -> "Source":
        """The Python source of "energy", "grad" or "grad_theta", as it was written or derived; of "hvp", grad's.

        Raises
        ------
        ValueError : another face; no source is to be had; or it cannot be read backwards.
        """
        _checks.choice(face, "face", ("energy", "grad", "grad_theta", "hvp"))
        try:
            return Source(getattr(self.program, face).text())
        except NotThisWay as fault:
            place = "" if fault.line is None else f" at line {fault.line}"
            why, remedy = fault.reason or "its source is not to be had", "otherwise" if fault.reason else "in a file"
            raise ValueError(f"{face} of {self.name} cannot be shown, since {why}{place}; write it {remedy}.") from None

    def save(self, path: Any) -> None:
        """Write this energy to `path`, atomically; `fastebm.load` reads it."""
        files.write(path, "energy", {"energy": self.describe(), "shapes": self.shapes}, {"theta": self.theta})

    def __add__(self, other: object) -> "Energy":
        """The product of experts: the energy of p1(x) p2(x) / Z."""
        from fastebm.energies.algebra import Sum  # itself an energy, so that the modules need each other; so below

        return Sum(self, other) if isinstance(other, Energy) else NotImplemented

    def __mul__(self, beta: object) -> "Energy":
        """Tempering: the energy of p(x)**beta, for a number beta > 0."""
        from fastebm.energies.algebra import Tempered

        return Tempered(self, float(beta)) if isinstance(beta, numbers.Real) else NotImplemented

    __rmul__ = __mul__

    def affine(self, matrix: ArrayLike, shift: ArrayLike = 0.0) -> "Energy":
        """The energy of y = A x + b for x of this density, E(A^-1 (y - b)) + log |det A|; Z stays the same.

        Parameters
        ----------
        matrix : A (dim, dim), or its diagonal (dim,), or one number; not singular.
        shift : b (dim,), or one number. Other A and b compile nothing.

        Returns
        -------
        An energy whose walls are moved under a diagonal A; under others it is +inf beyond them, with domain None.
        """
        from fastebm.energies.algebra import Affine

        return Affine(self, matrix, shift)

    def restricted(self, bounds: ArrayLike) -> "Energy":
        """This energy inside a box and +inf outside.

        Parameters
        ----------
        bounds : (dim, 2) lower and upper walls, infinite where there is none. Others compile nothing.
        """
        from fastebm.energies.algebra import Walled

        walls = _checks.box(bounds, self.dim)
        return self if walls is None else Walled(self, walls)

    def conditioned(self, values: Mapping[int, float]) -> "Energy":
        """The energy of the remaining coordinates, in their order, where others are clamped: p(x_free | x_clamped).

        Parameters
        ----------
        values : the clamped coordinates, from 0 to dim - 1 and not all of them, with their values inside the walls.
            Other values, and other coordinates if as many, compile nothing.
        """
        from fastebm.energies.algebra import Conditioned

        return self if isinstance(values, Mapping) and not values else Conditioned(self, values)

    def observed(self, noise: float) -> "Energy":
        """E(x) + |y - x|**2 / (2 noise**2), the energy of x and of y = x + noise * normal side by side, (2 dim,).

        Conditioned on its coordinates dim to 2 dim - 1 it is the posterior of x given y.
        """
        from fastebm.energies.algebra import Observed

        return Observed(self, noise)

    def __reduce__(self) -> Any:
        from fastebm.energies.parcels import packed

        return packed(self)

    def __repr__(self) -> str:
        from fastebm.energies.expressions import expression

        return expression(self) or f"{self.name}(dim={self.dim}, n_params={self.n_params})"

    def _replaced(self, **attributes: Any) -> Self:
        """A copy with other attributes."""
        twin = object.__new__(type(self))  # not copy.copy, which takes the way of pickles
        vars(twin).update(vars(self) | attributes)
        return twin


def _frozen(vector: FloatArray) -> FloatArray:
    vector.setflags(write=False)
    return vector
