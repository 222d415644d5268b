"""Contrastive divergence: the model's side of the gradient from a few transitions of Markov chains."""


import numpy as np

from fastebm import _checks, tiles
from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.kernels import Kernel, default_kernel
from fastebm.sampling.chains import Chains
from fastebm.streams import STARTS
from fastebm.training.objective import Estimator, Objective

_LEAST_GAIN = 0.2  # the model moves under the chains, so that the step size must go on learning


class ContrastiveDivergence(Objective):
    """CD-k: <dE/dtheta>_data - <dE/dtheta> after k transitions of chains that start at the batch.

    Biased for finite k: the gradient of KL(data, model) - KL(data after k transitions, model), up to a small term.

    Parameters
    ----------
    k : transitions, at least 1.
    kernel : the rule of transition. With a step size of None the proposal follows the spread of the data and the
        acceptance rates seen while training.

    References
    ----------
    G. E. Hinton (2002), doi:10.1162/089976602760128018.
    """

    def __init__(self, k: int = 1, kernel: Kernel | None = None) -> None:
        self.k = _checks.count(k, "k")
        self.kernel = _kernel(kernel)

    def begin(self, energy: Energy, data: FloatArray, seed: int, n_threads: int) -> "Contrast":
        return Contrast(energy, data, self.k, kernel_on(energy, self.kernel), None, seed, n_threads)

    def __repr__(self) -> str:
        return f"ContrastiveDivergence(k={self.k}{_shown(self.kernel)})"


class PersistentCD(Objective):
    """Persistent contrastive divergence: <dE/dtheta>_data - <dE/dtheta>_particles, with chains that never restart.

    Parameters
    ----------
    k : transitions of each particle per step, at least 1.
    n_particles : chains, at least 1; they start at data points.
    kernel : as for ContrastiveDivergence.

    References
    ----------
    L. Younes (1999), doi:10.1080/17442509908834179.
    T. Tieleman (2008), doi:10.1145/1390156.1390290.
    """

    def __init__(self, k: int = 1, n_particles: int = 1024, kernel: Kernel | None = None) -> None:
        self.k = _checks.count(k, "k")
        self.n_particles = _checks.count(n_particles, "n_particles")
        self.kernel = _kernel(kernel)

    def begin(self, energy: Energy, data: FloatArray, seed: int, n_threads: int) -> "Contrast":
        rows = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STARTS,)))
        particles = data[rows.integers(len(data), size=self.n_particles)]
        return Contrast(energy, data, self.k, kernel_on(energy, self.kernel), particles, seed, n_threads)

    def __repr__(self) -> str:
        return f"PersistentCD(k={self.k}, n_particles={self.n_particles}{_shown(self.kernel)})"


class StepSize:
    """Stochastic approximation of the step size that gives the target acceptance rate, for ever.

    log step moves by gain * (rate - target) after each round, with gains that fall as round**-0.6 down to `least_gain`.

    References
    ----------
    H. Robbins and S. Monro (1951), doi:10.1214/aoms/1177729586.
    C. Andrieu and J. Thoms (2008), A tutorial on adaptive MCMC, doi:10.1007/s11222-008-9110-y.
    """

    def __init__(self, first: float | FloatArray, target: float | FloatArray, least_gain: float) -> None:
        self.target = target
        self.least_gain = least_gain
        self.log_step = np.log(first)
        self.n_rounds = 1

    def adjust(self, rate: float | FloatArray) -> None:
        """Learn from the acceptance rate of the last round; nan teaches nothing."""
        gain = max(5.0 / self.n_rounds**0.6, self.least_gain)
        self.log_step = self.log_step + gain * np.where(np.isnan(rate), 0.0, rate - self.target)
        self.n_rounds += 1

    @property
    def current(self) -> float | FloatArray:
        found = np.exp(self.log_step)
        return float(found) if np.ndim(found) == 0 else found


class Contrast(Estimator):
    """Chains for the model's side: at persistent particles, or back at the batch in every step."""

    def __init__(
        self,
        energy: Energy,
        data: FloatArray,
        k: int,
        kernel: Kernel,
        particles: FloatArray | None,
        seed: int,
        n_threads: int,
    ) -> None:
        self.k = k
        self.kernel = kernel
        self.restarts = particles is None
        self.seed = seed
        self.n_threads = n_threads
        self.center = data.mean(axis=0)
        self.scale = _spread(data)
        self.step = None
        if kernel.step_size is None:
            self.step = StepSize(kernel.first_step_size(energy.dim), kernel.target_acceptance(energy.dim), _LEAST_GAIN)
        self.chains: Chains | None = None
        if particles is not None:
            self.chains = self._chains(energy, particles, "n_particles")

    def gradient(self, energy: Energy, batch: FloatArray) -> FloatArray:
        if self.chains is None or (self.restarts and self.chains.n != len(batch)):
            self.chains = self._chains(energy, batch, "batch_size")
        chains = self.chains
        chains.retarget(energy, batch if self.restarts else None)
        chains.forget()
        told = chains.memories.mean(axis=0)
        chains.advance(self.k, self.settings())
        self.particles = chains.positions
        self.reach = float(np.abs((self.particles - self.center) / self.scale).max())
        self.acceptance_rate = float(chains.acceptance_rate().mean())
        if self.step is not None:
            self.step.adjust(self.kernel.rates(self.acceptance_rate, (chains.memories.mean(axis=0) - told) / self.k))
        self.energy_gap = float(energy.energy(batch).mean() - chains.energies.mean())
        self.energy_spread = float(chains.energies.std())
        self._note_faults(chains)
        return energy.mean_grad_theta(batch) - energy.mean_grad_theta(self.particles)

    def _chains(self, energy: Energy, X: FloatArray, name: str) -> Chains:
        """Chains that start at points X (n, dim), of which there are as many as the argument `name` says."""
        self.kernel.refuse_number(len(X), energy.dim, name)
        self.kernel.refuse_starts(X)
        return Chains(energy, self.kernel, X, self.seed, self.n_threads)

    def _note_faults(self, chains: Chains) -> None:
        n_faults = chains.counts()[1]
        if n_faults.any():
            self.faults += int(n_faults.sum())
            self.fault_x = tiles.unpack(chains.fault_x, chains.n)[np.argmax(n_faults > 0)]

    def settings(self) -> FloatArray:
        """What the kernel's `advance` takes in the next step."""
        if self.step is not None:
            return self.kernel.settings(self.step.current, self.scale)
        assert self.kernel.step_size is not None
        return self.kernel.settings(self.kernel.step_size, np.ones_like(self.scale))


def _kernel(given: Kernel | None) -> Kernel | None:
    if given is not None:
        _checks.instance(given, Kernel, "kernel", "eb.RandomWalk()")
    return given


def kernel_on(energy: Energy, kernel: Kernel | None) -> Kernel:
    """The kernel as it runs on this energy; the default one if None."""
    return (default_kernel(energy) if kernel is None else kernel).on(energy)


def _shown(kernel: Kernel | None) -> str:
    return "" if kernel is None else f", kernel={kernel!r}"


def _spread(data: FloatArray) -> FloatArray:
    """Standard deviation of each coordinate of the data; 1 where it is constant."""
    return np.where(np.ptp(data, axis=0) > 0.0, data.std(axis=0), 1.0)  # rounding gives constants a spread, too
