"""The command that draws rows: they are the library's own draws, from the right starts, whole or not at all."""

import dataclasses
import errno
import io
import os
import re

import numpy as np
import pytest
from means import fresh_seed, mean_may_be
from scipy.stats import norm
from test_cli_models import refused

import fastebm as eb
from fastebm import cli, tables
from fastebm.cli import main
from fastebm.cli import sample as sample_command
from fastebm.training import Fit

GAUSSIAN = eb.Gaussian([3.0, -2.0], [0.5, 2.0])
SOURCE = """
import math
import fastebm as eb

@eb.energy(dim=1, theta={"rate": 3.0}, domain=[(0.0, math.inf)])
def waiting_time(x, theta):
    return theta.rate * x[0]
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
    """A function that saves a training's end: its particles, and the columns of its table."""

    def make(particles, columns=None):
        notes = {} if columns is None else {"columns": columns}
        fit = Fit(
            energy=GAUSSIAN, history={}, particles=particles, seed=0, interrupted=False, timings={}, settings=notes
        )
        fit.save(tmp_path / "fit.npz")
        return str(tmp_path / "fit.npz")

    return make


def printed(capsys, *words):
    """Names and rows that the command prints, and nothing else beside them."""
    assert main(["sample", *map(str, words)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    header, _, numbers = out.partition("\n")
    return header, np.loadtxt(io.StringIO(numbers), delimiter=",", ndmin=2)


def drawn(n, seed, init=None, energy=GAUSSIAN):
    """The library's draws, all chains' first ones first."""
    n_chains = min(n, 256)
    n_draws = -(-n // n_chains)
    run = eb.sample(energy, n_chains=n_chains, n_draws=n_draws, n_warmup=2000, thin=20, init=init, rng=seed)
    return np.concatenate([run.draws[:, k] for k in range(run.draws.shape[1])])[:n]


class TestRows:
    @pytest.mark.parametrize("n", [1, 5, 256, 300])
    def test_they_are_the_librarys(self, n, model, capsys):
        header, rows = printed(capsys, model, "--n", n, "--seed", 3)
        assert header == '"x0","x1"'
        assert rows.tobytes() == drawn(n, 3).tobytes()

    def test_defaults_are_those_that_the_help_names(self, model, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit):
            main(["sample", "--help"])
        named = re.findall(r"^ +(--[\w-]+) .*\(default (\S+)\)$", capsys.readouterr().out, re.MULTILINE)
        assert named == [("--n", "1000"), ("--seed", "0")]
        assert printed(capsys, model)[1].tobytes() == drawn(1000, 0).tobytes()

    def test_another_seed_gives_other_rows(self, model, capsys):
        first, again, other = (printed(capsys, model, "--n", 20, "--seed", seed)[1] for seed in (1, 1, 2))
        assert first.tobytes() == again.tobytes()
        assert not np.isin(first, other).any()

    def test_they_have_the_models_law(self, model, capsys):
        rows = printed(capsys, model, "--n", 256, "--seed", fresh_seed())[1]  # one row a chain: independent
        assert mean_may_be([3.0, -2.0], rows)
        half = norm.ppf(0.75) * np.sqrt([0.5, 2.0])
        assert mean_may_be(0.5, (np.abs(rows - [3.0, -2.0]) < half).astype(float))

    @pytest.mark.parametrize("n", [6, 20])
    def test_chains_begin_where_the_training_left_its_particles(self, n, trained, capsys):
        particles = np.random.default_rng(0).normal([3.0, -2.0], 1.0, (8, 2))
        rows = printed(capsys, trained(particles), "--n", n, "--seed", 3)[1]
        assert rows.tobytes() == drawn(n, 3, init=particles[np.arange(n) % 8]).tobytes()
        assert not np.isin(rows, drawn(n, 3)).any()

    def test_exact_training_leaves_no_particles(self, trained, capsys):
        assert printed(capsys, trained(None), "--n", 9)[1].tobytes() == drawn(9, 0).tobytes()

    def test_an_energy_of_ones_own(self, tmp_path, capsys, monkeypatch):
        (tmp_path / "waiting.py").write_text(SOURCE)
        monkeypatch.chdir(tmp_path)
        from fastebm.cli.models import import_energy

        slow = import_energy("waiting:waiting_time").with_theta(rate=0.01)
        slow.save("own.npz")
        rows = printed(capsys, "own.npz", "--energy", "waiting:waiting_time", "--n", 40)[1]
        assert rows.tobytes() == drawn(40, 0, energy=slow).tobytes()
        refused(capsys, ["sample", "own.npz"], "your own energy 'waiting_time'")


class TestTable:
    def test_into_a_file_as_on_the_screen(self, trained, tmp_path, capsys):
        names = ["a, b", 'the "c"']
        path, out = trained(None, names), tmp_path / "rows.csv"
        out.write_text("an older table\n")
        assert main(["sample", path, "--n", "30", "--out", str(out)]) == 0
        assert capsys.readouterr() == (f"30 rows: {out}\n", "")
        assert main(["sample", path, "--n", "30"]) == 0
        assert capsys.readouterr().out == out.read_text()
        found, rows = tables.read_csv(out)
        assert found == names
        assert rows.tobytes() == drawn(30, 0).tobytes()
        assert sorted(os.listdir(tmp_path)) == ["fit.npz", "rows.csv"]


class TestFaults:
    @pytest.mark.parametrize(("words", "parts"), [
        (["--n", "-1"], ("--n is -1", "at least 1")),
        (["--seed", "-1"], ("-1", "at least 0")),
        (["--n", "1000000000000000"], ("GB", "lower")),
        (["--energy", "model"], ("'model'", "MODULE:NAME")),
        (["--out", "no/rows.csv"], ("no/rows.csv cannot be written", "does not exist")),
        (["--out", "model.npz/rows.csv"], ("cannot be written", "is not a folder")),
    ], ids=lambda value: value[-1])
    def test_bad_options(self, words, parts, model, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        refused(capsys, ["sample", model, *words], *parts)
        assert os.listdir(tmp_path) == ["model.npz"]

    @pytest.mark.parametrize("option", ["--n", "--seed"])
    def test_words_that_are_no_numbers(self, option, model, capsys):
        with pytest.raises(SystemExit) as left:
            main(["sample", model, option, "1.5"])
        assert left.value.code == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last == f"fastebm sample: error: argument {option}: invalid int value: '1.5'"

    def test_what_is_no_model(self, model, tmp_path, capsys):
        content = (tmp_path / "model.npz").read_bytes()
        (tmp_path / "cut.npz").write_bytes(content[:-40])
        (tmp_path / "table.csv").write_text("1,2\n")
        out = tmp_path / "rows.csv"
        for name, part in (
            ("none.npz", "cannot be read"), ("cut.npz", "damaged"), ("table.csv", "not a file that fastebm saved"),
            ("", "cannot be read"),
        ):
            refused(capsys, ["sample", str(tmp_path / name), "--out", str(out)], str(tmp_path / name), part)
            assert not out.exists()

    def test_a_place_that_cannot_be_written_is_found_before_the_work(self, model, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(sample_command.sampling, "sample", lambda *_, **__: pytest.fail("it sampled"))
        refused(capsys, ["sample", model, "--out", str(tmp_path)], "cannot be written", "folder", "another path")

    def test_a_full_disk_leaves_what_was_there(self, model, tmp_path, capsys, monkeypatch):
        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        out = tmp_path / "rows.csv"
        out.write_text("an older table\n")
        monkeypatch.setattr("fastebm.files.os.fsync", full)
        refused(capsys, ["sample", model, "--n", "3", "--out", str(out)], "rows.csv cannot be written", "No space left")
        assert out.read_text() == "an older table\n"
        assert sorted(os.listdir(tmp_path)) == ["model.npz", "rows.csv"]

    @pytest.mark.parametrize("n_made", [0, 2])
    def test_ctrl_c(self, n_made, model, tmp_path, capsys, monkeypatch):
        """In the warm-up nothing is written; later, the draws made so far."""

        def stopped(*given, **named):
            run = eb.sample(*given, **named)
            return dataclasses.replace(run, draws=run.draws[:, :n_made], interrupted=True)

        out = tmp_path / "rows.csv"
        out.write_text("an older table\n")
        monkeypatch.setattr(sample_command.sampling, "sample", stopped)
        status = main(["sample", model, "--n", "1000", "--out", str(out)])
        if n_made == 0:
            assert status == 130
            assert capsys.readouterr() == ("", "fastebm sample: interrupted\n")
            assert out.read_text() == "an older table\n"
        else:
            assert status == 0
            assert capsys.readouterr().out == f"512 rows: {out}\n"
            assert tables.read_csv(out)[1].tobytes() == drawn(512, 0).tobytes()
