"""Arguments in, clean values or a one-sentence error out.

Every public function checks here what it was given before compiled code runs. Each check is named by what it returns,
takes the value and the argument's name, and raises with the value seen, the value wanted and the next move.
"""

import contextlib
import functools
import math
import numbers
import os
import sys
import types
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
RNGLike = int | np.random.SeedSequence | np.random.BitGenerator | np.random.Generator | None


_FOLDER = os.path.dirname(__file__) + os.sep


class FastebmWarning(UserWarning):
    """Something deserves the user's attention; the message names the action."""


def warn(message: str) -> None:
    """A FastebmWarning that points at the line outside of this library that led to it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, FastebmWarning, stacklevel=level)


def _is_ours(frame: types.FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(_FOLDER) or name in (functools.__file__, contextlib.__file__)


def instance(value: object, kind: type[Any], name: str, example: str) -> None:
    """Nothing, for an object of this class or of one derived from it."""
    if not isinstance(value, kind):
        seen, wanted = type(value).__name__, kind.__name__
        raise TypeError(f"{name} is of type {seen}, where {wanted} is needed; pass for example {example}.")


def array(values: ArrayLike, name: str) -> FloatArray:
    """`values` as a C-contiguous, writeable float64 array; complex, text and ragged input is refused."""
    try:
        given = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} has rows of different lengths; pass a rectangular array of numbers.") from None
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {given.dtype}; pass real numbers, for example {name}.astype(float).")
    return np.require(given, np.float64, ["C", "ALIGNED", "WRITEABLE"])  # what compiled signatures ask for


def finite_array(values: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> FloatArray:
    """`array` of finite numbers, of the given shape if there is one."""
    checked = array(values, name)
    if shape is not None and checked.shape != shape:
        raise ValueError(f"{name} has shape {checked.shape}; pass an array of shape {shape}.")
    if not np.isfinite(checked).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(checked))[0])
        raise ValueError(
            f"{name}{list(where) if where else ''} is {checked[where]}; "
            "remove or fill in the values that are not finite."
        )
    return checked


def points(X: ArrayLike, dim: int, name: str = "X") -> tuple[FloatArray, bool]:
    """Points as an array (n, dim), and whether a single point (dim,) was given."""
    given = array(X, name)
    if given.ndim not in (1, 2) or given.shape[-1] != dim:
        raise ValueError(
            f"{name} has shape {given.shape}, but this energy has dim={dim}; "
            f"pass an array of shape (n, {dim}) or ({dim},)."
        )
    return given.reshape(-1, dim), given.ndim == 1


def data(
    X: ArrayLike, dim: int, domain: FloatArray | None = None, name: str = "data", values: FloatArray | None = None
) -> FloatArray:
    """Observed points (n, dim), n >= 1, all finite, inside the domain, and of the values (m,) if there are any."""
    rows = points(X, dim, name)[0]
    if len(rows) == 0:
        raise ValueError(f"{name} has no rows; pass at least one point of dimension {dim}.")
    finite_array(rows, name)
    if domain is not None:
        outside = ((rows < domain[:, 0]) | (rows > domain[:, 1])).any(axis=1)
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"{name}[{row}] is {rows[row].tolist()}, outside the energy's domain {domain.tolist()}; "
                "remove the point or widen the domain."
            )
    if values is not None:
        is_other = ~np.isin(rows, values)
        if is_other.any():
            row, i = (int(place) for place in np.argwhere(is_other)[0])
            raise ValueError(
                f"{name}[{row}, {i}] is {rows[row, i]:g}, which is not among the energy's {len(values)} values from "
                f"{values[0]:g} to {values[-1]:g}; remove the point or define the energy with other values=."
            )
    return rows


def path(value: Any, name: str, example: str) -> str:
    """A path as text, of a string or of a path-like object."""
    try:
        given = os.fspath(value)
    except TypeError:
        given = None
    if not isinstance(given, str) or not given or "\0" in given:
        raise TypeError(f"{name} is {value!r}; pass a path as text or as a pathlib.Path, for example {example}.")
    return given


def count(value: Any, name: str, minimum: int = 1) -> int:
    """A whole number of at least `minimum`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"{name} is {value!r}; pass a whole number of at least {minimum}.")
    return int(value)


def _number(value: Any) -> float:
    """`value` as a float; nan where it is no real number, or too large for a float."""
    try:
        return float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan


def real(value: Any, name: str) -> float:
    """A finite number."""
    number = _number(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}; pass a finite number.")
    return number


def positive(value: Any, name: str) -> float:
    """A finite number above zero."""
    number = _number(value)
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} is {value!r}; pass a finite number above 0.")
    return number


def fraction(value: Any, name: str) -> float:
    """A number strictly between 0 and 1."""
    number = _number(value)
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} is {value!r}; pass a number strictly between 0 and 1.")
    return number


def choice(value: Any, name: str, allowed: Sequence[str]) -> str:
    """One of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(map(repr, allowed))}.")
    return str(value)


def box(bounds: Any, dim: int, name: str = "bounds") -> FloatArray | None:
    """Walls (dim, 2) with lower < upper in each row, infinite entries allowed; None where there is no wall."""
    if bounds is None:
        return None
    if isinstance(bounds, str):
        raise ValueError(f"{name} is {bounds!r}; pass None or {dim} pairs (lower, upper), one per coordinate.")
    walls = array(bounds, name)
    if walls.shape != (dim, 2):
        raise ValueError(f"{name} has shape {walls.shape}; pass {dim} pairs (lower, upper), one per coordinate.")
    for i, (lower, upper) in enumerate(walls):
        if not lower < upper:
            raise ValueError(f"{name}[{i}] is ({lower}, {upper}); the lower end must be below the upper one.")
    return None if np.isinf(walls).all() else walls


def step_size(value: Any) -> float | FloatArray | None:
    """One number or (dim,) numbers above 0; None, which stands for one that is tuned."""
    if value is None:
        return None
    if np.ndim(value) == 0:
        return positive(value, "step_size")
    steps = finite_array(value, "step_size")
    if steps.ndim != 1 or not (steps > 0.0).all():
        raise ValueError(f"step_size is {value}; pass one number or (dim,) numbers, all above 0.")
    return steps


def seed(rng: RNGLike) -> int:
    """The whole number that stands for `rng` (SPEC 7): passed as `rng` again, it gives the same results.

    None draws fresh entropy from the operating system; a Generator or BitGenerator is advanced by one draw.
    """
    if rng is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"rng is {rng}; pass a whole number of at least 0 as a seed.")
        return int(rng)
    if isinstance(rng, np.random.SeedSequence):
        return int(rng.generate_state(1, np.uint64)[0])
    if isinstance(rng, np.random.BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    raise TypeError(f"rng is a {type(rng).__name__}; pass None, a seed or a numpy.random.Generator.")
