"""first-sample: from the end of `import fastebm` to the first sample of a catalogue energy, in fresh processes."""

from tempfile import TemporaryDirectory

from benchmarks.processes import figures
from benchmarks.timing import Bar, Report, Result

_FIRST_SAMPLE = """
import time
import fastebm as eb
began = time.perf_counter()
eb.sample(eb.Gaussian([0.0, 1.0]), n_draws=1, rng=0, progress=False)
print(time.perf_counter() - began)
"""


def measure(n_rounds: int) -> Report:
    """Seconds in a first process, which finds an empty cache folder, and in a second one, which finds it filled."""
    first, second = [], []
    for _ in range(n_rounds):
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            first += figures(_FIRST_SAMPLE, NUMBA_CACHE_DIR=folder)
            second += figures(_FIRST_SAMPLE, NUMBA_CACHE_DIR=folder)
    return Report(
        [
            Result("first-sample", "s, second process", tuple(second), bar=Bar(1.0, at_least=False)),
            Result("first-sample", "s, first process, which compiles", tuple(first)),
        ]
    )
