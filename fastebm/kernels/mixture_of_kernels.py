"""Kernels by lot."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.kernels.kernel import Kernel
from fastebm.kernels.several import SeveralRules


class MixtureOfKernels(SeveralRules):
    """A transition is one of a single kernel, drawn by weight; all chains use the same one at a time.

    Which one it is depends on the number of the transition alone, by a scrambled counter: given the sequence, chains
    are independent, each step leaves exp(-E) invariant, and a tile costs one kernel and not the sum of all.

    Parameters
    ----------
    kernels : at least one, of one kind of x; step sizes of None are tuned in warm-up, each for itself.
    weights : (n_kernels,) probabilities up to a factor, above 0; None: all alike.

    References
    ----------
    L. Tierney (1994), Markov chains for exploring posterior distributions, doi:10.1214/aos/1176325750.
    """

    takes_turns = False

    def __init__(self, kernels: Sequence[Kernel], weights: ArrayLike | None = None) -> None:
        super().__init__(kernels)
        self._weights = None if weights is None else _shares(weights, len(self.kernels))
        self.is_reversible = all(part.is_reversible for part in self.kernels)

    @property
    def weights(self) -> FloatArray | None:
        return self._weights

    def __repr__(self) -> str:
        front = super().__repr__()[:-1]
        return f"{front})" if self._weights is None else f"{front}, {self._weights.tolist()})"


def _shares(weights: ArrayLike, n: int) -> FloatArray:
    given = _checks.finite_array(weights, "weights")
    if given.shape != (n,) or not (given > 0.0).all():
        raise ValueError(f"weights is {weights!r}; pass {n} numbers above 0, one for each kernel.")
    return np.asarray(given / given.sum())
