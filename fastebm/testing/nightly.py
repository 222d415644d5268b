"""One night's evidence: every kernel of the library on energies with exact laws, into a ledger.

`python -m fastebm.testing.nightly LEDGER` runs each pair once with new random numbers. Exit status 1 if a check fails
by itself, or if an e-value in the ledger has reached 1e9.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fastebm.energies import Banana, DoubleWell, Energy, Gaussian, GaussianMixture, Ring, energy
from fastebm.kernels import (
    HMC,
    MALA,
    Barker,
    Cycle,
    DelayedRejection,
    Gibbs,
    GibbsWithGradients,
    Kernel,
    MixtureOfKernels,
    ParallelTempering,
    RandomWalk,
    Slice,
    SpinFlip,
    Stretch,
)
from fastebm.testing.kernels import check_kernel
from fastebm.testing.ledgers import Ledger


@energy(4, values=(-1, 1))
def SPINS(x):  # type: ignore[no-untyped-def]
    return 0.4 * (x[0] * x[1] + x[2] * x[3]) - 0.7 * (x[1] * x[2] - x[3] * x[0]) + 0.3 * x[0] - 0.2 * x[3]


@energy(3, values=3)
def LEVELS(x):  # type: ignore[no-untyped-def]
    return 0.5 * (x[0] - x[1]) ** 2 - 0.4 * x[1] * x[2] + 0.3 * x[2] ** 2 - 0.25 * x[0]


_PRIOR = Gaussian([0.5, -1.0], [[1.5, 0.4], [0.4, 0.6]])


def pairs() -> list[tuple[Kernel, Energy]]:
    """What is checked; never at neutral values, at which a missing factor would not be seen."""
    return [
        (RandomWalk(1.9), GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])),
        (RandomWalk(0.9), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (RandomWalk([1.3, 0.7]), Gaussian([0.5, -1.0], [[1.5, 0.4], [0.4, 0.6]])),
        (RandomWalk(0.6), Ring(1.6, 0.4)),
        (MALA(0.3), GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])),
        (MALA(0.12), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (MALA([0.7, 0.3]), Gaussian([0.5, -1.0], [[1.5, 0.4], [0.4, 0.6]])),
        (MALA(0.1), Banana()),
        (RandomWalk(1.9, proposal="uniform"), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (RandomWalk(0.7, proposal="student", df=3), Ring(1.6, 0.4)),
        (RandomWalk(), Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.6]])),
        (MALA(metric="dense"), Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.6]])),
        (Barker(0.9), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (Barker([1.1, 0.6]), Banana()),
        (Cycle([RandomWalk(2.0), MALA(0.4)]), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (MixtureOfKernels([RandomWalk(), HMC()]), Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.6]])),
        (ParallelTempering(RandomWalk(), 3), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (DelayedRejection(3.0), GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])),
        (DelayedRejection(), Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.6]])),
        (HMC(0.3, 5), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (HMC([0.5, 0.3], 4), Banana()),
        (HMC(metric="dense"), Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.6]])),
        (HMC(n_leapfrog=None), Ring(1.6, 0.4)),
        (Slice(0.9), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (Slice([1.1, 2.6]), Banana()),
        (Slice(prior=_PRIOR), _PRIOR + Ring(1.6, 0.6)),
        (Stretch(3.0, group_size=8), DoubleWell(1, barrier=1.7, tilt=0.3)),
        (Stretch(), Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.6]])),
        *((kernel, SPINS) for kernel in (Gibbs(), Gibbs([0, 1, 0, 1]), GibbsWithGradients(), SpinFlip())),
        *((kernel, LEVELS) for kernel in (Gibbs(), GibbsWithGradients(), SpinFlip())),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one night; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fastebm.testing.nightly", description=__doc__.partition("\n")[0])
    parser.add_argument("ledger", metavar="LEDGER", type=Path, help="JSON file, made if it is not there")
    parser.add_argument("--delta", type=float, default=0.003, help="bias to find, in standard deviations (0.003)")
    parser.add_argument("--seed", type=int, help="seed; without it, a new one for each check")
    chosen = parser.parse_args(arguments)
    ledger = Ledger(chosen.ledger)
    n_failed = 0
    for kernel, target in pairs():
        report = check_kernel(kernel, target, delta=chosen.delta, rng=chosen.seed)
        alarms = ledger.add(report)
        n_failed += bool(alarms) or not report.passed
        largest = max(ledger.e_values(report.name).values(), default=1.0)
        print(f"{report.name}: {report.verdict}, {report.n_chains:,} chains, largest e-value {largest:.2g}", flush=True)
        for line in (*report.faults, *alarms):
            print(f"  {line}")
    print("nothing speaks against any kernel" if not n_failed else f"{n_failed} check(s) speak against a kernel")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
