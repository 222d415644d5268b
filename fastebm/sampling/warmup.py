"""Warm-up: a step size tuned on all chains together, then frozen."""

import math
from collections.abc import Callable

import numpy as np

from fastebm._checks import FloatArray
from fastebm.kernels import Kernel
from fastebm.sampling.chains import Chains

_ROUND = 25  # transitions between two adjustments


class StepSize:
    """Stochastic approximation of the step size that gives the target acceptance rate.

    log step moves by gain * (rate - target) after each round, with gains that fall as round**-0.6 down to `least_gain`,
    and `settled` is the mean of log step over the later half of the rounds.

    References
    ----------
    H. Robbins and S. Monro (1951), doi:10.1214/aoms/1177729586.
    B. T. Polyak and A. B. Juditsky (1992), doi:10.1137/0330046.
    C. Andrieu and J. Thoms (2008), A tutorial on adaptive MCMC, doi:10.1007/s11222-008-9110-y.
    """

    def __init__(self, first: float, target: float, least_gain: float = 0.0) -> None:
        self.target = target
        self.least_gain = least_gain
        self.log_steps = [math.log(first)]

    def adjust(self, rate: float) -> None:
        """Learn from the acceptance rate of the last round."""
        gain = max(5.0 / len(self.log_steps) ** 0.6, self.least_gain)
        self.log_steps.append(self.log_steps[-1] + gain * (rate - self.target))

    @property
    def current(self) -> float:
        return math.exp(self.log_steps[-1])

    @property
    def settled(self) -> float:
        return math.exp(float(np.mean(self.log_steps[len(self.log_steps) // 2 :])))


def tune(
    chains: Chains, kernel: Kernel, n_warmup: int, after_block: Callable[[int], bool]
) -> tuple[float, FloatArray, bool]:
    """Run the warm-up and choose the step size and the relative scales of the coordinates.

    The scales are looked at again each time the number of rounds has doubled: as they come right, steps grow and the
    wide coordinates show how wide they are. The second half of the rounds tunes the step for the last scales.

    Returns
    -------
    step_size, scale (dim,) with geometric mean 1, and whether `after_block` asked for a stop.
    """
    scale = np.ones(chains.dim)
    target = kernel.target_acceptance(chains.dim)
    step = StepSize(kernel.first_step_size(chains.dim), target)
    n_rounds = max(1, n_warmup // _ROUND)
    lengths = np.diff(np.linspace(0, n_warmup, n_rounds + 1).astype(int))
    looks = {n_rounds // 2**k for k in range(1, 6)}
    is_stopped = False

    def noted(n: int) -> bool:  # a round may be a single block, whose length does not tell that it was the last
        nonlocal is_stopped
        is_stopped = after_block(n)
        return is_stopped

    stride = 1 + n_rounds // 256  # a long warm-up must not fill the memory
    seen: list[FloatArray] = []
    for place, length in enumerate(lengths, start=1):
        chains.forget()
        chains.advance(int(length), kernel.settings(step.current, scale), after_block=noted)
        if is_stopped:
            return step.current, scale, True
        step.adjust(float(chains.acceptance_rate().mean()))
        if place <= n_rounds // 2 and place % stride == 0:
            seen.append(chains.positions)
        if place in looks and chains.dim > 1:
            scale = _relative_scales(np.concatenate(seen[len(seen) // 2 :]))
            step = StepSize(step.current, target)
            seen.clear()
    return step.settled, scale, False


def _relative_scales(X: FloatArray) -> FloatArray:
    """Standard deviations of coordinates with geometric mean 1, drawn towards equality where points are few."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        log_scale = 0.5 * np.log(X.var(axis=0))
    if not np.isfinite(log_scale).all():
        return np.ones(X.shape[1])
    log_scale -= log_scale.mean()
    return np.asarray(np.exp(len(X) / (len(X) + 5.0) * log_scale))
