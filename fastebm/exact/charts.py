"""Charts: coordinates t in which a lattice of equal steps is fine where the density is narrow, and coarse in its tails.

v = centre + frame y undoes correlations; each y_i then has a ruler, on which equal steps of t are short near the modes
and grow in proportion to the distance from them. A density with Gaussian tails falls in t like exp(-exp(2 |t|)), one
with power tails like an exponential, and the trapezoid rule is spectrally accurate for both: for one mode it is the
sinh rule of Takahasi and Mori, and behind the walls of `coordinates` their exp-sinh and tanh-sinh rules.

References
----------
H. Takahasi and M. Mori (1974), Double exponential formulas for numerical integration, doi:10.2977/prims/1195192451.
L. N. Trefethen and J. A. C. Weideman (2014), The exponentially convergent trapezoidal rule, doi:10.1137/130932132.
"""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.exact.densities import Density
from fastebm.exact.modes import Modes

_NEWTON_STEPS = 3
_MAX_CENTRES = 16  # more of them are a comb that even steps resolve as well
_RESOLVED = 1.5  # a peak needs no centre of its own where a unit of t is shorter than this many of its widths
_BULK = 3.0  # standard deviations


class Ruler:
    """t = sum_k asinh((y - centres_k) / scales_k): around each centre a step of t is a step of y in units of its scale.

    Parameters
    ----------
    centres, scales : (n_modes,) each.
    """

    def __init__(self, centres: FloatArray, scales: FloatArray) -> None:
        self.centres, self.scales = centres, scales
        if len(centres) > 1:  # where to start Newton's method
            around = np.sinh(np.linspace(-400.0, 400.0, 4001))
            knots = np.unique(centres + scales * around[:, None])
            self._knots, self._marks = knots, self.t(knots)

    def t(self, y: FloatArray) -> FloatArray:
        """The mark at y."""
        return np.asarray(np.arcsinh((y[..., None] - self.centres) / self.scales).sum(axis=-1))

    def y(self, t: FloatArray) -> FloatArray:
        """The place of the mark t."""
        if len(self.centres) == 1:
            return np.asarray(self.centres[0] + self.scales[0] * np.sinh(t))
        cell = np.clip(np.searchsorted(self._marks, t) - 1, 0, len(self._marks) - 2)
        low, high = self._knots[cell], self._knots[cell + 1]
        share = (t - self._marks[cell]) / (self._marks[cell + 1] - self._marks[cell])
        y = low + share * (high - low)
        for _ in range(_NEWTON_STEPS):
            y = np.clip(y + (t - self.t(y)) * np.exp(self.log_slope(y)), low, high)
        return y

    def log_slope(self, y: FloatArray) -> FloatArray:
        """log dy/dt at y."""
        return np.asarray(-np.log((1.0 / np.hypot(y[..., None] - self.centres, self.scales)).sum(axis=-1)))


class Chart:
    """t (n, dim) -> v = centre + frame y(t) for a density.

    Parameters
    ----------
    density : the density to be integrated.
    centre : (dim,) the v of y = 0.
    frame : (dim, dim) lower triangular with a positive diagonal, so that planes across the first coordinate stay so.
    rulers : dim of them.
    """

    def __init__(self, density: Density, centre: FloatArray, frame: FloatArray, rulers: list[Ruler]) -> None:
        self.density = density
        self.centre = centre
        self.frame = frame
        self.rulers = rulers
        self.log_volume = float(np.log(np.diag(frame)).sum())

    @property
    def limits(self) -> FloatArray:
        """(dim, 2) marks beyond which some coordinate is outside the density's limits."""
        with np.errstate(divide="ignore"):
            room = (self.density.limits - self.centre[:, None])[:, :, None] / self.frame[:, None, :]
        ends = np.sort(room, axis=1)  # a negative entry of the frame swaps the two ends
        box = np.column_stack([ends[:, 0].max(axis=0), ends[:, 1].min(axis=0)])
        return np.array([ruler.t(pair) for ruler, pair in zip(self.rulers, box, strict=True)])

    def peaks(self, found: Modes) -> tuple[FloatArray, FloatArray]:
        """Places (n, dim) of modes in y, and how far along each axis (n, dim) the log density falls by a half."""
        places = np.linalg.solve(self.frame, (found.centres - self.centre).T).T
        along = np.linalg.solve(found.frames, np.broadcast_to(self.frame, found.frames.shape))
        return np.asarray(places), np.asarray(1.0 / np.sqrt((along**2).sum(axis=1)))

    def v(self, y: FloatArray) -> FloatArray:
        """Coordinates (n, dim) of the density for whitened ones y (n, dim)."""
        # A product of matrices would go through threads of BLAS, at twenty times the cost.
        columns = [sum(self.frame[i, j] * y[:, j] for j in range(i + 1)) for i in range(y.shape[1])]
        return np.asarray(self.centre + np.column_stack(columns))

    def placed(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coordinates v (n, dim) at t (n, dim), and log |dv/dt| (n,)."""
        y = np.column_stack([ruler.y(t[:, i]) for i, ruler in enumerate(self.rulers)])
        log_slopes = np.sum([ruler.log_slope(y[:, i]) for i, ruler in enumerate(self.rulers)], axis=0)
        return self.v(y), np.asarray(log_slopes + self.log_volume)


def of_modes(density: Density, found: Modes) -> Chart:
    """The chart that undoes the correlations inside the peaks, on average, and whose rulers resolve each of them."""
    shares = np.exp(found.log_masses - found.log_masses.max())
    weighted = np.sqrt(shares / shares.sum())[:, None, None] * found.frames.transpose(0, 2, 1)
    # R^T R is the mean of frame frame^T; computed as such it would lose half of the digits.
    upper = np.linalg.qr(weighted.reshape(-1, density.dim), mode="r")
    chart = Chart(density, found.centres[0], (np.sign(np.diag(upper))[:, None] * upper).T, [])
    chart.rulers = [_ruler(*column) for column in zip(*(values.T for values in chart.peaks(found)), strict=True)]
    return chart


def of_moments(density: Density, mean: FloatArray, cov: FloatArray) -> Chart:
    """The chart of one peak with the given mean and covariance: nearly even steps over the bulk of the mass."""
    rulers = [Ruler(np.zeros(1), np.full(1, _BULK)) for _ in range(density.dim)]
    return Chart(density, mean, np.asarray(np.linalg.cholesky(cov)), rulers)


def _ruler(places: FloatArray, widths: FloatArray) -> Ruler:
    """The ruler for peaks at `places`, of which each is taken only if those before it do not resolve it."""
    kept = [0]
    for k in range(1, len(places)):
        finest = 1.0 / (1.0 / np.hypot(places[k] - places[kept], widths[kept])).sum()
        if finest > _RESOLVED * widths[k] and len(kept) < _MAX_CENTRES:
            kept.append(k)
    return Ruler(places[kept], widths[kept])
