"""Errors and speeds of the functions that energies may call, as a page: python -m benchmarks.maths_table --out FILE."""

import argparse
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mpmath
import numpy as np
from numpy.typing import NDArray

from benchmarks import elementwise, machine, tables, timing
from fastebm.lanes.primitives import BINARY, UNARY
from fastebm.tiles import LANES

Array = NDArray[np.float64]
Generator = np.random.Generator

_EPS = 2.0**-52
_LEAST, _HUGE = 5e-324, 1.7976931348623157e308
_QUARTERS = tuple(n * math.pi / 2 for n in (1, 2, 3, 100, 1001))

_EXACT: dict[str, Callable[..., Any]] = {  # where mpmath has another name, or none
    "exp2": lambda x: mpmath.mpf(2) ** x, "log2": lambda x: mpmath.log(x, 2), "square": lambda x: x * x, "abs": abs,
    "lgamma": lambda x: mpmath.inf if x <= 0 and mpmath.isint(x) else mpmath.loggamma(x).real,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "max": max, "min": min, "maximum": max, "minimum": min, "power": mpmath.power,
    "copysign": lambda a, b: abs(a) * mpmath.sign(b),
    "logaddexp": lambda a, b: max(a, b) + mpmath.log1p(mpmath.exp(-abs(a - b))),
}


class _Range(NamedTuple):
    """Where a function of one number is measured: usual arguments, the largest ones of each sign, and edges.

    `least` and `most` bound the arguments of all exponents; `edges` are points where a formula changes or ends.
    """

    low: float
    high: float
    least: float = -_HUGE
    most: float = _HUGE
    edges: tuple[float, ...] = ()


_RANGES = {
    "exp": _Range(-20, 20, -745.13, 709.78), "expm1": _Range(-20, 20, -_HUGE, 709.78, (0.3466, -0.3466)),
    "exp2": _Range(-30, 30, -1074.9, 1023.99), "log": _Range(0, 20, 0, edges=(1, 0.7071067811865476)),
    "log1p": _Range(-1, 20, -1, edges=(-0.2929, 0.41421)), "log2": _Range(0, 20, 0, edges=(1,)),
    "log10": _Range(0, 20, 0, edges=(1,)), "sqrt": _Range(0, 20, 0), "square": _Range(-9, 9, -1e150, 1e150),
    "sin": _Range(-10, 10, edges=_QUARTERS), "cos": _Range(-10, 10, edges=_QUARTERS),
    "tan": _Range(-10, 10, edges=_QUARTERS), "asin": _Range(-1, 1, -1, 1, (0.5, -0.5)),
    "acos": _Range(-1, 1, -1, 1, (0.5, -0.5)), "atan": _Range(-5, 5, edges=(1, -1)),
    "sinh": _Range(-5, 5, -710.4, 710.4, (1, -1)), "cosh": _Range(-5, 5, -710.4, 710.4),
    "tanh": _Range(-5, 5, edges=(0.6, -0.6)), "sigmoid": _Range(-10, 10, -745.13),
    "softplus": _Range(-10, 10, -745.13), "erf": _Range(-4, 4, edges=(1, -1)), "erfc": _Range(-4, 4, -_HUGE, 26.5),
    "lgamma": _Range(0, 20, 0, 1e305, (1, 2, 3, 8)), "abs": _Range(-9, 9), "sign": _Range(-9, 9),
    "floor": _Range(-9, 9), "ceil": _Range(-9, 9),
}


class _Row(NamedTuple):
    """A line of the table: two errors in units in the last place (or of `unit`), and the numbers of a second."""

    name: str
    usual: str
    usual_error: float
    error: float
    speed: float | None
    unit: str = ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every function and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maths_table", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page to write")
    parser.add_argument("--n", type=int, default=20_000, metavar="N", help="arguments of each kind (default: 20000)")
    options = parser.parse_args(arguments)
    if options.n < 1:
        parser.error(f"--n is {options.n}; pass a whole number of at least 1.")
    if not options.out.parent.is_dir():
        parser.error(f"--out names {options.out}, and {options.out.parent} is no folder; make it first.")
    with mpmath.workdps(50):
        rows = list(measured(options.n))
    options.out.write_text(_page(rows, options.n), encoding="utf-8")


