"""compile and compile-grad: the first energy of a process, in fresh ones; how often new numbers compile anything."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory

from benchmarks.processes import figures
from benchmarks.timing import Bar, Report, Result

# Numba's own first compilation is the trivial function; importing the number types of lanes is part of the time
_FIRST_ENERGY = """
import time
import numba
import numpy as np
from benchmarks import cases, targets
points = np.zeros((100, {dim}))
if {has_compiled}:
    numba.njit(lambda x: x + 1.0)(1.0)
began = time.perf_counter()
E = {target}.energy
for face in {faces}:
    getattr(E, face)(points)
print(time.perf_counter() - began)
"""

_COUNTS = """
import logging
import numpy as np
from benchmarks import targets
counts = []
class Counter(logging.Handler):
    def emit(self, record):
        counts[-1] += record.msg.startswith("compiling")
logging.getLogger("fastebm").addHandler(Counter())
logging.getLogger("fastebm").setLevel(logging.INFO)
points = np.random.default_rng().standard_normal((100, 2))
seen = []
def count(energy):
    counts.append(0)
    seen.append(energy.energy(points))
line = targets.straight_line(np.arange(5.0), np.ones(5))
count(line)
count(2.0 * line)
count(line.with_theta(noise=0.3))
count(3.0 * line)
count(targets.straight_line(np.arange(5.0) ** 2, np.zeros(5)))
assert len({values.tobytes() for values in seen}) == len(seen), "the numbers must have an effect"
print(*counts)
"""


def measure(n_rounds: int) -> Report:
    """Seconds until the energies of 100 points are there, from before the energy is defined; and compilations.

    The cache folder of a round holds the library's own code, from another process with another energy.
    """
    times: dict[str, list[float]] = {"new": [], "known": [], "known, first of Numba": []}
    counts = []
    for _ in range(n_rounds):
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            _first_energy(folder, "targets.gaussian(10)", 10)
            for name, of_round in times.items():
                of_round.append(_first_energy(folder, "targets.mixture()", 2, has_compiled="Numba" not in name))
            counts.append(figures(_COUNTS, NUMBA_CACHE_DIR=folder))
    first, first_tempered, *later = zip(*counts, strict=True)
    bars = {"new": Bar(0.5, at_least=False), "known": Bar(0.1, at_least=False)}
    seconds = {
        "new": "s, a new energy", "known": "s, a known energy in a new process",
        "known, first of Numba": "s, the same with Numba's own start",
    }
    return Report(
        [
            *(Result("compile", seconds[name], tuple(times[name]), bar=bars.get(name)) for name in times),
            Result("compile", "compilations, a new energy and its first multiple", _sums(first, first_tempered)),
            Result("compile", "compilations, new theta, beta and data", _sums(*later), bar=Bar(0.0, at_least=False)),
        ]
    )


def gradients(n_rounds: int) -> Report:
    """Seconds until energies and both gradients of 100 points are there, from before the energy is defined."""
    times: dict[str, list[float]] = {"cases.rosenbrock(8)": [], "cases.fitted_mixture()": []}
    faces = ("energy", "grad", "mean_grad_theta")
    for _ in range(n_rounds):
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            _first_energy(folder, "targets.gaussian(10)", 10, faces)
            times["cases.rosenbrock(8)"].append(_first_energy(folder, "cases.rosenbrock(8)", 8, faces[:2]))
            times["cases.fitted_mixture()"].append(_first_energy(folder, "cases.fitted_mixture()", 2, faces))
    quantities = ("s, energy and gradient, 8-D Rosenbrock", "s, energy and both gradients, 24 parameters")
    return Report([
        Result("compile-grad", quantity, tuple(seconds), bar=Bar(1.5, at_least=False))
        for quantity, seconds in zip(quantities, times.values(), strict=True)
    ])


def _first_energy(
    folder: str, target: str, dim: int, faces: Sequence[str] = ("energy",), *, has_compiled: bool = True
) -> float:
    code = _FIRST_ENERGY.format(target=target, dim=dim, faces=tuple(faces), has_compiled=has_compiled)
    return figures(code, NUMBA_CACHE_DIR=folder)[0]


def _sums(*counts: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(sum, zip(*counts, strict=True)))
