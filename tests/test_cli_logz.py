"""The command that prints log Z: by formula or quadrature, with its error, and no number where there is none."""

import math
import re

import numpy as np
import pytest
from scipy.special import gammaln
from test_cli_models import refused

import fastebm as eb
from fastebm import cli
from fastebm.cli import main
from fastebm.training import Fit

SOURCE = """
import math
import fastebm as eb

@eb.energy(dim=1, theta={"power": 3.0}, domain=[(0.0, math.inf)])
def gamma(x, theta):
    return x[0] - (theta.power - 1.0) * math.log(x[0])

@eb.energy(dim=1)
def cauchy_root(x):
    return 0.375 * math.log(1.0 + x[0] ** 2)

@eb.energy(dim=1)
def lame(x):
    return 2.5 * x[0] ** 2 - math.log(x[0])

@eb.energy(dim=2)
def cliff(x):
    return 0.5 * (x[0] ** 2 + x[1] ** 2) + eb.where(x[0] + 0.3 * x[1] ** 2 > 0.4, 3.0, 0.0)
"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Whether this machine compiles now or did so before makes no difference here."""
    monkeypatch.setattr(cli._CompileNotes, "emit", lambda *_: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.fixture
def own(path, tmp_path, monkeypatch):
    """A function that imports an energy from a user's module and saves it, with other parameters if they are given."""
    (tmp_path / "densities_of_mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    from fastebm.cli.models import import_energy

    def make(name, **theta):
        energy = import_energy(f"densities_of_mine:{name}")
        (energy.with_theta(**theta) if theta else energy).save(path)
        return ["logz", str(path), "--energy", f"densities_of_mine:{name}"]

    return make


def printed(capsys, words):
    """The four things in the one line that the command prints, and what it says beside it."""
    assert main([str(word) for word in words]) == 0
    out, err = capsys.readouterr()
    found = re.fullmatch(r"log Z = (\S+)  \(error (\S+), (\w+), (\d+) evaluations\)\n", out)
    assert found, out
    value, error, method, n_evaluations = found.groups()
    return float(value), float(error), method, int(n_evaluations), err


class TestNumbers:
    @pytest.mark.parametrize("dim", [1, 3, 40])
    def test_closed_forms(self, dim, path, capsys):
        eb.Gaussian(np.arange(dim), np.full(dim, 1e4)).save(path)
        value, error, method, n_evaluations, err = printed(capsys, ["logz", path])
        truth = 0.5 * dim * math.log(2.0 * math.pi * 1e4)
        assert value == pytest.approx(truth, rel=1e-11)  # twelve digits are printed
        assert 0.0 < error < 1e-10
        assert (method, n_evaluations, err) == ("closed", 0, "")

    def test_quadrature(self, path, capsys):
        energy = eb.DoubleWell(2, barrier=3.0)
        energy.save(path)
        found = printed(capsys, ["logz", path])
        z = eb.log_partition(energy)
        assert found[0] == pytest.approx(z.value, rel=1e-11)
        assert found[1] == pytest.approx(z.error, rel=0.06)  # two digits are printed
        assert found[2:] == ("quadrature", z.n_evaluations, "")
        assert z.n_evaluations > 0

    def test_a_training_and_its_energy_have_one_log_z(self, path, capsys):
        energy = eb.Gaussian([2.0], [[0.3]])
        found = []
        for saved in (energy, Fit(energy, {}, None, 0, False, {}, {"columns": ["a"], "threshold": 2.0})):
            saved.save(path)
            found.append(printed(capsys, ["logz", path]))
        assert found[0] == found[1]
        assert found[0][0] == pytest.approx(0.5 * math.log(2.0 * math.pi * 0.3))

    @pytest.mark.parametrize("power", [3.0, 7.5])
    def test_an_energy_of_ones_own_with_the_files_parameters(self, power, own, capsys):
        value, error, method, _, err = printed(capsys, own("gamma", power=power))
        assert abs(value - gammaln(power)) <= error + 1e-11
        assert error < 1e-7
        assert (method, err) == ("quadrature", "")

    def test_an_error_larger_than_wanted_is_said(self, own, capsys):
        value, error, _, _, err = printed(capsys, own("cliff"))
        assert re.fullmatch(r"warning: log Z of cliff is known to .*; raise rtol.*\n", err)
        assert error > 1e-8
        assert math.log(2.0 * math.pi) - 3.0 < value < math.log(2.0 * math.pi)


class TestRefusals:
    def test_no_finite_z(self, own, capsys):
        refused(capsys, own("cauchy_root"), "cauchy_root", "integral")

    def test_an_energy_of_nan(self, own, capsys):
        refused(capsys, own("lame"), "lame", "nan")

    def test_more_dimensions_than_quadrature_has(self, path, capsys):
        eb.DoubleWell(4).save(path)
        refused(capsys, ["logz", str(path)], "dim=4", "dim=3")

    def test_an_energy_that_is_missing_or_another(self, own, path, capsys):
        words = own("gamma")
        refused(capsys, words[:2], "your own energy 'gamma'")
        refused(capsys, [*words[:3], "densities_of_mine:lame"], "model.npz", "another energy", "'lame'")
        refused(capsys, [*words[:3], "densities_of_mine:beta"], "no energy named 'beta'", "gamma, cauchy_root, lame")
        refused(capsys, [*words[:3], "densities_of_mine"], "MODULE:NAME")
        refused(capsys, [*words[:3], "densities_of_none:gamma"], "no module 'densities_of_none'")

    def test_what_is_no_model(self, path, tmp_path, capsys):
        eb.Gaussian([0.0]).save(path)
        content = path.read_bytes()
        (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
        (tmp_path / "altered.npz").write_bytes(content.replace(b'"version": 1', b'"version": 2'))
        (tmp_path / "table.csv").write_text("a,b\n1,2\n")
        eb.sample(eb.load(path), n_chains=2, n_draws=2, n_warmup=50, progress=False, rng=0).save(tmp_path / "run.npz")
        for name, part in (
            ("none.npz", "cannot be read"), ("", "cannot be read"), ("cut.npz", "damaged"), ("altered.npz", "altered"),
            ("table.csv", "not a file that fastebm saved"), ("run.npz", "holds draws, not a model"),
        ):
            refused(capsys, ["logz", str(tmp_path / name)], str(tmp_path / name), part)

    @pytest.mark.parametrize(("words", "fault"), [
        ([], "required: MODEL"), (["a.npz", "b.npz"], "unrecognized arguments: b.npz"),
        (["a.npz", "--seed", "1"], "unrecognized arguments: --seed 1"),
    ], ids=["none", "two", "seed"])
    def test_it_takes_one_model(self, words, fault, capsys):
        with pytest.raises(SystemExit) as left:
            main(["logz", *words])
        assert left.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines()[-1].endswith(fault)
