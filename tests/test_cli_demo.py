"""The demo, with fewer steps: its table is true, its files are whole, and it does what it can without the extras."""

import dataclasses
import re
import signal
import sys

import numpy as np
import pytest

import fastebm as eb
from fastebm import datasets
from fastebm.cli import demo, main

PICTURE, MODEL = "fastebm-demo.png", "fastebm-demo.npz"


@pytest.fixture(autouse=True)
def _small(tmp_path, monkeypatch):
    """A smaller network, fewer steps and draws, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "_STEPS", (60, 30))
    monkeypatch.setattr(demo, "MLP", lambda dim, **named: eb.MLP(dim, (6,), **named))
    few = {"n_chains": 40, "n_draws": 20, "n_warmup": 200, "thin": 5}
    monkeypatch.setattr(demo, "sample", lambda *given, **named: eb.sample(*given, **named | few))
    monkeypatch.setattr(demo, "denoise", lambda *given, **named: eb.denoise(*given, **named | {"n_draws": 60}))


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def without(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def values(text, part):
    """The numbers of one part's comparison by the names beside them, and the names that are called best."""
    start = text.index(f"({part})")
    end = text.find("\n(", start)
    section = text[start : end if end > 0 else None]
    rows = re.findall(r"^ {6}(.{34}) *(-?\d+\.\d+)(?: \+- \S+)?( +best)?$", section, re.MULTILINE)
    return {name.strip(): float(value) for name, value, _ in rows}, [name.strip() for name, _, best in rows if best]


class TestTable:
    def test_it_says_what_the_saved_model_is_worth(self, tmp_path, capsys):
        (tmp_path / PICTURE).write_text("an older picture")
        assert main(["demo", "--seed", "3"]) == 0
        text = capsys.readouterr().out
        assert files(tmp_path) == [MODEL, PICTURE]
        assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
        assert f"model: {MODEL}\npicture: {PICTURE}\n" in text
        table = datasets.breast_cancer()
        assert "seed 3" in text
        assert table.source in text

        fit = eb.load(MODEL)
        assert len(fit.history["energy_gap"]) == 60
        plane = table.data[:, [table.feature_names.index(name) for name in demo._COLUMNS]]
        train, held_out = datasets.split(plane, 0.3, rng=3)
        likelihoods, best = values(text, "a")
        gaussian = eb.Gaussian(train.mean(axis=0), np.cov(train.T))
        assert likelihoods["fastebm MLP, persistent CD"] == pytest.approx(
            eb.log_likelihood(fit.energy, held_out).mean(), abs=1e-4
        )
        assert likelihoods["Gaussian"] == pytest.approx(eb.log_likelihood(gaussian, held_out).mean(), abs=1e-4)
        assert len(likelihoods) == 3
        assert best == [max(likelihoods, key=likelihoods.get)]
        log_z = float(re.search(r"log Z = (\S+) by quadrature", text).group(1))
        assert log_z == pytest.approx(eb.log_partition(fit.energy).value, abs=1e-7)
        assert len(re.findall(r"mean +\S+ \(exact +\S+, error \S+\)", text)) == 2

        areas, best = values(text, "b")
        assert list(areas) == ["fastebm MLP, persistent CD", "Mahalanobis distance", "IsolationForest (scikit-learn)"]
        assert all(0.5 < area <= 1.0 for area in areas.values())
        assert best == [max(areas, key=areas.get)]
        assert "threshold for 5 % false alarms" in text

        errors, best = values(text, "c")
        assert errors["noisy"] == pytest.approx(0.5, abs=0.1)
        assert best == [min(errors, key=errors.get)]
        assert best != ["noisy"]

    def test_same_seed_same_table(self, capsys, monkeypatch):
        without(monkeypatch, "matplotlib", "matplotlib.figure", "sklearn", "sklearn.ensemble")
        tables = []
        for _ in range(2):
            assert main(["demo", "--seed", "5"]) == 0
            tables.append(capsys.readouterr().out)
        assert tables[0] == tables[1]


class TestExtras:
    def test_without_matplotlib_and_scikit_learn(self, tmp_path, capsys, monkeypatch):
        without(monkeypatch, "matplotlib", "matplotlib.figure", "sklearn", "sklearn.ensemble")
        assert main(["demo"]) == 0
        text = capsys.readouterr().out
        assert files(tmp_path) == [MODEL]
        assert 'no picture: it needs matplotlib (pip install "fastebm[plots]")' in text
        assert PICTURE not in text
        assert 'IsolationForest                   not installed (pip install "fastebm[sklearn]")' in text
        assert len(values(text, "b")[0]) == 2
        assert len(values(text, "c")[0]) == 4


class TestBreakingOff:
    @pytest.mark.parametrize("name", [PICTURE, MODEL])
    def test_places_are_tried_before_the_work(self, name, tmp_path, capsys, monkeypatch):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(demo, "fit", lambda *_, **__: pytest.fail("it trained"))
        assert main(["demo"]) == 2
        assert f"{name} cannot be written: it is a folder" in capsys.readouterr().err

    def test_ctrl_c_ends_all_of_it(self, tmp_path, capsys, monkeypatch):
        def interrupted(*given, **named):
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(demo, "split", interrupted)
        assert main(["demo"]) == 130
        assert files(tmp_path) == []

    def test_ctrl_c_in_a_training_starts_no_other_part(self, tmp_path, capsys, monkeypatch):
        trained = []

        def stopped(*given, **named):
            trained.append(1)
            return dataclasses.replace(eb.fit(*given, **named | {"n_steps": 1}), interrupted=True)

        monkeypatch.setattr(demo, "fit", stopped)
        assert main(["demo"]) == 130
        assert trained == [1]
        assert files(tmp_path) == []


class TestAuroc:
    def test_it_is_the_share_of_pairs_in_order(self):
        rng = np.random.default_rng()
        normal, odd = rng.integers(0, 6, 30).astype(float), rng.integers(2, 9, 20).astype(float)
        pairs = odd[:, None] - normal
        assert demo.auroc(normal, odd) == pytest.approx(np.mean(pairs > 0.0) + 0.5 * np.mean(pairs == 0.0))

    def test_ends(self):
        assert demo.auroc(np.arange(3.0), np.arange(3.0, 6.0)) == 1.0
        assert demo.auroc(np.arange(3.0, 6.0), np.arange(3.0)) == 0.0
        assert demo.auroc(np.ones(4), np.ones(2)) == 0.5
