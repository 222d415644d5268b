"""Points in the plane with a known law, drawn independently."""

import math
from collections.abc import Sequence

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray, RNGLike


def two_moons(n: int, noise: float = 0.1, *, rng: RNGLike = None) -> FloatArray:
    """Points (n, 2) on two interlocking half circles of radius 1, blurred by normal noise.

    With probability 1/2 each, the point before the noise is (cos t, sin t) or (1 - cos t, 1/2 - sin t), t uniform in
    (0, pi).

    Parameters
    ----------
    n : number of points, at least 1.
    noise : standard deviation in each coordinate, above 0.
    rng : seed, or any other form of SPEC 7.
    """
    n, noise, generator = _checks.count(n, "n"), _checks.positive(noise, "noise"), _generator(rng)
    angle = generator.uniform(0.0, math.pi, n)
    moon = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    is_lower = generator.random(n) < 0.5
    moon[is_lower] = [1.0, 0.5] - moon[is_lower]
    return moon + generator.normal(0.0, noise, (n, 2))


def eight_gaussians(n: int, radius: float = 4.0, *, width: float = 0.5, rng: RNGLike = None) -> FloatArray:
    """Points (n, 2) from eight equally likely round Gaussians around the centres radius (cos k pi/4, sin k pi/4).

    The law is that of `GaussianMixture(means, covs, weights)` with these centres as means, width**2 times the identity
    as covariances and equal weights.

    Parameters
    ----------
    n : number of points, at least 1.
    radius : distance of the centres from the origin, above 0.
    width : standard deviation of each Gaussian in each coordinate, above 0.
    rng : seed, or any other form of SPEC 7.
    """
    n, radius, width = _checks.count(n, "n"), _checks.positive(radius, "radius"), _checks.positive(width, "width")
    generator = _generator(rng)
    angle = generator.integers(8, size=n) * (math.pi / 4.0)
    centre = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centre + generator.normal(0.0, width, (n, 2))


def rings(n: int, radii: Sequence[float] = (1.0, 2.5, 4.0), *, width: float = 0.2, rng: RNGLike = None) -> FloatArray:
    """Points (n, 2) on equally likely rings around the origin.

    The angle is uniform; the signed distance along it is normal with mean radii[k] and standard deviation `width`.

    Parameters
    ----------
    n : number of points, at least 1.
    radii : the radius of each ring, at least one, above 0.
    width : standard deviation across the ring, above 0.
    rng : seed, or any other form of SPEC 7.
    """
    n, width, generator = _checks.count(n, "n"), _checks.positive(width, "width"), _generator(rng)
    if len(radii) == 0:
        raise ValueError("radii is empty; pass the radius of at least one ring.")
    centres = np.array([_checks.positive(radius, f"radii[{k}]") for k, radius in enumerate(radii)])
    distance = centres[generator.integers(len(centres), size=n)] + generator.normal(0.0, width, n)
    angle = generator.uniform(0.0, 2.0 * math.pi, n)
    return np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)


def _generator(rng: RNGLike) -> np.random.Generator:
    return np.random.default_rng(_checks.seed(rng))
