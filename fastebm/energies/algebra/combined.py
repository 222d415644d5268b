"""What all combinations of energies have in common: parts, their parameters under names of their own, one vector."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from fastebm._checks import FloatArray
from fastebm._compile import inlined
from fastebm.energies.energy import Energy, Source
from fastebm.energies.programs import Program


class Combined(Energy):
    """An energy made of others.

    `packed` holds its own parameters, then the packed vectors of its parts, then its data. Parameters of parts keep
    their names; one that several parts have, or the whole, gets _1, _2, ... behind it.

    Parameters
    ----------
    parts : at least one energy.
    program : made of the programs of the parts.
    own : names and values of parameters that the whole has besides those of its parts.
    data, domain, name : as of every energy.
    """

    kind: ClassVar[str]  # its name in files

    def __init__(
        self,
        parts: Sequence[Energy],
        program: Program,
        name: str,
        *,
        domain: FloatArray | None = None,
        own: Mapping[str, FloatArray] | None = None,
        data: Sequence[ArrayLike] = (),
    ) -> None:
        self.parts = tuple(parts)
        theta = _named_apart(self.parts, own or {})
        numbers = np.concatenate([np.zeros(0), *(np.ravel(np.asarray(values, dtype=float)) for values in data)])
        super().__init__(program, theta, data=numbers, domain=domain, name=name)

    @property
    def packed(self) -> FloatArray:
        own = self.theta[: self.n_params - sum(part.n_params for part in self.parts)]
        return np.concatenate([own, *(part.packed for part in self.parts), self.data])

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """What this energy is apart from its parts and parameters, as JSON."""

    @classmethod
    @abc.abstractmethod
    def rebuilt(cls, parts: Sequence[Energy], settings: dict[str, Any]) -> Energy:
        """The energy of these parts with what `settings` gave."""

    def describe(self) -> dict[str, Any]:
        return {"type": self.kind, "settings": self.settings(), "parts": [part.describe() for part in self.parts]}

    def show(self, face: str = "energy") -> Source:
        """The sources of this face of the parts, one behind the other; see `Energy.show`."""
        if len(self.parts) == 1:
            return self.parts[0].show(face)
        return Source("\n\n".join(f"# {part.name}\n{part.show(face)}" for part in self.parts))

    def _replaced(self, **attributes: Any) -> Self:
        if "theta" in attributes:
            theta, parts, end = attributes["theta"], [], self.n_params
            for part in reversed(self.parts):
                parts.append(part.with_theta(theta[end - part.n_params : end]))
                end -= part.n_params
            attributes["parts"] = tuple(reversed(parts))
        return super()._replaced(**attributes)


def _named_apart(parts: Sequence[Energy], own: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The parameters of the whole, in order: its own, then those of its parts."""
    names = [*own, *(key for part in parts for key in part.shapes)]
    theta: dict[str, Any] = dict(own)
    for place, part in enumerate(parts, start=1):
        for key, value in part.unpack().items():
            name = key
            while name in theta or names.count(name) > 1 or (name != key and name in names):
                name += f"_{place}"  # more than once where a part that is combined itself has this name already
            theta[name] = value
    return theta


def key_of(kind: str, *parts: Program) -> str | None:
    """The program's name on the disk.

    The sizes are part of it: they are constants of the code, while a part's own code may serve any size.
    """
    if any(part.key is None for part in parts):
        return None
    return f"{kind}({'; '.join(f'{part.key} {part.dim} {part.n_params} {part.n_packed}' for part in parts)})"


def calling(face: str, parts: Sequence[Program], n_own: int) -> Any:
    """Compiled function (k, ...) that calls this face of part k with what follows.

    Of vectors named `packed` and `out`, which begin with `n_own` numbers of the whole, the part sees its own stretch.
    Equal parts in a row share a call, so that a long list of them is as quick to compile as one.
    """
    arguments = {"energy": "x packed e", "grad": "x packed e g", "grad_theta": "x packed weights out",
                 "hvp": "x v packed g h"}[face].split()
    lines = [f"def call(k, {', '.join(arguments)}):"]
    scope = {}
    starts = {"packed": n_own, "out": n_own}
    first = 0
    while first < len(parts):
        part = parts[first]
        last = next((k for k in range(first, len(parts)) if parts[k] is not part), len(parts))
        passed = []
        for name in arguments:
            size = {"packed": part.n_packed, "out": part.n_params}.get(name)
            if size is None:
                passed.append(name)
                continue
            start = f"{starts[name]} + {size} * (k - {first})"
            passed.append(f"{name}[{start} : {start} + {size}]")
            starts[name] += size * (last - first)
        lines += [f"    {'el' if first else ''}if k < {last}:", f"        part{first}({', '.join(passed)})"]
        scope[f"part{first}"] = getattr(part, face).pointer
        first = last
    exec("\n".join(lines), scope)
    return inlined(scope["call"])
