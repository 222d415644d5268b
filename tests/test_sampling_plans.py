"""Plans: arguments that are checked before anything runs, and paths at which nothing is lost."""

import os
import warnings

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.files import FileWriteError
from fastebm.sampling.plans import clamped, planned
from fastebm.sampling.session import Session

E = eb.GaussianMixture([[0.0, 0.0], [3.0, 3.0]], 0.7)
FAST = {"n_chains": 5, "n_draws": 10, "n_warmup": 0, "rng": 3, "progress": False}
WALK = eb.RandomWalk(0.5)


def plan(**changes):
    options = {
        "n_chains": 3, "n_draws": 4, "n_warmup": 5, "thin": 1, "init": None, "seed": 1, "clamp": None, "keep": "draws",
        "until": None, "checkpoint": None, "every": 3.0,
    }
    return planned(E, **(options | changes))


@pytest.mark.parametrize("path", [None, True, 0, 1.5, b"draws.npy", ["draws.npy"], "", "a\0b", np.zeros(2)], ids=repr)
def test_paths_are_text(path, tmp_path, monkeypatch):
    """A word of a number would be a file of that name; an open file's number would be read."""
    monkeypatch.chdir(tmp_path)
    refused(lambda: plan(keep=path), "keep is", "draws.npy", kind=TypeError)
    if path is not None:
        refused(lambda: plan(checkpoint=path), "checkpoint is", "run.npz", kind=TypeError)
    refused(lambda: eb.resume(path), "path is", "run.npz", kind=TypeError)
    assert os.listdir() == []


def test_a_word_that_is_misspelt_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(lambda: plan(keep="moment"), "keep is 'moment'", "'moments'")
    assert plan(keep="draws.npy").keep == str(tmp_path / "draws.npy")
    assert plan(keep=tmp_path / "moment").keep == str(tmp_path / "moment")
    assert os.listdir() == []


@pytest.mark.parametrize("name", ["run.npz", "run.npz.draws", "run.npz.previous", "link.npy"])
def test_draws_and_checkpoint_are_different_files(name, tmp_path):
    (tmp_path / "link.npy").symlink_to(tmp_path / "run.npz")
    refused(lambda: plan(keep=tmp_path / name, checkpoint=tmp_path / "run.npz"), "another path")


class TestACheckpointReplaces:
    def test_nothing_that_is_none(self, tmp_path):
        path = tmp_path / "thesis.npz"
        for content in (b"the only copy", b"PK\x03\x04 of something else"):
            path.write_bytes(content)
            refused(lambda: eb.sample(E, WALK, **FAST, checkpoint=path), "no whole checkpoint", kind=FileWriteError)
            assert path.read_bytes() == content
        E.save(path)
        refused(lambda: eb.sample(E, WALK, **FAST, checkpoint=path), "no whole checkpoint", kind=FileWriteError)
        assert eb.load(path).dim == 2

    def test_no_run_that_could_go_on(self, tmp_path, monkeypatch):
        path = tmp_path / "run.npz"
        monkeypatch.setattr(Session, "run", lambda self, after_block: None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", eb.FastebmWarning)
            eb.sample(E, WALK, **FAST, checkpoint=path)
        monkeypatch.undo()
        refused(lambda: eb.sample(E, WALK, **FAST, checkpoint=path), f"eb.resume({str(path)!r})", kind=FileWriteError)
        assert same(eb.resume(path).draws, eb.sample(E, WALK, **FAST).draws)

    def test_a_run_that_is_over_and_an_empty_file(self, tmp_path):
        path = tmp_path / "run.npz"
        path.touch()
        eb.sample(E, WALK, **FAST, checkpoint=path)
        other = eb.sample(E, WALK, **(FAST | {"rng": 4}), checkpoint=path)
        assert same(eb.resume(path).draws, other.draws)


def test_more_transitions_than_can_be_counted():
    refused(lambda: plan(thin=2 * 10**18), "thin 2000000000000000000", "at most")
    refused(lambda: plan(thin=10**30, keep="last"), "at most")
    assert plan(thin=10**18, n_draws=1).thin == 10**18


def test_values_beside_the_mask_do_not_matter():
    assert clamped(E, ([True, False], [1.0, np.nan])) == {0: 1.0}
    assert clamped(E, ([False, False], [1.0, np.nan])) == {}
    assert clamped(E, {np.int64(1): np.float32(0.5)}) == {1: 0.5}
    refused(lambda: clamped(E, ([True, False], [np.nan, 0.0])), "clamp[0] is nan", "finite")
    refused(lambda: clamped(E, {True: 0.5}), "coordinate True")
