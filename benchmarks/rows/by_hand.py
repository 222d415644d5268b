"""by-hand: energies as a user writes them against tile functions written by hand for the same density."""

import math
from collections.abc import Callable
from typing import Any

from benchmarks import targets, tile_functions
from benchmarks.targets import Target
from benchmarks.timing import Bar, Contestant, Measure, Report, compare
from fastebm.lanes.lane import as_lane, load, store_row
from fastebm.tiles import LANES

_BAR = Bar(1.1, at_least=False)


def measure(n_rounds: int) -> Report:
    """Time of one energy, ours over the hand's."""
    report = Report([])
    for name, target, functions in (
        ("10-D Gaussian", targets.gaussian(10), {"": _gaussian, ", two lanes at a time": _gaussian_by_twos}),
        ("eight normals", targets.mixture(), {"": _mixture}),
    ):
        ours = _nanoseconds(target, target.energy.program.energy.pointer)
        by_hand = [
            Contestant(f"by hand{kind}", _nanoseconds(target, tile_functions.build(function)), bar=_BAR)
            for kind, function in functions.items()
        ]
        report.results.extend(compare("by-hand", f"ns an energy, {name}", ours, by_hand, n_rounds))
    return report


def _nanoseconds(target: Target, function: Callable[..., Any]) -> Measure:
    millions = tile_functions.evaluations(target, function, target.energy.packed)
    return lambda: 1e3 / millions()


def _gaussian(x: Any, packed: Any, out: Any) -> None:
    """Half of the sum of precision (x - mean)**2; `packed` holds ten means and ten precisions."""
    for l in range(0, x.shape[1], LANES):
        total = as_lane(0.0)
        for i in range(10):
            difference = load(x, i, l) - packed[i]
            total += packed[10 + i] * (difference * difference)
        store_row(out, l, 0.5 * total)


def _gaussian_by_twos(x: Any, packed: Any, out: Any) -> None:
    """The same for two lanes at a time, which share the means and precisions in registers."""
    for l in range(0, x.shape[1], 2 * LANES):
        total, other_total = as_lane(0.0), as_lane(0.0)
        for i in range(10):
            mean, precision = packed[i], packed[10 + i]
            difference, other = load(x, i, l) - mean, load(x, i, l + LANES) - mean
            total += precision * (difference * difference)
            other_total += precision * (other * other)
        store_row(out, l, 0.5 * total)
        store_row(out, l + LANES, 0.5 * other_total)


def _mixture(x: Any, packed: Any, out: Any) -> None:
    """-log of the sum of exp(-|x - centre|**2 / 2); `packed` holds the coordinates of eight centres."""
    for l in range(0, x.shape[1], LANES):
        first, second = load(x, 0, l), load(x, 1, l)
        total = as_lane(0.0)
        for k in range(8):
            a, b = first - packed[2 * k], second - packed[2 * k + 1]
            total += math.exp(-0.5 * (a * a + b * b))
        store_row(out, l, -math.log(total))
