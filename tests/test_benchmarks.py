"""The benchmarks measure what they say: turns and ratios are exact, and all who run in a row do the same work."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_laws import exact_acceptance, has_library, law_faults

import fastebm as eb
from benchmarks import __main__ as command
from benchmarks import (
    cases,
    elementwise,
    machine,
    maths_table,
    peers,
    reference,
    tables,
    targets,
    tile_functions,
    timing,
)
from benchmarks.processes import figures
from benchmarks.rows import ROWS, by_hand, checks, engine, faults, memory, networks, one_chain
from benchmarks.rows import maths as maths_row
from benchmarks.timing import Bar, Contestant, Cost, Report, Result
from fastebm import tiles
from fastebm.lanes.primitives import BINARY, UNARY


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


def scalar_faults(walk, *generator, told=1.0):
    """What is off at ALPHA after 64 transitions of the plain loop from exact starts; told other precisions or not."""
    target = targets.gaussian(10)
    mean, precision = target.parameters
    x = target.starts(2**12)
    rates = np.array([walk(one, mean, told * precision, target.step_size, 64, *generator) for one in x]) / 64
    return law_faults(x, rates, mean, 1.0 / precision, exact_acceptance(1.0 / precision, target.step_size))


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


class TestEngineRows:
    def test_the_bare_kernel_makes_the_transitions_of_a_run(self):
        """From the same starts and streams, so that nothing is compared with less work."""
        target = targets.gaussian(10)
        chains = engine.chains_of(target)
        run = eb.sample(
            target.energy, target.kernel(target.step_size), n_chains=engine.N_CHAINS, n_draws=1, n_warmup=0, thin=7,
            init=chains.positions, rng=0, keep="last", progress=False,
        )
        engine.bare_kernel(target, chains)(7)
        np.testing.assert_array_equal(chains.positions, run.draws[:, 0])


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
def test_every_sampler_has_the_same_target(target):
    x = target.starts(50)
    energies = target.energy.energy(x)
    np.testing.assert_allclose(-target.of_many(x, *target.parameters), energies, rtol=1e-12)
    np.testing.assert_allclose([-target.of_one(np, one, *target.parameters) for one in x], energies, rtol=1e-12)


@pytest.mark.parametrize(
    "case", [cases.rosenbrock(2), cases.rosenbrock(7), cases.mixture(), cases.logistic(), cases.overwritten(5)],
    ids=lambda one: f"{one.energy.name} {one.energy.dim}",
)
def test_gradients_are_of_the_same_energy(case):
    x = case.points[:20]
    np.testing.assert_allclose([case.of_one(np, one, *case.parameters) for one in x], case.energy.energy(x), rtol=1e-12)


def test_a_fitted_mixture_is_the_same_for_all_theta():
    case = cases.fitted_mixture()
    E = case.energy.with_theta(log_width=np.linspace(-0.5, 0.8, 6))
    x = case.points[:20]
    np.testing.assert_allclose([case.of_one(np, one, E.theta) for one in x], E.energy(x), rtol=1e-12)
    assert E.n_params == 24


def test_gradients_on_tiles_are_those_of_the_energy(monkeypatch):
    """In a tile that is as wide as lanes, and in wider ones, with columns that stand for no point."""
    case = cases.rosenbrock(3)
    seen = []
    monkeypatch.setattr(tile_functions, "_gradients_repeatedly", lambda: lambda *given: seen.append(given))
    for tile_bytes in (1, 2**13):
        tile_functions.gradients(case.energy, case.points[:1000], tile_bytes)(3)
    monkeypatch.undo()
    for grad, packed, x, e, g, n in seen:
        tile_functions._gradients_repeatedly()(grad, packed, x, e, g, n)
        np.testing.assert_array_equal(tiles.unpack(g, 1000), case.energy.grad(case.points[:1000]))
        np.testing.assert_array_equal(e.ravel()[:1000], case.energy.energy(case.points[:1000]))
    assert seen[0][2].shape[2] == tiles.LANES < seen[1][2].shape[2]


class TestCommand:
    @pytest.mark.filterwarnings("ignore:.* chains never moved:fastebm.FastebmWarning")  # in the neck of the funnel
    @pytest.mark.parametrize("name", [name for name in ROWS if name != "import"])
    def test_every_row_measures_something(self, name, monkeypatch):
        monkeypatch.setattr(timing, "TURN_SECONDS", 1e-4)
        monkeypatch.setattr(peers, "_installed", lambda *modules: False)
        monkeypatch.setattr(checks, "BARS", {0.2: 2.0})
        monkeypatch.setattr(memory, "N_CHAINS", 200_000)
        monkeypatch.setattr(faults, "N_KILLS", 2)
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
