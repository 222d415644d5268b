"""Checkpoints: whatever stops a run, `resume` brings it to the same bits."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb
from fastebm.files import FileFormatError, FileWriteError
from fastebm.sampling import checkpoints, plans
from fastebm.sampling.interrupts import Interrupts
from fastebm.sampling.session import Session
from fastebm.sampling.side_files import SideFile

CALLS = importlib.import_module("fastebm.sampling.sample")  # whose name the function has, too
E = eb.GaussianMixture([[0.0, 0.0], [3.0, 3.0]], 0.7)
SPINS = eb.energy(3, {"field": 0.3}, values=(-1, 1))(lambda x, theta: 0.5 * x[0] * x[1] - theta.field * x[2])
OPTIONS = {"n_chains": 7, "n_draws": 40, "n_warmup": 60, "rng": 3, "progress": False}
CASES = {
    "walk": (E, eb.RandomWalk(), {}), "given step": (E, eb.MALA(0.3), {"thin": 3}),
    "trajectories": (E, eb.HMC(n_leapfrog=None, metric="dense"), {}), "clamped": (E, eb.Barker(), {"clamp": {1: 0.5}}),
    "moments": (E, eb.RandomWalk(), {"keep": "moments"}), "last": (E, eb.RandomWalk(), {"keep": "last"}),
    "spins": (SPINS, eb.Gibbs(), {}), "superchains": (E, eb.HMC(), {"n_chains": 8, "init": eb.Superchains(2)}),
    "until": (E, eb.HMC(), {"until": eb.Converged(1.2, 100), "n_draws": 300}),
}


def compared(run, wanted):
    for name in ("draws", "energy", "acceptance_rate", "scale", "step_size", "path_length", "converged", "seed"):
        assert np.array_equal(getattr(run, name), getattr(wanted, name)), name
    if wanted.moments is not None:
        assert all(same(np.asarray(a), np.asarray(b)) for a, b in zip(
            vars(run.moments).values(), vars(wanted.moments).values(), strict=True
        ))
    assert run.interrupted is wanted.interrupted


class Stopping(Interrupts):
    """Asks for a stop at the n-th look."""

    left = 0

    @property
    def requested(self):
        type(self).left -= 1
        return type(self).left < 0

    @requested.setter
    def requested(self, value):
        pass


@pytest.fixture
def blocks(monkeypatch):
    """Blocks of a few transitions, so that a run has many places to stop at."""
    monkeypatch.setattr("fastebm.sampling.chains._BLOCK_SECONDS", 1e-9)


@pytest.mark.parametrize("name", CASES)
@given(st.integers(0, 140), st.integers(0, 140))
@settings(max_examples=6)
def test_a_run_that_is_stopped_twice_goes_on_to_the_same_bits(tmp_path_factory, name, first, second):
    target, kernel, options = CASES[name]
    wanted = eb.sample(target, kernel, **(OPTIONS | options))
    path = tmp_path_factory.mktemp("run") / "checkpoint.npz"
    energy = target if target is SPINS else None
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", eb.FastebmWarning)
        patch.setattr("fastebm.sampling.chains._BLOCK_SECONDS", 1e-9)
        patch.setattr(CALLS, "Interrupts", Stopping)
        Stopping.left = first
        eb.sample(target, kernel, **(OPTIONS | options), checkpoint=path, every=1e-9)
        Stopping.left = second
        eb.resume(path, energy, progress=False)
        Stopping.left = 10**9
        run = eb.resume(path, energy, progress=False)
        again = eb.resume(path, energy, progress=False)
    compared(run, wanted)
    compared(again, wanted)


def test_draws_in_a_file_go_on_in_it(tmp_path, blocks, monkeypatch):
    wanted = eb.sample(E, **OPTIONS)
    monkeypatch.setattr(CALLS, "Interrupts", Stopping)
    Stopping.left = 80
    options = {"keep": tmp_path / "draws.npy", "checkpoint": tmp_path / "run.npz", "every": 1e-9}
    with pytest.warns(eb.FastebmWarning, match="interrupted"):
        eb.sample(E, **OPTIONS, **options)
    Stopping.left = 10**9
    run = eb.resume(tmp_path / "run.npz", progress=False)
    assert same(np.array(run.draws), wanted.draws)
    assert same(np.load(tmp_path / "draws.npy"), wanted.draws)


_SCRIPT = """
import sys, time
import fastebm as eb
E = eb.GaussianMixture([[0.0, 0.0], [3.0, 3.0]], 0.7)
from fastebm.sampling import chains
chains._BLOCK_SECONDS = 1e-4
print("begun", flush=True)
eb.sample(E, eb.HMC(), n_chains=64, n_draws=3000, n_warmup=300, rng=3, progress=False, checkpoint=sys.argv[1],
          every=0.003)
