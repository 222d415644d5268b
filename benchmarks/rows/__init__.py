"""The rows of the table: each file measures one family, each function takes the number of rounds and gives a Report."""

from collections.abc import Callable

from benchmarks.rows import (
    by_hand,
    checks,
    compiling,
    effective_draws,
    first_sample,
    gradients,
    imports,
    lanes,
    maths,
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
    "ess-logistic25": effective_draws.logistic25,
    "ess-funnel": effective_draws.funnel,
    "ess-gmm2-far": effective_draws.gmm2_far,
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
    "import": imports.measure,
    "first-sample": first_sample.measure,
    "compile": compiling.measure,
    "compile-grad": compiling.gradients,
    "check-kernel": checks.measure,
}
