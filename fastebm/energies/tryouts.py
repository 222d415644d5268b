"""A user's function tried out as plain Python: what is wrong with it, and the numbers that compiled code must give."""

import math
import traceback
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numba
import numpy as np

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm._compile import FLAGS, GRAD_SIGNATURE, GRAD_THETA_SIGNATURE
from fastebm._faults import EnergyCompileError
from fastebm.energies.scalar_code import ScalarCode
from fastebm.tiles import LANES

Function = Callable[..., Any]
_OUT_OF_RANGE = object()
_NEARLY_INFINITE = 1e300


class Tryout:
    """Values of a plain function at three points of its domain, which tell whether compiled code does the same.

    Where a word of Python has another meaning in compiled code, its numbers are wrong, and nothing else shows it.

    Parameters
    ----------
    function : E(x, theta), or E(x) where theta is None.
    given : the user's own "grad" and "grad_theta", or None in their places.

    Raises
    ------
    EnergyCompileError : the function fails, gives no number or changes its arguments, or differences contradict a
        gradient that is given.
    """

    def __init__(
        self,
        function: Function,
        given: Mapping[str, Function | None],
        dim: int,
        theta: Mapping[str, FloatArray] | None,
        walls: FloatArray | None,
        name: str,
    ) -> None:
        self.function = function
        self.theta = theta
        self.name = name
        self.flat = np.concatenate([np.zeros(0), *(value.ravel() for value in (theta or {}).values())])
        self.points: list[FloatArray] = []
        self.values: list[float] = []
        for x in _probes(dim, walls):
            value = self.value(x)
            if value is not _OUT_OF_RANGE:
                _refuse_other_than(value, (), function, f"energy {name!r}")
                self.points.append(x)
                self.values.append(float(value))
            for key, size in (("grad", dim), ("grad_theta", self.flat.size)):
                if (slope_of := given[key]) is not None:
                    self._compare(key, slope_of, size, x)

    def value(self, x: FloatArray, flat: FloatArray | None = None) -> Any:
        """The plain function at x, with other parameters if they are given; or _OUT_OF_RANGE."""
        return _call(self.function, (x, *self._arguments(self.flat if flat is None else flat)), self.name)

    def energy_agrees(self, compiled: Function, packed: FloatArray) -> bool:
        """Whether a tile function gives these values, but for what rounding can do to them."""
        if not self.points:
            return True
        out = np.empty(LANES)
        try:
            compiled(tiles.pack(np.array(self.points), 1, LANES)[0], packed, out)
        except Exception:
            return False  # the plain function raises nothing there
        return all(map(self._agrees, self.points, self.values, out[: len(self.points)]))

    def grad_agrees(self, compiled: Function, packed: FloatArray, code: ScalarCode) -> bool:
        """Whether a tile function gives these values, and differences of the plain function or else dual numbers."""

        def tile_energy(x: FloatArray, packed: FloatArray, out: FloatArray) -> None:
            compiled(x, packed, out, np.empty_like(x))

        return self.energy_agrees(tile_energy, packed) and self._along_x_agrees(
            lambda x, g: compiled(x, packed, np.empty(LANES), g), packed, code
        )

    def hvp_agrees(self, compiled: Function, packed: FloatArray, code: ScalarCode) -> bool:
        """The same of the gradient that products of second derivatives come with: both are of the same adjoint."""
        return self._along_x_agrees(
            lambda x, g: compiled(x, np.ones_like(x), packed, g, np.empty_like(x)), packed, code
        )

    def _along_x_agrees(self, gradient: Function, packed: FloatArray, code: ScalarCode) -> bool:
        if not self.points:
            return True
        x = tiles.pack(np.array(self.points), 1, LANES)[0]

        def slopes_of(face: Function) -> FloatArray:
            out = np.empty_like(x)
            face(x, out)
            return np.ascontiguousarray(out.T[: len(self.points)])

        def difference(x: FloatArray, v: FloatArray, step: float) -> list[Any]:
            return [self.value(x + move * v) for move in (step, -step)]

        def exact() -> Function:
            on_duals = _compiled(code.dual_grad, GRAD_SIGNATURE)
            return lambda x, g: on_duals(x, packed, np.empty(LANES), g)

        return self._slopes_agree(gradient, slopes_of, difference, exact)

    def grad_theta_agrees(self, compiled: Function, packed: FloatArray, code: ScalarCode) -> bool:
        """The same of dE/dtheta."""

        def slopes_of(face: Function) -> FloatArray:
            rows = np.zeros((len(self.points), self.flat.size))
            weights = np.zeros(LANES)
            weights[0] = 1.0
            for row, x in zip(rows, self.points, strict=True):
                face(tiles.pack(x[None], 1, LANES)[0], packed, weights, row)
            return rows

        def difference(x: FloatArray, v: FloatArray, step: float) -> list[Any]:
            return [self.value(x, self.flat + move * v) for move in (step, -step)]

        return self._slopes_agree(
            compiled, slopes_of, difference, lambda: _compiled(code.dual_grad_theta, GRAD_THETA_SIGNATURE)
        )

    def _slopes_agree(
        self, compiled: Function, slopes_of: Callable[[Function], FloatArray],
        difference: Callable[[FloatArray, FloatArray, float], list[Any]], exact: Callable[[], Function],
    ) -> bool:
        try:
            slopes = slopes_of(compiled)
        except Exception:
            return False
        v = np.random.default_rng(1).choice([-1.0, 1.0], slopes.shape[1]) if slopes.size else np.zeros(0)
        step = 6e-6
        for x, slope in zip(self.points, slopes, strict=True):
            ends = difference(x, v, step)
            if any(end is _OUT_OF_RANGE for end in ends) or not np.isfinite([*ends, *slope]).all():
                continue
            seen = (float(ends[0]) - float(ends[1])) / (2.0 * step)
            allowed = 1e-4 * (1.0 + abs(seen)) + 1e-6 * np.abs(slope).sum() + 1e-14 * np.abs(ends).sum() / step
            if abs(seen - slope @ v) > allowed:
                right = slopes_of(exact())  # was it a kink, or a function that differences are too coarse for?
                return bool(np.allclose(slopes, right, rtol=1e-6, atol=1e-6 * np.abs(right).max(), equal_nan=True))
        return True

    def _agrees(self, x: FloatArray, value: float, got: float) -> bool:
        if not math.isfinite(value) or not math.isfinite(got):
            return value == got or math.isnan(value) or abs(value) > _NEARLY_INFINITE
        allowed = 1e-6 * (1.0 + abs(value))
        if abs(got - value) <= allowed:
            return True
        nearby = self.value(x * (1.0 + 1e-12))  # does the function magnify rounding?
        return nearby is _OUT_OF_RANGE or not abs(nearby - value) < 0.1 * abs(got - value)

    def _arguments(self, flat: FloatArray) -> tuple[Any, ...]:
        """Theta as the plain function takes it, if it does."""
        if self.theta is None:
            return ()
        parts, start = [], 0
        for value in self.theta.values():
            part = flat[start : start + value.size].reshape(value.shape)
            parts.append(part.copy() if value.shape else float(part))
            start += value.size
        record = namedtuple("theta", list(self.theta))  # type: ignore[misc]
        return (record(*parts),)

    def _compare(self, key: str, slope_of: Function, size: int, x: FloatArray) -> None:
        """Refuse a given gradient that central differences of the energy contradict."""
        slope = _call(slope_of, (x, *self._arguments(self.flat)), self.name)
        if slope is _OUT_OF_RANGE:
            return
        if not (np.ndim(slope) == 0 and size == 1):
            _refuse_other_than(slope, (size,), slope_of, f"{key} of energy {self.name!r}")
        slopes = np.ravel(slope).astype(float)
        worst, words = 1.0, ""
        for k, place in enumerate(x if key == "grad" else self.flat):
            step = 6e-6 * max(1.0, abs(place))  # the cube root of the rounding error balances it with the truncation
            move = np.zeros(size)
            move[k] = step
            above, below = (
                self.value(x + one) if key == "grad" else self.value(x, self.flat + one) for one in (move, -move)
            )
            if above is _OUT_OF_RANGE or below is _OUT_OF_RANGE or not np.isfinite([above, below, slopes[k]]).all():
                continue
            seen = (float(above) - float(below)) / (2.0 * step)
            allowed = 1e-4 * (1.0 + abs(seen)) + 1e-14 * (abs(above) + abs(below)) / step
            if abs(seen - slopes[k]) > worst * allowed:
                worst = abs(seen - slopes[k]) / allowed
                words = (
                    f"{key} of energy {self.name!r} gives {slopes[k]:.6g} for coordinate {k} at x={x.tolist()}, but "
                    f"differences of the energy give {seen:.6g}; mend it, or leave {key}= out to have it derived."
                )
        if words:
            raise EnergyCompileError(words)


