"""Pictures: the axes come back with what was asked for in them, and a file can be made of them without a screen."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from messages import refused
from training_stubs import Scripted

import fastebm as eb
from fastebm.plots.axes import axes

mpl.use("Agg")

PLANE = eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.5)
POINTS = np.random.default_rng(0).normal(1.0, 1.0, (80, 2))


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture(autouse=True)
def _closed():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def drawn(ax, folder):
    """The picture can be drawn and is not empty."""
    path = folder / "picture.png"
    ax.figure.savefig(path)
    assert path.stat().st_size > 2000
    assert ax.has_data()
    return ax


class TestAxes:
    def test_given_ones_are_taken(self, ax):
        assert axes(ax) is ax

    def test_new_ones(self):
        first, second = axes(None), axes(None)
        assert first.figure is not second.figure

    def test_without_matplotlib(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        refused(lambda: axes(None), 'pip install "fastebm[plots]"', kind=ImportError)


class TestDensity:
    def test_a_plane(self, ax, tmp_path):
        assert eb.plots.density(PLANE, POINTS, ax=ax) is ax
        drawn(ax, tmp_path)
        assert np.array_equal(ax.lines[0].get_xydata(), POINTS)
        assert len(ax.figure.axes) == 2  # the scale of the density
        low, high = ax.get_xlim()
        assert low < POINTS[:, 0].min() < POINTS[:, 0].max() < high

    def test_a_line_is_a_density(self, tmp_path):
        ax = drawn(eb.plots.density(eb.DoubleWell(tilt=0.3), np.array([[-5.0], [0.1], [5.0]])), tmp_path)
        x, p = ax.lines[0].get_xydata().T
        assert np.trapezoid(p, x) == pytest.approx(1.0, abs=1e-3)
        assert np.trapezoid(p, x) != pytest.approx(0.9, abs=1e-3)
        assert {text.get_text() for text in ax.get_legend().get_texts()} == {"model", "data"}

    def test_walls(self, tmp_path):
        box = eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0])
        x, p = drawn(eb.plots.density(box, [[0.1], [0.9]]), tmp_path).lines[0].get_xydata().T
        assert (p[x < 0.0] == 0.0).all()
        assert (p[(x >= 0.0) & (x <= 1.0)] > 0.5).all()

    @pytest.mark.parametrize("energy", [eb.DoubleWell(), PLANE], ids=repr)
    def test_without_data_the_limits_are_the_models(self, energy, tmp_path):
        low, high = drawn(eb.plots.density(energy), tmp_path).get_xlim()
        assert low < 0.0
        assert 1.0 < high < 20.0

    def test_wrong_arguments(self):
        refused(lambda: eb.plots.density(eb.Gaussian(np.zeros(3))), "dim=3")
        refused(lambda: eb.plots.density(PLANE, [[np.nan, 0.0]]), "data[0, 0]")
        refused(lambda: eb.plots.density("model"), "energy", kind=TypeError)
        flat = eb.energy(1)(lambda x: 0.0 * x[0])
        refused(lambda: eb.plots.density(flat, [[0.0], [1.0]]), "finite", kind=eb.NotNormalisableError)


class TestTraining:
    def test_with_the_held_out_likelihood(self, ax, tmp_path):
        fit = eb.fit(PLANE, POINTS, n_steps=70, validation=POINTS[:9])
        assert eb.plots.training(fit, ax=ax) is drawn(ax, tmp_path)
        assert np.array_equal(ax.lines[0].get_ydata(), fit.history["log_likelihood"])
        left, right = ax.figure.axes
        assert left is ax
        steps, gaps = right.lines[0].get_xydata().T
        assert steps.tolist() == list(range(49, 70))
        for step, gap in zip(steps.astype(int), gaps, strict=True):
            assert gap == pytest.approx(fit.history["energy_gap"][step - 49 : step + 1].mean())

    @pytest.mark.parametrize("n_steps", [1, 3, 60])
    def test_without_it(self, n_steps, tmp_path):
        fit = eb.fit(eb.Gaussian([0.0, 0.0]), POINTS, Scripted(), optimizer=eb.SGD(1e-9), n_steps=n_steps)
        assert len(drawn(eb.plots.training(fit), tmp_path).figure.axes) == 1

    def test_a_training_that_made_no_step(self, tmp_path):
        with pytest.warns(eb.FastebmWarning, match="not finite"):
            fit = eb.fit(PLANE, POINTS, Scripted(gradients={0: np.nan}), n_steps=5)
        assert len(fit.history["energy_gap"]) == 0
        drawn(eb.plots.training(fit), tmp_path)


class TestScores:
    def test_two_groups_and_a_threshold(self, ax, tmp_path):
        normal, odd = np.arange(100.0), np.arange(50.0, 150.0)
        assert eb.plots.scores(normal, odd, threshold=95.0, ax=ax) is drawn(ax, tmp_path)
        words = [text.get_text() for text in ax.get_legend().get_texts()]
        assert words == ["normal", "anomalous", "threshold"]
        for container in ax.containers:
            assert sum(bar.get_height() * bar.get_width() for bar in container) == pytest.approx(1.0)
        assert ax.lines[0].get_xdata()[0] == 95.0

    @pytest.mark.parametrize(("normal", "odd", "threshold"), [
        ([1.0], [1.0], None),
        ([1.0, 2.0], [np.inf, np.inf, 3.0], np.inf),
        (np.zeros(5), [1e300], 0.0),
    ], ids=["one value", "infinite", "far"])
    def test_odd_scores(self, normal, odd, threshold, tmp_path):
        drawn(eb.plots.scores(normal, odd, threshold=threshold), tmp_path)

    def test_wrong_scores(self):
        refused(lambda: eb.plots.scores([], [1.0]), "normal is empty")
        refused(lambda: eb.plots.scores([1.0], [2.0, np.nan]), "anomalous", "nan", "[1]")
        refused(lambda: eb.plots.scores([np.inf], [np.inf]), "finite")
        refused(lambda: eb.plots.scores(["a"], [1.0]), "normal", kind=TypeError)
