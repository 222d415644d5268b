"""Rules that turn gradients into steps of theta."""

import abc

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray


class Optimiser(abc.ABC):
    """A rule of descent: `begin` gives the state of one training, `step` moves theta by one gradient.

    Parameters
    ----------
    learning_rate : size of the first steps, above 0.
    final_rate : size of the last steps, approached geometrically; None keeps the first.
    """

    def __init__(self, learning_rate: float, final_rate: float | None = None) -> None:
        self.learning_rate = _checks.positive(learning_rate, "learning_rate")
        self.final_rate = self.learning_rate if final_rate is None else _checks.positive(final_rate, "final_rate")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in vars(self).items())})"

    def rate(self, step: int, n_steps: int) -> float:
        """The learning rate at step 0 to n_steps - 1."""
        share = step / max(1, n_steps - 1)
        return float(self.learning_rate ** (1.0 - share) * self.final_rate**share)

    @abc.abstractmethod
    def begin(self, n_params: int) -> list[FloatArray]:
        """Vectors that the rule carries from step to step."""

    @abc.abstractmethod
    def step(
        self, theta: FloatArray, gradient: FloatArray, carried: list[FloatArray], step: int, n_steps: int
    ) -> FloatArray:
        """The next theta; changes `carried` in place."""


class SGD(Optimiser):
    """theta <- theta + v with v <- momentum v - rate gradient.

    Parameters
    ----------
    learning_rate, final_rate : see Optimiser.
    momentum : at least 0 and below 1.

    References
    ----------
    H. Robbins and S. Monro (1951), doi:10.1214/aoms/1177729586. B. T. Polyak (1964), doi:10.1016/0041-5553(64)90137-5.
    """

    def __init__(self, learning_rate: float = 1e-2, final_rate: float | None = None, *, momentum: float = 0.0) -> None:
        super().__init__(learning_rate, final_rate)
        self.momentum = _checks.real(momentum, "momentum")
        if not 0.0 <= self.momentum < 1.0:
            raise ValueError(f"momentum is {momentum}; pass a number of at least 0 and below 1.")

    def begin(self, n_params: int) -> list[FloatArray]:
        return [np.zeros(n_params)]

    def step(
        self, theta: FloatArray, gradient: FloatArray, carried: list[FloatArray], step: int, n_steps: int
    ) -> FloatArray:
        carried[0] = self.momentum * carried[0] - self.rate(step, n_steps) * gradient
        return theta + carried[0]


class Adam(Optimiser):
    """theta <- theta - rate m / (sqrt(v) + epsilon), with running means m, v of the gradient and of its square.

    Parameters
    ----------
    learning_rate, final_rate : see Optimiser.
    beta1, beta2 : memory of the two means, strictly between 0 and 1; both means are corrected for their start at 0.
    epsilon : above 0.

    References
    ----------
    D. P. Kingma and J. Ba (2015), Adam: a method for stochastic optimization, arXiv:1412.6980.
    """

    def __init__(
        self,
        learning_rate: float = 1e-2,
        final_rate: float | None = None,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, final_rate)
        self.beta1 = _checks.fraction(beta1, "beta1")
        self.beta2 = _checks.fraction(beta2, "beta2")
        self.epsilon = _checks.positive(epsilon, "epsilon")

    def begin(self, n_params: int) -> list[FloatArray]:
        return [np.zeros(n_params), np.zeros(n_params)]

    def step(
        self, theta: FloatArray, gradient: FloatArray, carried: list[FloatArray], step: int, n_steps: int
    ) -> FloatArray:
        carried[0] = self.beta1 * carried[0] + (1.0 - self.beta1) * gradient
        carried[1] = self.beta2 * carried[1] + (1.0 - self.beta2) * gradient**2
        mean = carried[0] / (1.0 - self.beta1 ** (step + 1))
        square = carried[1] / (1.0 - self.beta2 ** (step + 1))
        return theta - self.rate(step, n_steps) * mean / (np.sqrt(square) + self.epsilon)
