"""Barker's proposal as it stands in the paper."""

import math

import numpy as np

from fastebm._checks import FloatArray
from fastebm.testing.twins.streams import Stream
from fastebm.testing.twins.twin import ProposalTwin, log_normal


class BarkerTwin(ProposalTwin):
    """y = x + b z, with b = 1 where a uniform number is below 1/(1 + exp(z dE/dx)), coordinate by coordinate.

    References
    ----------
    S. Livingstone and G. Zanella (2022), doi:10.1111/rssb.12482.
    """

    needs_grad = True

    def __init__(self, settings: FloatArray, dim: int) -> None:
        self.scale = np.array(settings, dtype=float)

    def drawn(self, stream: Stream, dim: int) -> list[float]:
        return [*stream.normals(dim), *(stream.uniform() for _ in range(dim))]

    def sampled(self, generator: np.random.Generator, n: int, dim: int) -> FloatArray:
        return np.hstack([generator.standard_normal((n, dim)), generator.random((n, dim))])

    def propose(self, x: FloatArray, slope: FloatArray, numbers: FloatArray) -> FloatArray:
        normals, uniforms = np.split(numbers, 2, axis=-1)
        z = self.scale * normals
        with np.errstate(over="ignore", invalid="ignore"):
            is_kept = uniforms * (1.0 + np.exp(z * slope)) < 1.0
        return np.asarray(x + np.where(is_kept, z, -z))

    def log_density(self, y: FloatArray, x: FloatArray, slope_x: FloatArray) -> FloatArray:
        step = np.subtract(y, x)
        with np.errstate(over="ignore", invalid="ignore"):
            direction = -np.logaddexp(0.0, step * slope_x).sum(axis=-1)
        return np.asarray(log_normal(step, self.scale) + step.shape[-1] * math.log(2.0) + direction)
