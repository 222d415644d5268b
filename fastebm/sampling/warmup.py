"""Warm-up: transitions in rounds, from which a tuner learns what is then frozen."""

from collections.abc import Callable

from fastebm.kernels import Kernel
from fastebm.sampling.chains import Chains
from fastebm.sampling.tuning import Tuned, Tuner


def tune(
    chains: Chains, kernel: Kernel, n_warmup: int, after_block: Callable[[int], bool]
) -> tuple[Tuned, bool]:
    """Run a whole warm-up.

    Returns
    -------
    What is frozen, and whether `after_block` asked for a stop.
    """
    tuner = Tuner(kernel, chains.dim, n_warmup, chains.n)
    is_stopped = False
    while not (tuner.is_over or is_stopped):
        is_stopped = run_round(chains, tuner, after_block)
    return tuner.tuned(), is_stopped


def run_round(chains: Chains, tuner: Tuner, after_block: Callable[[int], bool]) -> bool:
    """One round, from which the tuner learns if it was whole; whether `after_block` asked for a stop."""
    length, done = tuner.length, 0
    is_stopped = False

    def noted(n: int) -> bool:  # a round may be a single block, whose length does not tell that it was the last
        nonlocal is_stopped, done
        done += n
        is_stopped = after_block(n)
        return is_stopped

    chains.forget()
    chains.advance(length, tuner.settings(), after_block=noted)
    if done == length:
        tuner.adjust(float(chains.acceptance_rate().mean()), chains.positions, chains.memories)
    return is_stopped
