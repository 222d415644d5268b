"""The command that scores a table: its numbers are the energies, its verdicts the threshold's, and no nan passes."""

import errno
import gzip
import io
import math
import os

import numpy as np
import pytest
from test_cli_models import refused, write

import fastebm as eb
from fastebm import cli, tables
from fastebm.cli import main
from fastebm.cli import score as score_command
from fastebm.training import Fit

GAUSSIAN = eb.Gaussian([3.0, -2.0], [0.5, 2.0])
ROWS = np.random.default_rng(2).normal([3.0, -2.0], [0.7, 1.4], (25, 2))
SOURCE = """
import math
import fastebm as eb

@eb.energy(dim=1, theta={"rate": 3.0}, domain=[(0.0, math.inf)])
def halted(x, theta):
    return 0.5 * theta.rate * x[0]

@eb.energy(dim=1)
def lame(x):
    return 3.0 * x[0] ** 2 - math.log(x[0])
"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Whether this machine compiles now or did so before makes no difference here."""
    monkeypatch.setattr(cli._CompileNotes, "emit", lambda *_: None)


@pytest.fixture
def model(tmp_path):
    GAUSSIAN.save(tmp_path / "model.npz")
    return str(tmp_path / "model.npz")


@pytest.fixture
def trained(tmp_path):
    """A function that saves a training's end, with what `fastebm fit` notes about it."""

    def make(energy=GAUSSIAN, **notes):
        fit = Fit(energy=energy, history={}, particles=None, seed=0, interrupted=False, timings={}, settings=notes)
        fit.save(tmp_path / "fit.npz")
        return str(tmp_path / "fit.npz")

    return make


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that imports an energy from a user's module and saves it."""
    (tmp_path / "halting.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    from fastebm.cli.models import import_energy

    def make(name):
        energy = import_energy(f"halting:{name}")
        energy.save("own.npz")
        return energy, ["own.npz", "--energy", f"halting:{name}"]

    return make


def scored(capsys, *words):
    """The header and the numbers that the command prints, and nothing else beside them."""
    assert main(["score", *map(str, words)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    header, _, numbers = out.partition("\n")
    return header, np.loadtxt(io.StringIO(numbers), delimiter=",", ndmin=2)


class TestScores:
    @pytest.mark.parametrize("header", [None, ["height", "depth"]])
    def test_they_are_the_energies_in_the_order_of_the_rows(self, header, model, tmp_path, capsys):
        found = scored(capsys, model, write(tmp_path / "t.csv", header, ROWS.tolist()))
        assert found[0] == '"score"'
        assert found[1].tobytes() == GAUSSIAN.energy(ROWS).tobytes()

    def test_one_row(self, model, tmp_path, capsys):
        assert scored(capsys, model, write(tmp_path / "t.csv", None, [[3.0, -2.0]]))[1].tolist() == [[0.0]]

    def test_columns_by_their_places_in_a_file_without_a_header(self, trained, tmp_path, capsys):
        table = write(tmp_path / "t.csv", None, [[b, 7.0, a] for a, b in ROWS.tolist()])
        found = scored(capsys, trained(columns=["x2", "x0"]), table)[1]
        assert found.tobytes() == GAUSSIAN.energy(ROWS).tobytes()

    def test_names_with_commas_and_a_compressed_table_with_semicolons(self, trained, tmp_path, capsys):
        lines = ['"größe; cm";"who";"a, b"', *(f"{b};n{i};{a}" for i, (a, b) in enumerate(ROWS.tolist()))]
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress("\r\n".join(lines).encode()))
        found = scored(capsys, trained(columns=["a, b", "größe; cm"]), tmp_path / "t.csv.gz")[1]
        assert found.tobytes() == GAUSSIAN.energy(ROWS).tobytes()

    def test_an_energy_of_ones_own_and_rows_outside_its_domain(self, own, capsys, tmp_path):
        energy, words = own("halted")
        found = scored(capsys, *words, write(tmp_path / "t.csv", None, [[0.25], [-1.0], [8.0]]))[1]
        assert found.ravel().tolist() == [*energy.energy([[0.25]]), math.inf, 12.0]
        refused(capsys, ["score", "own.npz", "t.csv"], "your own energy 'halted'")


class TestVerdicts:
    def test_only_above_the_threshold(self, trained, tmp_path, capsys):
        energies = np.sort(GAUSSIAN.energy(ROWS))
        table = write(tmp_path / "t.csv", None, ROWS[np.argsort(GAUSSIAN.energy(ROWS))].tolist())
        header, found = scored(capsys, trained(threshold=energies[20]), table)
        assert header == '"score","is_anomaly"'
        assert found[:, 0].tobytes() == energies.tobytes()
        assert found[:, 1].tolist() == 21 * [0.0] + 4 * [1.0]  # a score equal to the threshold is normal

    def test_outside_the_domain_is_an_anomaly(self, own, trained, tmp_path, capsys):
        energy, (_, *words) = own("halted")
        table = write(tmp_path / "t.csv", None, [[1.0], [-1.0]])
        found = scored(capsys, trained(energy, threshold=1e300), table, *words)[1]
        assert found.tolist() == [[1.5, 0.0], [math.inf, 1.0]]

    def test_without_a_threshold_there_are_none(self, trained, tmp_path, capsys):
        table = write(tmp_path / "t.csv", None, ROWS.tolist())
        for notes in ({}, {"threshold": None}):
            assert scored(capsys, trained(**notes), table)[0] == '"score"'


class TestTable:
    def test_into_a_file_as_on_the_screen(self, trained, tmp_path, capsys):
        path, out = trained(threshold=0.7), tmp_path / "scores.csv"
        table = write(tmp_path / "t.csv", ["a", "b"], ROWS.tolist())
        out.write_text("an older table\n")
        assert main(["score", path, table, "--out", str(out)]) == 0
        assert capsys.readouterr() == (f"25 scores: {out}\n", "")
        assert main(["score", path, table]) == 0
        assert capsys.readouterr().out == out.read_text()
        names, found = tables.read_csv(out)
        assert names == ["score", "is_anomaly"]
        assert 0.0 < found[:, 1].mean() < 1.0
        assert sorted(os.listdir(tmp_path)) == ["fit.npz", "scores.csv", "t.csv"]


class TestRefusals:
    @pytest.mark.parametrize(("text", "parts"), [
        ("a,b\n1,2\n3,nan\n", ("line 3, column 2 ('b')", "nan", "finite")),
        ("a,b\n1,2\n-inf,4\n", ("line 3, column 1 ('a')", "-inf", "finite")),
        ("a,b\n1,2\n3,\n", ("line 3, column 2 ('b')", "missing", "fill it in")),
        ("a,b\n1,2\n3\n", ("line 3", "1 fields", "2")),
        ("a,c\n1,2\n", ("no column 'b'", "'a', 'c'")),
        ("1,2\n", ("no column 'a'", "'x0', 'x1'")),
        ("a,b,b\n1,2,3\n", ("two columns of the name 'b'",)),
        ("a,b\n", ("no rows", "at least one")),
        ("", ("is empty", "at least one")),
        ("1,b\n", ("line 1, column 2", "text beside numbers")),
    ], ids=["nan", "inf", "missing", "short row", "no column", "no header", "twins", "no rows", "empty", "mixed"])
    def test_bad_tables(self, text, parts, trained, tmp_path, capsys):
        path, out = tmp_path / "bad.csv", tmp_path / "scores.csv"
        path.write_text(text)
        refused(capsys, ["score", trained(columns=["a", "b"]), str(path), "--out", str(out)], "bad.csv", *parts)
        assert sorted(os.listdir(tmp_path)) == ["bad.csv", "fit.npz"]

    @pytest.mark.parametrize("row", [[1.0], [1.0, 2.0, 3.0]], ids=len)
    def test_a_model_without_names_wants_as_many_columns_as_it_has(self, row, model, tmp_path, capsys):
        table = write(tmp_path / "t.csv", None, [row])
        refused(capsys, ["score", model, table], f"t.csv has {len(row)} column(s)", "dim=2", "only the model's columns")

    def test_an_energy_of_nan_is_no_score(self, own, tmp_path, capsys):
        _, words = own("lame")
        table = write(tmp_path / "t.csv", None, [[0.5], [2.0], [-3.0], [-4.0]])
        refused(capsys, ["score", *words, table, "--out", "s.csv"], "t.csv", "row 3", "[-3.0]", "nan", "remove the row")
        assert not (tmp_path / "s.csv").exists()

    def test_a_row_too_far_for_a_network_does_not_pass_for_normal(self, trained, tmp_path, capsys):
        table = write(tmp_path / "t.csv", None, [[0.0, 0.0], [1e308, -1e308]])
        path = trained(eb.MLP(2, (3,), scale=1e-3, rng=0), threshold=100.0)
        assert main(["score", path, table]) == 0
        assert capsys.readouterr().out.splitlines()[2].split(",") == ["inf", "1.0"]

    def test_what_cannot_be_read(self, model, tmp_path, capsys):
        table = write(tmp_path / "t.csv", None, ROWS.tolist())
        (tmp_path / "cut.npz").write_bytes((tmp_path / "model.npz").read_bytes()[:-40])
        eb.sample(GAUSSIAN, n_chains=2, n_draws=2, n_warmup=50, progress=False, rng=0).save(tmp_path / "run.npz")
        out = tmp_path / "scores.csv"
        for first, second, part in (
            ("none.npz", table, "none.npz cannot be read"), ("t.csv", table, "not a file that fastebm saved"),
            ("cut.npz", table, "damaged"), ("run.npz", table, "holds draws, not a model"),
            ("model.npz", "none.csv", "none.csv cannot be read"), ("model.npz", "model.npz", "model.npz"),
            ("model.npz", "", "cannot be read"),
        ):
            refused(capsys, ["score", str(tmp_path / first), str(tmp_path / second), "--out", str(out)], part)
            assert not out.exists()

    @pytest.mark.parametrize(("out", "parts"), [
        ("no/s.csv", ("does not exist",)), (".", ("it is a folder",)), ("model.npz/s.csv", ("is not a folder",)),
    ])
    def test_a_place_that_cannot_be_written_is_found_first(self, out, parts, model, tmp_path, capsys, monkeypatch):
        table = write(tmp_path / "t.csv", None, ROWS.tolist())
        monkeypatch.setattr(score_command, "anomaly_score", lambda *_: pytest.fail("it scored"))
        refused(capsys, ["score", model, table, "--out", str(tmp_path / out)], "cannot be written", *parts)
        assert sorted(os.listdir(tmp_path)) == ["model.npz", "t.csv"]

    def test_a_full_disk_leaves_what_was_there(self, model, tmp_path, capsys, monkeypatch):
        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        table, out = write(tmp_path / "t.csv", None, ROWS.tolist()), tmp_path / "scores.csv"
        out.write_text("an older table\n")
        monkeypatch.setattr("fastebm.files.os.fsync", full)
        refused(capsys, ["score", model, table, "--out", str(out)], "scores.csv cannot be written", "No space left")
        assert out.read_text() == "an older table\n"
        assert sorted(os.listdir(tmp_path)) == ["model.npz", "scores.csv", "t.csv"]
