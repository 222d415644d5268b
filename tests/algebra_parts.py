"""Parts to make energies of: few forms, since each is compiled, and any numbers in them."""

import numpy as np

import fastebm as eb

ROUNDING = 64.0 * np.finfo(float).eps  # of a closed form, times 1 + |log Z|


def spread(generator, dim):
    A = generator.standard_normal((dim, dim))
    return A @ A.T + np.eye(dim)


def gaussian(seed, dim):
    generator = np.random.default_rng(seed)
    return eb.Gaussian(generator.standard_normal(dim), spread(generator, dim))


def independent(seed, dim):
    generator = np.random.default_rng(seed)
    return eb.Gaussian(generator.standard_normal(dim), generator.uniform(0.3, 3.0, dim))


def bumps(seed, dim, n=2):
    generator = np.random.default_rng(seed)
    return eb.GaussianMixture(
        2.0 * generator.standard_normal((n, dim)), [spread(generator, dim) for _ in range(n)],
        generator.uniform(0.2, 2.0, n),
    )


def well(seed, dim):
    barrier, location, tilt = np.random.default_rng(seed).uniform(0.5, 2.0, 3)
    return eb.DoubleWell(dim, barrier, location, tilt)


def points(seed, dim, n=5):
    return np.random.default_rng(seed).standard_normal((n, dim))


def closed_forms_hold(E):
    """log Z and moments in closed form are those of quadrature."""
    z, grid = eb.log_partition(E), eb.exact.quadrature.grid(E)
    assert z.method == "closed"
    assert abs(z.value - grid.log_partition) <= z.error + grid.error + 1e-12
    mean, cov = E.closed_moments()
    sizes = np.sqrt(np.diagonal(cov))
    np.testing.assert_allclose((grid.mean - mean) / sizes, 0.0, atol=1e-6)
    np.testing.assert_allclose(grid.cov / np.outer(sizes, sizes), cov / np.outer(sizes, sizes), atol=1e-6)
