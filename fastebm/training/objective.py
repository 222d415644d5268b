"""What every training objective has in common."""

import abc

from numpy.typing import ArrayLike

from fastebm import _checks, tiles
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy


class Estimator(abc.ABC):
    """An objective at work on one training: what it carries from step to step.

    Attributes
    ----------
    energy_gap : mean energy of the last batch minus that of the model's points; near 0 where the two agree.
    energy_spread : standard deviation of the energy over the model's points.
    acceptance_rate : accepted share of the proposals in the last step; nan where nothing is proposed.
    particles : (n, dim) points that stand for the model, None where there are none.
    reach : largest distance of a particle's coordinate from the mean of the data, in standard deviations of the data.
    faults : proposals so far whose energy was nan or -inf, which were rejected.
    fault_x : (dim,) one of them.
    """

    energy_gap: float = float("nan")
    energy_spread: float = float("nan")
    acceptance_rate: float = float("nan")
    particles: FloatArray | None = None
    reach: float = 0.0
    faults: int = 0
    fault_x: FloatArray | None = None

    @abc.abstractmethod
    def gradient(self, energy: Energy, batch: FloatArray) -> FloatArray:
        """Estimate of d(loss)/d theta, (n_params,), for a batch (n, dim); advances what is carried."""


class Objective(abc.ABC):
    """A loss whose gradient in theta can be estimated."""

    @abc.abstractmethod
    def begin(self, energy: Energy, data: FloatArray, seed: int, n_threads: int) -> Estimator:
        """An estimator for training `energy` on data (n, dim)."""

    def gradient(self, energy: Energy, batch: ArrayLike, rng: RNGLike = None) -> FloatArray:
        """One estimate of d(loss)/d theta.

        Parameters
        ----------
        energy : the model.
        batch : (n, dim) data.
        rng : as in `sample`.

        Returns
        -------
        (n_params,) gradient; following its negative lowers the loss.
        """
        _checks.instance(energy, Energy, "energy", "fit.energy or eb.MLP(dim=2)")
        points = _checks.data(batch, energy.dim, energy.domain, "batch", energy.values)
        return self.begin(energy, points, _checks.seed(rng), tiles.threads(None)).gradient(energy, points)
