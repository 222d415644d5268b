"""The commands fit, sample, score and logz: from a CSV file to a model, and from it to rows, scores and log Z."""

import re
from pathlib import Path

import numpy as np
import pytest

import fastebm as eb
from fastebm import cli, tables
from fastebm.cli import fit as fit_command
from fastebm.cli import main

ROWS = np.random.default_rng(5).normal([2000.0, -1.0, 0.3], [5.0, 0.1, 1.0], (60, 3))
QUICK = ["--steps", "5", "--hidden", "3"]


def write(path, header, rows):
    lines = ([",".join(header)] if header else []) + [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Whether this machine compiles now or did so before makes no difference here."""
    monkeypatch.setattr(cli._CompileNotes, "emit", lambda *_: None)


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "table.csv", ["year", "mean radius", "z"], ROWS.tolist())


@pytest.fixture
def model(table, tmp_path, capsys):
    """A model of two of the three columns, in another order than the file's."""
    out = str(tmp_path / "model.npz")
    assert main(["fit", table, "--out", out, "--columns", "mean radius, year", "--held-out", "0.4", *QUICK]) == 0
    capsys.readouterr()
    return out


def refused(capsys, words, *parts):
    """What the command says when it ends with status 2: one line that holds the parts and a next move."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    line, end = err.split("\n")
    assert end == ""
    assert line.startswith(f"fastebm {words[0]}: ")
    assert all(part in line for part in parts), line
    assert line.endswith("."), line
    assert ";" in line, "the next move is missing"
    return line


class TestFit:
    def test_what_it_writes_and_says(self, table, tmp_path, capsys):
        out = tmp_path / "model.npz"
        assert main(["fit", table, "--out", str(out), "--held-out", "0.4", "--seed", "3", *QUICK]) == 0
        said = capsys.readouterr().out
        fit = eb.load(out)
        train, held_out = eb.datasets.split(ROWS, 0.4, rng=3)
        assert "36 rows to train, 24 held out, 3 column(s): year, mean radius, z" in said
        assert fit.settings["columns"] == ["year", "mean radius", "z"]
        assert fit.energy.dim == 3
        assert len(fit.history["energy_gap"]) == 5
        printed = [float(number) for number in re.findall(r"(?:model|Gaussian) +(-?[\d.]+)\n", said)]
        gaussian = eb.Gaussian(train.mean(axis=0), np.cov(train.T))
        truth = [eb.log_likelihood(energy, held_out).mean() for energy in (fit.energy, gaussian)]
        assert printed == pytest.approx(truth, abs=1e-4)
        threshold = eb.anomaly_threshold(fit.energy, held_out)
        assert fit.settings["threshold"] == threshold
        assert f"energy above {threshold:.4f}" in said
        assert f"model: {out}" in said

    def test_same_seed_same_model(self, table, tmp_path, capsys):
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            assert main(["fit", table, "--out", str(tmp_path / name), "--seed", str(seed), *QUICK]) == 0
        a, b, c = (eb.load(tmp_path / name).energy.theta.tobytes() for name in "abc")
        assert a == b != c

    def test_without_a_header(self, tmp_path, capsys):
        path = write(tmp_path / "plain.csv", None, ROWS.tolist())
        assert main(["fit", path, "--out", str(tmp_path / "m"), "--columns", "x2", *QUICK]) == 0
        assert "1 column(s): x2" in capsys.readouterr().out
        assert eb.load(tmp_path / "m").energy.unpack()["W1"].shape == (3, 1)

    def test_many_columns_have_no_exact_likelihood(self, tmp_path, capsys):
        path = write(tmp_path / "wide.csv", None, np.hstack([ROWS, ROWS**2]).tolist())
        assert main(["fit", path, "--out", str(tmp_path / "m"), *QUICK]) == 0
        said = capsys.readouterr().out
        assert "likelihood" not in said
        assert "anomaly threshold" in said

    def test_rows_in_a_plane(self, tmp_path, capsys):
        path = write(tmp_path / "plane.csv", ["a", "b"], np.column_stack([ROWS[:, 0], 3.0 * ROWS[:, 0]]).tolist())
        assert main(["fit", path, "--out", str(tmp_path / "m"), *QUICK]) == 0
        said = capsys.readouterr().out
        assert re.search(r"this model +-?\d.*\n  Gaussian +none: the training rows lie in a plane", said)

    def test_too_few_rows_for_a_threshold(self, tmp_path, capsys):
        path = write(tmp_path / "few.csv", None, ROWS[:20].tolist())
        assert main(["fit", path, "--out", str(tmp_path / "m"), *QUICK]) == 0
        assert "no anomaly threshold: 5% false alarms need 19 rows held out" in capsys.readouterr().out
        assert eb.load(tmp_path / "m").settings["threshold"] is None

    @pytest.mark.parametrize(("text", "parts"), [
        ("a,b\n1,2\n3,four\n", ("line 3", "column 2 ('b')", "'four'")),
        ("a,b\n1,2\n3\n", ("line 3", "column 2", "'b' is missing")),
        ("a,b\n1,2\n3,4,5\n", ("line 3", "column 3")),
        ("a,b\n1,2\n,4\n", ("line 3", "column 1 ('a')", "missing")),
        ("a,b\n1,nan\n3,4\n", ("line 2", "column 2 ('b')", "nan")),
        ("1,2\n3,x\n", ("line 2", "column 2", "'x'")),
        ("a,b\n", ("no rows",)),
        ("", ("is empty",)),
        ("a,b\n1,2\n", ("at least two rows",)),
        ("a,b\n1,0.1\n2,0.1\n3,0.1\n", ("column 'b' is constant", "--columns")),
    ], ids=["text", "short row", "long row", "missing", "nan", "no header", "no rows", "empty", "one row", "constant"])
    def test_bad_tables(self, text, parts, tmp_path, capsys):
        path = tmp_path / "bad.csv"
        path.write_text(text)
        refused(capsys, ["fit", str(path), "--out", str(tmp_path / "m"), *QUICK], *parts)
        assert not (tmp_path / "m").exists()

    @pytest.mark.parametrize(("words", "parts"), [
        (["--columns", "year,age"], ("no column 'age'", "'year', 'mean radius', 'z'")),
        (["--held-out", "1.5"], ("--held-out is 1.5",)),
        (["--steps", "0"], ("n_steps is 0",)),
        (["--transitions", "0"], ("k is 0",)),
        (["--rate", "-1"], ("learning_rate is -1.0",)),
        (["--hidden", "4,0"], ("hidden[1] is 0",)),
        (["--seed", "-4"], ("rng is -4",)),
    ], ids=lambda value: str(value[0]))
    def test_bad_options(self, words, parts, table, tmp_path, capsys):
        refused(capsys, ["fit", table, "--out", str(tmp_path / "m"), *words], *parts)

    def test_widths_that_are_no_numbers(self, table, tmp_path, capsys):
        with pytest.raises(SystemExit) as left:
            main(["fit", table, "--out", str(tmp_path / "m"), "--hidden", "4,x"])
        assert left.value.code == 2
        assert "--hidden" in capsys.readouterr().err

    def test_a_place_that_cannot_be_written_is_found_before_the_work(self, table, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(fit_command, "fit", lambda *_, **__: pytest.fail("it trained"))
        refused(capsys, ["fit", table, "--out", str(tmp_path / "no" / "m.npz"), *QUICK], "cannot be written")
        refused(capsys, ["fit", table, "--out", str(tmp_path), *QUICK], "cannot be written", "folder")
        refused(capsys, ["fit", str(tmp_path / "none.csv"), "--out", str(tmp_path / "m")], "none.csv", "cannot be read")


class TestSample:
    def test_rows_read_back(self, model, tmp_path, capsys):
        out = tmp_path / "rows.csv"
        for n in (1, 7, 300):
            assert main(["sample", model, "--n", str(n), "--out", str(out), "--seed", "4"]) == 0
            assert f"{n} rows: {out}" in capsys.readouterr().out
            names, rows = tables.read_csv(out)
            assert names == ["mean radius", "year"]
            assert rows.shape == (n, 2)
        # five steps leave the model near the Gaussian of its data: far from 0, where chains without data begin
        assert np.abs(rows[:, 1] - 2000.0).max() < 60.0
        assert main(["sample", model, "--n", "300", "--seed", "4"]) == 0
        assert capsys.readouterr().out == out.read_text()

    def test_a_model_without_names(self, tmp_path, capsys):
        eb.DoubleWell(2).save(tmp_path / "m.npz")
        assert main(["sample", str(tmp_path / "m.npz"), "--n", "3"]) == 0
        assert capsys.readouterr().out.startswith('"x0","x1"\n')

    def test_refusals(self, model, tmp_path, capsys):
        refused(capsys, ["sample", model, "--n", "0"], "--n is 0")
        refused(capsys, ["sample", str(tmp_path / "none.npz")], "none.npz")
        refused(capsys, ["sample", model, "--out", str(tmp_path)], "cannot be written")
        eb.sample(eb.DoubleWell(), n_chains=2, n_draws=20, n_warmup=50).save(tmp_path / "run.npz")
        refused(capsys, ["sample", str(tmp_path / "run.npz")], "holds draws, not a model")


class TestScore:
    def scores(self, capsys, *words):
        assert main(["score", *map(str, words)]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        header, *lines = out.splitlines()
        return header, np.array([[float(field) for field in line.split(",")] for line in lines])

    def test_columns_are_found_by_name(self, model, tmp_path, capsys):
        fit = eb.load(model)
        truth = eb.anomaly_score(fit.energy, ROWS[:, [1, 0]])
        files = (
            write(tmp_path / "a.csv", ["year", "mean radius"], ROWS[:, [0, 1]].tolist()),
            write(tmp_path / "b.csv", ["id", "mean radius", "year"], [["n7", b, a] for a, b, _ in ROWS.tolist()]),
        )
        for path in files:
            header, found = self.scores(capsys, model, path)
            assert header == '"score","is_anomaly"'
            assert np.array_equal(found[:, 0], truth)
            assert np.array_equal(found[:, 1], truth > fit.settings["threshold"])

    def test_into_a_file(self, model, table, tmp_path, capsys):
        out = tmp_path / "scores.csv"
        assert main(["score", model, table, "--out", str(out)]) == 0
        assert f"60 scores: {out}" in capsys.readouterr().out
        names, found = tables.read_csv(out)
        assert names == ["score", "is_anomaly"]
        assert np.array_equal(found, self.scores(capsys, model, table)[1])

    def test_a_model_without_names(self, tmp_path, capsys):
        energy = eb.DoubleWell(2)
        energy.save(tmp_path / "m.npz")
        path = write(tmp_path / "any.csv", ["height", "depth"], [[0.1, 0.2], [3.0, -1.0]])
        header, found = self.scores(capsys, tmp_path / "m.npz", path)
        assert header == '"score"'
        assert np.array_equal(found[:, 0], energy.energy([[0.1, 0.2], [3.0, -1.0]]))
        wide = write(tmp_path / "wide.csv", None, [[0.1, 0.2, 0.3]])
        refused(capsys, ["score", str(tmp_path / "m.npz"), wide], "wide.csv has 3 column(s)", "dim=2")

    def test_refusals(self, model, tmp_path, capsys):
        other = write(tmp_path / "other.csv", ["year", "radius"], [[2000.0, 1.0]])
        refused(capsys, ["score", model, other], "other.csv", "no column 'mean radius'")
        text = write(tmp_path / "text.csv", ["mean radius", "year"], [[1.0, 2000.0], ["big", 2001.0]])
        refused(capsys, ["score", model, text], "line 3, column 1 ('mean radius')", "'big'")
        refused(capsys, ["score", model, text, "--out", str(tmp_path / "no" / "s.csv")], "cannot be written")


class TestLogZ:
    def test_it_is_log_partition(self, model, capsys):
        assert main(["logz", model]) == 0
        said = capsys.readouterr().out
        z = eb.log_partition(eb.load(model).energy)
        assert float(re.search(r"log Z = (\S+)", said).group(1)) == pytest.approx(z.value, abs=1e-10)
        assert "quadrature" in said
        assert f"{z.n_evaluations} evaluations" in said

    def test_too_many_dimensions(self, tmp_path, capsys):
        eb.MLP(5, (3,)).save(tmp_path / "m.npz")
        refused(capsys, ["logz", str(tmp_path / "m.npz")], "dim=5", "dim=3", "log_ratio")


class TestOwnEnergies:
    @pytest.fixture
    def saved(self, tmp_path, monkeypatch):
        (tmp_path / "models_of_mine.py").write_text(
            "import fastebm as eb\n"
            "@eb.energy(dim=1, theta={'k': 2.0})\n"
            "def spring(x, theta):\n"
            "    return 0.5 * theta.k * x[0] ** 2\n"
            "twice = 2.0 * spring\n"
        )
        monkeypatch.chdir(tmp_path)
        from fastebm.cli.models import import_energy

        import_energy("models_of_mine:spring").with_theta(k=3.0).save("own.npz")
        return "own.npz"

    def test_they_are_named(self, saved, capsys):
        assert main(["logz", saved, "--energy", "models_of_mine:spring"]) == 0
        assert float(capsys.readouterr().out.split()[3]) == pytest.approx(0.5 * np.log(2.0 * np.pi / 3.0))

    def test_refusals(self, saved, capsys):
        refused(capsys, ["logz", saved], "your own energy 'spring'")
        refused(capsys, ["logz", saved, "--energy", "models_of_mine:twice"], "another energy")


def test_no_command_replaces_what_it_reads(table, model, capsys):
    before = [Path(path).read_bytes() for path in (table, model)]
    for words in (["fit", table, "--out", table], ["score", model, table, "--out", table],
                  ["score", model, table, "--out", model], ["sample", model, "--out", model]):
        refused(capsys, words, "it is what is read")
    assert [Path(path).read_bytes() for path in (table, model)] == before
