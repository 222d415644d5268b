"""threads: the work of rwmh-gauss10 on two threads against one, and the same in C, which shows what two give here."""

from functools import partial

from benchmarks import reference, targets
from benchmarks.rows.samplers import MILLIONS, N_CHAINS, QUANTITY, c_rate, transitions
from benchmarks.timing import Bar, Contestant, Report, Result, compare, rate

_NOTE = (
    "threads: C's threads have nothing in common. Processors of a virtual machine may be slower while both are busy: "
    "what C does not gain then, nobody can."
)


def measure(n_rounds: int) -> Report:
    """Transitions of all chains per second on two threads, and the ratio to one thread."""
    target = targets.gaussian(10)
    one, two = (rate(transitions(target, n_threads=n), MILLIONS) for n in (1, 2))
    against, notes = [Contestant("fastebm, one thread", one, bar=Bar(1.8, at_least=True))], [_NOTE]
    for name, n in (("one thread", 1), ("two threads", 2)):
        measure_of = partial(c_rate, target, n_chains=N_CHAINS, millions=MILLIONS, n_threads=n)
        c = reference.field(measure_of, variants=("polynomial",))
        against += [Contestant(f"{each.name}, {name}", each.measure, each.absent) for each in c.contestants]
        notes += c.notes
    results = compare("threads", f"{QUANTITY}, two threads", two, against, n_rounds)
    of_one, of_two = (result.theirs for result in results[1:])
    gains = tuple(b / a for a, b in zip(of_one, of_two, strict=True))
    return Report([*results, Result("threads", "C, two threads over one", gains, absent="absent")], notes=notes)
