"""Denoising: what was there before normal noise was added, by Bayes's rule with the model as prior."""

import numpy as np
import scipy
from numpy.typing import ArrayLike

from fastebm import _checks, tiles
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.energies.algebra import Observed
from fastebm.kernels import RandomWalk
from fastebm.sampling.chains import Chains
from fastebm.sampling.warmup import tune

_CHAINS_PER_POINT = 16
_DRAWS_AT_ONCE = 100  # bounds the memory that draws take


def denoise(
    energy: Energy,
    X: ArrayLike,
    noise: float,
    *,
    method: str = "mean",
    n_draws: int = 2000,
    rng: RNGLike = None,
) -> FloatArray:
    """Points without the noise, under p(x | y) proportional to exp(-E(x) - |y - x|**2 / (2 noise**2)).

    Parameters
    ----------
    energy : the model of clean points.
    X : (n, dim) or (dim,) noisy points y, finite.
    noise : standard deviation of the noise in each coordinate, above 0.
    method : "mean": the posterior mean, by Markov chains from the noisy point; the smallest mean squared error.
        "mode": the most probable clean point near the noisy one, by L-BFGS from there.
    n_draws : transitions of each of the 16 chains of a point after a warm-up half as long; "mean" only.
    rng : as in `sample`; "mean" only.

    Returns
    -------
    (n, dim) or (dim,) clean points.

    References
    ----------
    B. Efron (2011), Tweedie's formula and selection bias, doi:10.1198/jasa.2011.tm11181 (the posterior mean).
    """
    given, is_single = _checks.points(X, energy.dim)
    noisy = _checks.finite_array(given, "X")
    noise = _checks.positive(noise, "noise")
    _checks.choice(method, "method", ("mean", "mode"))
    if len(noisy) == 0:
        return noisy
    if method == "mode":
        clean = np.stack([_mode(energy, y, noise) for y in noisy])
    else:
        clean = _mean(energy, noisy, noise, _checks.count(n_draws, "n_draws"), _checks.seed(rng))
    return clean[0] if is_single else clean


def _mode(energy: Energy, y: FloatArray, noise: float) -> FloatArray:
    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        pull = (x - y) / noise**2
        return energy.energy(x) + 0.5 * float(pull @ (x - y)), energy.grad(x) + pull

    start = y if energy.domain is None else np.clip(y, *energy.domain.T)
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=energy.domain)
    return np.asarray(found.x)


def _mean(energy: Energy, noisy: FloatArray, noise: float, n_draws: int, seed: int) -> FloatArray:
    """Mean over chains on (x, y) whose proposals leave the coordinates of y where they are."""
    n, dim = noisy.shape
    clean = noisy if energy.domain is None else np.clip(noisy, *energy.domain.T)
    starts = np.repeat(np.hstack([clean, noisy]), _CHAINS_PER_POINT, axis=0)
    kernel = _Conditional(noise)
    chains = Chains(Observed(energy, noise), kernel, starts, seed, tiles.threads(None))
    step_size, scale, _ = tune(chains, kernel, max(25, n_draws // 2), lambda n_done: False)
    settings = kernel.settings(step_size, scale)
    total = np.zeros((len(starts), dim))
    for done in range(0, n_draws, _DRAWS_AT_ONCE):
        draws = np.empty((len(starts), min(_DRAWS_AT_ONCE, n_draws - done), 2 * dim))
        energies = np.empty(draws.shape[:2])
        chains.advance(draws.shape[1], settings, thin=1, draws=draws, energies=energies)
        total += draws[:, :, :dim].sum(axis=1)
    return (total / n_draws).reshape(n, _CHAINS_PER_POINT, dim).mean(axis=1)


class _Conditional(RandomWalk):
    """A random walk in the first half of the coordinates, in units of the noise; the second half is given."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise

    def settings(self, step_size: float | FloatArray, scale: FloatArray) -> FloatArray:
        moves = np.arange(len(scale)) < len(scale) // 2
        return np.where(moves, step_size * self.noise, 0.0)

    def first_step_size(self, dim: int) -> float:
        return super().first_step_size(dim // 2)

    def target_acceptance(self, dim: int) -> float:
        return super().target_acceptance(dim // 2)