"""


def test_kill_9_at_any_moment(tmp_path):
    """Four times; `python -m benchmarks faults` does it fifty times."""
    wanted = eb.sample(E, eb.HMC(), n_chains=64, n_draws=3000, n_warmup=300, rng=3, progress=False)
    generator = np.random.default_rng()
    for attempt in range(4):
        path = tmp_path / f"{attempt}.npz"
        process = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        while not path.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(generator.uniform(0.0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        compared(eb.resume(path, progress=False), wanted)


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path):
        eb.sample(E, **OPTIONS, checkpoint=tmp_path / "run.npz")
        return tmp_path / "run.npz"

    @pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"nothing", lambda b: b"",
                                        lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:]])
    def test_of_the_checkpoint(self, path, damage):
        path.write_bytes(damage(path.read_bytes()))
        refused(lambda: eb.resume(path), str(path), kind=FileFormatError)

    @pytest.mark.parametrize("damage", [lambda b: b[:-8], lambda b: b"", lambda b: bytes([b[0] ^ 1]) + b[1:]])
    def test_of_the_side_file(self, path, damage):
        side = path.with_name("run.npz.draws")
        side.write_bytes(damage(side.read_bytes()))
        refused(lambda: eb.resume(path), "run.npz.draws", "damaged", kind=FileFormatError)

    def test_a_side_file_that_is_gone(self, path):
        path.with_name("run.npz.draws").unlink()
        refused(lambda: eb.resume(path), "run.npz.draws", "cannot be read", kind=FileFormatError)

    def test_the_one_before_is_named_and_whole(self, tmp_path, blocks, monkeypatch):
        path, wanted = tmp_path / "run.npz", eb.sample(E, **OPTIONS)
        monkeypatch.setattr(CALLS, "Interrupts", Stopping)
        Stopping.left = 80
        with pytest.warns(eb.FastebmWarning, match="interrupted"):
            eb.sample(E, **OPTIONS, checkpoint=path, every=1e-9)
        Stopping.left = 10**9
        previous = tmp_path / "run.npz.previous"
        assert checkpoints.read(previous)[0]["n_sampled"] <= checkpoints.read(path)[0]["n_sampled"]
        path.write_bytes(path.read_bytes()[:-100])
        refused(lambda: eb.resume(path), f"eb.resume({str(previous)!r})", kind=FileFormatError)
        compared(eb.resume(previous, progress=False), wanted)
        compared(eb.resume(path, progress=False), wanted)  # which was written again

    def test_the_one_before_is_not_replaced_by_what_is_damaged(self, tmp_path, blocks, monkeypatch):
        """Killed between the first checkpoint of the resumed run and the one before: one of both is whole."""
        path, previous = tmp_path / "run.npz", tmp_path / "run.npz.previous"
        eb.sample(E, **OPTIONS, checkpoint=path, every=1e-9)
        before = previous.read_bytes()
        path.write_bytes(b"torn")
        eb.resume(previous, progress=False)
        assert previous.read_bytes() != b"torn"
        assert checkpoints.read(previous)
        assert before

    def test_something_else(self, tmp_path):
        E.save(tmp_path / "model.npz")
        refused(lambda: eb.resume(tmp_path / "model.npz"), "saved energy", kind=FileFormatError)
        with pytest.raises(FileNotFoundError):
            eb.resume(tmp_path / "nothing.npz")

    def test_another_energy(self, tmp_path):
        path = tmp_path / "run.npz"
        eb.sample(SPINS, **OPTIONS, checkpoint=path)
        refused(lambda: eb.resume(path), "your own energy")
        refused(lambda: eb.resume(path, lambda x: x[0]), "energy is of type function", kind=TypeError)
        other = eb.energy(3, {"field": 0.3}, values=(-1, 1))(lambda x, theta: 0.4 * x[0] * x[1] - theta.field * x[2])
        refused(lambda: eb.resume(path, other), "another energy")
        assert same(eb.resume(path, SPINS).draws, eb.sample(SPINS, **OPTIONS).draws)


class TestFullDisk:
    def test_the_first_checkpoint_must_be_written(self, tmp_path):
        refused(lambda: eb.sample(E, checkpoint=tmp_path / "no" / "run.npz"), "does not exist", kind=FileWriteError)

    @pytest.mark.parametrize("part", ["write", "append"])
    def test_in_mid_run_every_draw_is_returned_and_the_last_checkpoint_stays(self, tmp_path, monkeypatch, blocks, part):
        path, n_written = tmp_path / "run.npz", 0
        wanted = eb.sample(E, **OPTIONS)
        whole = {"write": checkpoints.write, "append": SideFile.append}[part]

        def failing(*arguments, **options):
            nonlocal n_written
            n_written += 1
            if n_written > 5:
                raise FileWriteError(f"{path} cannot be written: No space left on device.")
            whole(*arguments, **options)

        monkeypatch.setattr(checkpoints if part == "write" else SideFile, part, failing)
        with pytest.warns(eb.FastebmWarning, match="No space left on device.*went on in memory"):
            run = eb.sample(E, **OPTIONS, checkpoint=path, every=1e-9)
        assert same(run.draws, wanted.draws)
        monkeypatch.undo()
        assert same(eb.resume(path).draws, wanted.draws)


class TestOneWriter:
    def test_a_run_at_the_path_of_another_that_is_going_on(self, tmp_path, blocks, monkeypatch):
        path = tmp_path / "run.npz"
        session = plans_session(path)
        session.begin(None)
        path.unlink()  # or it would be refused as one that could go on
        refused(lambda: eb.sample(E, **OPTIONS, checkpoint=path), "by another run", kind=FileWriteError)
        session.run(lambda n: False)
        refused(lambda: plans_session(path).begin(None), "by another run", kind=FileWriteError)
        session.release()
        compared(eb.resume(path), eb.sample(E, **OPTIONS))

    def test_resuming_a_run_that_is_going_on(self, tmp_path):
        path = tmp_path / "run.npz"
        session = plans_session(path)
        session.begin(None)
        refused(lambda: eb.resume(path), "by another run", kind=FileWriteError)
        session.release()
        compared(eb.resume(path), eb.sample(E, **OPTIONS))

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_forked_process_that_lives_on_holds_nothing(self, tmp_path):
        path = tmp_path / "run.npz"
        session = plans_session(path)
        session.begin(None)
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        try:
            session.side._claim.close()  # as when the process dies, which unlocks nothing itself
            time.sleep(0.2)
            compared(eb.resume(path), eb.sample(E, **OPTIONS))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def test_a_run_that_is_over_may_be_read_by_all(self, tmp_path):
        path = tmp_path / "run.npz"
        wanted = eb.sample(E, **OPTIONS, checkpoint=path)
        before = path.stat().st_mtime_ns, path.stat().st_ino
        side = SideFile(path)
        side.claim()
        compared(eb.resume(path), wanted)
        side.release()
        assert before == (path.stat().st_mtime_ns, path.stat().st_ino), "nothing is written again"


def plans_session(path):
    options = {"n_chains": 7, "n_draws": 40, "n_warmup": 60}
    plan = plans.Plan(**options, thin=1, seed=3, checkpoint=str(path))
    return Session(E, eb.RandomWalk(), plan, 1, None)


@pytest.mark.parametrize("missing", ["converged", "n_sampled", "checksum", "streams", "scale"])
def test_what_an_older_version_did_not_write_is_refused(tmp_path, missing):
    path = tmp_path / "run.npz"
    eb.sample(E, **OPTIONS, checkpoint=path)
    header, arrays = checkpoints.read(path)
    (header if missing in header else arrays).pop(missing)
    checkpoints.write(path, header, arrays)
    refused(lambda: eb.resume(path), "another version", kind=FileFormatError)


def test_what_a_newer_version_wrote_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    eb.sample(E, **OPTIONS, checkpoint=path)
    header, arrays = checkpoints.read(path)
    header["plan"]["colour"] = "blue"
    checkpoints.write(path, header, arrays)
    refused(lambda: eb.resume(path), "another version", kind=FileFormatError)


def test_a_plan_is_json():
    plan = plans.planned(
        E, n_chains=3, n_draws=4, n_warmup=5, thin=1, init=None, seed=1, clamp={0: 2.0}, keep="last", until=None,
        checkpoint=None, every=3.0,
    )
    twin = plans.Plan.rebuilt(json.loads(json.dumps(plan.describe())), "there")
    assert twin.describe() == plan.describe() | {"checkpoint": "there"}