def measured(n: int) -> Iterator[_Row]:
    """A row for each function of the table of primitives, and for powers, at n random arguments of each kind."""
    rng = np.random.default_rng()
    for name, unary in UNARY.items():
        span = _RANGES[name]
        usual = rng.uniform(span.low, span.high, n)[None]
        everywhere = np.concatenate([_exponents(rng, n, span.least, span.most), *_beside(rng, n, span.edges)])[None]
        yield _row(name, unary.callables[0], f"{span.low:g} to {span.high:g}", usual, everywhere)
    below = rng.uniform(-20.0, 0.0, n)[None]
    yield _row(
        "lgamma", math.lgamma, "-20 to 0", below, _exponents(rng, n, -1e15, 0.0)[None], "eps max(1, result)",
        lambda _, exact: _EPS * max(1.0, abs(float(exact))),
    )
    both = rng.uniform(-5.0, 5.0, (2, n))
    everywhere = np.stack([_exponents(rng, n, -_HUGE, _HUGE) for _ in range(2)])
    for name, binary in BINARY.items():
        if name != "logaddexp":
            yield _row(name, binary.callables[0], "-5 to 5", both, everywhere)
    yield from _logaddexp_rows(rng, n, np.logaddexp)
    base = _exponents(rng, n, 0.0, _HUGE)
    base[base == 1.0] = 2.0
    everywhere = np.stack([base, rng.uniform(-745.0, 709.7, n) / np.log(base)])
    usual = np.stack([rng.uniform(0.0, 10.0, n), rng.uniform(-10.0, 10.0, n)])
    yield _row("power", operator.pow, "0 to 10, -10 to 10", usual, everywhere)


def _logaddexp_rows(rng: Generator, n: int, called: Any) -> Iterator[_Row]:
    """Where the result is at least half of the larger term, and where the two cancel."""
    a, b = rng.uniform(-5.0, 5.0, (2, n)), rng.uniform(-800.0, 800.0, (2, n))
    largest_a, largest_b = (np.maximum(abs(one).max(axis=0), math.log(2.0)) for one in (a, b))
    keep_a, keep_b = (
        abs(np.logaddexp(*one)) > 0.5 * largest for one, largest in ((a, largest_a), (b, largest_b))
    )
    yield _row("logaddexp", called, "-5 to 5", a[:, keep_a], b[:, keep_b])
    term = rng.uniform(-1.0, 0.0, n)
    zeros = np.stack([term, np.log1p(-np.exp(term))])
    yield _row(
        "logaddexp", called, "near zeros", zeros, a[:, ~keep_a], "eps times the largest term",
        lambda arguments, _: _EPS * max(*map(abs, arguments), math.log(2.0)),
    )


def _row(
    name: str, called: Any, words: str, usual: Array, everywhere: Array, unit: str = "",
    size: Callable[[list[float], Any], float] | None = None,
) -> _Row:  # fmt: skip
    loop = elementwise.loop(called, n_arguments=len(usual))
    exact = _EXACT.get(name) or getattr(mpmath, name)
    errors = [largest_error(loop, exact, x, size) for x in (usual, everywhere)]
    speed = None if unit else _speed(loop, usual)
    return _Row(name, words, errors[0], max(errors), speed, unit)


