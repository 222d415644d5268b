"""Samplers of every origin as one thing: step(states, k, seed) -> states, k transitions of independent chains."""

from collections.abc import Callable

import numpy as np

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.energies.algebra import Tempered
from fastebm.kernels import Kernel
from fastebm.sampling.chains import Chains
from fastebm.sampling.starts import starts
from fastebm.sampling.tuning import Tuned
from fastebm.sampling.warmup import tune
from fastebm.testing.laws import law_of

Step = Callable[[FloatArray, int, int], FloatArray]

_WARMUP = 1000
_WARMUP_CHAINS = 64


class StepFault(Exception):
    """A step returned what no sampler may return; the message is a sentence."""


class KernelStep:
    """A kernel of this library as a step: chains begin anew at the states, chain c on the stream of (seed, c).

    The copies of a tempered chain begin in the exact laws of their temperatures: only then does the chain keep its own.

    Attributes
    ----------
    settings : what `advance` takes. A step size of None has been tuned in a warm-up and is frozen.
    hotter : the energies of the copies.
    """

    def __init__(self, kernel: Kernel, energy: Energy, seed: int, n_threads: int | None = None) -> None:
        self.kernel, self.energy = kernel.on(energy), energy
        self.n_threads = tiles.threads(n_threads)
        tuned = _tuned(self.kernel, energy, seed)
        self.settings = self.kernel.settings(*tuned)
        self.hotter = [Tempered(energy, float(beta)) for beta in ([] if tuned.betas is None else tuned.betas[:-1])]

    def chains(self, states: FloatArray, seed: int, n_threads: int | None = None) -> Chains:
        return Chains(self.energy, self.kernel, states, seed, self.n_threads if n_threads is None else n_threads)

    @property
    def group_size(self) -> int:
        """Chains that are coupled: groups of so many consecutive ones."""
        return self.kernel.n_coupled(self.energy.dim)

    def in_groups(self, n: int) -> int:
        """The least number of chains from n on that makes whole groups."""
        return -(-n // self.group_size) * self.group_size

    def __call__(self, states: FloatArray, k: int, seed: int) -> FloatArray:
        chains = self.chains(states, seed)
        if self.hotter:
            seeds = np.random.SeedSequence(seed).generate_state(len(self.hotter))
            exact = [law_of(one).draws(len(states), int(word)) for one, word in zip(self.hotter, seeds, strict=True)]
            shape = len(chains.x), chains.width
            self.kernel.place(chains.memory, np.array([tiles.pack(points, *shape) for points in exact]))
        chains.advance(k, self.settings)
        return chains.positions


def _tuned(kernel: Kernel, energy: Energy, seed: int) -> Tuned:
    if kernel.step_size is not None and not kernel.tunes_ladder:
        return Tuned(kernel.step_size, np.ones(energy.dim), betas=kernel.betas)
    size = kernel.n_coupled(energy.dim)
    n_chains = -(-_WARMUP_CHAINS // size) * size
    chains = Chains(energy, kernel, starts(energy, None, n_chains, seed), seed, 1)
    return tune(chains, kernel, _WARMUP, lambda _: False)[0]


def checked(step: Step) -> Step:
    """The step on a copy of the states; what it returns has their shape and is finite, or StepFault is raised."""

    def call(states: FloatArray, k: int, seed: int) -> FloatArray:
        found = np.asarray(step(states.copy(), k, seed))
        if found.shape != states.shape:
            raise StepFault(
                f"step returns shape {found.shape} for states of shape {states.shape}; return one row for every state."
            )
        if found.dtype.kind not in "fiu":
            raise StepFault(f"step returns {found.dtype}; return an array of floats.")
        moved = np.ascontiguousarray(found, dtype=float)
        is_bad = ~np.isfinite(moved).all(axis=1)
        if is_bad.any():
            c = int(np.argmax(is_bad))
            raise StepFault(
                f"step returns {moved[c].tolist()} for chain {c}, {int(is_bad.sum())} of {len(moved)} chains being not "
                f"finite after {k} transitions; reject proposals whose energy is no number."
            )
        return moved

    return call
