"""Energies that users write: a plain scalar Python function, compiled for tiles by a loop over their columns.

The function is copied when the energy is defined, together with the numbers, arrays and helper functions it refers to:
later changes to them change nothing. Its gradients come from the same source on dual numbers, unless they are given.
"""

import keyword
import math
import traceback
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, tiles
from fastebm._checks import FloatArray
from fastebm._compile import EnergyCompileError
from fastebm.energies import closures, programs, sources
from fastebm.energies.algebra import Walled
from fastebm.energies.energy import Energy
from fastebm.tiles import LANES

Function = Callable[..., Any]
_OUT_OF_RANGE = object()
_NEARLY_INFINITE = 1e300


def energy(
    dim: int,
    theta: Mapping[str, ArrayLike] | None = None,
    *,
    domain: Any = None,
    grad: Function | None = None,
    grad_theta: Function | None = None,
) -> Callable[[Function], Energy]:
    """Decorator that makes an energy of a plain scalar Python function.

    Parameters
    ----------
    dim : dimension of x, at least 1.
    theta : names and initial values (scalars or arrays) of the parameters; None for a function that takes x alone.
    domain : None for all of R^dim, or dim pairs (lower, upper) of walls; the energy is +inf outside.
    grad : function of the same arguments that returns dE/dx as a sequence of dim numbers; None: from dual numbers.
    grad_theta : the same for dE/dtheta, n_params numbers in the order of theta.

    Returns
    -------
    A decorator: it takes E(x, theta), or E(x), and returns the energy. Inside, x is an array (dim,) and parameters are
    attributes: theta.name, theta.W[i, j]. Write loops, math.* or NumPy's scalar functions, arrays of numbers, and
    helper functions of the same kind.

    Raises
    ------
    EnergyCompileError : the function fails at a point of its domain, has parts that cannot be compiled (found when it
        is first used), or a given gradient differs from differences of the energy.

    Examples
    --------
    >>> import fastebm as eb
    >>> @eb.energy(dim=2, theta={"stiffness": 2.0})
    ... def spring(x, theta):
    ...     return 0.5 * theta.stiffness * (x[0] ** 2 + x[1] ** 2)
    >>> spring.energy([1.0, 2.0])
    5.0
    """
    dim = _checks.count(dim, "dim")
    walls = _checks.box(domain, dim, "domain")
    if theta is not None and not isinstance(theta, Mapping):
        raise TypeError(f"theta is a {type(theta).__name__}; pass a dict of names and values, or None.")
    arrays = None if theta is None else {key: _checks.finite_array(value, key) for key, value in theta.items()}
    for key in arrays or ():
        if not key.isidentifier() or keyword.iskeyword(key) or key.startswith("_"):
            raise ValueError(f"theta has a parameter named {key!r}; use names that can stand behind a dot: theta.name.")

    def make(function: Function) -> Energy:
        made = FunctionEnergy(function, dim, arrays, walls, grad, grad_theta)
        return made if walls is None else Walled(made, walls)

    return make


class FunctionEnergy(Energy):
    """An energy whose source a user wrote; made by `fastebm.energy`."""

    def __init__(
        self,
        function: Function,
        dim: int,
        theta: Mapping[str, FloatArray] | None,
        walls: FloatArray | None,
        grad: Function | None,
        grad_theta: Function | None,
    ) -> None:
        from fastebm.energies.derived import makers
        from fastebm.energies.lane_code import tile_energy_of  # number types take a tenth of Numba's own import time
        from fastebm.energies.scalar_code import ScalarCode

        name = getattr(function, "__name__", "energy")
        given = {"grad": grad, "grad_theta": grad_theta}
        copies: dict[int, Any] = {}
        written = {key: value for key, value in given.items() if value is not None}
        frozen = [sources.freeze(one, copies) for one in (function, *written.values())]
        known = _try_out(function, given, dim, theta, walls, name)
        (lifted, *lifted_given), data = closures.lifted(frozen)
        slopes = dict(zip(written, lifted_given, strict=True))
        shapes = {} if theta is None else {key: value.shape for key, value in theta.items()}
        code = ScalarCode(lifted, dim, shapes, data.shapes, takes_theta=theta is not None)
        derived = makers(code, frozen[0], None if theta is None else shapes, data.arrays, {}, name)
        digest = sources.fingerprint([lifted, *lifted_given])
        packed = data.packed()
        start = np.concatenate([*(value.ravel() for value in (theta or {}).values()), packed])
        program = programs.build(
            dim,
            code.n_params,
            code.n_params + len(packed),
            name,
            None if digest is None else f"{name} {dim} {shapes} {theta is None} {data.shapes} {[*slopes]} {digest}",
            lambda: tile_energy_of(code.call, code.unpack, dim),
            code.given_grad(slopes["grad"]) if grad is not None else derived[0],
            code.given_grad_theta(slopes["grad_theta"]) if grad_theta is not None else derived[1],
            source=function,
            slow_energy=code.energy,
            slow_grad=code.grad,
            slow_grad_theta=code.grad_theta,
            is_right=lambda compiled: known.agree(compiled, start),
        )
        super().__init__(program, theta or {}, packed, name=name)
        self.source = sources.source_digest(frozen)

    def describe(self) -> dict[str, Any]:
        return {"type": "function", "name": self.name, "dim": self.dim, "source": self.source}


