"""maths: elementary functions over lanes, float64, one thread, arguments and results in the first-level cache."""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.special

from benchmarks import elementwise, reference
from benchmarks.elementwise import Array
from benchmarks.timing import Bar, Contestant, Cost, Field, Report, compare, rate

_N = 1024
_MILLIONS = _N / 1e6
_C_BAR = Bar(0.9, at_least=True)


class _Case(NamedTuple):
    """A function: what an energy calls, arguments that it meets there, and the NumPy or SciPy functions beside it."""

    name: str
    called: tuple[Callable[..., Any], ...]
    low: float
    high: float
    beside: str
    ufuncs: tuple[np.ufunc, ...]
    bar: Bar | None = None


_CASES = (
    _Case("exp", (math.exp,), -20.0, 5.0, "NumPy", (np.exp,), Bar(1.0, at_least=True)),
    _Case("log", (math.log,), 1e-3, 20.0, "NumPy", (np.log,), Bar(1.0, at_least=True)),
    _Case("sincos", (math.sin, math.cos), -10.0, 10.0, "NumPy", (np.sin, np.cos)),
    _Case("tanh", (math.tanh,), -4.0, 4.0, "NumPy", (np.tanh,)),
    _Case("erf", (math.erf,), -4.0, 4.0, "SciPy", (scipy.special.erf,), Bar(2.0, at_least=True)),
)
_NOTE = (
    "maths: libmvec promises 4 units in the last place and fastebm 2 (docs/maths.md); in C, sincos is a loop of sines "
    "and a loop of cosines, which is faster than libmvec's sincos."
)


def measure(n_rounds: int) -> Report:
    """Arguments per second, against loops of C over libmvec and against NumPy or SciPy."""
    report = Report([], notes=[_NOTE])
    began = time.perf_counter()
    ours = [elementwise.timed(elementwise.loop(*case.called), *_arrays(case)) for case in _CASES]
    report.costs.append(Cost("fastebm", "compile the loops of maths", time.perf_counter() - began))
    for case, run in zip(_CASES, ours, strict=True):
        c = _c_field(case)
        other = Contestant(case.beside, rate(_ufunc_run(case), _MILLIONS), bar=case.bar)
        report.results.extend(
            compare("maths", f"M {case.name}/s", rate(run, _MILLIONS), [*c.contestants, other], n_rounds)
        )
        report.costs.extend(c.costs)
        report.notes.extend(c.notes)
    return report


def _arrays(case: _Case) -> tuple[Array, Array]:
    """Random arguments (1, n) and room for the results (number of functions, n)."""
    return np.random.default_rng().uniform(case.low, case.high, (1, _N)), np.empty((len(case.called), _N))


def _c_field(case: _Case) -> Field:
    return reference.field(
        lambda library, _: rate(elementwise.timed(partial(library.elementwise, case.name), *_arrays(case)), _MILLIONS),
        _C_BAR, variants=("libmvec",),
    )


def _ufunc_run(case: _Case) -> Callable[[int], float]:
    def run(x: Array, out: Array, n: int) -> None:
        for _ in range(n):
            for ufunc, row in zip(case.ufuncs, out, strict=True):
                ufunc(x[0], out=row)

    return elementwise.timed(run, *_arrays(case))
