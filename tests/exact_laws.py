"""Laws that kernels must keep, with exact draws and closed integral transforms."""

import functools
import math

import numpy as np
import scipy

import fastebm as eb

MIXTURE = eb.GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])
GAUSSIAN = eb.Gaussian([1.0, -0.5, 2.0], [2.0, 0.5, 1.0])


def gaussian_draws(generator, n):
    return np.array([1.0, -0.5, 2.0]) + generator.standard_normal((n, 3)) * np.sqrt([2.0, 0.5, 1.0])


def gaussian_shares(X):
    """Uniform numbers of the coordinates and of the energy, which is half a chi-square of three degrees."""
    z = (X - [1.0, -0.5, 2.0]) / np.sqrt([2.0, 0.5, 1.0])
    return np.column_stack([scipy.special.ndtr(z), scipy.special.chdtr(3, (z**2).sum(axis=1))])


def mixture_draws(generator, n):
    first = generator.random(n) < 0.35
    z = generator.standard_normal(n)
    return np.where(first, -1.5 + math.sqrt(0.4) * z, 1.0 + math.sqrt(0.8) * z)[:, None]


@functools.cache  # not at import, which every worker of the tests does and would compile for
def levels():
    """Energies of 2e5 cells, in order, and the mass up to each."""
    grid = np.linspace(-8.0, 8.0, 200_001)
    energies = np.sort(MIXTURE.energy(grid[:, None]))
    return energies, np.cumsum(np.exp(-energies)) * (grid[1] - grid[0])


def mixture_shares(X):
    """Uniform numbers of the coordinate, in closed form, and of the energy, by the masses of 2e5 cells."""
    below, above = (X[:, 0] + 1.5) / math.sqrt(0.4), (X[:, 0] - 1.0) / math.sqrt(0.8)
    coordinate = 0.35 * scipy.special.ndtr(below) + 0.65 * scipy.special.ndtr(above)
    return np.column_stack([coordinate, np.interp(MIXTURE.energy(X), *levels())])


CASES = {
    "gaussian": (GAUSSIAN, gaussian_draws, gaussian_shares, [1.7, 0.9, 1.2]),
    "mixture": (MIXTURE, mixture_draws, mixture_shares, [2.0]),
}
