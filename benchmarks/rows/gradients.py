"""grad-* and mean-grad-theta: derivatives of energies whose users wrote none, float64, one thread."""

import functools
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import cases, peers, reference, tile_functions
from benchmarks.cases import Case
from benchmarks.machine import one_processor
from benchmarks.processes import figures
from benchmarks.timing import Bar, Field, Measure, Report, Result, compare, duration, rate

_DIMS = {2: 2.0, 8: 2.0, 32: 2.5, 1000: 3.0}  # and the time asked for, over that of C
_AT_ONCE = 2**14  # bytes of points in a tile, which with their gradients stay in the first-level cache

# the peak of the resident memory is set back, then read again; what is compiled is loaded from disk
_MEMORY = """
from pathlib import Path
from benchmarks import cases
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3
case = cases.{case}
case.energy.grad(case.points[:1])
Path("/proc/self/clear_refs").write_text("5")
before = peak()
case.energy.grad(case.points)
print(peak() - before)
"""


def rosenbrock(n_rounds: int) -> Report:
    """Nanoseconds of a gradient (ours gives the energy as well), against C by hand and against JAX."""
    report = Report([], notes=[
        "grad-rosenbrock: gradients of 1,024 points in tiles that, with their gradients, stay in the first-level cache "
        "if lanes are not too many for that; C has blocks of 64 points."
    ])
    for dim, times_c in _DIMS.items():
        case = cases.rosenbrock(dim)
        unit = 1e-9 * len(case.points)
        c = reference.field(_c_time_of(case, unit), Bar(times_c, at_least=False), variants=("by hand",))
        jax = _jax_gradient(case, functools.partial(duration, unit=unit), Bar(1.0, at_least=False))
        ours = duration(tile_functions.gradients(case.energy, case.points, _AT_ONCE), unit)
        others = c.contestants + jax.contestants
        report.results.extend(compare("grad-rosenbrock", f"ns a gradient, dim {dim:,}", ours, others, n_rounds))
        report.costs.extend(jax.costs)
    return report


def mixture(n_rounds: int) -> Report:
    """Millions of gradients per second of the eight-component mixture."""
    case = cases.mixture()
    millions = len(case.points) / 1e6
    ours = rate(tile_functions.gradients(case.energy, case.points, _AT_ONCE), millions)
    jax = _jax_gradient(case, functools.partial(rate, items=millions), Bar(8.0, at_least=True))
    return Report(compare("grad-mixture", "M gradients/s", ours, jax.contestants, n_rounds), jax.costs)


def logistic(n_rounds: int) -> Report:
    """Microseconds of the gradients of 64 chains."""
    case = cases.logistic()
    ours = duration(tile_functions.gradients(case.energy, case.points, _AT_ONCE), 1e-6)
    jax = _jax_gradient(case, functools.partial(duration, unit=1e-6), Bar(1.0, at_least=False))
    return Report(compare("grad-logistic", "us, 64 gradients", ours, jax.contestants, n_rounds), jax.costs)


def mean_grad_theta(n_rounds: int) -> Report:
    """Millions of points per second in `E.mean_grad_theta`, called from Python."""
    case = cases.fitted_mixture()
    millions = len(case.points) / 1e6

    def derive(jax: Any, theta: Any, X: Any) -> Any:
        energies = jax.vmap(lambda theta, x: case.of_one(jax.numpy, x, theta), in_axes=(None, 0))
        return jax.grad(lambda theta: jax.numpy.mean(energies(theta, X)))(theta)

    jax = peers.derivatives(
        derive, case.energy.theta, (case.points,), functools.partial(rate, items=millions), Bar(3.0, at_least=True)
    )
    case.energy.mean_grad_theta(case.points)  # compiles what is not compiled yet

    def run(n: int) -> float:
        began = time.perf_counter()
        for _ in range(n):
            case.energy.mean_grad_theta(case.points)
        return time.perf_counter() - began

    with one_processor():
        results = compare("mean-grad-theta", "M points/s", rate(run, millions), jax.contestants, n_rounds)
    return Report(results, jax.costs)


def memory(n_rounds: int) -> Report:
    """Megabytes by which `E.grad` of 1,024 points in dimension 1,000 raises the peak, its result of 8 MB among them."""
    report = Report([])
    for name in ("rosenbrock", "overwritten"):
        code = _MEMORY.format(case=f"{name}(1000)")
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            figures(code, NUMBA_CACHE_DIR=folder)
            seen = tuple(figures(code, NUMBA_CACHE_DIR=folder)[0] for _ in range(n_rounds))
        report.results.append(Result("grad-memory", f"MB, {name}", seen, bar=Bar(64.0, at_least=False)))
    return report


def _c_time_of(case: Case, unit: float) -> Callable[[reference.Reference, str], Measure]:
    positions = reference.blocks(case.points)
    out = reference.aligned(np.empty_like(positions))

    def measure(library: reference.Reference, _: str) -> Measure:
        def run(n: int) -> float:
            began = time.perf_counter()
            library.rosenbrock_grad(positions, out, n)
            return time.perf_counter() - began

        return duration(run, unit)

    return measure


def _jax_gradient(case: Case, measure: Callable[[Callable[[int], float]], Measure], bar: Bar) -> Field:
    def derive(jax: Any, X: Any, *parameters: Any) -> Any:
        return jax.vmap(jax.grad(lambda x: case.of_one(jax.numpy, x, *parameters)))(X)

    return peers.derivatives(derive, case.points, case.parameters, measure, bar)
