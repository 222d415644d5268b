"""The rows of the table: each file measures one family, each function takes the number of rounds and gives a Report."""

from collections.abc import Callable

from benchmarks.rows import (
    by_hand,
    checks,
    compiling,
    engine,
    faults,
    first_sample,
    gradients,
    imports,
    lanes,
    maths,
    memory,
    networks,
    normals,
    one_chain,
    samplers,
    threads,
)
from benchmarks.timing import Report

ROWS: dict[str, Callable[[int], Report]] = {
    "rwmh-gmm2": samplers.gmm2,
    "rwmh-gauss10": samplers.gauss10,
    "rwmh-gauss100": samplers.gauss100,
    "mala-gauss10": samplers.mala_gauss10,
    "mala-gauss100": samplers.mala_gauss100,
    "hmc-gauss10": samplers.hmc_gauss10,
    "hmc-gauss100": samplers.hmc_gauss100,
    "normals": normals.measure,
    "maths": maths.measure,
    "lanes": lanes.measure,
    "by-hand": by_hand.measure,
    "one-chain": one_chain.measure,
    "grad-rosenbrock": gradients.rosenbrock,
    "grad-mixture": gradients.mixture,
    "grad-logistic": gradients.logistic,
    "mean-grad-theta": gradients.mean_grad_theta,
    "grad-memory": gradients.memory,
    "mlp": networks.measure,
    "threads": threads.measure,
    "million-chains": memory.measure,
    "engine-overhead": engine.measure,
    "checkpoint-overhead": engine.checkpoints,
    "faults": faults.measure,
    "import": imports.measure,
    "first-sample": first_sample.measure,
    "compile": compiling.measure,
    "compile-grad": compiling.gradients,
    "check-kernel": checks.measure,
}
