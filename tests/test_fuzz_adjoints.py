"""Random energy programs: their adjoints, as plain Python and compiled for lanes, against derivatives in 80 digits."""

import random
import warnings

from fuzz_adjoints import BAR, FACES, judged, main
from hypothesis import Phase, assume, given, settings
from programs_of_energies import CALLS, DIM, HELPERS, NOT_FOR_USERS, SAFE, THETA, Program, programs

import fastebm as eb
from fastebm.lanes.primitives import BINARY, UNARY


@given(programs())
@settings(max_examples=10)
def test_adjoints_of_random_programs(program):
    verdict = judged(program)
    assume(not verdict.reason)
    assert max(verdict.errors.values()) <= BAR, verdict.errors


def test_hardly_a_program_is_refused_or_left_unjudged(capsys):
    assert main(5, first=random.randrange(10**6))
    counts, *worst = capsys.readouterr().out.splitlines()
    assert sum(int(part.split()[0]) for part in counts.split(", ") if part[0].isdigit()) <= 10, counts
    assert len(worst) == len(FACES)


def of_lanes(program):
    """The same derivatives by compiled code, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        E = eb.energy(DIM, THETA)(program.function())
        x = program.point()
        return [E.energy(x)], E.grad(x), E.grad_theta(x), E.hvp(x, program.direction()), [E.laplacian(x)]


def test_every_primitive_on_lanes():
    """One program that calls all of the table; other names of the same function are left to plain Python, above."""
    calls = {text.replace("math.", "").replace("np.", "").replace("arc", "a"): text for text in CALLS}.values()
    terms = [call.format(a="x[i - 1] * theta.scale", b="(x[i] - theta.w[i])") for call in calls]
    lines = [f"        total += x[i] * {term}" for term in terms]
    text = "\n".join([
        HELPERS, "", "def energy_of_chance(x, theta):", "    total = 0.0", "    for i in range(len(x)):", *lines,
        "    return total", "",
    ])
    verdict = judged(Program(text, 5), of_lanes)
    assert verdict.errors, verdict
    assert max(verdict.errors.values()) <= BAR, verdict.errors


def test_the_programs_call_every_primitive():
    assert SAFE.keys() == (UNARY | BINARY).keys() - NOT_FOR_USERS


@given(programs(with_branches_on_x=False))
@settings(max_examples=2, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking would compile for minutes
def test_random_programs_on_lanes(program):
    """Compiled for lanes, without a warning."""
    assume(not judged(program).reason)
    verdict = judged(program, of_lanes)
    assert max(verdict.errors.values()) <= BAR, f"{verdict.errors}\n{program.text}"
