"""Tile functions of an energy's gradients, from its own source: read backwards, or where that fails on dual numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from fastebm._checks import warn
from fastebm.adjoint.functions import Shapes, adjoint_of
from fastebm.adjoint.syntax import CannotReverse, NoSource
from fastebm.energies.lane_code import tile_grad_of, tile_grad_theta_of
from fastebm.energies.scalar_code import ScalarCode

Maker = Callable[[], Callable[..., Any]]


def makers(
    code: ScalarCode, function: Any, theta: Shapes | None, data: Mapping[str, Any], bound: Shapes, name: str
) -> tuple[Maker, Maker]:
    """Makers of the tile functions of dE/dx and dE/dtheta; the arguments are those of `adjoint_of`."""

    def grad() -> Callable[..., Any]:
        try:
            return tile_grad_of(adjoint_of(function, "x", code.dim, theta, data, bound).function, code.unpack, code.dim)
        except NoSource:
            return code.grad()
        except CannotReverse as fault:
            _tell(name, "grad", fault, function)
            return code.grad()

    def grad_theta() -> Callable[..., Any]:
        if not theta:
            return code.grad_theta()
        try:
            adjoint = adjoint_of(function, "theta", code.dim, theta, data, bound)
            return tile_grad_theta_of(adjoint.function, code.unpack, code.dim, theta)
        except NoSource:
            return code.grad_theta()
        except CannotReverse as fault:
            _tell(name, "grad_theta", fault, function)
            return code.grad_theta()

    return grad, grad_theta


def _tell(name: str, face: str, fault: CannotReverse, function: Any) -> None:
    place = function.__code__.co_filename + ("" if fault.line is None else f", line {fault.line}")
    warn(
        f"{face} of {name} is derived on dual numbers, one direction at a time, since its source cannot be read "
        f"backwards at {place}: {fault.what}; write plain loops and assignments to have it faster."
    )
