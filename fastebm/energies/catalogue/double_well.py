"""The double well: two modes with a barrier between them."""

from typing import Any

from fastebm import _checks
from fastebm.energies.formulas import Formula


class DoubleWell(Formula):
    """E(x) = barrier ((x_0 / location)**2 - 1)**2 + tilt x_0 + sum_{i > 0} x_i**2 / 2.

    Parameters
    ----------
    dim : dimension, at least 1; coordinates after the first are standard normal.
    barrier : height of the barrier at x_0 = 0 without tilt, above 0.
    location : the wells lie at x_0 = -location and +location without tilt; above 0.
    tilt : makes the wells unequal: a positive one favours the left well.

    Notes
    -----
    theta holds `barrier`, `location` and `tilt`.
    """

    def __init__(self, dim: int = 1, barrier: float = 2.0, location: float = 1.5, tilt: float = 0.0) -> None:
        dim = _checks.count(dim, "dim")
        theta = {
            "barrier": _checks.positive(barrier, "barrier"),
            "location": _checks.positive(location, "location"),
            "tilt": _checks.real(tilt, "tilt"),
        }
        super().__init__(double_well, dim, theta, {"dim": dim, **theta})


def double_well(x: Any, theta: Any) -> Any:
    total = theta.barrier * ((x[0] / theta.location) ** 2 - 1.0) ** 2 + theta.tilt * x[0]
    for i in range(1, len(x)):
        total += 0.5 * x[i] ** 2
    return total
