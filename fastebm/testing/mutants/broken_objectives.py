"""Training gradients that lead elsewhere."""

from collections.abc import Callable
from typing import Any

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.kernels import RandomWalk
from fastebm.testing.mutants import targets
from fastebm.testing.mutants.entries import Entry
from fastebm.training.contrastive import Contrast, ContrastiveDivergence, PersistentCD
from fastebm.training.likelihood import MaximumLikelihood
from fastebm.training.objective import Estimator, Objective

_KERNEL = RandomWalk(0.8)
_N = 128  # particles


class Changed(Estimator):
    """An estimator whose gradient is `change(gradient, energy, batch)`."""

    def __init__(self, right: Estimator, change: Callable[[FloatArray, Energy, FloatArray], FloatArray]) -> None:
        self.right, self.change = right, change

    def gradient(self, energy: Energy, batch: FloatArray) -> FloatArray:
        return self.change(self.right.gradient(energy, batch), energy, batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.right, name)


def wrong_sign(gradient: FloatArray, energy: Energy, batch: FloatArray) -> FloatArray:
    """<dE/dtheta>_model - <dE/dtheta>_data."""
    return -gradient


def data_alone(gradient: FloatArray, energy: Energy, batch: FloatArray) -> FloatArray:
    """<dE/dtheta>_data."""
    return energy.mean_grad_theta(batch)


def parameter_left_out(gradient: FloatArray, energy: Energy, batch: FloatArray) -> FloatArray:
    """0 for the last parameter."""
    gradient[-1] = 0.0
    return gradient


def one_row_less(gradient: FloatArray, energy: Energy, batch: FloatArray) -> FloatArray:
    """Sums over n points divided by n - 1."""
    return gradient * len(batch) / (len(batch) - 1.0)


def _contrast(
    declared: ContrastiveDivergence | PersistentCD, *, k: int | None = None, restarts: bool = False, beta: float = 1.0,
    seed: int | None = None,
) -> Objective:
    """The objective with other transitions than it declares, particles that restart, a temperature, a fixed seed."""
    kind = type(declared)

    class Mistaken(kind):  # type: ignore[valid-type,misc]
        def begin(self, energy: Energy, data: FloatArray, given: int, n_threads: int) -> Estimator:
            right = super().begin(energy, data, given if seed is None else seed, n_threads)
            right.k = self.k if k is None else k
            if restarts:
                right = Contrast(energy, data, self.k, self.kernel, None, given, n_threads)
            if beta != 1.0:
                gradient = right.gradient
                right.gradient = lambda model, batch: gradient(beta * model, batch) / beta
            return right  # type: ignore[no-any-return]

    mistaken: Objective = Mistaken.__new__(Mistaken)
    vars(mistaken).update(vars(declared))
    return mistaken


def _around(declared: Objective, change: Callable[[FloatArray, Energy, FloatArray], FloatArray]) -> Objective:
    kind: Any = type(declared)

    class Mistaken(kind):  # type: ignore[misc]
        def begin(self, energy: Energy, data: FloatArray, seed: int, n_threads: int) -> Estimator:
            return Changed(super().begin(energy, data, seed, n_threads), change)

    mistaken: Objective = Mistaken.__new__(Mistaken)
    vars(mistaken).update(vars(declared))
    return mistaken


def tail_dropped(gradient: FloatArray, energy: Energy, batch: FloatArray) -> FloatArray:
    """Maximum likelihood whose model ends at x = 1.5."""
    grid = quadrature.grid(energy)
    weights = grid.probabilities * (grid.points[:, 0] < 1.5)
    return energy.mean_grad_theta(batch) - energy.mean_grad_theta(grid.points, weights / weights.sum())


def _mistaken(name: str, words: str, objective: Callable[[], Objective], delta: float = 0.1) -> Entry:
    return Entry(name, words, lambda energy: objective(), targets.WELL, check="objective", delta=delta)


def _cd(k: int) -> ContrastiveDivergence:
    return ContrastiveDivergence(k, _KERNEL)


def _pcd(k: int) -> PersistentCD:
    return PersistentCD(k, _N, _KERNEL)


BROKEN = (
    _mistaken("CD of wrong sign", "model less data", lambda: _around(_cd(1), wrong_sign)),
    _mistaken("CD without the model", "data alone", lambda: _around(_cd(1), data_alone)),
    _mistaken("CD-1 with k = 2", "off by one", lambda: _contrast(_cd(1), k=2)),
    _mistaken("CD-3 with k = 2", "off by one", lambda: _contrast(_cd(3), k=2)),
    _mistaken("CD at another temperature", "chains on 0.9 E", lambda: _contrast(_cd(8), beta=0.9), 0.03),
    _mistaken("CD that ignores its seed", "always 1", lambda: _contrast(_cd(1), seed=1)),
    _mistaken("CD without a parameter", "0 for the last", lambda: _around(_cd(1), parameter_left_out)),
    _mistaken("particles restarted", "at the batch, in every step", lambda: _contrast(_pcd(2), restarts=True)),
    _mistaken("PCD-1 with k = 2", "off by one", lambda: _contrast(_pcd(1), k=2)),
    _mistaken("likelihood of wrong sign", "uphill", lambda: _around(MaximumLikelihood(), wrong_sign)),
    _mistaken("likelihood by n - 1", "one row too few", lambda: _around(MaximumLikelihood(), one_row_less)),
    _mistaken("likelihood without a tail", "the model ends at 1.5", lambda: _around(MaximumLikelihood(), tail_dropped)),
)
