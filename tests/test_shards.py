"""Executors: the same bits as one thread, shards that are lost and sent again, faults in words."""

import math
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.sampling import shards
from fastebm.sampling.shards import ExecutorFault

STRETCH = np.array([[1.0, 0.2], [0.2, 2.0]])


@eb.energy(dim=2, theta={"radius": 2.0})
def ring(x, theta):
    r = math.sqrt(x[0] ** 2 + x[1] ** 2)
    return 2.0 * (r - theta.radius) ** 2 + 0.1 * STRETCH[0, 1] * x[0] * x[1]


OPTIONS = {"n_chains": 70, "n_draws": 20, "n_warmup": 60, "rng": 3, "progress": False}
CASES = [
    (eb.RandomWalk(), {}), (eb.HMC(n_leapfrog=None), {"thin": 3}), (eb.MALA(0.2), {"keep": "moments"}),
    (eb.Barker(), {"keep": "last", "clamp": {0: 1.0}}),
]


def compared(run, wanted):
    assert same(run.draws, wanted.draws)
    assert same(run.energy, wanted.energy)
    assert same(run.acceptance_rate, wanted.acceptance_rate)
    if wanted.moments is not None:
        assert same(run.moments.mean, wanted.moments.mean)
        assert same(run.moments.counts, wanted.moments.counts)


class Plain:
    """The smallest executor, which loses what it is told to lose."""

    def __init__(self, n_workers=3, lost=(), fault=None):
        self._max_workers = n_workers
        self.lost, self.fault = list(lost), fault
        self.n_calls = 0

    def map(self, function, items):
        items = list(items)
        self.n_calls += 1
        for place, item in enumerate(items):
            if self.n_calls in self.lost and place == len(items) - 1:
                if self.fault is not None:
                    raise self.fault
                return
            yield function(item)


@pytest.mark.parametrize(("kernel", "options"), CASES, ids=str)
@pytest.mark.parametrize("n_workers", [1, 2, 5, 100])
def test_the_same_bits_for_any_number_of_shards(kernel, options, n_workers):
    wanted = eb.sample(ring, kernel, **OPTIONS, **options, n_threads=1)
    compared(eb.sample(ring, kernel, **OPTIONS, **options, executor=Plain(n_workers)), wanted)


def test_processes_that_know_nothing():
    """Energies of the test, of a lambda and of the catalogue travel to new processes."""
    shift = 0.7
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for energy in (ring, eb.energy(2)(lambda x: (x[0] - shift) ** 2 + x[1] ** 2), eb.Banana(), 0.5 * ring):
            wanted = eb.sample(energy, eb.MALA(), **OPTIONS)
            compared(eb.sample(energy, eb.MALA(), **OPTIONS, executor=pool), wanted)


@pytest.mark.parametrize("fault", [None, ConnectionError("the worker is gone")])
@pytest.mark.parametrize("lost", [[1], [4], [2, 7]])
def test_a_lost_shard_is_sent_again(fault, lost):
    wanted = eb.sample(ring, **OPTIONS)
    compared(eb.sample(ring, **OPTIONS, executor=Plain(lost=lost, fault=fault)), wanted)


def test_an_executor_that_is_broken_for_good_leaves_the_work_here():
    wanted = eb.sample(ring, **OPTIONS)
    broken = Plain(lost=range(5, 10**6), fault=ConnectionError("all are gone"))
    with pytest.warns(eb.FastebmWarning, match=r"failed 2 times \(ConnectionError: all are gone\).*restart") as told:
        compared(eb.sample(ring, **OPTIONS, executor=broken), wanted)
    assert len(told) == 1, "once, not for every block"
    assert broken.n_calls == 4 + 2 * 3, "it is given up"


def test_a_worker_that_is_killed():
    wanted = eb.sample(ring, **OPTIONS)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert sum(pool.map(abs, [1, -1])) == 2
        os.kill(next(iter(pool._processes)), 9)
        with pytest.warns(eb.FastebmWarning, match="BrokenProcessPool"):
            compared(eb.sample(ring, **OPTIONS, executor=pool), wanted)


