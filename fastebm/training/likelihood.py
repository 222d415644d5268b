"""Maximum likelihood with the exact gradient, in one to three dimensions."""

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.training.objective import Estimator, Objective


class MaximumLikelihood(Objective):
    """Loss: minus the mean log-likelihood; its gradient <dE/dtheta>_data - <dE/dtheta>_model by quadrature.

    Exact in one to three dimensions; elsewhere it is refused, and PersistentCD is the choice.
    """

    def begin(self, energy: Energy, data: FloatArray, seed: int, n_threads: int) -> "ExactLikelihood":
        return ExactLikelihood()

    def __repr__(self) -> str:
        return "MaximumLikelihood()"


class ExactLikelihood(Estimator):
    """The nodes of one step serve the next as long as they resolve the new energy."""

    def __init__(self) -> None:
        self._grid: quadrature.Grid | None = None

    def gradient(self, energy: Energy, batch: FloatArray) -> FloatArray:
        grid = None if self._grid is None else self._grid.reweighted(energy)
        self._grid = quadrature.grid(energy) if grid is None else grid
        weights = self._grid.probabilities
        values = energy.energy(self._grid.points)
        mean = float(weights @ values)
        self.energy_gap = float(energy.energy(batch).mean()) - mean
        self.energy_spread = float(weights @ (values - mean) ** 2) ** 0.5
        return energy.mean_grad_theta(batch) - energy.mean_grad_theta(self._grid.points, weights)
