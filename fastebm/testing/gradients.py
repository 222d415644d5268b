"""Are the derivatives of an energy right? Adjoints, dual numbers and differences against each other."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike
from fastebm._faults import EnergyCompileError
from fastebm.energies import Energy
from fastebm.sampling.starts import starts
from fastebm.testing.differences import derivative

_N_POINTS = 8
_EXACT = 1e-9  # what two exact computations of a derivative may differ by, of the largest one at the point
_SURE = 1e-5  # what the error of a difference may be, of the derivative, to be evidence
_ROUNDING = 1e-13
_MOST_AXES = 8  # up to this dimension second derivatives are compared along every axis


class GradientError(AssertionError):
    """A derivative of an energy is wrong, or could not be shown to be right."""


@dataclass(frozen=True)
class Comparison:
    """One face of an energy against one other way to the same numbers.

    Attributes
    ----------
    face, against : what was compared with what.
    error : the worst difference, of the largest derivative at its point; nan where one of the two is.
    coordinate : where that was, as `x[2]` or `theta.W[0, 1]`.
    point : (dim,) the point where it was.
    found, wanted : the two numbers.
    n_compared : how many numbers were compared.
    unsettled : coordinates of which no difference converged at some point, with how many: kinks, or noise.
    fault : what is wrong in one sentence, empty if nothing is.
    """

    face: str
    against: str
    error: float
    coordinate: str
    point: tuple[float, ...]
    found: float
    wanted: float
    n_compared: int
    unsettled: dict[str, int]
    fault: str = ""


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found.

    Attributes
    ----------
    name : of the energy.
    comparisons : in the order in which they were made.
    skipped : comparisons that could not be made, with the reason.
    faults : what is wrong, a sentence each.
    """

    name: str
    comparisons: tuple[Comparison, ...]
    skipped: dict[str, str]
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults

    @property
    def worst(self) -> Comparison | None:
        """The comparison with the largest error, nan before all numbers; None if nothing could be compared."""
        return max(self.comparisons, key=lambda one: math.inf if math.isnan(one.error) else one.error, default=None)

    def raise_if_failed(self) -> None:
        """Raise GradientError with all that is wrong."""
        if self.faults:
            raise GradientError("\n".join(self.faults))

    def __str__(self) -> str:
        lines = [f"{self.name}: {'passed' if self.passed else 'FAILED'}"]
        for one in self.comparisons:
            place = f", worst at {one.coordinate}" if one.coordinate else ""
            unsettled = "".join(f"; {n} of {name} did not converge" for name, n in one.unsettled.items())
            lines.append(f"  {one.face} against {one.against}: error {one.error:.2g}{place}{unsettled}")
        lines += [f"  skipped: {what}, since {why}" for what, why in self.skipped.items()]
        return "\n".join([*lines, *(f"  {fault}" for fault in self.faults)])


def check_gradient(E: Energy, X: ArrayLike | None = None, *, rng: RNGLike = None) -> GradientReport:
    """Compare an energy's derivatives with dual numbers and with differences.

    `E.grad`, `E.grad_theta` and `E.hvp` are compared with the same by dual numbers, and with extrapolated central
    differences of `E.energy`, `E.with_theta(...).energy` and `E.grad`; and `E.mean_grad_theta` with `E.grad_theta`.

    Parameters
    ----------
    E : any energy.
    X : (n, dim) or (dim,) points; points of infinite energy are left out. None: eight, as chains of `sample` start.
    rng : for the points and for directions of second derivatives; see `fastebm.sample`.

    Returns
    -------
    A report: `report.passed`, `report.worst`, `report.skipped`; `report.raise_if_failed()`. What is not finite where
    the energy is, and a coordinate of which no difference converges at any point, are faults.

    Examples
    --------
    >>> import fastebm as eb
    >>> from fastebm.testing import check_gradient
    >>> check_gradient(eb.Rosenbrock(2), rng=0).passed
    True
    """
    _checks.instance(E, Energy, "E", "fastebm.Gaussian([0.0], [[1.0]])")
    seed = _checks.seed(rng)
    name = E.name
    try:
        points = starts(E, None, _N_POINTS, seed) if X is None else _checks.points(X, E.dim)[0]
    except ValueError as fault:
        return GradientReport(name, (), {}, (str(fault),))
    values = E.energy(points)
    points, values = points[np.isfinite(values)], values[np.isfinite(values)]
    if len(points) == 0:
        return GradientReport(
            name, (), {}, (f"{name} is finite at none of the points of X; pass points inside of its domain.",)
        )
    checks = _Checks(E, points, values, np.random.default_rng(seed))
    skipped: dict[str, str] = {}
    comparisons = []
    for what, compare in checks.all():
        try:
            comparisons.append(compare())
        except EnergyCompileError as fault:
            skipped[what] = str(fault)
        except _Skipped as fault:
            skipped[what] = str(fault)
    faults = [one.fault for one in comparisons if one.fault]
    for face in ("grad", "grad_theta")[: 2 if E.n_params else 1]:
        if face not in {one.face for one in comparisons}:
            faults.append(f"{face} of {name} could be compared with nothing: {skipped[f'{face} against differences']}")
    return GradientReport(name, tuple(comparisons), skipped, tuple(faults))


