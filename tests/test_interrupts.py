"""Ctrl-C asks once and insists the second time; other threads and the time after are left alone."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from fastebm.sampling.interrupts import Interrupts


def test_the_first_one_is_a_request_and_the_second_an_order():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        assert not interrupts.requested
        signal.raise_signal(signal.SIGINT)
        assert interrupts.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_what_was_there_before_is_put_back_after_an_exception_too():
    def mine(number, frame):
        raise AssertionError("not now")

    before = signal.signal(signal.SIGINT, mine)
    try:
        with pytest.raises(ZeroDivisionError), Interrupts():
            1 / 0  # noqa: B018
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_may_not_and_do_not_handle_signals():
    seen = []

    def work():
        with Interrupts() as interrupts:
            seen.append((interrupts.requested, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


SCRIPT = """
import sys, time, warnings
import fastebm as eb
warnings.simplefilter("always")
E = eb.Gaussian([0.0] * 50)
eb.sample(E, n_chains=64, n_draws=5, n_warmup=5, rng=0)
n_warmup, n_draws = int(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
began = time.perf_counter()
run = eb.sample(E, n_chains=64, n_draws=n_draws, n_warmup=n_warmup, thin=50, rng=0)
print(run.draws.shape[1], run.interrupted, bool(abs(run.draws).sum() > 0), run.energy.shape == run.draws.shape[:2])
whole = eb.sample(E, eb.RandomWalk(0.1), n_chains=4, n_draws=3, n_warmup=0, rng=0)
print(whole.interrupted)
"""


def interrupted(n_warmup, n_draws, after):
    """What a process prints that is sent SIGINT some time after its long run has begun."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(n_warmup), str(n_draws)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    try:
        output, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        pytest.fail("the run does not end")
    assert process.returncode == 0, errors
    return output.splitlines(), errors


def test_a_run_that_is_interrupted_keeps_its_draws():
    """Left alone it would take ten minutes; a minute is what a loaded machine is given."""
    (run, next_run), errors = interrupted(10, 100_000, 1.0)
    n_draws, *rest = run.split()
    assert 0 < int(n_draws) < 100_000
    assert rest == ["True", "True", "True"]
    assert f"interrupted after {n_draws} of 100000 draws" in errors
    assert next_run == "False"


def test_a_warm_up_that_is_interrupted_ends_too():
    (run, next_run), errors = interrupted(100_000_000, 10, 0.5)
    assert run.split()[:2] == ["0", "True"]
    assert "interrupted after 0 of 10 draws" in errors
    assert next_run == "False"
