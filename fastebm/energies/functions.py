"""Energies that users write: a plain scalar Python function, compiled for tiles by a loop over their columns.

The function is copied when the energy is defined, together with the numbers, arrays and helper functions it refers to:
later changes to them change nothing. Its gradients come from the same source, read backwards, unless they are given.
"""

import functools
import keyword
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies import closures, programs, sources
from fastebm.energies.algebra import Discrete, Walled
from fastebm.energies.algebra.discrete import sorted_values
from fastebm.energies.energy import Energy

Function = Callable[..., Any]
_OUT_OF_RANGE = object()
_NEARLY_INFINITE = 1e300


def energy(
    dim: int,
    theta: Mapping[str, ArrayLike] | None = None,
    *,
    domain: Any = None,
    values: Any = None,
    grad: Function | None = None,
    grad_theta: Function | None = None,
) -> Callable[[Function], Energy]:
    """Decorator that makes an energy of a plain scalar Python function.

    Parameters
    ----------
    dim : dimension of x, at least 1.
    theta : names and initial values (scalars or arrays) of the parameters; None for a function that takes x alone.
    domain : None for all of R^dim, or dim pairs (lower, upper) of walls; the energy is +inf outside.
    values : None for real x; for a discrete energy what each coordinate may be, such as (0, 1) or (-1, 1), or a number
        n of categories 0 to n - 1. The energy is +inf at others, and sums take the place of integrals.
    grad : function of the same arguments that returns dE/dx as a sequence of dim numbers; None: it is derived.
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
    allowed = sorted_values(values)
    if walls is not None and allowed is not None:
        raise ValueError(f"domain is {domain} and values is {values}; pass one of them, since values need no walls.")
    if theta is not None and not isinstance(theta, Mapping):
        raise TypeError(f"theta is a {type(theta).__name__}; pass a dict of names and values, or None.")
    arrays = None if theta is None else {key: _checks.finite_array(value, key) for key, value in theta.items()}
    for key in arrays or ():
        if not key.isidentifier() or keyword.iskeyword(key) or key.startswith("_"):
            raise ValueError(f"theta has a parameter named {key!r}; use names that can stand behind a dot: theta.name.")

    def make(function: Function) -> Energy:
        if allowed is not None:
            tried = np.tile(allowed[[0, -1]], (dim, 1))
            return Discrete(FunctionEnergy(function, dim, arrays, tried, grad, grad_theta), allowed)
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
        from fastebm.energies.derived import Derived, source_of  # number types take a tenth of Numba's own import time
        from fastebm.energies.scalar_code import ScalarCode
        from fastebm.energies.tryouts import Tryout

        name = getattr(function, "__name__", "energy")
        given = {"grad": grad, "grad_theta": grad_theta}
        copies: dict[int, Any] = {}
        written = {key: value for key, value in given.items() if value is not None}
        frozen = [sources.freeze(one, copies) for one in (function, *written.values())]
        tryout = Tryout(function, given, dim, theta, walls, name)
        (lifted, *lifted_given), data = closures.lifted(frozen)
        slopes = dict(zip(written, lifted_given, strict=True))
        shapes = {} if theta is None else {key: value.shape for key, value in theta.items()}
        code = ScalarCode(lifted, dim, shapes, data.shapes, takes_theta=theta is not None)
        derived = Derived(code, frozen[0], None if theta is None else shapes, data.arrays, {})
        digest = sources.fingerprint([lifted, *lifted_given])
        beside = data.packed()
        packed = np.concatenate([tryout.flat, beside])
        makers, slower = derived.makers(), derived.slower()
        if grad is not None:
            makers, slower["grad"] = makers._replace(grad=code.given_grad(slopes["grad"])), []
        if grad_theta is not None:
            makers, slower["grad_theta"] = makers._replace(grad_theta=code.given_grad_theta(slopes["grad_theta"])), []
        checks: dict[str, Function] = {
            "energy": lambda compiled: tryout.energy_agrees(compiled, packed),
            "grad": lambda compiled: grad is not None or tryout.grad_agrees(compiled, packed, code),
            "grad_theta": lambda compiled: (
                grad_theta is not None or tryout.grad_theta_agrees(compiled, packed, code)
            ),
            "hvp": lambda compiled: tryout.hvp_agrees(compiled, packed, code),
        }
        told: set[str] = set()
        texts = derived.texts()
        program = programs.build(
            dim,
            code.n_params,
            len(packed),
            name,
            None if digest is None else f"{name} {dim} {shapes} {theta is None} {data.shapes} {[*slopes]} {digest}",
            makers,
            {
                face: {
                    "source": function, "slower": slower[face], "told": told, "is_right": check,
                    "is_derived": face != "energy" and face not in slopes,
                    "text": functools.partial(source_of, slopes[face]) if face in slopes else texts[face],
                }
                for face, check in checks.items()
            },
            functools.cache(lambda: programs.build(
                dim, code.n_params, len(packed), name,
                None if digest is None else f"{name} on duals {dim} {shapes} {theta is None} {data.shapes} {digest}",
                derived.dual_makers(), {face: {"source": function} for face in checks},
            )),
        )
        super().__init__(program, theta or {}, beside, name=name)
        self.source = sources.source_digest(frozen)
        self.written = dict(zip(("energy", *written), frozen, strict=True))
        self.named_theta, self.walls = theta, walls

    def describe(self) -> dict[str, Any]:
        return {"type": "function", "name": self.name, "dim": self.dim, "source": self.source}
