"""threads: the work of rwmh-gauss10 on two threads against one."""

from benchmarks import targets
from benchmarks.rows import samplers
from benchmarks.timing import Bar, Contestant, Report, compare, rate


def measure(n_rounds: int) -> Report:
    """Transitions of all chains per second on two threads, and the ratio to one thread."""
    one = rate(samplers.transitions(targets.gaussian(10), n_threads=1), samplers.MILLIONS)
    two = rate(samplers.transitions(targets.gaussian(10), n_threads=2), samplers.MILLIONS)
    against = Contestant("fastebm, one thread", one, bar=Bar(1.8, at_least=True))
    return Report(compare("threads", f"{samplers.QUANTITY}, two threads", two, [against], n_rounds))
