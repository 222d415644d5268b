"""Student's t distribution in several dimensions: heavy tails."""

import math
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.energies.catalogue.gaussian import centre_and_spread, covariance_of, log_volume, precision_factor
from fastebm.energies.energy import Moments
from fastebm.energies.formulas import Formula


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
        df = math.exp(log_df)
        # log Gamma(df/2) - log Gamma((df + dim)/2) without the difference of large numbers
        gammas = scipy.special.betaln(0.5 * df, 0.5 * self.dim) - math.lgamma(0.5 * self.dim)
        return float(gammas) + 0.5 * self.dim * math.log(df * math.pi) + log_volume(factor)

    def closed_moments(self) -> Moments:
        mean, factor, log_df = self.unpack().values()
        df = math.exp(log_df)
        scale = covariance_of(factor)
        return Moments(
            mean if df > 1.0 else np.full(self.dim, np.nan),
            scale * df / (df - 2.0) if df > 2.0 else np.full(scale.shape, np.inf if df > 1.0 else np.nan),
        )


def student_t(x: Any, theta: Any) -> Any:
    square = 0.0
    for j in range(len(x)):
        z = 0.0
        for i in range(j, len(x)):
            z += theta.precision_factor[i, j] * (x[i] - theta.mean[i])
        square += z * z
    df = math.exp(theta.log_df)
    return 0.5 * (df + len(x)) * math.log1p(square / df)