def test_one_that_loses_results_in_silence_is_refused():
    refused(
        lambda: eb.sample(ring, **OPTIONS, executor=Plain(lost=range(100))), "lost 1 of 3 shards 2 times",
        kind=ExecutorFault,
    )


def test_in_mid_run_the_draws_made_so_far_are_returned(monkeypatch):
    monkeypatch.setattr(shards, "_BLOCK_SECONDS", 1e-9)
    wanted = eb.sample(ring, eb.RandomWalk(0.5), **OPTIONS)
    with (
        pytest.warns(eb.FastebmWarning, match="interrupted after"),
        pytest.warns(eb.FastebmWarning, match="lost 1 of 3 shards"),
    ):
        run = eb.sample(ring, eb.RandomWalk(0.5), **OPTIONS, executor=Plain(lost=range(70, 100)))
    n = run.draws.shape[1]
    assert run.interrupted
    assert 0 < n < 20
    assert same(run.draws, wanted.draws[:, :n])


class Unordered:
    """Results as they come, the last first."""

    def map(self, function, items):
        return reversed([function(item) for item in items])


class Remembering:
    """Once a result is known for a place, it is given again."""

    def __init__(self):
        self.known = {}

    def map(self, function, items):
        return [self.known.setdefault(place, function(item)) for place, item in enumerate(items)]


@pytest.mark.parametrize("n_workers", [2, np.int64(5)])
def test_results_may_come_in_any_order(n_workers):
    executor = Unordered()
    executor._max_workers = n_workers
    for options in ({}, {"keep": "moments"}):
        wanted = eb.sample(ring, **OPTIONS, **options)
        compared(eb.sample(ring, **OPTIONS, **options, executor=executor), wanted)


def test_results_of_another_time_are_refused():
    refused(lambda: eb.sample(ring, **OPTIONS, executor=Remembering()), "without a memory", kind=ExecutorFault)


class Cluster:
    def nthreads(self):
        return {"one": 3, "two": 4}


@pytest.mark.parametrize(("names", "wanted"), [
    ({"_max_workers": 3}, 3), ({"_max_workers": np.int32(3)}, 3), ({"num_workers": 5}, 5), ({"_client": Cluster()}, 7),
    ({"_max_workers": 0}, os.cpu_count()), ({"_max_workers": "many"}, os.cpu_count()), ({}, os.cpu_count()),
])
def test_as_many_shards_as_workers(names, wanted):
    executor = Unordered()
    vars(executor).update(names)
    assert shards._n_workers(executor) == wanted


def test_ctrl_c_in_a_terminal_is_for_the_caller(monkeypatch):
    """It reaches the processes of a pool, too; a worker that broke off would take the draws made so far with it."""
    def interrupted(parcel):
        signal.raise_signal(signal.SIGINT)
        return parcel

    monkeypatch.setattr(shards, "_worked", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shards.work("parcel")  # in the caller's own process it is as ever
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "the caller's")
    assert shards.work("parcel") == "parcel"


class Futures:
    """As Dask's Client.map: futures in the place of results."""

    def map(self, function, items):
        with ThreadPoolExecutor(1) as pool:
            return [pool.submit(function, item) for item in items]


def test_futures_and_what_has_no_map_are_refused():
    refused(lambda: eb.sample(ring, **OPTIONS, executor=Futures()), "Future", "get_executor", kind=ExecutorFault)
    refused(lambda: eb.sample(ring, **OPTIONS, executor=3), "int without map", kind=TypeError)


def test_a_fault_of_the_energy_comes_through():
    beyond = eb.energy(2, {"w": np.zeros(3)})(lambda x, theta: x[0] ** 2 + x[1] ** 2 + theta.w[0])
    with ThreadPoolExecutor(2) as pool:
        run = eb.sample(beyond, **OPTIONS, executor=pool)
    compared(run, eb.sample(beyond, **OPTIONS))
