"""mlp: a network's energy and gradients at 65,536 points, at which share of the rate of NumPy's matrix product."""

import time
from collections.abc import Callable

import numpy as np

import fastebm as eb
from benchmarks.machine import one_processor
from benchmarks.processes import figures
from benchmarks.timing import Bar, Contestant, Report, compare, rate

_DIM, _HIDDEN, _N_POINTS = 2, (64, 64), 65_536
# 2 for a multiply-add; activations, biases and the quadratic term do not count
FORWARD_FLOPS = 2 * (_DIM * _HIDDEN[0] + _HIDDEN[0] * _HIDDEN[1] + _HIDDEN[1])
# backwards a layer has two products for one, by its weights and with its inputs
BOTH_FLOPS = FORWARD_FLOPS + 2 * FORWARD_FLOPS

_PRODUCT = """
import time
import numpy as np
a, b = np.random.default_rng().standard_normal((2, 2000, 2000))
out = a @ b
began = time.perf_counter()
np.matmul(a, b, out=out)
print(2 * 2000**3 / (time.perf_counter() - began) / 1e9)
"""
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP")}


def measure(n_rounds: int) -> Report:
    """Gflop/s of `energy`, and of `energy` and `mean_grad_theta` together, against a product of 2000 x 2000 matrices.

    The second figure counts the forward pass once, though both calls make it.
    """
    report = Report([], notes=[
        f"mlp: 2-64-64-1, swish, float64, one thread; a point counts {FORWARD_FLOPS:,} flops forwards and twice that "
        "backwards, multiply-adds of the products only."
    ])
    E, X = network(), np.random.default_rng().standard_normal((_N_POINTS, _DIM))
    works: list[tuple[str, int, Callable[[], object], float]] = [
        ("energy", FORWARD_FLOPS, lambda: E.energy(X), 0.6),
        ("energy and grad_theta", BOTH_FLOPS, lambda: (E.energy(X), E.mean_grad_theta(X)), 0.45),
    ]
    with one_processor():
        for quantity, flops, work, share in works:
            ours = rate(_repeated(work), flops * _N_POINTS / 1e9)
            product = Contestant("NumPy, 2000 x 2000 product", _product_rate, bar=Bar(share, at_least=True))
            report.results.extend(compare("mlp", f"Gflop/s, {quantity}", ours, [product], n_rounds))
    return report


def _product_rate() -> float:
    """Gflop/s of NumPy's product on one thread: how many threads it has is settled when it is imported."""
    return figures(_PRODUCT, **_ONE_THREAD)[0]


def network() -> eb.MLP:
    """A network whose output weights are not zero, as they are before training."""
    E = eb.MLP(_DIM, _HIDDEN)
    return E.with_theta(w_out=np.random.default_rng().standard_normal(_HIDDEN[1]))


def _repeated(run: Callable[[], object]) -> Callable[[int], float]:
    run()  # compiles what is not compiled yet

    def repeated(n: int) -> float:
        began = time.perf_counter()
        for _ in range(n):
            run()
        return time.perf_counter() - began

    return repeated
