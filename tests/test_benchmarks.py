"""The benchmarks measure what they say: turns and ratios are exact, and the C reference samples the right law."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import legendre

from benchmarks import __main__ as command
from benchmarks import elementwise, machine, maths_table, peers, reference, tables, targets, tile_functions, timing
from benchmarks.processes import figures
from benchmarks.rows import ROWS, by_hand, networks, one_chain
from benchmarks.rows import maths as maths_row
from benchmarks.timing import Bar, Contestant, Cost, Report, Result
from fastebm import tiles
from fastebm.lanes.primitives import BINARY, UNARY

ALPHA = 1e-9
VARIANTS = pytest.mark.parametrize("variant", list(reference.VARIANTS))


def has_library():
    """True with gcc; without it, the one sentence that a user gets instead has been checked."""
    if shutil.which("gcc") is not None:
        return True
    with pytest.raises(reference.NoReferenceError, match="gcc was not found on PATH"):
        reference.load()
    return False


class TestTurns:
    def test_contestants_take_turns(self):
        calls = []
        figures = timing.turns([lambda: calls.append("A") or len(calls), lambda: calls.append("B") or len(calls)], 3)
        assert calls == ["A", "B"] * 3
        assert figures == [(1, 3, 5), (2, 4, 6)]

    @given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=9), st.floats(0.1, 10.0))
    def test_drift_common_to_both_leaves_the_ratio(self, speeds, advantage):
        drift = iter([s for s in speeds for _ in range(2)])
        ours, theirs = timing.turns([lambda: advantage * next(drift), lambda: next(drift)], len(speeds))
        result = Result("row", "1/s", ours, "somebody", theirs)
        np.testing.assert_allclose(result.ratios, advantage, rtol=1e-12)

    @given(st.floats(1e-6, 5.0), st.floats(0.1, 1e6))
    def test_a_rate_is_items_over_seconds_in_turns_of_the_right_length(self, unit_seconds, items):
        spent = []
        measure = timing.rate(lambda n: spent.append(n * unit_seconds) or spent[-1], items)
        assert measure() == pytest.approx(items / unit_seconds, rel=1e-9)
        assert spent[-1] == pytest.approx(timing.TURN_SECONDS, abs=0.51 * unit_seconds) or spent[-1] == unit_seconds

    def test_a_duration_is_the_time_of_one_unit(self):
        assert timing.duration(lambda n: 2e-5 * n, 1e-6)() == pytest.approx(20.0, rel=1e-9)

    def test_an_absent_contestant_keeps_its_line(self):
        bar = Bar(1.0, at_least=True)
        here, gone = Contestant("here", lambda: 2.0, bar=bar), Contestant("gone", None, "absent", bar)
        first, second = timing.compare("row", "1/s", lambda: 3.0, [gone, here], 2)
        assert (first.against, first.theirs, first.met, first.absent) == ("gone", (), None, "absent")
        assert (second.against, second.theirs, second.ratios, second.met) == ("here", (2.0, 2.0), (1.5, 1.5), True)

    def test_bars(self):
        assert Bar(0.7, at_least=True).met(0.7)
        assert not Bar(0.7, at_least=True).met(0.69)
        assert Bar(1.2, at_least=False).met(1.2)
        assert not Bar(1.2, at_least=False).met(1.21)
        assert not Bar(0.7, at_least=True).met(math.nan)
        assert not Bar(1.2, at_least=False).met(math.nan)

    def test_without_a_contestant_the_figure_itself_is_judged_by_its_median(self):
        assert Result("row", "s", (0.5, 9.0, 0.7), bar=Bar(1.0, at_least=False)).met
        assert not Result("row", "s", (0.5, 9.0, 1.7), bar=Bar(1.0, at_least=False)).met
        assert Result("row", "s", (0.5,)).met is None


class TestTables:
    def report(self):
        return Report(
            [
                Result("walk", "M/s", (80.0, 90.0, 70.0), "C", (100.0, 100.0, 100.0), bar=Bar(0.9, at_least=True)),
                Result("walk", "M/s", (80.0,), "BlackJAX", absent="not installed"),
                Result("first", "s", (0.25, 0.75), bar=Bar(1.0, at_least=False)),
            ],
            [Cost("C", "compile", 0.1234)],
            ["a note."],
        )

    def test_text(self):
        text = tables.as_text([self.report(), self.report()])
        walk, peer, first = text.splitlines()[2:5]
        assert " ".join(walk.split()) == "walk M/s 80.0 C 100 0.80 0.70 to 0.90 >= 0.9 NO"
        assert " ".join(peer.split()) == "walk M/s 80.0 BlackJAX not installed"
        assert " ".join(first.split()) == "first s 0.50 0.25 to 0.75 <= 1 yes"
        assert text.count("0.12") == 1
        assert text.count("a note.") == 1

    def test_json(self, tmp_path):
        tables.write_json(tmp_path / "out.json", {"cpu": "one"}, [self.report()])
        content = json.loads((tmp_path / "out.json").read_text())
        assert content["machine"] == {"cpu": "one"}
        assert content["results"][0]["ratios"] == pytest.approx([0.8, 0.9, 0.7])
        assert content["results"][0]["met"] is False
        assert content["results"][0]["bar"] == {"limit": 0.9, "at_least": True}
        assert content["results"][1]["met"] is None
        assert content["costs"][0]["seconds"] == 0.1234


def normality_faults(rows):
    """Legendre moments 1 to 8 of the probability transform and products of rows and lanes that are off at ALPHA."""
    u = 2.0 * scipy.stats.norm.cdf(rows) - 1.0
    scores = {}
    for k in range(1, 9):
        moment = legendre.legval(u, [0.0] * k + [1.0]).mean()
        scores[f"Legendre {k}"] = moment * math.sqrt(rows.size * (2 * k + 1))
    pairs = {"rows of a pair": (rows[0::2], rows[1::2]), "lanes": (rows, np.roll(rows, 1, axis=1)),
             "pairs": (rows[1:-1:2], rows[2::2])}
    for name, (a, b) in pairs.items():
        scores[f"product, {name}"] = (a * b).mean() * math.sqrt(a.size)
        scores[f"product of squares, {name}"] = ((a * a - 1.0) * (b * b - 1.0)).mean() / 2.0 * math.sqrt(a.size)
    limit = scipy.stats.norm.isf(ALPHA / (2 * len(scores)))
    return [name for name, score in scores.items() if not abs(score) < limit]


def exact_acceptance(variances, step):
    """Stationary acceptance of a random walk on independent normals.

    Given the step z, the energy difference is normal with mean r**2 / 2 and variance r**2 = sum (step z)**2 / variance,
    so that the walk accepts with probability 2 Phi(-r / 2); Craig's form of Phi (J. W. Craig 1991,
    doi:10.1109/MILCOM.1991.258319) makes its mean over z one integral.
    """

    def integrand(angle):
        return np.prod(1.0 / np.sqrt(1.0 + step**2 / (4.0 * variances * math.sin(angle) ** 2)))

    return 2.0 / math.pi * scipy.integrate.quad(integrand, 0.0, math.pi / 2.0, epsabs=1e-12)[0]


def walk_faults(library, variant, mean, variances, step, told_mean=None, told_variances=None):
    """What is off at ALPHA after 64 transitions from exact starts; the reference may be told another target."""
    n_blocks, n_steps = 64, 64
    n, dim = n_blocks * reference.BLOCK, len(mean)
    starts = mean + np.sqrt(variances) * np.random.default_rng().standard_normal((n, dim))
    positions = reference.blocks(starts)
    accepted = np.zeros((n_blocks, reference.BLOCK), dtype=np.int64)
    library.random_walk(
        variant, positions, reference.fresh_streams(n_blocks), mean if told_mean is None else told_mean,
        1.0 / (variances if told_variances is None else told_variances), step, n_steps, accepted,
    )
    return law_faults(
        positions.transpose(0, 2, 1).reshape(n, dim), accepted.ravel() / n_steps, mean, variances, step
    )


def law_faults(x, rates, mean, variances, step):
    """What is off at ALPHA in positions (n, dim) of chains that started in the law, and in their acceptance rates."""
    n, dim = x.shape
    z = (x - mean) / np.sqrt(variances)
    scores = {"acceptance": (rates.mean() - exact_acceptance(variances, step)) * math.sqrt(n) / rates.std()}
    for i in range(dim):
        scores[f"mean {i}"] = z[:, i].mean() * math.sqrt(n)
        scores[f"variance {i}"] = (z[:, i] ** 2 - 1.0).mean() * math.sqrt(n / 2.0)
    limit = scipy.stats.norm.isf(ALPHA / (2 * len(scores)))
    return [name for name, score in scores.items() if not abs(score) < limit]


def mixture_faults(variant, target, centres):
    """What is off at ALPHA after 64 transitions from exact starts, when the reference is told these centres."""
    n_blocks, n_steps = 64, 64
    n = n_blocks * reference.BLOCK
    positions = reference.blocks(target.starts(n))
    accepted = np.zeros((n_blocks, reference.BLOCK), dtype=np.int64)
    reference.load().mixture_walk(
        variant, positions, reference.fresh_streams(n_blocks), centres, target.step_size, n_steps, accepted
    )
    x = positions.transpose(0, 2, 1).reshape(n, 2)
    radii, turns = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    exact = target.starts(1_000_000)
    seen = {"x": x[:, 0], "y": x[:, 1], "radius": radii, "radius**2": radii**2, "eight turns": np.cos(8.0 * turns)}
    true = np.hypot(*exact.T)
    wanted = {
        "x": exact[:, 0], "y": exact[:, 1], "radius": true, "radius**2": true**2,
        "eight turns": np.cos(8.0 * np.arctan2(exact[:, 1], exact[:, 0])),
    }
    limit = scipy.stats.norm.isf(ALPHA / (2 * len(seen)))
    return [
        name for name, values in seen.items()
        if not abs(values.mean() - wanted[name].mean())
        < limit * math.hypot(values.std() / math.sqrt(n), wanted[name].std() / 1000.0)
    ]


class TestReference:
    @VARIANTS
    def test_normals_are_normal_and_independent(self, variant):
        if not has_library():
            return
        rows = np.empty((2**14, reference.BLOCK))
        reference.load().normals(variant, rows, reference.fresh_streams(1)[0], 1)
        assert normality_faults(rows) == []

    def test_the_check_of_normals_catches_what_is_wrong(self):
        rows = np.random.default_rng().standard_normal((2**14, reference.BLOCK))
        assert normality_faults(1.01 * rows)
        assert normality_faults(rows + 0.01)
        assert normality_faults(np.full_like(rows, math.nan))
        assert normality_faults(np.repeat(rows[:, ::2], 2, axis=1))
        same_sign = rows.copy()
        same_sign[1::2] = np.copysign(rows[1::2], rows[::2])
        assert normality_faults(same_sign) == ["product, rows of a pair"]

    @VARIANTS
    def test_repeats_go_on_where_the_streams_are(self, variant):
        if not has_library():
            return
        library, streams = reference.load(), reference.fresh_streams(1)[0]
        again = streams.copy()
        first, both, last = np.empty((8, 64)), np.empty((16, 64)), np.empty((8, 64))
        library.normals(variant, both, streams, 1)
        library.normals(variant, first, again, 1)
        library.normals(variant, last, again, 1)
        assert np.array_equal(np.concatenate([first, last]), both)
        assert np.array_equal(streams, again)

    @VARIANTS
    @given(
        st.integers(1, 5).flatmap(lambda half: st.lists(st.floats(-2.0, 2.0), min_size=2 * half, max_size=2 * half)),
        st.floats(0.7, 2.4),
    )
    def test_the_walk_stays_in_its_law_and_accepts_as_often_as_it_should(self, variant, numbers, step):
        if not has_library():
            return
        mean = 3.0 * np.array(numbers)
        variances = np.exp(numbers[::-1])
        step *= math.sqrt(variances.mean() / len(mean))
        assert walk_faults(reference.load(), variant, mean, variances, step) == []

    @VARIANTS
    def test_a_wrong_target_is_caught(self, variant):
        if not has_library():
            return
        mean, precision = targets.gaussian(10).parameters
        target = (reference.load(), variant, mean, 1.0 / precision, targets.gaussian(10).step_size)
        assert walk_faults(*target, told_mean=0.0 * mean)
        assert walk_faults(*target, told_variances=np.full(10, (1.0 / precision).mean()))
        assert walk_faults(*target, told_variances=1.3 / precision)

    @VARIANTS
    def test_the_walk_on_the_mixture(self, variant):
        if not has_library():
            return
        target = targets.mixture()
        assert mixture_faults(variant, target, target.parameters[0]) == []
        assert mixture_faults(variant, target, 1.1 * target.parameters[0])
        assert mixture_faults(variant, target, np.append(target.parameters[0][:-1], [[0.0, 0.0]], axis=0))

    def test_loading_it_leaves_the_arithmetic_of_the_process_alone(self):
        if has_library():
            reference.load()
            assert math.ulp(0.0) * np.float64(1.0) > 0.0
            assert np.float64(sys.float_info.min) / 2.0 > 0.0

    def test_acceptance_in_one_dimension_is_the_known_closed_form(self):
        assert exact_acceptance(np.array([4.0]), 3.0) == pytest.approx(2.0 / math.pi * math.atan(2.0 / 1.5), rel=1e-10)

    def test_an_odd_number_of_rows_is_refused(self):
        if has_library():
            with pytest.raises(ValueError, match="pairs of rows and got 3 rows; pass an even number"):
                reference.load().normals("polynomial", np.empty((3, 64)), reference.fresh_streams(1)[0], 1)

    def test_without_gcc_the_figures_are_absent_and_one_sentence_says_so(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        reference.load.cache_clear()
        with pytest.raises(reference.NoReferenceError, match=r"^gcc was not found on PATH, .*; install gcc"):
            reference.load()
        field = reference.field(lambda library, variant: pytest.fail("there is nothing to measure"))
        assert [contestant.absent for contestant in field.contestants] == ["absent", "absent"]
        assert len(field.notes) == 1
        assert machine.describe()["gcc"] == "none"

    def test_a_compiler_that_fails_is_quoted(self, monkeypatch, tmp_path):
        compiler = tmp_path / "broken"
        compiler.write_text("#!/bin/sh\necho 'reference.c:1: error: out of luck' >&2\nexit 1\n")
        compiler.chmod(0o755)
        monkeypatch.setattr(reference, "_COMPILER", str(compiler))
        with pytest.raises(reference.NoReferenceError, match=r"could not build the C reference .*out of luck"):
            reference.Reference()


def scalar_faults(walk, *generator, told=1.0):
    """What is off at ALPHA after 64 transitions of the plain loop from exact starts; told other precisions or not."""
    target = targets.gaussian(10)
    mean, precision = target.parameters
    x = target.starts(2**12)
    rates = np.array([walk(one, mean, told * precision, target.step_size, 64, *generator) for one in x]) / 64
    return law_faults(x, rates, mean, 1.0 / precision, target.step_size)


class TestOpponents:
    """Those that a row runs against fastebm do the same work."""

    @pytest.mark.parametrize("case", maths_row._CASES, ids=lambda case: case.name)
    def test_elementary_functions(self, case):
        (x, wanted), (_, got) = maths_row._arrays(case), maths_row._arrays(case)
        for ufunc, row in zip(case.ufuncs, wanted, strict=True):
            ufunc(x[0], out=row)
        runs = [elementwise.loop(*case.called)]
        if has_library():
            runs.append(lambda x, out, n: reference.load().elementwise(case.name, x, out, n))
        for run in runs:
            run(x, got, 1)
            np.testing.assert_allclose(got, wanted, rtol=2e-15 if case.name != "sincos" else 0.0, atol=1e-15)
            got[:] = math.nan

    @pytest.mark.parametrize(
        ("target", "function"),
        [
            (targets.gaussian(10), by_hand._gaussian), (targets.gaussian(10), by_hand._gaussian_by_twos),
            (targets.mixture(), by_hand._mixture),
            *((one, one.energy.program.energy.slower[0].make()) for one in (targets.gaussian(10), targets.mixture())),
        ],
        ids=lambda one: getattr(one, "__name__", ""),
    )
    def test_tile_functions(self, target, function):
        x = target.starts(reference.BLOCK)
        out = np.empty(reference.BLOCK)
        tile_functions.build(function)(reference.blocks(x)[0], target.energy.packed, out)
        np.testing.assert_allclose(out, target.energy.energy(x), rtol=1e-12)

    def test_plain_loops_stay_in_the_law(self):
        assert scalar_faults(one_chain.walk) == []
        assert scalar_faults(one_chain.walk_of_generator, np.random.default_rng()) == []

    def test_a_plain_loop_on_another_target_is_caught(self):
        assert scalar_faults(one_chain.walk, told=1.3)
        assert scalar_faults(one_chain.walk_of_generator, np.random.default_rng(), told=1.3)


class TestNetworks:
    def test_operations_are_those_of_the_products(self):
        """Counted one by one, by numbers that notice when they are multiplied."""

        class Counting(float):
            n_products = 0

            def __mul__(self, other):
                type(self).n_products += 1
                return Counting(float(self) * other)

        theta = networks.network().unpack()
        h = [0.3, -0.2]
        for layer in (1, 2):
            W = theta[f"W{layer}"]
            h = [sum(Counting(W[j, i]) * h[i] for i in range(len(h))) for j in range(len(W))]
        sum(Counting(w) * one for w, one in zip(theta["w_out"], h, strict=True))
        assert networks.FORWARD_FLOPS == 2 * Counting.n_products == 8576
        assert networks.BOTH_FLOPS == 3 * networks.FORWARD_FLOPS

    def test_the_network_has_no_neutral_numbers(self):
        assert all(np.abs(value).min() > 0.0 for value in networks.network().unpack().values())

    def test_one_processor_is_given_back(self):
        before = tiles.threads(None)
        with machine.one_processor():
            if hasattr(os, "sched_getaffinity"):
                assert tiles.threads(None) == 1
                assert figures("import os; print(len(os.sched_getaffinity(0)))") == [1.0]
        assert tiles.threads(None) == before


class TestTableOfMaths:
    def test_it_has_a_line_for_every_function(self, tmp_path, monkeypatch):
        monkeypatch.setattr(timing, "TURN_SECONDS", 1e-4)
        maths_table.main(["--out", str(tmp_path / "maths.md"), "--n", "8"])
        lines = (tmp_path / "maths.md").read_text().splitlines()
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][2:]
        assert {name for name, *_ in cells} == {*UNARY, *BINARY, "power", "lgamma [1]", "logaddexp [1]"}
        limits = {"power": 4.0, "erfc": 6.0, "lgamma [1]": 10.0}
        for name, _, usual, anywhere, speed in cells:
            assert 0.0 <= float(usual) <= float(anywhere) <= limits.get(name, 2.0), name
            assert "[1]" in name or float(speed) > 0.0, name

    def test_errors_are_in_units_in_the_last_place(self):
        x = np.array([[1.0, 1.5, 8.0, 5e-324]])
        identity = elementwise.loop(abs)
        assert maths_table.largest_error(identity, lambda x: x, x) == 0.0
        assert maths_table.largest_error(identity, lambda x: x * (1 + mpmath.mpf(2) ** -51), x) == 3.0
        assert maths_table.largest_error(identity, lambda x: x * mpmath.mpf(10) ** 400, x) == math.inf
        assert maths_table.largest_error(identity, lambda x: x + 1, x, lambda arguments, exact: 0.5) == 2.0

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--out", "/no/such/folder/maths.md"], "is no folder; make it first."),
            (["--out", "maths.md", "--n", "0"], "--n is 0; pass a whole number of at least 1."),
        ],
    )
    def test_wrong_arguments_are_refused(self, arguments, sentence, capsys):
        with pytest.raises(SystemExit):
            maths_table.main(arguments)
        assert sentence in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("target", [targets.mixture(), targets.gaussian(10)], ids=lambda one: str(one.energy.dim))
def test_every_contestant_samples_the_same_target(target):
    x = target.starts(50)
    energies = target.energy.energy(x)
    np.testing.assert_allclose(-target.of_many(x, *target.parameters), energies, rtol=1e-12)
    np.testing.assert_allclose([-target.of_one(np, one, *target.parameters) for one in x], energies, rtol=1e-12)


class TestCommand:
    @pytest.mark.parametrize("name", [name for name in ROWS if name != "import"])
    def test_every_row_measures_something(self, name, monkeypatch):
        monkeypatch.setattr(timing, "TURN_SECONDS", 1e-4)
        monkeypatch.setattr(peers, "_installed", lambda *modules: False)
        report = ROWS[name](1)
        counts = {result.quantity: result.ours for result in report.results if "compilations" in result.quantity}
        measured = [result for result in report.results if result.quantity not in counts]
        assert all(figure > 0.0 for result in measured for figure in result.ours + result.theirs)
        assert any(result.bar is not None for result in report.results)
        if name == "compile":
            new_numbers = "compilations, new theta, beta and data"
            assert counts == {"compilations, a new energy and its first multiple": (2.0,), new_numbers: (0.0,)}
        if name == "rwmh-gauss10":
            text = tables.as_text([report])
            assert text.count("not installed") == 2

    def test_it_writes_json(self, tmp_path):
        path = tmp_path / "out.json"
        subprocess.run(
            [sys.executable, "-m", "benchmarks", "import", "--rounds", "1", "--json", str(path)],
            cwd=Path(__file__).parents[1], check=True, capture_output=True,
        )
        content = json.loads(path.read_text())
        assert content["machine"]["numpy"] == np.__version__
        assert [result["against"] for result in content["results"]] == ["import numba", "import numba"]
        assert all(0.0 < ratio < math.inf for result in content["results"] for ratio in result["ratios"])

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["nothing"], "there is no row 'nothing'; choose from rwmh-gmm2"),
            (["import", "--rounds", "0"], "--rounds is 0; pass a whole number of at least 1."),
            (["import", "--json", "/no/such/folder/out.json"], "is no folder; make it first."),
        ],
    )
    def test_wrong_arguments_are_refused_before_anything_is_measured(self, arguments, sentence, capsys):
        with pytest.raises(SystemExit):
            command.main(arguments)
        assert sentence in " ".join(capsys.readouterr().err.split())
