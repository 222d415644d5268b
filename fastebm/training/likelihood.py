"""Maximum likelihood with the exact gradient, in one to three dimensions or over all states."""

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.exact.enumerations import enumeration
from fastebm.training.objective import Estimator, Objective

_OLDEST = 50  # steps that one grid may serve


class MaximumLikelihood(Objective):
    """Loss: minus the mean log-likelihood; its gradient <dE/dtheta>_data - <dE/dtheta>_model by quadrature, or
    by enumeration of the states of a discrete energy.

    Exact in one to three dimensions and for at most 2**22 states; elsewhere it is refused, and PersistentCD is the
    choice.
    """

    def begin(self, energy: Energy, data: FloatArray, seed: int, n_threads: int) -> "ExactLikelihood":
        return ExactLikelihood()

    def __repr__(self) -> str:
        return "MaximumLikelihood()"


class ExactLikelihood(Estimator):
    """The nodes of one step serve the next while they resolve the new energy, and for a number of steps at most.

    Nodes cannot show a mode that grows outside their box: only the search for modes, with every new grid, can.
    """

    def __init__(self) -> None:
        self._grid: quadrature.Grid | None = None
        self._age = 0

    def gradient(self, energy: Energy, batch: FloatArray) -> FloatArray:
        if energy.values is not None:
            states = enumeration(energy)
            self.energy_gap = float(energy.energy(batch).mean()) - states.mean_energy
            self.energy_spread = states.energy_spread
            return energy.mean_grad_theta(batch) - states.mean_grad_theta()
        grid = None if self._grid is None or self._age == _OLDEST else self._grid.reweighted(energy)
        self._age = 0 if grid is None else self._age + 1
        self._grid = quadrature.grid(energy) if grid is None else grid
        weights = self._grid.probabilities
        values = energy.energy(self._grid.points)
        mean = float(weights @ values)
        self.energy_gap = float(energy.energy(batch).mean()) - mean
        self.energy_spread = float(weights @ (values - mean) ** 2) ** 0.5
        return energy.mean_grad_theta(batch) - energy.mean_grad_theta(self._grid.points, weights)
