"""A chain of coupled double wells."""

from typing import Any

from fastebm import _checks
from fastebm.energies.energy import Links
from fastebm.energies.formulas import Formula


class QuarticChain(Formula):
    """E(x) = sum over i of barrier (x_i**2 - 1)**2 + sum over i < dim - 1 of coupling (x_{i+1} - x_i)**2 / 2.

    Every coordinate has a well at -1 and one at +1; coupling pulls neighbours into the same, so that long chains have
    domains with walls between them, which move slowly.

    Parameters
    ----------
    dim : length of the chain, at least 1.
    barrier : height of each barrier, above 0.
    coupling : any number; a negative one drives neighbours apart.

    Notes
    -----
    theta holds `barrier` and `coupling`. log Z is finite for every coupling, since quartic terms win far out.

    References
    ----------
    M. Creutz and B. Freedman (1981), A statistical approach to quantum mechanics, doi:10.1016/0003-4916(81)90074-9.
    """

    def __init__(self, dim: int = 16, barrier: float = 1.0, coupling: float = 1.0) -> None:
        dim = _checks.count(dim, "dim")
        theta = {"barrier": _checks.positive(barrier, "barrier"), "coupling": _checks.real(coupling, "coupling")}
        super().__init__(quartic_chain, dim, theta, {"dim": dim, **theta})

    def links(self) -> Links:
        barrier, coupling = self.unpack().values()
        return Links(
            lambda x: barrier * (x**2 - 1.0) ** 2,
            lambda x, y: 0.5 * coupling * (y - x) ** 2,
            lambda x: [(x**2 - 1.0) ** 2, 0.0],
            lambda x, y: [0.0, 0.5 * (y - x) ** 2],
        )


def quartic_chain(x: Any, theta: Any) -> Any:
    total = theta.barrier * (x[0] ** 2 - 1.0) ** 2
    for i in range(1, len(x)):
        total += theta.barrier * (x[i] ** 2 - 1.0) ** 2 + 0.5 * theta.coupling * (x[i] - x[i - 1]) ** 2
    return total
