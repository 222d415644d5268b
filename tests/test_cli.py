"""The command line as a whole: its exit statuses, what goes to which stream, signals and pipes."""

import logging
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastebm as eb
from fastebm import cli
from fastebm.cli import main

COMMANDS = ["demo", "fit", "sample", "score", "logz", "check", "warmup", "info"]


@pytest.fixture
def model(tmp_path):
    """A saved model of two columns."""
    eb.Gaussian([1.0, -1.0], [2.0, 0.5]).save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


@pytest.fixture
def table(tmp_path):
    """A CSV file of two columns."""
    path = tmp_path / "table.csv"
    rows = np.random.default_rng(0).normal([2000.0, -1.0], [5.0, 0.1], (80, 2))
    path.write_text("year,b\n" + "\n".join(f"{a},{b}" for a, b in rows.tolist()))
    return path


def run(*words, script=None, **named):
    """The command line in a process of its own; its exit status, what it printed and what it said."""
    call = [sys.executable, "-m", "fastebm"] if script is None else [sys.executable, "-c", script]
    done = subprocess.run([*call, *map(str, words)], capture_output=True, text=True, timeout=300, check=False, **named)
    return done.returncode, done.stdout, done.stderr


def does(monkeypatch, action):
    """Let `fastebm info` do something else."""
    monkeypatch.setattr(cli.info, "run", lambda chosen: action() or 0)


class TestStatus:
    def test_help_names_every_command(self, capsys):
        with pytest.raises(SystemExit) as left:
            main(["--help"])
        assert left.value.code == 0
        listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
        assert [name for name in listed if name in COMMANDS] == COMMANDS

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_help(self, name, capsys):
        with pytest.raises(SystemExit) as left:
            main([name, "--help"])
        assert left.value.code == 0
        assert f"usage: fastebm {name}" in capsys.readouterr().out

    @pytest.mark.parametrize("words", ["", "train", "fit a.csv", "score m.npz", "sample m --n x"])
    def test_wrong_words(self, words, capsys):
        with pytest.raises(SystemExit) as left:
            main(words.split())
        assert left.value.code == 2
        assert "usage: fastebm" in capsys.readouterr().err

    @pytest.mark.parametrize("fault", [
        ValueError("a; b."), TypeError("a; b."), FileNotFoundError("a; b."), ImportError("a; b."), MemoryError("a; b."),
    ], ids=lambda fault: type(fault).__name__)
    def test_faults_of_the_input_are_one_line(self, fault, capsys, monkeypatch):
        def fail():
            raise fault

        does(monkeypatch, fail)
        assert main(["info"]) == 2
        assert capsys.readouterr() == ("", "fastebm info: a; b.\n")

    def test_faults_of_the_library_are_not_hidden(self, monkeypatch):
        does(monkeypatch, lambda: {}["key"])
        with pytest.raises(KeyError):
            main(["info"])

    def test_ctrl_c(self, capsys, monkeypatch):
        does(monkeypatch, lambda: signal.raise_signal(signal.SIGINT))
        assert main(["info"]) == 130
        assert capsys.readouterr().err == "fastebm info: interrupted\n"


class TestStreams:
    def test_warnings_are_one_line_on_stderr(self, capsys, monkeypatch):
        shown = warnings.showwarning
        does(monkeypatch, lambda: warnings.warn("the chains lag; train longer.", eb.FastebmWarning, stacklevel=1))
        assert main(["info"]) == 0
        assert capsys.readouterr() == ("", "warning: the chains lag; train longer.\n")
        assert warnings.showwarning is shown

    def test_compilation_is_said_on_stderr(self, capsys, monkeypatch):
        logger = logging.getLogger("fastebm")
        before = list(logger.handlers)
        does(monkeypatch, lambda: [logger.info("compiling %s", name) for name in ("energy", "sampler")] and 0)
        assert main(["info"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        first, *rest = err.splitlines()
        assert "once" in first
        assert rest == ["  compiling energy", "  compiling sampler"]
        assert logger.handlers == before

    def test_an_empty_cache_and_a_full_one(self, model, table, tmp_path):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        table.write_text("0.5,1\n")
        first, again = (run("score", model, table, env=environment) for _ in range(2))
        assert (first[0], again[0]) == (0, 0)
        assert first[1] == again[1] != ""
        assert "compiling for this machine, once" in first[2]
        assert "energy" in first[2]
        assert again[2] == ""
        assert "0 function" in run("info", env=environment | {"NUMBA_CACHE_DIR": str(tmp_path / "none")})[1]

    def test_a_reader_that_leaves_early(self, model):
        for words, n_lines in ((("sample", model, "--n", 20_000), 1), (("info",), 0)):
            process = subprocess.Popen(
                [sys.executable, "-m", "fastebm", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(n_lines):
                assert process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            process.stderr.close()
            assert process.wait(timeout=300) == 0
            assert b"Traceback" not in said
            assert b"BrokenPipe" not in said

    def test_ctrl_c_in_a_training_saves_the_model(self, table, tmp_path):
        script = (
            "import sys\n"
            "from fastebm.cli import fit, main\n"
            "class Announcing(fit.PersistentCD):\n"
            "    def begin(self, *given):\n"
            "        estimator = super().begin(*given)\n"
            "        gradient = estimator.gradient\n"
            "        estimator.gradient = lambda *given: (print('training', flush=True), gradient(*given))[1]\n"
            "        return estimator\n"
            "fit.PersistentCD = Announcing\n"
            "sys.exit(main(sys.argv[1:]))\n"
        )
        out = tmp_path / "fit.npz"
        words = ["fit", str(table), "--out", str(out), "--steps", "100000000", "--hidden", "3"]
        process = subprocess.Popen(
            [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3):
            assert process.stdout.readline() == "training\n"
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=300)
        assert process.returncode == 0
        assert "fit.energy is the model so far" in said
        assert f"model: {out}" in printed
        saved = eb.load(out)
        assert saved.interrupted
        assert len(saved.history["energy_gap"]) >= 2


class TestInfoAndWarmup:
    def test_info(self, capsys):
        assert main(["info"]) == 0
        out = capsys.readouterr().out
        assert f"fastebm {eb.__version__}" in out
        assert "numba " in out
        assert "thread(s)" in out
        assert "compiled code: " in out

    def test_both_ways_in(self):
        status, out, err = run("info")
        assert (status, err) == (0, "")
        assert "fastebm" in out

    def test_after_warmup_nothing_is_left_to_compile(self, table, tmp_path):
        script = (
            "import sys\n"
            "from fastebm import _compile\n"
            "from fastebm.cli import main\n"
            "needed = []\n"
            "load = _compile._DiskCache.load_overload\n"
            "noted = lambda self, *given: (needed.append(self.name), load(self, *given))[1]\n"
            "_compile._DiskCache.load_overload = noted\n"
            "assert main(['warmup']) == 0\n"
            "known = set(needed)\n"
            "assert main(['fit', sys.argv[1], '--out', sys.argv[2], '--steps', '3', '--hidden', '3']) == 0\n"
            "for words in (['sample', sys.argv[2], '--n', '3'], ['score', *sys.argv[2:0:-1]], ['logz', sys.argv[2]]):\n"
            "    assert main(words) == 0\n"
            "assert len(known) > 10\n"
            "assert not set(needed) - known, set(needed) - known\n"
        )
        status, out, err = run(table, tmp_path / "fit.npz", script=script)
        assert status == 0, err
        assert "ready after" in out
