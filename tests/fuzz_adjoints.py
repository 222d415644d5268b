"""Adjoints of random programs against 80 digits. `python tests/fuzz_adjoints.py 500` prints the worst errors.

An error is counted against the size of the terms that the derivative is a sum of.
"""

import random
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
from exact_programs import ExactProgram, UnsettledError
from plain_adjoints import PlainAdjoint
from programs_of_energies import DIM, THETA, Theta, written

from fastebm.adjoint.syntax import CannotReverse

BAR = 1e-12
FACES = ("energy", "grad", "grad_theta", "hvp", "laplacian")
NOISE = 1e-16  # times the bar, what second differences in 80 digits cannot tell from 0


@dataclass(frozen=True)
class Verdict:
    """What became of one program: errors by face, or why there are none."""

    errors: dict[str, float]
    reason: str = ""


def theta():
    return Theta(*THETA.values())


def of_plain_python(program):
    """The derivatives of a program's adjoint as plain Python."""
    adjoint, x = PlainAdjoint(program.function(), theta(), DIM), program.point()
    energy, grad = adjoint.grad(x)
    return [energy], grad, adjoint.grad_theta(x), adjoint.hvp(x, program.direction()), [adjoint.laplacian(x)]


def judged(program, derive=of_plain_python):
    """The errors of what `derive` gives for a program."""
    try:
        exact = ExactProgram(program, theta()).derivatives(program.point(), program.direction())
    except UnsettledError:
        return Verdict({}, "near a kink, or too large")
    try:
        with np.errstate(all="ignore"):
            found = derive(program)
    except CannotReverse as fault:
        return Verdict({}, f"refused: {fault.what}")
    errors = {}
    for face, got in zip(FACES, found, strict=True):
        wanted = getattr(exact, face)
        away = np.abs(np.asarray(got) - wanted.values) / (wanted.sizes + NOISE)
        errors[face] = float(np.max(np.where(np.isnan(away), np.inf, away)))
    return Verdict(errors)


def main(n, first=0):
    worst, reasons = dict.fromkeys(FACES, (0.0, -1)), Counter()
    seed = n_judged = 0
    for seed in range(first, 10**9):
        if n_judged == n:
            break
        verdict = judged(written(random.Random(seed)))
        n_judged += bool(verdict.errors)
        reasons[verdict.reason or "judged"] += 1
        for face, error in verdict.errors.items():
            worst[face] = max(worst[face], (error, seed))
            if error > BAR:
                print(f"program {seed}: {face} is wrong by {error:.2g}", flush=True)
    print(", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))
    for face, (error, seed) in worst.items():
        print(f"{face}: worst error {error:.2g} of the size of its terms (program {seed})")
    return max(worst.values())[0] <= BAR


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
