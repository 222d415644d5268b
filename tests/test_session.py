"""A run in pieces: phases follow one another however it is cut, and its arguments are checked before anything runs."""

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.sampling.plans import Plan
from fastebm.sampling.session import Session

E = eb.GaussianMixture([[0.0, 0.0], [3.0, 3.0]], 0.7)
PLAN = Plan(n_chains=9, n_draws=20, n_warmup=40, thin=2, seed=3)


def begun(kernel=None, plan=PLAN):
    session = Session(E, eb.RandomWalk() if kernel is None else kernel, plan, 1, None)
    session.begin(None)
    return session


@pytest.mark.parametrize("kernel", [eb.RandomWalk(), eb.HMC(0.2), eb.HMC(n_leapfrog=None)], ids=repr)
def test_a_whole_run(kernel):
    session = begun(kernel)
    session.run(lambda n: False)
    assert session.is_over
    assert session.n_warmed == 40
    assert session.n_sampled == 40
    run = session.result()
    wanted = eb.sample(E, kernel, n_chains=9, n_draws=20, n_warmup=40, thin=2, rng=3)
    assert same(run.draws, wanted.draws)
    assert run.settings == wanted.settings


def test_progress_adds_up():
    steps = []
    begun().run(lambda n: bool(steps.append(n)))
    assert sum(steps) == 80


@pytest.mark.parametrize("last", [1, 5, 60])
def test_a_stop_is_a_stop(last, monkeypatch):
    monkeypatch.setattr("fastebm.sampling.chains._BLOCK_SECONDS", 1e-9)
    steps = []

    def stop(n):
        steps.append(n)
        return len(steps) == last

    session = begun()
    session.run(stop)
    assert len(steps) == last
    assert not session.is_over
    with pytest.warns(eb.FastebmWarning, match="interrupted"):
        run = session.result()
    assert run.interrupted
    assert np.isfinite(run.step_size)


@pytest.mark.parametrize(("options", "kind", "words"), [
    ({"every": 0.0}, ValueError, ("every is 0.0",)),
    ({"kernel": eb.RandomWalk([1.0, 1.0]), "clamp": {0: 1.0}}, ValueError, ("shape (2,)", "(1,)")),
    ({"init": eb.Superchains(5), "n_chains": 64}, ValueError, ("n_chains is 64", "multiple")),
    ({"init": eb.FromData(np.zeros((3, 5)))}, ValueError, ("5 columns", "dim=2")),
    ({"init": eb.Overdispersed(np.zeros(5))}, ValueError, ("dim=2",)),
    ({"init": [1.0], "clamp": {0: 1.0}}, ValueError, ("all 2 coordinates",)),
])
def test_arguments_that_are_refused(options, kind, words):
    options = dict(options)
    refused(lambda: eb.sample(E, options.pop("kernel", None), **options), *words, kind=kind)
