"""Student's t distribution in several dimensions: heavy tails."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies.catalogue.gaussian import centre_and_spread, covariance_of, log_volume, precision_factor
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula

_FEWEST_DF = 0.1  # for draws: with fewer, chi-square numbers underflow


class StudentT(Formula):
    """E(x) = (df + dim)/2 log(1 + |L^T (x - mean)|**2 / df) with scale**-1 = L L^T; log Z in closed form.

    Parameters
    ----------
    mean : (dim,) centre, or a number in one dimension. It is the mean only if df > 1.
    scale : (dim, dim) matrix, symmetric and positive definite; or (dim,) numbers, a diagonal; or one number. The
        covariance is scale df/(df - 2) if df > 2.
    df : degrees of freedom, above 0: the fewer, the heavier the tails; 1 is Cauchy's distribution.

    Notes
    -----
    theta holds `mean` (dim,), `precision_factor`: the lower triangular L (dim, dim), whose upper part is ignored, and
    `log_df`.

    References
    ----------
    S. Kotz and S. Nadarajah (2004), Multivariate t Distributions and Their Applications,
    doi:10.1017/CBO9780511550683.
    """

    def __init__(self, mean: ArrayLike, scale: ArrayLike = 1.0, df: float = 3.0) -> None:
        centre, spread = centre_and_spread(mean, scale, "scale")
        factor = precision_factor(spread, "scale")
        df = _checks.positive(df, "df")
        theta: dict[str, Any] = {
            "mean": centre,
            "precision_factor": np.diag(factor) if factor.ndim == 1 else factor,
            "log_df": math.log(df),
        }
        super().__init__(
            student_t, centre.size, theta, {"mean": centre.tolist(), "scale": spread.tolist(), "df": df}
        )

    def closed_log_partition(self) -> float:
        _, factor, log_df = self.unpack().values()
        a, b = 0.5 * math.exp(log_df), 0.5 * self.dim
        return b * math.log(2.0 * math.pi) - _log_gamma_growth(a, b) + log_volume(factor)

    def closed_moments(self) -> Moments:
        mean, factor, log_df = self.unpack().values()
        df = math.exp(log_df)
        scale = covariance_of(factor)
        return Moments(
            mean if df > 1.0 else np.full(self.dim, np.nan),
            scale * df / (df - 2.0) if df > 2.0 else np.full(scale.shape, np.inf if df > 1.0 else np.nan),
        )

    def closed_draws(self, n: int, generator: np.random.Generator) -> FloatArray | None:
        """A normal point over the root of a chi-square number by its degrees of freedom."""
        mean, factor, log_df = self.unpack().values()
        df = math.exp(log_df)
        if not (np.diagonal(factor).all() and df >= _FEWEST_DF):
            return None
        z = generator.standard_normal((n, self.dim)) / np.sqrt(generator.chisquare(df, (n, 1)) / df)
        return np.asarray(mean + np.linalg.solve(np.tril(factor).T, z.T).T)


def student_t(x: Any, theta: Any) -> Any:
    square = 0.0
    for j in range(len(x)):
        z = 0.0
        for i in range(j, len(x)):
            z += theta.precision_factor[i, j] * (x[i] - theta.mean[i])
        square += z * z
    df = math.exp(theta.log_df)
    return 0.5 * (df + len(x)) * math.log1p(square / df)


def _log_gamma_growth(a: float, b: float) -> float:
    """log Gamma(a + b) - log Gamma(a) - b log(a), without the difference of large numbers.

    Recurrence up to a >= 10, then the difference of asymptotic series (NIST DLMF 5.5.1, 5.11.1).
    """
    start, result = a, 0.0
    while a < 10.0:
        result -= math.log1p(b / a)
        a += 1.0
    result += b * math.log(a / start)

    def series(z: float) -> float:
        w = 1.0 / (z * z)
        return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * (691 / 360360)))))) / z

    return result + (a + b - 0.5) * math.log1p(b / a) - b + series(a + b) - series(a)
