"""The command that fits a table: its model is the library's own, its numbers are true, and a fault leaves no file."""

import errno
import gzip
import os
import re

import numpy as np
import pytest
from scipy.stats import norm
from test_cli_models import refused, write

import fastebm as eb
from fastebm import cli
from fastebm.cli import fit as fit_command
from fastebm.cli import main

ROWS = np.random.default_rng(7).normal([20.0, -1.0, 0.0, 5.0], [3.0, 0.1, 1.0, 2.0], (60, 4))
NAMES = ["age", "mean radius", "z, scaled", "größe"]
OPTIONS = {"--hidden": "3", "--steps": "4", "--transitions": "2", "--rate": "0.02", "--held-out": "0.65", "--seed": "9"}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Whether this machine compiles now or did so before makes no difference here."""
    monkeypatch.setattr(cli._CompileNotes, "emit", lambda *_: None)


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "table.csv", [f'"{name}"' for name in NAMES], ROWS.tolist())


def words(table, out, **changed):
    """The command with small numbers for all of its options, and some changed."""
    options = OPTIONS | {f"--{name}": value for name, value in changed.items()}
    return ["fit", str(table), "--out", str(out), *(word for option in options.items() for word in option)]


def fitted(rows, *, hidden=(3,), steps=4, transitions=2, rate=0.02, share=0.65, seed=9):
    """What the library gives for these options, and the rows it was and was not given."""
    train, held_out = eb.datasets.split(rows, share, rng=seed)
    start = eb.MLP(rows.shape[1], hidden, center=train.mean(axis=0), scale=train.std(axis=0), rng=seed)
    rule, objective = eb.Adam(rate, rate / 30.0), eb.PersistentCD(k=transitions)
    result = eb.fit(start, train, objective, optimizer=rule, n_steps=steps, validation=held_out, rng=seed)
    return result, train, held_out


def same(one, other):
    """Whether two fits agree in every bit, but for the notes of the command."""
    notes = {"columns": None, "threshold": None}
    return (
        one.energy.theta.tobytes() == other.energy.theta.tobytes()
        and one.energy.describe() == other.energy.describe()
        and one.particles.tobytes() == other.particles.tobytes()
        and {key: value.tobytes() for key, value in one.history.items()}
        == {key: value.tobytes() for key, value in other.history.items()}
        and (one.settings | notes, one.seed) == (other.settings | notes, other.seed)
    )


class TestModel:
    def test_it_is_the_librarys_for_these_options(self, table, tmp_path):
        assert main(words(table, tmp_path / "m.npz")) == 0
        assert same(eb.load(tmp_path / "m.npz"), fitted(ROWS)[0])

    @pytest.mark.parametrize(("option", "text", "named"), [
        ("hidden", "2,4", {"hidden": (2, 4)}), ("steps", "3", {"steps": 3}), ("transitions", "1", {"transitions": 1}),
        ("rate", "1e-3", {"rate": 1e-3}), ("held-out", "0.3", {"share": 0.3}), ("seed", "1", {"seed": 1}),
    ])
    def test_each_option_is_heard(self, option, text, named, table, tmp_path):
        assert main(words(table, tmp_path / "m.npz", **{option: text})) == 0
        found = eb.load(tmp_path / "m.npz")
        assert same(found, fitted(ROWS, **named)[0])
        assert not same(found, fitted(ROWS)[0])

    def test_columns_are_chosen_and_ordered(self, tmp_path):
        table = write(tmp_path / "t.csv", ["id", "a", "b"], [["n7", *row[:2]] for row in ROWS.tolist()])
        assert main(words(table, tmp_path / "m.npz", columns=" b ,a")) == 0
        found = eb.load(tmp_path / "m.npz")
        assert same(found, fitted(np.ascontiguousarray(ROWS[:, [1, 0]]))[0])
        assert found.settings["columns"] == ["b", "a"]

    def test_every_dialect_of_a_table_gives_one_model(self, table, tmp_path):
        lines = [";".join(f'"{name}"' for name in NAMES), *(";".join(map(str, row)) for row in ROWS.tolist())]
        (tmp_path / "other.csv.gz").write_bytes(gzip.compress("\r\n".join(lines).encode("utf-8-sig")))
        bare = write(tmp_path / "bare.csv", None, ROWS.tolist())
        found = []
        for i, path in enumerate((table, tmp_path / "other.csv.gz", bare)):
            assert main(words(path, tmp_path / f"{i}.npz")) == 0
            found.append(eb.load(tmp_path / f"{i}.npz"))
        assert same(found[0], found[1])
        assert same(found[0], found[2])
        assert [fit.settings["columns"] for fit in found] == [NAMES, NAMES, ["x0", "x1", "x2", "x3"]]

    def test_defaults_are_those_that_the_help_names(self, table, tmp_path, capsys, monkeypatch):
        asked = []

        def noted(energy, data, objective, **named):
            asked.append((energy.describe(), energy.theta.tolist(), data.tolist(), repr(objective), repr(named)))
            return eb.fit(energy, data, objective, **named | {"n_steps": 1})

        monkeypatch.setattr(fit_command, "fit", noted)
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit):
            main(["fit", "--help"])
        named = re.findall(r"^ +(--[\w-]+) [A-Z_]+\s+.*\(default (\S+)\)$", capsys.readouterr().out, re.MULTILINE)
        assert [option for option, _ in named] == list(OPTIONS)
        call = ["fit", table, "--out", str(tmp_path / "m.npz")]
        for extra in ([], [word for option in named for word in option], ["--columns", ",".join(NAMES[:2])]):
            assert main([*call, *extra]) == 0
        assert asked[0] == asked[1] != asked[2]
        assert len(eb.load(tmp_path / "m.npz").energy.unpack()["W2"]) == 64

    def test_a_file_that_was_there_is_replaced(self, table, tmp_path):
        out = tmp_path / "m.npz"
        out.write_bytes(b"an older model")
        assert main(words(table, out)) == 0
        assert eb.load(out).energy.dim == 4
        assert sorted(os.listdir(tmp_path)) == ["m.npz", "table.csv"]


class TestWords:
    def test_all_of_them(self, table, tmp_path, capsys):
        out = tmp_path / "m.npz"
        assert main(words(table, out)) == 0
        found, _, held_out = fitted(ROWS)
        scores = np.sort(found.energy.energy(held_out))
        assert len(scores) == 39
        assert capsys.readouterr().out.splitlines() == [
            f"{table}: 21 rows to train, 39 held out, 4 column(s): {', '.join(NAMES)}",
            f"anomaly threshold for 5% false alarms: energy above {scores[37]:.4f}",  # the 38th: 0.95 of 39 + 1
            f"model: {out}",
        ]
        assert eb.load(out).settings["threshold"] == scores[37]

    def test_likelihoods_of_one_column(self, table, tmp_path, capsys):
        assert main(words(table, tmp_path / "m.npz", columns="age")) == 0
        out, err = capsys.readouterr()
        found, train, held_out = fitted(np.ascontiguousarray(ROWS[:, :1]))
        model, gaussian = (float(re.search(rf"{name} +(-?\d+\.\d+)\n", out).group(1)) for name in ("model", "Gaussian"))
        assert model == pytest.approx(eb.log_likelihood(found.energy, held_out).mean(), abs=6e-5)
        assert gaussian == pytest.approx(norm(train.mean(), train.std(ddof=1)).logpdf(held_out).mean(), abs=6e-5)
        assert err == ""

    def test_a_training_that_goes_wrong_is_said_and_saved(self, table, tmp_path, capsys):
        assert main(words(table, tmp_path / "m.npz", rate="1e300")) == 0
        out, err = capsys.readouterr()
        assert re.fullmatch(r"warning: training stopped at step \d of 4: .*lower the learning rate.*\n", err)
        assert "model: " in out
        found = eb.load(tmp_path / "m.npz")
        assert found.interrupted
        assert np.isfinite(found.energy.theta).all()


class TestRefusals:
    @pytest.mark.parametrize(("text", "parts"), [
        ("a,b\n1,inf\n3,4\n", ("line 2, column 2 ('b')", "inf", "finite")),
        ("a,b\n1,2\n3,4\n", ("1 row is left to train on", "2 are needed", "more rows")),
        ("a,b\n1,2\n3,1e308\n5,-1e308\n7,2\n", ("column 'b'", "standard deviation", "too large", "rescale")),
        ("a,b\n1e-200,2\n2e-200,3\n3e-200,5\n4e-200,6\n", ("column 'a'", "standard deviation 0.0", "rescale")),
        ("a,a\n1,2\n3,4\n5,7\n", ("two columns of the name 'a'",)),
        ("a,b\n1,2\n3,\xff\n", ("line 3", "UTF-8")),
    ], ids=["inf", "two rows", "huge", "tiny", "twins", "latin-1"])
    def test_bad_tables(self, text, parts, tmp_path, capsys):
        path, out = tmp_path / "bad.csv", tmp_path / "m.npz"
        path.write_bytes(text.encode("latin-1"))
        out.write_bytes(b"an older model")
        refused(capsys, words(path, out, columns="a,b", **{"held-out": "0.2"}), "bad.csv", *parts)
        assert out.read_bytes() == b"an older model"
        assert sorted(os.listdir(tmp_path)) == ["bad.csv", "m.npz"]

    def test_what_is_no_table(self, tmp_path, capsys):
        eb.Gaussian([0.0]).save(tmp_path / "model.npz")
        for path in (tmp_path / "none.csv", tmp_path, tmp_path / "model.npz"):
            refused(capsys, words(path, tmp_path / "m.npz"), str(path))
        assert os.listdir(tmp_path) == ["model.npz"]

    @pytest.mark.parametrize(("option", "text", "wanted"), [
        ("held-out", "0", "between 0 and 1"), ("held-out", "nan", "between 0 and 1"), ("steps", "-3", "at least 1"),
        ("transitions", "-1", "at least 1"), ("rate", "0", "above 0"), ("rate", "inf", "above 0"),
        ("hidden", "0", "at least 1"), ("seed", "-1", "at least 0"), ("columns", "a,,b", "its columns are"),
    ])
    def test_numbers_out_of_range(self, option, text, wanted, table, tmp_path, capsys):
        refused(capsys, words(table, tmp_path / "m.npz", **{option: text}), wanted)
        assert os.listdir(tmp_path) == ["table.csv"]

    @pytest.mark.parametrize(("option", "text", "wanted"), [
        ("hidden", "4;5", "for example 64,64"), ("hidden", "", "for example 64,64"), ("hidden", "4,", "64,64"),
        ("steps", "2.5", "int"), ("transitions", "two", "int"), ("rate", "fast", "float"), ("seed", "x", "int"),
        ("held-out", "20%", "float"),
    ])
    def test_words_that_are_no_numbers(self, option, text, wanted, table, tmp_path, capsys):
        with pytest.raises(SystemExit) as left:
            main(words(table, tmp_path / "m.npz", **{option: text}))
        assert left.value.code == 2
        out, err = capsys.readouterr()
        last = err.splitlines()[-1]
        assert out == ""
        assert last.startswith(f"fastebm fit: error: argument --{option}: ")
        assert repr(text) in last
        assert wanted in last
        assert "_" not in last
        assert os.listdir(tmp_path) == ["table.csv"]

    def test_a_model_needs_a_place(self, table, capsys):
        with pytest.raises(SystemExit) as left:
            main(["fit", table])
        assert left.value.code == 2
        assert "required: --out" in capsys.readouterr().err

    def test_a_full_disk_leaves_what_was_there(self, table, tmp_path, capsys, monkeypatch):
        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        (tmp_path / "m.npz").write_bytes(b"an older model")
        monkeypatch.setattr("fastebm.files.os.fsync", full)
        refused(capsys, words(table, tmp_path / "m.npz"), "m.npz cannot be written", "No space left", "another path")
        assert (tmp_path / "m.npz").read_bytes() == b"an older model"
        assert sorted(os.listdir(tmp_path)) == ["m.npz", "table.csv"]
