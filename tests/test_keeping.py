"""What becomes of draws: in memory, in a file, or only the last."""

import os
import resource

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.files import FileWriteError
from fastebm.sampling import keeping

E = eb.GaussianMixture([[0.0, 0.0], [3.0, 3.0]], 0.7)
OPTIONS = {"n_chains": 9, "n_draws": 30, "n_warmup": 50, "rng": 3}


@pytest.fixture(scope="module")
def whole():
    """The same run, all of it in memory."""
    return eb.sample(E, **OPTIONS)


def test_the_last_draw(whole):
    run = eb.sample(E, **OPTIONS, keep="last")
    assert same(run.draws, whole.draws[:, -1:])
    assert same(run.energy, whole.energy[:, -1:])
    assert same(run.acceptance_rate, whole.acceptance_rate)


def test_a_file_as_they_come(whole, tmp_path):
    path = tmp_path / "draws.npy"
    run = eb.sample(E, **OPTIONS, keep=path)
    assert same(np.array(run.draws), whole.draws)
    assert same(np.load(path), whole.draws)
    assert same(run.energy, whole.energy)


@pytest.mark.parametrize("keep", ["draws", "last"])
def test_clamped_coordinates_are_between_the_others(keep):
    run = eb.sample(E, **OPTIONS, keep=keep, clamp={0: 1.25})
    assert (run.draws[:, :, 0] == 1.25).all()
    assert np.ptp(run.draws[:, :, 1]) > 0.0
    assert same(run.energy.ravel(), E.energy(run.draws.reshape(-1, 2)))
    masked = eb.sample(E, **OPTIONS, keep=keep, clamp=([True, False], [1.25, 99.0]))
    assert same(masked.draws, run.draws)


def test_clamped_starts_have_all_coordinates():
    with pytest.warns(eb.FastebmWarning, match="above 90 %"):
        run = eb.sample(E, eb.RandomWalk(1e-9), **OPTIONS, clamp={0: 1.25}, init=[7.0, 2.0])
    np.testing.assert_allclose(run.draws[:, :, 1], 2.0, atol=1e-6)


def test_the_conditional_law():
    """x1 given x0 of a normal law: mean and variance in closed form, within 6 standard errors of independent draws."""
    law = eb.Gaussian([1.0, -1.0], [[2.0, 0.9], [0.9, 1.0]])
    run = eb.sample(law, n_chains=4000, n_draws=1, n_warmup=500, thin=100, rng=7, clamp={0: 2.5})
    mean, variance = -1.0 + 0.45 * 1.5, 1.0 - 0.405
    found = run.draws[:, 0, 1]
    assert abs(found.mean() - mean) < 6.0 * np.sqrt(variance / 4000)
    assert abs(found.var() - variance) < 6.0 * variance * np.sqrt(2.0 / 4000)


@pytest.mark.parametrize(("clamp", "kind", "words"), [
    ({2: 0.0}, ValueError, "coordinate 2"), ({-1: 0.0}, ValueError, "coordinate -1"),
    ({0: 0.0, 1: 0.0}, ValueError, "clamps all 2"), ({0: np.nan}, ValueError, "finite"),
    ([0], TypeError, "pass a dict"), (([True], [0.0]), ValueError, "mask"),
    (([True, False], [0.0]), ValueError, "values of shape"), (([1, 0], [0.0, 0.0]), ValueError, "mask of dtype int"),
])
def test_clamps_that_are_refused(clamp, kind, words):
    refused(lambda: eb.sample(E, clamp=clamp), words, kind=kind)


def test_a_path_that_cannot_be_written(tmp_path):
    refused(lambda: eb.sample(E, keep=tmp_path), "it is a folder", kind=FileWriteError)
    refused(lambda: eb.sample(E, keep=tmp_path / "no" / "draws.npy"), "does not exist", kind=FileWriteError)


def test_a_disk_without_room_is_an_error_before_the_first_draw(tmp_path):
    """And no signal in mid-run, which memory-mapped files are answered with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "draws.npy"
    child = os.fork()
    if child == 0:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            keeping.Keeping(str(path), 100, 1000, 3, {})
        except FileWriteError as fault:
            os._exit(0 if "cannot be written" in str(fault) and not path.exists() else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == soft


def test_more_than_the_memory_is_refused():
    refused(lambda: eb.sample(E, n_chains=10**6, n_draws=10**6), "GB", "keep='moments'", kind=MemoryError)