def _try_out(
    function: Function,
    given: Mapping[str, Function | None],
    dim: int,
    theta: Mapping[str, FloatArray] | None,
    walls: FloatArray | None,
    name: str,
) -> "_KnownValues":
    """The plain function's values at a few points of the domain, where mistakes have their best explanation.

    A number out of the range of a function (math.log(-1)) is no mistake here: compiled code gives nan, which the
    samplers handle.
    """
    arguments: tuple[Any, ...] = ()
    if theta is not None:
        record = namedtuple("theta", list(theta))  # type: ignore[misc]
        arguments = (record(*(value.copy() if value.shape else float(value) for value in theta.values())),)
    known = _KnownValues(lambda x: _call(function, (x, *arguments), name), [], [])
    for x in _probes(dim, walls):
        value = known.function(x)
        if value is not _OUT_OF_RANGE:
            _refuse_other_than(value, (), function, f"energy {name!r}")
            known.points.append(x)
            known.values.append(float(value))
        for key, size in (("grad", dim), ("grad_theta", sum(v.size for v in (theta or {}).values()))):
            slope_of = given[key]
            if slope_of is None:
                continue
            slope = _call(slope_of, (x, *arguments), name)
            if slope is not _OUT_OF_RANGE:
                if not (np.ndim(slope) == 0 and size == 1):
                    _refuse_other_than(slope, (size,), slope_of, f"{key} of energy {name!r}")
                _compare(function, x, arguments, np.ravel(slope).astype(float), key, name)
    return known


@dataclass(frozen=True)
class _KnownValues:
    """Values of a plain function, which tell whether compiled code does the same.

    Where a word of Python has another meaning in compiled code, its numbers are wrong, and nothing else shows it.
    """

    function: Callable[[FloatArray], Any]
    points: list[FloatArray]
    values: list[float]

    def agree(self, compiled: Callable[..., Any], packed: FloatArray) -> bool:
        """Whether the tile function gives these values, but for what rounding can do to them."""
        if not self.points:
            return True
        n = len(self.points)
        out = np.empty(LANES)
        try:
            compiled(tiles.pack(np.array(self.points), 1, LANES)[0], packed, out)
        except Exception:
            return False  # the plain function raises nothing there
        return all(map(self._agrees, self.points, self.values, out[:n]))

    def _agrees(self, x: FloatArray, value: float, got: float) -> bool:
        if not math.isfinite(value) or not math.isfinite(got):
            return value == got or math.isnan(value) or abs(value) > _NEARLY_INFINITE
        allowed = 1e-6 * (1.0 + abs(value))
        if abs(got - value) <= allowed:
            return True
        nearby = self.function(x * (1.0 + 1e-12))  # does the function magnify rounding?
        return nearby is _OUT_OF_RANGE or not abs(nearby - value) < 0.1 * abs(got - value)


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


def _compare(
    function: Function, x: FloatArray, arguments: tuple[Any, ...], slope: FloatArray, key: str, name: str
) -> None:
    """Refuse a given gradient that central differences of the energy contradict."""
    flat = x if key == "grad" else np.concatenate([np.ravel(value) for value in arguments[0]])

    def at(k: int, move: float) -> Any:
        moved = flat.copy()
        moved[k] += move
        if key == "grad":
            return _call(function, (moved, *arguments), name)
        parts, start = [], 0
        for value in arguments[0]:
            size = np.size(value)
            part = moved[start : start + size].reshape(np.shape(value))
            parts.append(part if np.shape(value) else float(part))
            start += size
        return _call(function, (x, type(arguments[0])(*parts)), name)

    for k in range(len(flat)):
        step = 6e-6 * max(1.0, abs(flat[k]))  # the cube root of the rounding error balances it with the truncation
        above, below = at(k, step), at(k, -step)
        if above is _OUT_OF_RANGE or below is _OUT_OF_RANGE or not np.isfinite([above, below, slope[k]]).all():
            continue
        seen = (above - below) / (2.0 * step)
        allowed = 1e-4 * (1.0 + abs(seen)) + 1e-14 * (abs(above) + abs(below)) / step
        if abs(seen - slope[k]) > allowed:
            raise EnergyCompileError(
                f"{key} of energy {name!r} gives {slope[k]:.6g} for coordinate {k} at x={x.tolist()}, but differences "
                f"of the energy give {seen:.6g}; mend it, or leave {key}= out to have it derived."
            )
