"""The command that checks a user's energy: good ones pass, each kind of bad one does not, and nothing passes unseen."""

import math

import numpy as np
import pytest

import fastebm as eb
from fastebm.cli import check, main, models

SOURCE = '''
import math
import fastebm as eb

@eb.energy(dim=2, theta={"radius": 2.0, "width": 0.5})
def ring(x, theta):
    r = math.sqrt(x[0] ** 2 + x[1] ** 2)
    return 0.5 * ((r - theta.radius) / theta.width) ** 2

@eb.energy(dim=1, domain=[(0.0, math.inf)])
def plain(x):
    return 2.0 * x[0]

def late_grad(x, theta):  # right near 0, where it is compared at definition
    return [theta.k * (x[0] if abs(x[0]) < 3.0 else 1.1 * x[0])]

def late_grad_theta(x, theta):
    return [0.5 * x[0] ** 2 if abs(x[0]) < 3.0 else 0.4 * x[0] ** 2]

@eb.energy(dim=1, theta={"k": 1.0}, grad=late_grad)
def wrong_grad(x, theta):
    return 0.5 * theta.k * x[0] ** 2

@eb.energy(dim=1, theta={"k": 1.0}, grad_theta=late_grad_theta)
def wrong_grad_theta(x, theta):
    return 0.5 * theta.k * x[0] ** 2

@eb.energy(dim=1)
def open_end(x):
    return 0.25 * math.log(1.0 + x[0] ** 2)

@eb.energy(dim=1)
def half(x):
    return x[0] ** 2 - math.log(x[0])

@eb.energy(dim=4)
def quartic(x):
    return x[0] ** 4 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2

@eb.energy(dim=5, theta={"coupling": 0.4}, values=(-1, 1))
def spins(x, theta):
    total = 0.0
    for i in range(4):
        total -= theta.coupling * x[i] * x[i + 1]
    return total

two_wells = eb.DoubleWell(1, barrier=60.0, tilt=1.0)
number = 3
'''


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / "checked_energies.py").write_text(SOURCE)
    (tmp_path / "needs_more.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)


def outcome(capsys, name, seed=0, *options):
    """Exit status, and by check "ok", "FAILED" or "-" with the words behind it."""
    status = main(["check", f"checked_energies:{name}", "--seed", str(seed), *options])
    lines = capsys.readouterr().out.splitlines()
    checks, last = {}, ""
    for line in lines[1:-1]:
        if line[:10].strip():
            last = line[10:].partition(":")[0]
            checks[last] = (line[2:10].strip(), line[10:])
        else:
            verdict, words = checks[last]
            checks[last] = verdict, f"{words}\n{line.strip()}"
    return status, checks, lines[-1]


CHECKS = ["gradients", "integrable", "kernel", "reproducible", "sampler"]


class TestVerdicts:
    @pytest.mark.parametrize(("name", "options"), [
        ("ring", ()), ("ring", ("--kernel", "MALA", "--delta", "0.05")), ("plain", ("--step-size", "0.7")),
    ])
    def test_good_ones(self, name, options, capsys):
        seed = int(np.random.SeedSequence().generate_state(1)[0])  # a false alarm in a billion
        status, checks, last = outcome(capsys, name, seed, *options)
        assert [(check, verdict) for check, (verdict, _) in checks.items()] == [(check, "ok") for check in CHECKS]
        assert status == 0
        assert last == "every check that ran holds"
        kernel = "MALA(step_size=None)" if options[:1] == ("--kernel",) else "RandomWalk(step_size="
        assert kernel in checks["kernel"][1]
        assert "chains from the exact law" in checks["kernel"][1]

    @pytest.mark.parametrize(("name", "fails", "unknown"), [
        ("wrong_grad", "gradients", []), ("wrong_grad_theta", "gradients", []),
        ("open_end", "integrable", ["kernel", "sampler"]), ("half", "integrable", ["kernel", "sampler"]),
        ("two_wells", "sampler", []),
    ])
    def test_bad_ones(self, name, fails, unknown, capsys):
        status, checks, last = outcome(capsys, name)
        assert status == 1
        assert [check for check, (verdict, _) in checks.items() if verdict == "FAILED"] == [fails]
        assert [check for check, (verdict, _) in checks.items() if verdict == "-"] == unknown
        assert last == "1 check(s) failed"
        if name == "half":
            assert "nan" in checks[fails][1]
        if name == "two_wells":
            assert "init=" in checks[fails][1]
        if unknown:
            assert "exact law cannot be computed" in checks["kernel"][1]

    def test_what_cannot_be_checked_is_said(self, capsys):
        status, checks, _ = outcome(capsys, "quartic")
        assert status == 0
        assert {check: verdict for check, (verdict, _) in checks.items()} == {
            "gradients": "ok", "integrable": "-", "kernel": "-", "reproducible": "ok", "sampler": "-"
        }
        assert "quadrature ends at dim=3" in checks["sampler"][1]

    def test_discrete_energies(self, capsys):
        status, checks, _ = outcome(capsys, "spins")
        assert status == 0
        verdicts = {check: verdict for check, (verdict, _) in checks.items()}
        assert verdicts == {"gradients": "ok", "integrable": "ok", "kernel": "-", "reproducible": "-", "sampler": "-"}
        assert "by enumeration" in checks["integrable"][1]
        assert "x is discrete" in checks["kernel"][1]

    def test_a_gradient_that_no_point_shows_is_not_called_good(self):
        nowhere = eb.energy(1)(lambda x: eb.where(x[0] >= 0.0, 0.0, float("inf")))
        assert check._gradients(nowhere, 0)[0]
        kinks = eb.energy(1)(lambda x: abs(math.sin(1e9 * x[0])))
        verdict, words = check._gradients(kinks, 0)
        assert verdict is False
        assert "x[0]" in words[0]


class TestImports:
    @pytest.mark.parametrize(("name", "parts"), [
        ("checked_energies:rings", ("has no energy named 'rings'", "ring, plain")),
        ("checked_energies:number", ("has no energy named 'number'",)),
        ("checked_energies", ("MODULE:NAME",)),
        (":ring", ("MODULE:NAME",)),
        ("no_such_file:ring", ("no module 'no_such_file'", "folder")),
        ("checked_energies.py:ring", ("no module 'checked_energies.py'", "without .py")),
        ("needs_more:ring", ("No module named 'no_such_package'",)),
    ])
    def test_names_that_lead_nowhere(self, name, parts, capsys):
        assert main(["check", name]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert all(part in err for part in parts), err

    def test_a_gradient_that_is_wrong_at_once(self, tmp_path, capsys):
        (tmp_path / "wrong_at_once.py").write_text(
            "import fastebm as eb\nspring = eb.energy(1, grad=lambda x: [3.0 * x[0]])(lambda x: x[0] ** 2)\n"
        )
        assert main(["check", "wrong_at_once:spring"]) == 2
        assert "differences of the energy" in capsys.readouterr().err

    def test_the_path_is_left_as_it_was(self):
        import sys

        before = list(sys.path)
        models.import_energy("checked_energies:ring")
        assert sys.path == before
