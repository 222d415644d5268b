"""check-kernel: how long the public test of a kernel takes, in one and in two dimensions, once all is compiled."""

import time

import fastebm as eb
from benchmarks.timing import Bar, Report, Result
from fastebm.testing import check_kernel

BARS = {0.03: 2.0, 0.01: 15.0}  # seconds by delta


def measure(n_rounds: int) -> Report:
    """Seconds of a check with new random numbers, the exact law of the energy known from the check before."""
    energies = {
        1: eb.GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65]), 2: eb.Ring(1.6, 0.4),
    }
    kernels: list[eb.RandomWalk | eb.MALA] = [eb.RandomWalk(0.9), eb.MALA(0.12)]
    results = []
    for dim, energy in energies.items():
        for kernel in kernels:
            check_kernel(kernel, energy).raise_if_failed()  # compiles
            for delta, bar in BARS.items():
                seconds = []
                for _ in range(min(n_rounds, 3) if delta < 0.03 else n_rounds):
                    began = time.perf_counter()
                    check_kernel(kernel, energy, delta=delta).raise_if_failed()
                    seconds.append(time.perf_counter() - began)
                quantity = f"s, {type(kernel).__name__}, dim {dim}, delta {delta}"
                results.append(Result("check-kernel", quantity, tuple(seconds), bar=Bar(bar, at_least=False)))
    return Report(results)
