"""A run: what it says about itself, its summary, and its file."""

import dataclasses
import functools
import math
import sys

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm import Run, files


@functools.cache  # not at import, which every worker of the tests does and would compile for
def a_run():
    return eb.sample(eb.Gaussian([0.0, 3.0]), eb.RandomWalk(1.5), n_chains=6, n_draws=80, n_warmup=20, rng=11)


def cut(run, chains=slice(None), draws=slice(None), **fields):
    return dataclasses.replace(run, draws=run.draws[chains, draws], energy=run.energy[chains, draws], **fields)


def restored(run, path):
    run.save(path)
    _, header, arrays = files.read(path, ("run",))
    return Run.restore(header, arrays)


class TestFile:
    @pytest.mark.parametrize("make", [
        a_run, lambda: eb.sample(eb.Gaussian([0.0]), n_chains=3, n_draws=5, n_warmup=60, rng=2**63),
        lambda: eb.sample(
            eb.Gaussian([0.0, 0.0]), eb.RandomWalk([1.0, 0.5]), n_chains=3, n_draws=5, n_warmup=0, rng=3
        ),
        lambda: cut(a_run(), draws=slice(0), interrupted=True),
    ], ids=["one step", "tuned", "steps", "interrupted"])
    def test_everything_comes_back(self, make, tmp_path):
        before = make()
        twin = restored(before, tmp_path / "run.npz")
        for field in dataclasses.fields(Run):
            mine, other = getattr(before, field.name), getattr(twin, field.name)
            assert type(other) is type(mine)
            assert same(mine, other) if isinstance(mine, np.ndarray) else mine == other
        assert repr(twin) == repr(before)


class TestSummary:
    def test_a_row_for_each_coordinate_and_for_the_energy(self):
        table = a_run().summary()
        assert list(table.index) == ["x[0]", "x[1]", "energy"]
        assert {"mean", "sd", "ess_bulk", "ess_tail", "r_hat", "mcse_mean", "stuck_chains"} <= set(table.columns)
        np.testing.assert_allclose(table["mean"], [*a_run().draws.mean(axis=(0, 1)), a_run().energy.mean()], atol=0.006)
        assert (table["stuck_chains"] == 0).all()

    def test_stuck_chains_are_counted(self):
        """Common diagnostics give a chain that never moved a full effective sample size."""
        draws, rates = a_run().draws.copy(), a_run().acceptance_rate.copy()
        draws[[1, 4]], rates[[1, 4]] = 0.0, 0.0
        table = dataclasses.replace(a_run(), draws=draws, acceptance_rate=rates).summary()
        assert (table["stuck_chains"] == 2).all()

    def test_constants_and_single_chains_have_no_r_hat(self):
        frozen = dataclasses.replace(a_run(), draws=np.zeros_like(a_run().draws), energy=np.zeros_like(a_run().energy))
        assert frozen.summary()["r_hat"].isna().all()
        one = cut(a_run(), chains=slice(1), acceptance_rate=np.array([0.5]))
        assert math.isfinite(one.summary()["ess_bulk"].iloc[0])

    def test_a_few_draws_are_too_few(self):
        short = cut(a_run(), draws=slice(3))
        refused(short.summary, "3 draws a chain", "at least 4")

    def test_without_arviz_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "arviz_stats", None)
        with pytest.raises(ImportError, match=r'pip install "fastebm\[diagnostics\]"'):
            a_run().summary()


class TestDataTree:
    def test_what_arviz_looks_for(self):
        tree = a_run().to_datatree()
        assert same(tree["posterior"]["x[1]"].values, a_run().draws[:, :, 1])
        statistics = tree["sample_stats"]
        assert same(statistics["energy"].values, a_run().energy)
        assert statistics["energy"].dims == ("chain", "draw")
        assert same(statistics["acceptance_rate"].values, a_run().acceptance_rate)
        assert statistics["acceptance_rate"].dims == ("chain",)
        assert statistics.attrs["step_size"] == 1.5
        assert statistics.attrs["seed"] == "11"
        assert statistics.attrs["thin"] == 1

    @pytest.mark.parametrize("changes", [
        {"step_size": np.array([1.0, 2.0]), "path_length": 2.5, "converged": True}, {"scale": np.eye(2)},
        {"seed": 2**100, "interrupted": True},
    ], ids=str)
    def test_attributes_are_what_files_can_hold(self, changes):
        for value in dataclasses.replace(a_run(), **changes).to_datatree()["sample_stats"].attrs.values():
            assert isinstance(value, str | int | float) or value.ndim == 1
            assert not isinstance(value, bool)


def test_it_says_what_it_is():
    assert repr(a_run()).startswith("Run(n_chains=6, n_draws=80, dim=2, acceptance_rate=0.")
    assert repr(a_run()).endswith("step_size=1.5, seed=11)")
    assert "Gaussian" not in repr(a_run())


def test_runs_are_compared_by_identity_and_not_changed():
    assert dataclasses.replace(a_run()) != a_run()
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_run().seed = 5
