"""What becomes of draws: in memory, in a file, or only the last."""

import os
import resource

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.files import FileFormatError, FileWriteError
from fastebm.sampling import keeping
from fastebm.sampling.interrupts import Interrupts

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


def stopped(n_blocks, **options):
    """A run of blocks of one transition that is stopped, as by Ctrl-C."""
    left = iter(range(n_blocks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastebm.sampling.chains._BLOCK_SECONDS", 1e-9)
        patch.setattr(Interrupts, "requested", property(
            lambda self: next(left, None) is None, lambda self, value: None
        ), raising=False)
        with pytest.warns(eb.FastebmWarning, match="interrupted"):
            return eb.sample(E, **OPTIONS, **options)


@pytest.mark.parametrize("n_blocks", [10, 50, 57, 78])
@pytest.mark.parametrize("clamp", [None, {1: 0.5}], ids=repr)
def test_the_file_of_an_interrupted_run_holds_its_draws(tmp_path, n_blocks, clamp):
    path = tmp_path / "draws.npy"
    run = stopped(n_blocks, keep=path, clamp=clamp, checkpoint=tmp_path / "run.npz")
    n = run.draws.shape[1]
    assert n == max(0, n_blocks + 1 - 50)
    wanted = eb.sample(E, **OPTIONS, clamp=clamp)
    assert same(np.array(run.draws), wanted.draws[:, :n])
    assert same(np.load(path), wanted.draws[:, :n])
    whole = eb.resume(tmp_path / "run.npz", progress=False)
    assert same(np.array(whole.draws), wanted.draws)
    assert same(np.load(path), wanted.draws)


def test_the_file_of_a_run_that_converged_holds_its_draws(tmp_path):
    path = tmp_path / "draws.npy"
    options = {"n_chains": 16, "n_draws": 5000, "rng": 3, "until": eb.Converged(1.2, 100)}
    run = eb.sample(eb.Gaussian([0.0]), **options, keep=path, checkpoint=tmp_path / "run.npz")
    assert run.draws.shape[1] < 5000
    assert same(np.load(path), np.array(run.draws))
    before = path.read_bytes()
    assert same(np.array(eb.resume(tmp_path / "run.npz").draws), np.array(run.draws))
    assert path.read_bytes() == before


def test_what_has_not_come_is_nan(tmp_path):
    path = tmp_path / "draws.npy"
    one = keeping.Keeping(str(path), 3, 100_000, 2, {1: 0.5})
    seen = np.load(path, mmap_mode="r")
    assert seen.shape == (3, 100_000, 2)
    assert np.isnan(seen[:, :, 0]).all()
    assert (seen[:, :, 1] == 0.5).all()
    one.draws[2, 5, 0] = 7.0
    assert seen[2, 5, 0] == 7.0, "it is to be read while the run goes on"


def test_another_file_at_the_path_is_not_gone_on_with(tmp_path):
    """Draws of another shape would be written beyond the end of memory."""
    path, checkpoint = tmp_path / "draws.npy", tmp_path / "run.npz"
    stopped(60, keep=path, checkpoint=checkpoint)
    for other in (np.zeros((2, 2)), np.zeros((9, 31, 2)), np.zeros((9, 30, 2), dtype=np.float32), np.zeros((9, 2, 1))):
        np.save(path, other)
        refused(lambda: eb.resume(checkpoint), "draws.npy", "move it away", kind=FileFormatError)
        assert same(np.load(path), other)
    path.write_bytes(b"nothing")
    refused(lambda: eb.resume(checkpoint), "draws.npy", "move it away", kind=FileFormatError)
    path.unlink()
    assert same(np.array(eb.resume(checkpoint, progress=False).draws), eb.sample(E, **OPTIONS).draws)
    assert same(np.load(path), eb.sample(E, **OPTIONS).draws)


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
