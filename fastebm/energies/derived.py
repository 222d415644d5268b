"""Makers of an energy's derivatives from its own source: read backwards, or where that fails on dual numbers."""

import functools
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from fastebm._compile import CHAIN_BY_CHAIN, NotThisWay, Way
from fastebm.adjoint.functions import Adjoint, Shapes, adjoint_of
from fastebm.adjoint.syntax import CannotReverse, NoSource
from fastebm.energies.lane_code import (
    tile_dual_grad_of,
    tile_energy_of,
    tile_grad_of,
    tile_grad_theta_of,
    tile_hvp_of,
)
from fastebm.energies.programs import Makers
from fastebm.energies.scalar_code import ScalarCode

_ON_DUALS = "is derived on dual numbers, one direction at a time", "write plain loops and assignments to have it faster"
_ON_DUALS_OF_ONE = f"{_ON_DUALS[0]} and chain by chain", _ON_DUALS[1]


def source_of(function: Any) -> str:
    """The text of a function, as it stands in its file."""
    try:
        return textwrap.dedent(inspect.getsource(getattr(function, "py_func", function)))
    except (OSError, TypeError):
        raise NotThisWay(None) from None


class Derived:
    """The faces of an energy that is given as a scalar function.

    Parameters
    ----------
    code : the function with its parameters and data.
    function : what is read; the same, before its arrays became an argument.
    theta, data, bound : as for `adjoint_of`.
    """

    def __init__(
        self, code: ScalarCode, function: Any, theta: Shapes | None, data: Mapping[str, Any], bound: Shapes
    ) -> None:
        self.code = code
        self.function = function
        self.shapes = theta or {}
        self._read = functools.cache(lambda wrt: adjoint_of(function, wrt, code.dim, theta, data, bound))

    def adjoint(self, wrt: str) -> Adjoint:
        """The adjoint along "x" or "theta"."""
        try:
            return self._read(wrt)
        except NoSource:
            raise NotThisWay(None) from None
        except CannotReverse as fault:
            raise NotThisWay(f"its source cannot be read backwards ({fault.what})", fault.line) from None

    def makers(self) -> Makers:
        """Of tile functions on lanes."""
        code, dim = self.code, self.code.dim
        return Makers(
            lambda: tile_energy_of(code.call, code.unpack, dim),
            self._grad,
            self._grad_theta,
            lambda: tile_hvp_of(self.adjoint("x").function, code.unpack, dim),
        )

    def dual_makers(self) -> Makers:
        """Of tile functions that take derivatives on dual numbers, point by point and one direction at a time."""
        code = self.code
        return Makers(
            code.energy, code.dual_grad, code.dual_grad_theta,
            lambda: code.adjoint_hvp(self.adjoint("x").function),
        )

    def _grad(self) -> Callable[..., Any]:
        adjoint = self.adjoint("x")
        return tile_grad_of(adjoint.function, self.code.unpack, self.code.dim, sets_all=adjoint.sets_all)

    def _grad_theta(self) -> Callable[..., Any]:
        if not self.shapes:
            return lambda x, packed, weights, out: None
        return tile_grad_theta_of(self.adjoint("theta").function, self.code.unpack, self.code.dim, self.shapes)

    def texts(self) -> dict[str, Callable[[], str]]:
        """What gives the sources of the faces, by their names."""
        return {
            "energy": lambda: source_of(self.function),
            "grad": lambda: self.adjoint("x").text,
            "grad_theta": lambda: self.adjoint("theta").text,
            "hvp": lambda: self.adjoint("x").text,
        }

    def slower(self) -> dict[str, list[Way]]:
        """Other ways to the same faces, by their names."""
        code = self.code
        return {
            "energy": [Way(code.energy, *CHAIN_BY_CHAIN)],
            "grad": [
                Way(lambda: code.adjoint_grad(self.adjoint("x").function), *CHAIN_BY_CHAIN),
                Way(lambda: tile_dual_grad_of(code.call, code.unpack, code.dim), *_ON_DUALS, is_known_right=True),
                Way(code.dual_grad, *_ON_DUALS_OF_ONE, is_known_right=True),
            ],
            "grad_theta": [
                Way(lambda: code.adjoint_grad_theta(self.adjoint("theta").function), *CHAIN_BY_CHAIN),
                Way(code.dual_grad_theta, *_ON_DUALS_OF_ONE, is_known_right=True),
            ],
            "hvp": [Way(lambda: code.adjoint_hvp(self.adjoint("x").function), *CHAIN_BY_CHAIN)],
        }
