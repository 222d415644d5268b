"""threads: the work of rwmh-gauss10 on two threads against one."""

from benchmarks import targets
from benchmarks.rows import random_walk
from benchmarks.timing import Bar, Contestant, Report, compare, rate


def measure(n_rounds: int) -> Report:
    """Transitions of all chains per second on two threads, and the ratio to one thread."""
    one = rate(random_walk.transitions(targets.gaussian(10), n_threads=1), random_walk.MILLIONS)
    two = rate(random_walk.transitions(targets.gaussian(10), n_threads=2), random_walk.MILLIONS)
    against = Contestant("fastebm, one thread", one, bar=Bar(1.8, at_least=True))
    return Report(compare("threads", f"{random_walk.QUANTITY}, two threads", two, [against], n_rounds))
