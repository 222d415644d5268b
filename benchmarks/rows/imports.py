"""import: what `import fastebm` costs beside `import numba`, in fresh processes with warm caches."""

from functools import partial

from benchmarks.processes import import_times
from benchmarks.timing import Bar, Report, Result, turns

_MODULES = ("fastebm", "numba")
_BAR = Bar(1.2, at_least=False)


def measure(n_rounds: int) -> Report:
    """CPU and wall-clock seconds of both imports, without the start of the interpreter."""
    for module in _MODULES:
        import_times(module)  # warms the file cache and writes the byte code
    ours, theirs = turns([partial(import_times, module) for module in _MODULES], n_rounds)
    return Report(
        [
            Result("import", quantity, tuple(t[k] for t in ours), "import numba", tuple(t[k] for t in theirs), bar=_BAR)
            for k, quantity in enumerate(("s, wall clock", "s, CPU"))
        ]
    )
