"""Energies of the catalogue that are plain scalar functions, compiled as a user's would be."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.energies import programs
from fastebm.energies.closures import Data
from fastebm.energies.energy import Energy
from fastebm.energies.programs import Program

Function = Callable[..., Any]


class Formula(Energy):
    """An energy whose function E(x, theta), or E(x, theta, data), stands in the catalogue.

    Parameters
    ----------
    function : plain scalar code at the top level of a module; it may do whatever a user's may.
    dim : dimension of x.
    theta : names and values of the parameters, at least one.
    settings : what the constructor of the class is called with to make this energy again, as JSON.
    data : names and values of arrays that are no parameters.
    """

    def __init__(
        self,
        function: Function,
        dim: int,
        theta: Mapping[str, ArrayLike],
        settings: Mapping[str, Any],
        data: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        arrays = {key: _checks.finite_array(value, key) for key, value in theta.items()}
        beside = Data({key: _checks.finite_array(value, key) for key, value in (data or {}).items()})
        shapes = tuple((key, value.shape) for key, value in arrays.items())
        program = _program(function, dim, shapes, tuple(beside.shapes.items()))
        super().__init__(program, arrays, beside.packed(), name=type(self).__name__)
        self.settings = dict(settings)

    def describe(self) -> dict[str, Any]:
        return {"type": type(self).__name__, "settings": self.settings}


@functools.lru_cache(maxsize=256)
def _program(function: Function, dim: int, shapes: tuple[Any, ...], data_shapes: tuple[Any, ...]) -> Program:
    """One program for all energies of a form, so that they share compiled code."""
    from fastebm.energies.derived import Derived  # number types take a tenth of Numba's own import time
    from fastebm.energies.scalar_code import ScalarCode

    code = ScalarCode(function, dim, dict(shapes), dict(data_shapes), takes_theta=True)
    derived = Derived(code, function, dict(shapes), {}, {key: shape for key, (_, shape) in data_shapes})
    name = f"{function.__module__}.{function.__name__}"
    n_packed = code.n_params + sum(math.prod(shape) for _, (_, shape) in data_shapes)
    return programs.build(
        dim, code.n_params, n_packed, function.__name__, f"{name} {dim} {shapes} {data_shapes}", derived.makers(),
        {face: {"text": text} for face, text in derived.texts().items()},
        duals=functools.cache(lambda: programs.build(
            dim, code.n_params, n_packed, function.__name__, f"{name} on duals {dim} {shapes} {data_shapes}",
            derived.dual_makers(),
        )),
    )
