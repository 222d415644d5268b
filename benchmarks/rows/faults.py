"""faults: runs that are killed at random moments and go on from their checkpoints, to the bits of one left in peace."""

from tempfile import TemporaryDirectory

from benchmarks.processes import figures
from benchmarks.timing import Bar, Report, Result

N_KILLS = 50

# Runs are forked from one process that has imported everything, so that starting them takes no time in which a kill
# finds nothing to interrupt. A run killed before its first checkpoint begins anew, as its user would begin it. In every
# other turn the run that goes on is killed too.
_KILLS = """
import hashlib, os, pathlib, random, signal, sys, time, warnings
import numpy as np
import fastebm as eb
from fastebm.files import FileFormatError

warnings.simplefilter("ignore")
folder, n_kills = pathlib.Path({folder!r}), {n_kills}

def energy(x):
    return 0.25 * x[0] ** 4 + 0.5 * (x[1] - 0.3 * x[0]) ** 2 + 0.1 * x[2] ** 2 * (1.0 + x[0] ** 2)

E = eb.energy(3)(energy)
E.energy(np.ones(3))

def work(path, digest):
    if path.exists():
        run = eb.resume(path, energy=E, n_threads=1, progress=False)
    else:
        run = eb.sample(
            E, eb.RandomWalk(), n_chains=100, n_draws=4000, n_warmup=6000, thin=5, rng=7, n_threads=1, progress=False,
            checkpoint=path, every=0.02,
        )
    content = hashlib.sha256()
    for part in (run.draws, run.energy, run.acceptance_rate, np.asarray(run.step_size), run.scale):
        content.update(np.ascontiguousarray(part).tobytes())
    digest.write_text(content.hexdigest())

def start(path, digest):
    child = os.fork()
    if child == 0:
        try:
            work(path, digest)
        except BaseException as fault:
            digest.write_text(repr(fault))
        finally:
            os._exit(0)
    return child

def finished(path, digest):
    began = time.perf_counter()
    os.waitpid(start(path, digest), 0)
    return time.perf_counter() - began, digest.read_text()

eb.RandomWalk().advance.pointer
finished(folder / "warm", folder / "warm-digest")  # what is not on disk yet is compiled
seconds, wanted = finished(folder / "peace", folder / "peace-digest")
n_same = n_killed = n_turns = 0
while n_killed < n_kills:
    path, digest = folder / f"run{{n_turns}}", folder / f"digest{{n_turns}}"
    for _ in range(1 + n_turns % 2):
        child = start(path, digest)
        time.sleep(random.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        was_killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        n_killed += was_killed
    got = finished(path, digest)[1]
    n_turns += 1
    if got != wanted:
        print(got, file=sys.stderr)
    n_same += got == wanted
    for one in folder.glob(f"*run{{n_turns - 1}}*"):
        one.unlink()
print(n_same, n_turns, n_killed)
"""


def measure(n_rounds: int) -> Report:
    """The share of killed runs whose results are those of a run in peace, in one round of 50 kills."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        n_same, n_turns, n_killed = figures(_KILLS.format(folder=folder, n_kills=N_KILLS))
    quantity = f"% of {n_turns:.0f} runs with {n_killed:.0f} kills identical"
    return Report([Result("faults", quantity, (100.0 * n_same / n_turns,), bar=Bar(100.0, at_least=True))])