def _compiled(make: Callable[[], Function], signature: Any) -> Function:
    return numba.njit(signature, **FLAGS)(make())  # type: ignore[no-any-return]


def _probes(dim: int, walls: FloatArray | None) -> Iterator[FloatArray]:
    """Three points inside the domain, the same for every definition."""
    generator = np.random.default_rng(0)
    for _ in range(3):
        x = generator.standard_normal(dim)
        if walls is not None:
            lower, upper = walls.T
            inside = generator.uniform(0.1, 0.9, dim)
            with np.errstate(invalid="ignore"):
                between = lower + inside * (upper - lower)
            x = np.where(np.isinf(lower), np.where(np.isinf(upper), x, upper - abs(x)), between)
            x = np.where(np.isinf(upper) & np.isfinite(lower), lower + abs(generator.standard_normal(dim)), x)
        yield x


def _call(function: Function, arguments: tuple[Any, ...], name: str) -> Any:
    """The plain function's value, _OUT_OF_RANGE where the numbers are, an EnergyCompileError where it is wrong."""
    plain = getattr(function, "py_func", function)
    parts = [arguments[0], *(arguments[1] if len(arguments) > 1 else ())]
    before = [np.copy(part) for part in parts]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = plain(*arguments)
    except (ArithmeticError, ValueError):
        return _OUT_OF_RANGE
    except Exception as fault:
        code = plain.__code__
        inside = [frame for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == code.co_filename]
        line, text = (inside[-1].lineno, inside[-1].line) if inside else (code.co_firstlineno, "")
        place = f"{code.co_filename}, line {line}" + (f" ({text})" if text else "")
        raise EnergyCompileError(
            f"energy {name!r} fails at {place}: {type(fault).__name__}: {fault}; "
            f"it is called with x of shape ({len(arguments[0])},){'' if len(arguments) == 1 else ' and theta'}."
        ) from None
    if not all(np.array_equal(part, old) for part, old in zip(parts, before, strict=True)):
        raise EnergyCompileError(
            f"energy {name!r} at {plain.__code__.co_filename}, line {plain.__code__.co_firstlineno} changes the "
            "numbers in its arguments; leave x and theta as they are and give results names of their own."
        )
    return value


def _refuse_other_than(value: Any, shape: tuple[int, ...], function: Function, what: str) -> None:
    seen = np.asarray(value) if isinstance(value, np.ndarray | Iterable) or np.isscalar(value) else np.asarray(None)
    if seen.shape != shape or seen.dtype.kind not in "biuf":
        code = getattr(function, "py_func", function).__code__
        got = "nothing (is a return missing?)" if value is None else f"{type(value).__name__} of shape {seen.shape}"
        raise EnergyCompileError(
            f"{what} at {code.co_filename}, line {code.co_firstlineno} returns {got}; "
            f"return {'one number' if shape == () else f'{shape[0]} numbers'}."
        )
