"""The recipes for executors: the same bits as one thread, from spawned processes, loky and two Dask workers."""

import runpy
import warnings
from pathlib import Path

import pytest
from energy_laws import same

import fastebm as eb

RECIPES = Path(__file__).parent.parent / "docs" / "executors"
N_DRAWS = 60


@pytest.fixture(scope="module")
def wanted():
    return eb.sample(eb.Ring(), eb.HMC(), n_draws=N_DRAWS, rng=0, n_threads=1, progress=False)


@pytest.mark.parametrize("name", ["processes", "with_loky", "with_dask"])
def test_a_recipe_gives_the_bits_of_one_thread(name, wanted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of their own making; ours would be about a lost worker
        warnings.simplefilter("error", eb.FastebmWarning)
        run = runpy.run_path(str(RECIPES / f"{name}.py"))["main"](N_DRAWS)
    assert same(run.draws, wanted.draws)
    assert same(run.energy, wanted.energy)
    assert run.step_size == wanted.step_size


def test_every_recipe_is_on_the_page():
    page = (RECIPES.parent / "sampling.md").read_text()
    for path in RECIPES.glob("*.py"):
        assert f"(executors/{path.name})" in page
        compile(path.read_text(), path.name, "exec")  # that of MPI is not run: it needs an MPI library