def largest_error(
    loop: Any, exact: Callable[..., Any], x: Array, size: Callable[[list[float], Any], float] | None = None
) -> float:
    """The largest error at the arguments x (n_arguments, n), in units in the last place or of `size(arguments, exact)`.

    A result that should be finite and is not, or the other way round, has an infinite error.
    """
    n = x.shape[1]
    padded = np.ones((len(x), -(-n // LANES) * LANES))
    padded[:, :n] = x
    out = np.empty((1, padded.shape[1]))
    loop(padded, out, 1)
    worst = 0.0
    for arguments, got in zip(x.T.tolist(), out[0, :n].tolist(), strict=True):
        value = exact(*map(mpmath.mpf, arguments))
        nearest = float(value)
        if not (math.isfinite(got) and math.isfinite(nearest)):
            error = 0.0 if got == nearest else math.inf
        else:
            error = float(abs(mpmath.mpf(got) - value)) / (size(arguments, value) if size else math.ulp(nearest))
        worst = max(worst, error)
    return worst


def _speed(loop: Any, x: Array) -> float:
    """Millions of results per second, the median of five turns."""
    few = np.resize(x, (len(x), 1024))
    measure = timing.rate(elementwise.timed(loop, few, np.empty((1, 1024))), 1024 / 1e6)
    return float(np.median([measure() for _ in range(5)]))


def _exponents(rng: Generator, n: int, least: float, most: float) -> Array:
    """Numbers between two ends around or at zero, uniform on the scale of exponents, of either sign as these allow."""
    ends = [end for end in (least, most) if end != 0.0]
    sizes = [np.exp2(rng.uniform(math.log2(_LEAST), math.log2(abs(end)), n)) * math.copysign(1.0, end) for end in ends]
    return np.asarray(np.choose(rng.integers(0, len(ends), n), sizes))


def _beside(rng: Generator, n: int, points: tuple[float, ...]) -> list[Array]:
    """Numbers at all distances from the points."""
    return [
        point * (1.0 + np.exp2(rng.uniform(-53.0, -3.0, n // len(points) + 1)) * rng.choice([-1.0, 0.0, 1.0]))
        for point in points
    ]


def _page(rows: Sequence[_Row], n: int) -> str:
    here = machine.describe()
    lines = [
        f"| {row.name}{'' if not row.unit else ' [1]'} | {row.usual} | {row.usual_error:.2f} | {row.error:.2f} | "
        f"{'' if row.speed is None else tables.figure(row.speed)} |"
        for row in rows
    ]
    units = ",\n".join(f"  {row.unit} for `{row.name}` {row.usual}" for row in rows if row.unit)
    return _TEXT.format(
        machine=tables.machine_line(here), mpmath=machine.package_version("mpmath"), n=f"{n:,}", units=units,
        lines="\n".join(lines),
    )


_TEXT = """# The vector maths: errors and speeds

What `math.*` and NumPy's scalar functions mean inside an energy that runs on lanes, and in the random streams. This
page is written by a command:

```sh
python -m benchmarks.maths_table --out docs/maths.md
```

Measured on {machine},
against mpmath {mpmath} with 50 digits.

- An error is the distance from the exact value in units in the last place (ulp): the gap between the double nearest to
  the exact value and the next larger one. Rounding the exact value correctly gives at most 0.5.
- *Usual* is the largest error at {n} uniform arguments of the range shown, *anywhere* also at {n} arguments spread
  over all exponents, subnormal numbers among them, up to where results overflow, and at places where a formula changes.
- Results per second are of one thread, for arguments of the usual range in the first-level cache, in millions.
- Every function keeps to 2 ulp, except `power` (4 ulp) and `erfc`, which is the C library's, one number at a time.
- [1] An absolute error holds where terms cancel; the unit of such a line is, with eps = 2**-52,
{units}.
  `lgamma` of negative numbers is the C library's.
- Angles beyond 2**20 and other rare arguments go to the C library, number by number: as exact, and slow.
- Infinities, nan and signed zeros are as in Python's `math`, except that nothing raises: out of range gives infinity,
  out of the domain nan. The tests prove it.

| function | usual arguments | ulp, usual | ulp, anywhere | M results/s |
| --- | --- | ---: | ---: | ---: |
{lines}
"""


if __name__ == "__main__":
    main()
