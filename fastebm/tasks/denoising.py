"""Denoising: what was there before normal noise was added, by Bayes's rule with the model as prior."""

from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from fastebm import _checks, tiles
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy, refuse_discrete
from fastebm.energies.algebra import Observed
from fastebm.kernels import RandomWalk
from fastebm.sampling.chains import Chains
from fastebm.sampling.warmup import tune

_CHAINS_PER_POINT = 16
_NUMBERS_AT_ONCE = 2**22  # of draws that are kept at a time: bounds their memory


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

    Raises
    ------
    ValueError : X is not finite; no clean point of finite energy is found near a noisy one.

    References
    ----------
    B. Efron (2011), Tweedie's formula and selection bias, doi:10.1198/jasa.2011.tm11181 (the posterior mean).
    """
    _checks.instance(energy, Energy, "energy", "fit.energy")
    refuse_discrete(energy, "which normal noise leads off; define a continuous energy")
    given, is_single = _checks.points(X, energy.dim)
    noisy = _checks.finite_array(given, "X")
    noise = _checks.positive(noise, "noise")
    _checks.choice(method, "method", ("mean", "mode"))
    if len(noisy) == 0:
        return noisy
    starts = noisy if energy.domain is None else np.clip(noisy, *energy.domain.T)
    if method == "mode":
        clean = np.stack([_mode(energy, y, start, noise) for y, start in zip(noisy, starts, strict=True)])
        lost = ~np.isfinite(energy.energy(clean))
    else:
        clean, lost = _mean(energy, noisy, starts, noise, _checks.count(n_draws, "n_draws"), _checks.seed(rng))
    if lost.any():
        row = int(np.argmax(lost))
        raise ValueError(
            f"{energy.name} is not finite near X[{row}] = {noisy[row].tolist()}; pass points closer to the model's "
            "support, or a larger noise."
        )
    return clean[0] if is_single else clean


def _mode(energy: Energy, y: FloatArray, start: FloatArray, noise: float) -> FloatArray:
    """Descent in units of the noise, since the stopping rule of L-BFGS is not free of units."""
    walls = np.tile([-np.inf, np.inf], (energy.dim, 1)) if energy.domain is None else energy.domain

    def point(u: FloatArray) -> FloatArray:
        return np.asarray(np.clip(start + noise * u, *walls.T))  # rounding would step over a wall

    def loss(u: FloatArray) -> tuple[float, FloatArray]:
        x = point(u)
        away = (x - y) / noise
        return energy.energy(x) + 0.5 * float(away @ away), noise * energy.grad(x) + away

    found = scipy.optimize.minimize(
        loss,
        np.zeros(energy.dim),
        jac=True,
        method="L-BFGS-B",
        bounds=(walls - start[:, None]) / noise,
        options={"ftol": 0.0, "gtol": 1e-8},
    )
    return point(found.x)


def _mean(
    energy: Energy, noisy: FloatArray, starts: FloatArray, noise: float, n_draws: int, seed: int
) -> tuple[FloatArray, Any]:
    """Mean over chains on (x, y) whose proposals leave y where it is; and (n,) where no chain found finite energy."""
    n, dim = noisy.shape
    kernel = _Conditional(noise)
    pairs = np.repeat(np.hstack([starts, noisy]), _CHAINS_PER_POINT, axis=0)
    chains = Chains(Observed(energy, noise), kernel, pairs, seed, tiles.threads(None))
    tuned, _ = tune(chains, kernel, max(25, n_draws // 2), lambda n_done: False)
    lost = ~np.isfinite(chains.energies).reshape(n, -1).all(axis=1)
    settings = kernel.settings(*tuned)
    total = np.zeros((len(pairs), dim))
    made = 0
    while made < n_draws:
        n_now = min(n_draws - made, max(1, _NUMBERS_AT_ONCE // pairs.size))
        draws, energies = np.empty((len(pairs), n_now, 2 * dim)), np.empty((len(pairs), n_now))
        chains.advance(n_now, settings, thin=1, draws=draws, energies=energies)
        total += draws[:, :, :dim].sum(axis=1)
        made += n_now
    return (total / n_draws).reshape(n, _CHAINS_PER_POINT, dim).mean(axis=1), lost


class _Conditional(RandomWalk):
    """A random walk in the first half of the coordinates, in units of the noise; the second half is given."""

    def __init__(self, noise: float) -> None:
        super().__init__(metric="diagonal")
        self.noise = noise

    def settings(
        self, step_size: float | FloatArray, scale: FloatArray, path_length: float | None = None,
        betas: FloatArray | None = None,
    ) -> FloatArray:
        moves = np.arange(len(scale)) < len(scale) // 2
        return np.asarray(np.where(moves, step_size * self.noise, 0.0))

    def first_step_size(self, dim: int) -> float:
        return super().first_step_size(dim // 2)

    def target_acceptance(self, dim: int) -> float:
        return super().target_acceptance(dim // 2)
