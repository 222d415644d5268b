"""million-chains: the memory of a whole process that samples a million chains and keeps their moments."""

from benchmarks.processes import figures
from benchmarks.timing import Bar, Report, Result

N_CHAINS = 1_000_000
_FEW = 64

# what the kernel calls the high-water mark; getrusage tells that of the process that started this one, if it was higher
_PEAK = """
import fastebm as eb
E = eb.Gaussian([0.3, 1.0], [[1.0, 0.4], [0.4, 2.0]])
eb.sample(E, eb.RandomWalk(), n_chains={n}, n_draws=10, n_warmup=40, keep="moments", rng=0, progress=False)
print(1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def measure(n_rounds: int) -> Report:
    """Bytes a chain: the largest resident memory of the process less that with 64 chains, over the chains."""
    figures(_PEAK.format(n=_FEW))  # compiles, which takes memory of its own
    rounds = [
        (figures(_PEAK.format(n=N_CHAINS))[0] - figures(_PEAK.format(n=_FEW))[0]) / (N_CHAINS - _FEW)
        for _ in range(min(n_rounds, 3))
    ]
    quantity = f"bytes a chain, {N_CHAINS:,} chains, dim 2, keep='moments'"
    return Report([Result("million-chains", quantity, tuple(rounds), bar=Bar(200.0, at_least=False))])
