"""normals: standard normal numbers, float64, one thread."""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks import reference
from benchmarks.timing import Bar, Contestant, Cost, Measure, Report, compare, rate
from fastebm import streams
from fastebm._compile import FLAGS

# one block of 64 streams and 64 numbers of each, 32 kB: it stays in the first-level cache, as a tile of a kernel does
_N_ROWS = 64
_MILLIONS = _N_ROWS * reference.BLOCK / 1e6


def measure(n_rounds: int) -> Report:
    """Numbers per second: `fastebm.streams` against the C reference and NumPy's generators."""
    began = time.perf_counter()
    ours = _ours()
    compiling = Cost("fastebm", "compile the loop over fill_normals", time.perf_counter() - began)
    c = reference.field(_c_rate, Bar(0.8, at_least=True))
    others = [
        Contestant("NumPy default_rng()", _numpy_rate(np.random.default_rng()), bar=Bar(4.0, at_least=True)),
        Contestant("NumPy SFC64", _numpy_rate(np.random.Generator(np.random.SFC64()))),
        *c.contestants,
    ]
    results = compare("normals", "M normals/s", rate(ours, _MILLIONS), others, n_rounds)
    return Report(results, [compiling, *c.costs], c.notes)


@numba.njit(**FLAGS)  # type: ignore[untyped-decorator]
def _fill_repeatedly(states: Any, out: Any, n_repeats: int) -> None:
    """As a kernel does: calls of fill_normals inside compiled code."""
    for _ in range(n_repeats):
        streams.fill_normals(states, out)


def _ours() -> Callable[[int], float]:
    states = streams.seed_streams(0, 1, reference.BLOCK)[0]
    out = reference.aligned(np.empty((_N_ROWS, reference.BLOCK)))
    _fill_repeatedly(states, out, 1)

    def run(n: int) -> float:
        began = time.perf_counter()
        _fill_repeatedly(states, out, n)
        return time.perf_counter() - began

    return run


def _c_rate(library: reference.Reference, variant: str) -> Measure:
    states = reference.fresh_streams(1)[0]
    out = reference.aligned(np.empty((_N_ROWS, reference.BLOCK)))

    def run(n: int) -> float:
        began = time.perf_counter()
        library.normals(variant, out, states, n)
        return time.perf_counter() - began

    return rate(run, _MILLIONS)


def _numpy_rate(rng: np.random.Generator) -> Measure:
    out = reference.aligned(np.empty(_N_ROWS * reference.BLOCK))

    def run(n: int) -> float:
        began = time.perf_counter()
        for _ in range(n):
            rng.standard_normal(out=out)
        return time.perf_counter() - began

    return rate(run, _MILLIONS)
