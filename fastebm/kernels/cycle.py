"""Kernels one after the other."""

from collections.abc import Sequence

from fastebm.kernels.kernel import Kernel
from fastebm.kernels.several import SeveralRules


class Cycle(SeveralRules):
    """A transition is one of each kernel, in the order of the list: what each leaves invariant, all do.

    It is no longer reversible, but reaches more than its parts: a walk that stays near, and one that jumps far.

    Parameters
    ----------
    kernels : at least one, of one kind of x; step sizes of None are tuned in warm-up, each for itself. A transition
        counts as accepted where any part has moved the chain; the rates of the parts are in `run.report`.

    References
    ----------
    L. Tierney (1994), Markov chains for exploring posterior distributions, doi:10.1214/aos/1176325750.
    """

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        super().__init__(kernels)
        self.is_reversible = len(self.kernels) == 1 and self.kernels[0].is_reversible
