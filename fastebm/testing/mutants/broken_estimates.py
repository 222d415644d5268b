"""Estimates of log Z that are wrong, or surer than they may be; and rules of descent with a slip.

The right annealed importance sampling stands here as well: `annealed` without a mistake.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.testing.mutants import targets
from fastebm.testing.mutants.entries import Entry
from fastebm.testing.mutants.rules import accepts, chosen
from fastebm.training.optimisers import SGD, Adam, Optimiser

Estimate = Callable[[Energy, int], tuple[float, float]]

_N = 400  # points
_WIDTH = 2.0  # of the normal law that they start in
_BETAS = np.linspace(0.0, 1.0, 9)


def annealed(mistake: str = "", *, claim: float = 1.0) -> Callable[[Energy], Estimate]:
    """Annealed importance sampling: weights gather (beta' - beta) (E_0 - E)(x), before x moves at beta'.

    Mistakes: "after" gathers behind the move, "order" moves at the temperatures from behind, "logs" takes the mean of
    log-weights, "start" forgets log Z of the start, "seed" ignores the seed; `claim` multiplies the error.

    References
    ----------
    R. M. Neal (2001), doi:10.1023/A:1008923215028.
    """

    def make(energy: Energy) -> Estimate:
        def estimate(E: Energy, seed: int) -> tuple[float, float]:
            generator = np.random.default_rng(1 if mistake == "seed" else seed)
            x = _WIDTH * generator.standard_normal((_N, E.dim))
            log_weights = np.zeros(_N)
            for before, beta, other in zip(_BETAS[:-1], _BETAS[1:], _BETAS[::-1], strict=False):
                if mistake != "after":
                    log_weights += (beta - before) * (_start(x) - E.energy(x))
                at = other if mistake == "order" else beta
                for _ in range(2):
                    y = x + 1.2 * generator.standard_normal(x.shape)
                    here, there = ((1.0 - at) * _start(z) + at * E.energy(z) for z in (x, y))
                    x, _ = chosen(accepts(generator, here - there), x, here, y, there)
                if mistake == "after":
                    log_weights += (beta - before) * (_start(x) - E.energy(x))
            weights = np.exp(log_weights - log_weights.max())
            error = float(weights.std(ddof=1) / weights.mean() / math.sqrt(_N))
            value = log_weights.mean() if mistake == "logs" else log_weights.max() + math.log(weights.mean())
            if mistake != "start":
                value += E.dim * math.log(_WIDTH * math.sqrt(2.0 * math.pi))
            return float(value), claim * error

        return estimate

    return make


def _start(x: FloatArray) -> FloatArray:
    """Energy of the law that annealing starts in."""
    return np.asarray(0.5 * ((x / _WIDTH) ** 2).sum(axis=1))


def tail_dropped(energy: Energy) -> Estimate:
    """Quadrature that ends at x = 2, with the error of the whole."""

    grid = quadrature.grid(energy)
    kept = float(grid.probabilities[grid.points[:, 0] < 2.0].sum())
    return lambda E, seed: (grid.lattice.log_total + math.log(kept), 1e-8)


def no_number(energy: Energy) -> Estimate:
    """An error of nan covers everything and nothing."""
    return lambda E, seed: (0.0, math.nan)


# ---- rules of descent ----


class Slipped(Adam):
    """Adam with a slip: "uncorrected" means, means corrected "one late", epsilon "inside" of the root."""

    def __init__(self, slip: str) -> None:
        super().__init__(1e-2)
        self.slip = slip

    def step(
        self, theta: FloatArray, gradient: FloatArray, carried: list[FloatArray], step: int, n_steps: int
    ) -> FloatArray:
        carried[0] = self.beta1 * carried[0] + (1.0 - self.beta1) * gradient
        carried[1] = self.beta2 * carried[1] + (1.0 - self.beta2) * gradient**2
        n = {"uncorrected": math.inf, "one late": step + 2.0}.get(self.slip, step + 1.0)
        mean, square = carried[0] / (1.0 - self.beta1**n), carried[1] / (1.0 - self.beta2**n)
        root = np.sqrt(square + self.epsilon) if self.slip == "inside" else np.sqrt(square) + self.epsilon
        return np.asarray(theta - self.rate(step, n_steps) * mean / root)


class Uphill(SGD):
    """Gradient ascent."""

    def step(
        self, theta: FloatArray, gradient: FloatArray, carried: list[FloatArray], step: int, n_steps: int
    ) -> FloatArray:
        return super().step(theta, -gradient, carried, step, n_steps)


class Forgetful(SGD):
    """Momentum that is not carried on."""

    def step(
        self, theta: FloatArray, gradient: FloatArray, carried: list[FloatArray], step: int, n_steps: int
    ) -> FloatArray:
        return super().step(theta, gradient, [one.copy() for one in carried], step, n_steps)


class Constant(SGD):
    """A learning rate that never gets to its last value."""

    def rate(self, step: int, n_steps: int) -> float:
        return self.learning_rate


def _estimate(name: str, words: str, make: Callable[[Energy], Any], energy: Energy, is_unbiased: bool = False) -> Entry:
    return Entry(name, words, make, energy, check="log_partition", options={"is_unbiased": is_unbiased})


def _rule(name: str, words: str, rule: Callable[[], Optimiser]) -> Entry:
    return Entry(name, words, lambda energy: rule(), targets.WELL, check="optimiser")


WELL, MIXTURE = targets.WELL, targets.MIXTURE

BROKEN = (
    _estimate("AIS weighs after moving", "at beta' already", annealed("after"), MIXTURE, True),
    _estimate("AIS, temperatures from behind", "moves at the wrong ones", annealed("order"), MIXTURE, True),
    _estimate("AIS, mean of logs", "below log Z on average", annealed("logs"), MIXTURE, True),
    _estimate("AIS without its start", "no log Z_0", annealed("start"), MIXTURE, True),
    _estimate("AIS that ignores its seed", "and is always surprised alike", annealed("seed"), MIXTURE, True),
    _estimate("AIS, ten times too sure", "a tenth of its error", annealed(claim=0.1), MIXTURE),
    _estimate("tail dropped from Z", "quadrature up to x = 2", tail_dropped, WELL),
    _estimate("an error of nan", "covers everything", no_number, WELL),
    _rule("Adam uncorrected", "means that start at 0", lambda: Slipped("uncorrected")),
    _rule("Adam corrected late", "by beta**(t + 1)", lambda: Slipped("one late")),
    _rule("Adam, epsilon inside", "of the root", lambda: Slipped("inside")),
    _rule("SGD uphill", "theta + rate gradient", lambda: Uphill(1e-2)),
    _rule("SGD without momentum", "0.9 is not carried on", lambda: Forgetful(1e-2, momentum=0.9)),
    _rule("SGD at a constant rate", "1e-4 is never reached", lambda: Constant(1e-2, 1e-4)),
)
