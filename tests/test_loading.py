"""What is saved comes back bit for bit, and nothing else comes back instead."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm import files
from fastebm.files import FileFormatError

DATA = np.random.default_rng(3).normal(0.5, 0.2, (60, 1))


@eb.energy(dim=1, theta={"k": 1.0, "W": [[0.1, 0.2], [0.3, 0.4]]}, domain=[(-1.0, math.inf)])
def own(x, theta):
    return theta.k * x[0] ** 2 + theta.W[0, 1] * x[0]


MODELS = {
    "Gaussian": eb.Gaussian([1.0, 2.0], [[2.0, 0.3], [0.3, 1.0]]),
    "diagonal": eb.Gaussian([1.0, 2.0], [0.1, 0.7]),
    "GaussianMixture": eb.GaussianMixture([[0.0], [1.0]], 0.3, [0.2, 0.7]),
    "DoubleWell": eb.DoubleWell(3, barrier=1.1, location=0.7, tilt=-0.1),
    "MLP": eb.MLP(2, (5, 4), center=[0.1, 0.2], scale=[3.0, 1e-7], rng=2**64 + 5),
    "tempered": 0.1 * eb.DoubleWell(),
    "sum": eb.DoubleWell() + eb.DoubleWell(tilt=0.3),
    "own": own,
    "own, in a sum": 0.1 * (own + eb.DoubleWell()),
}


def passed(name):
    """The energy that has to be passed in to read a model."""
    return MODELS[name] if name.startswith("own") else None


def assert_same_fit(got, wanted):
    assert got.energy.theta.tobytes() == wanted.energy.theta.tobytes()
    assert got.energy.describe() == wanted.energy.describe()
    assert list(got.history) == list(wanted.history)
    for key, values in wanted.history.items():
        assert got.history[key].tobytes() == values.tobytes()
    assert (got.particles is None) == (wanted.particles is None)
    if wanted.particles is not None:
        assert got.particles.tobytes() == wanted.particles.tobytes()
    assert (got.seed, got.interrupted, got.timings, got.settings) == (
        wanted.seed, wanted.interrupted, wanted.timings, wanted.settings
    )


class TestRoundTrip:
    @pytest.mark.parametrize("name", MODELS)
    def test_energies(self, name, tmp_path):
        energy = MODELS[name]
        moved = energy.with_theta(energy.theta + 1.0 / 3.0)
        moved.save(tmp_path / "model.npz")
        again = eb.load(tmp_path / "model.npz", energy=passed(name))
        assert again.theta.tobytes() == moved.theta.tobytes()
        assert again.packed.tobytes() == moved.packed.tobytes()
        assert again.shapes == moved.shapes
        X = np.random.default_rng(0).normal(size=(9, energy.dim))
        assert again.energy(X).tobytes() == moved.energy(X).tobytes()
        assert (again.domain is None) == (moved.domain is None)

    @given(theta=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
    def test_any_theta(self, theta, tmp_path_factory):
        path = tmp_path_factory.getbasetemp() / "any.npz"
        eb.DoubleWell().with_theta(theta).save(path)
        assert eb.load(path).theta.tobytes() == np.array(theta).tobytes()

    @pytest.mark.parametrize("objective", [eb.PersistentCD(1, 7), eb.ContrastiveDivergence(1), eb.MaximumLikelihood()])
    @pytest.mark.parametrize("name", ["GaussianMixture", "own"])
    def test_fits(self, name, objective, tmp_path):
        fit = eb.fit(MODELS[name], DATA, objective, n_steps=4, validation=DATA[:5])
        fit.save(tmp_path / "fit.npz")
        assert_same_fit(eb.load(tmp_path / "fit.npz", energy=passed(name)), fit)

    def test_a_fit_of_a_model_that_is_built_in_needs_no_energy(self, tmp_path):
        """Also where the training began elsewhere than its settings say."""
        start = MODELS["MLP"].with_theta(np.linspace(-1.0, 1.0, MODELS["MLP"].n_params))
        fit = eb.fit(start, np.ones((5, 2)), n_steps=2)
        fit.save(tmp_path / "fit.npz")
        assert_same_fit(eb.load(tmp_path / "fit.npz"), fit)

    def test_runs(self, tmp_path):
        run = eb.sample(MODELS["DoubleWell"], n_chains=4, n_draws=30, n_warmup=100)
        run.save(tmp_path / "run.npz")
        again = eb.load(tmp_path / "run.npz")
        for name in ("draws", "energy", "acceptance_rate", "scale"):
            assert getattr(again, name).tobytes() == getattr(run, name).tobytes()
        assert (again.step_size, again.seed, again.interrupted) == (run.step_size, run.seed, run.interrupted)
        assert (again.timings, again.settings) == (run.timings, run.settings)

    def test_a_loaded_energy_is_as_good_as_the_first(self, tmp_path):
        energy = MODELS["sum"]
        energy.save(tmp_path / "model.npz")
        fits = [eb.fit(one, DATA, n_steps=3, rng=1) for one in (energy, eb.load(tmp_path / "model.npz"))]
        assert fits[0].energy.theta.tobytes() == fits[1].energy.theta.tobytes()


class TestRefusals:
    @pytest.fixture
    def own_file(self, tmp_path):
        own.save(tmp_path / "own.npz")
        return tmp_path / "own.npz"

    def test_a_users_energy_is_needed(self, own_file):
        message = refused(lambda: eb.load(own_file), "own.npz", "your own energy 'own'")
        assert "energy=own" in message

    @pytest.mark.parametrize("wrong", [
        eb.energy(1, {"k": 1.0, "W": np.zeros((2, 2))}, domain=[(-1.0, math.inf)])(lambda x, theta: x[0] ** 2),
        eb.energy(1, {"k": 1.0, "W": np.zeros((2, 2))}, domain=[(-2.0, math.inf)])(
            lambda x, theta: theta.k * x[0] ** 2 + theta.W[0, 1] * x[0]
        ),
        eb.DoubleWell(),
    ], ids=["source", "walls", "catalogue"])
    def test_another_energy(self, own_file, wrong):
        refused(lambda: eb.load(own_file, energy=wrong), "own.npz", "another energy")

    def test_the_same_energy_with_its_parameters_in_another_order(self, tmp_path):
        def line(x, theta):
            return theta.a * x[0] ** 2 + theta.b * x[0]

        first, other = (eb.energy(1, dict.fromkeys(names, 1.0))(line) for names in ("ab", "ba"))
        assert first.describe() == other.describe()
        first.save(tmp_path / "model.npz")
        assert eb.load(tmp_path / "model.npz", energy=first).shapes == first.shapes
        refused(lambda: eb.load(tmp_path / "model.npz", energy=other), "a, b", "b, a")

    def test_files_cut_short(self, tmp_path):
        fit = eb.fit(MODELS["DoubleWell"], np.ones((4, 3)), n_steps=1)
        fit.save(tmp_path / "fit.npz")
        whole = (tmp_path / "fit.npz").read_bytes()
        for length in (0, 10, len(whole) // 2, len(whole) - 1):
            (tmp_path / "fit.npz").write_bytes(whole[:length])
            refused(lambda: eb.load(tmp_path / "fit.npz"), "fit.npz", kind=FileFormatError)

    def test_a_newer_version(self, own_file, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(files, "_VERSION", files._VERSION + 1)
            own.save(own_file)
        refused(lambda: eb.load(own_file, energy=own), "version 2", "upgrade", kind=FileFormatError)

    def test_an_energy_of_a_newer_version(self, tmp_path):
        files.write(tmp_path / "a.npz", "energy", {"energy": {"type": "Torus"}, "shapes": {}}, {"theta": np.ones(2)})
        refused(lambda: eb.load(tmp_path / "a.npz"), "'Torus'", "upgrade")

    def test_other_files(self, tmp_path):
        files.write(tmp_path / "a.npz", "table", {}, {})
        refused(lambda: eb.load(tmp_path / "a.npz"), "holds a saved table", kind=FileFormatError)
        np.savez(tmp_path / "b.npz", theta=np.ones(2))
        refused(lambda: eb.load(tmp_path / "b.npz"), "not a file that fastebm saved", kind=FileFormatError)
        refused(lambda: eb.load(tmp_path / "none.npz"), "none.npz", "check the path", kind=FileNotFoundError)

    def test_an_unwritable_place(self, tmp_path):
        fit = eb.fit(MODELS["DoubleWell"], np.ones((4, 3)), n_steps=1)
        for saved in (fit, fit.energy):
            refused(lambda saved=saved: saved.save(tmp_path / "no" / "fit.npz"), "cannot be written", kind=OSError)