class _Skipped(Exception):
    """A comparison that has nothing to compare with."""


class _Checks:
    """The comparisons for one energy at points where it is finite."""

    def __init__(self, E: Energy, points: FloatArray, values: FloatArray, generator: np.random.Generator) -> None:
        self.E, self.points, self.values = E, points, values
        self.generator = generator
        self.x_names = [f"x[{i}]" for i in range(E.dim)]
        self.theta_names = list(parameter_names(E))
        n_random = 1 if E.dim <= _MOST_AXES else 3
        axes = np.eye(E.dim) if E.dim <= _MOST_AXES else np.zeros((0, E.dim))
        self.directions = np.vstack([axes, generator.standard_normal((n_random, E.dim)) / math.sqrt(E.dim)])
        self.direction_names = [f" along {name}" for name in self.x_names[: len(axes)]]
        self.direction_names += [f" along direction {k}" for k in range(n_random)]

    def all(self) -> Iterator[tuple[str, Callable[[], Comparison]]]:
        yield "grad against duals", self.grad_and_duals
        yield "grad against differences", self.grad_and_differences
        if self.E.n_params:
            yield "grad_theta against duals", self.grad_theta_and_duals
            yield "grad_theta against differences", self.grad_theta_and_differences
            yield "mean_grad_theta against grad_theta", self.mean_and_rows
        yield "hvp against duals", self.hvp_and_duals
        yield "hvp against differences", self.hvp_and_differences

    def on_duals(self) -> Energy:
        """The same energy with derivatives from dual numbers."""
        if self.E.program.duals is None:
            raise _Skipped("there is no scalar function to run on dual numbers")
        return self.E._replaced(program=self.E.program.duals())

    def refuse_discrete(self) -> None:
        """Along x a discrete energy is infinite on both sides of every point."""
        if self.E.values is not None:
            raise _Skipped(f"x takes {len(self.E.values)} values only, between which there are no differences")

    def grad_and_duals(self) -> Comparison:
        wanted = self.on_duals().grad(self.points)
        return self.compared("grad", "duals", self.E.grad(self.points), wanted, self.x_names)

    def grad_theta_and_duals(self) -> Comparison:
        wanted = self.on_duals().grad_theta(self.points)
        return self.compared("grad_theta", "duals", self.E.grad_theta(self.points), wanted, self.theta_names)

    def hvp_and_duals(self) -> Comparison:
        return self.compared("hvp", "duals", self.products(self.E), self.products(self.on_duals()), self.pair_names())

    def mean_and_rows(self) -> Comparison:
        weights = self.generator.uniform(0.5, 1.5, len(self.points))
        rows = self.E.grad_theta(self.points)
        mean = self.E.mean_grad_theta(self.points, weights)[None]
        size = abs(weights @ abs(rows))[None] / weights.sum()
        return self.compared(
            "mean_grad_theta", "grad_theta", mean, weights @ rows[None] / weights.sum(), self.theta_names, more=size
        )

    def grad_and_differences(self) -> Comparison:
        self.refuse_discrete()
        scales = np.maximum(1.0, abs(self.points))
        found = []
        for i in range(self.E.dim):
            axis = _unit(self.E.dim, i)

            def energy(t: FloatArray, axis: FloatArray = axis) -> FloatArray:
                return np.asarray(self.E.energy(self.points + t[:, None] * axis))

            found.append(derivative(energy, scales[:, i]))
        wanted, errors = (np.stack(one, axis=1) for one in zip(*found, strict=True))
        return self.compared("grad", "differences", self.E.grad(self.points), wanted, self.x_names, errors)

    def grad_theta_and_differences(self) -> Comparison:
        theta = self.E.theta
        found = []
        for k, place in enumerate(theta):
            axis = _unit(len(theta), k)

            def energy(t: FloatArray, axis: FloatArray = axis) -> FloatArray:
                return np.asarray(self.E.with_theta(theta + t[0] * axis).energy(self.points))

            found.append(derivative(energy, np.full(len(self.points), max(0.1, abs(place)))))
        wanted, errors = (np.stack(one, axis=1) for one in zip(*found, strict=True))
        return self.compared(
            "grad_theta", "differences", self.E.grad_theta(self.points), wanted, self.theta_names, errors
        )

    def hvp_and_differences(self) -> Comparison:
        self.refuse_discrete()
        found, scales = [], np.maximum(1.0, abs(self.points).max(axis=1))
        products = self.products(self.E)
        for v in self.directions:

            def grad(t: FloatArray, v: FloatArray = v) -> FloatArray:
                return self.E.grad(self.points + t[:, None] * v)

            found.append(derivative(grad, scales))
        wanted, errors = (np.concatenate(one, axis=1) for one in zip(*found, strict=True))
        return self.compared("hvp", "differences", products, wanted, self.pair_names(), errors)

    def products(self, E: Energy) -> FloatArray:
        """(n, n_directions * dim) second derivatives times all directions."""
        return np.concatenate([E.hvp(self.points, v) for v in self.directions], axis=1)

    def pair_names(self) -> list[str]:
        return [f"{name}{direction}" for direction in self.direction_names for name in self.x_names]

    def compared(
        self, face: str, against: str, found: FloatArray, wanted: FloatArray, names: list[str],
        errors: FloatArray | None = None, more: FloatArray | float = 0.0,
    ) -> Comparison:
        """Numbers (n, n_names) against others whose errors may be known; `more` is added to what rounding may do."""
        with np.errstate(invalid="ignore"):
            sizes = abs(wanted).max(axis=1, keepdims=True)
            least = _ROUNDING * (1.0 + np.nanmax(abs(wanted)) + abs(self.values[: len(wanted), None]) + more)
            error = np.zeros(wanted.shape) if errors is None else errors
            is_settled = error <= _SURE * np.maximum(abs(wanted), 0.01 * sizes) + 1e3 * least
            away = abs(found - wanted)
            is_wrong = is_settled & ~(away <= _EXACT * sizes + 10.0 * error + least)
            is_wrong |= ~np.isfinite(found)
            share = away / np.maximum(sizes, least)
        unsettled = {names[k]: int(n) for k, n in enumerate((~is_settled).sum(axis=0)) if n}
        nowhere = [name for name, n in unsettled.items() if n == len(wanted)]
        ranked = np.where(is_wrong if is_wrong.any() else is_settled, np.nan_to_num(share, nan=np.inf), -1.0)
        n, k = np.unravel_index(int(np.argmax(ranked)), share.shape)
        point = self.points[n] if len(wanted) == len(self.points) else self.points.mean(axis=0)
        fault = ""
        if is_wrong.any():
            fault = (
                f"{face} of {self.E.name} gives {found[n, k]:.10g} for {names[k]} at x={point.tolist()}, but "
                f"{against} give {wanted[n, k]:.10g}; mend the derivative, or the rule that it comes from."
            )
        elif nowhere:
            fault = (
                f"no difference converges to {face} of {self.E.name} for {nowhere[0]}, since the energy has a kink or "
                "noise at every point; pass X away from there."
            )
        return Comparison(
            face, against, float(share[n, k]), names[k], tuple(point.tolist()), float(found[n, k]),
            float(wanted[n, k]), int(is_settled.sum()), unsettled, fault,
        )


def parameter_names(E: Energy) -> Iterator[str]:
    """How messages call each of the parameters, in the order of theta."""
    for name, shape in E.shapes.items():
        for place in np.ndindex(shape):
            yield f"theta.{name}{list(place)}" if shape else f"theta.{name}"


def _unit(n: int, k: int) -> FloatArray:
    axis = np.zeros(n)
    axis[k] = 1.0
    return axis
