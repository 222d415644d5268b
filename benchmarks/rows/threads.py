"""threads: the work of rwmh-gauss10 on two threads against one, and the same in C, which shows what two give here."""

from collections.abc import Callable

from benchmarks import reference, targets
from benchmarks.rows.samplers import MILLIONS, N_CHAINS, QUANTITY, c_rate, transitions
from benchmarks.timing import Bar, Measure, Report, Result, rate, turns

_NOTE = (
    "threads: one thread is measured right before two, of fastebm and of C, whose threads have nothing in common. "
    "Processors of a virtual machine may be slower while both are busy: what C does not gain then, nobody can."
)
_C = "polynomial"


def measure(n_rounds: int) -> Report:
    """Transitions of all chains per second on two threads, and the ratio to one thread."""
    target = targets.gaussian(10)
    names, notes = ["fastebm"], [_NOTE]
    pairs = [_pair(*(rate(transitions(target, n_threads=n), MILLIONS) for n in (1, 2)))]
    try:
        library = reference.load()
        pairs.append(_pair(*(c_rate(target, library, _C, N_CHAINS, MILLIONS, n) for n in (1, 2))))
        names.append(f"C, {_C}")
    except reference.NoReferenceError as fault:
        notes.append(str(fault))
    results = []
    for name, figures in zip(names, turns(pairs, n_rounds), strict=True):
        of_one, of_two = zip(*figures, strict=True)
        bar = Bar(1.8, at_least=True) if name == "fastebm" else None
        results.append(Result("threads", f"{QUANTITY}, {name}, two threads", of_two, "one thread", of_one, bar=bar))
    return Report(results, notes=notes)


def _pair(one: Measure, two: Measure) -> Callable[[], tuple[float, float]]:
    return lambda: (one(), two())
