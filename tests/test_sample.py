"""The one call that samples: what it returns, what it warns of, what it refuses, and the same bits everywhere."""

import hashlib
import inspect
import math
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st
from invariance import bound, entropy, largest_z, moments
from messages import refused

import fastebm as eb
from fastebm import FastebmWarning
from fastebm.testing.twins import RandomWalkTwin, Stream

seeds = st.integers(0, 2**64 - 1)
E = eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.5)
FAST = {"n_chains": 9, "n_draws": 5, "n_warmup": 10}
WALK = eb.RandomWalk(0.8)


def quiet(*arguments, **options):
    """A run whose warnings do not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FastebmWarning)
        return eb.sample(*arguments, **options)


class TestResult:
    def test_the_contract(self):
        run = eb.sample(E, n_chains=32, n_draws=20, n_warmup=100, thin=2, rng=5)
        assert run.draws.shape == (32, 20, 2)
        assert run.energy.shape == (32, 20)
        assert run.acceptance_rate.shape == (32,)
        assert run.scale.shape == (2, 2)
        assert type(run.step_size) is float
        assert run.seed == 5
        assert run.interrupted is False
        assert set(run.timings) == {"compilation", "warmup", "sampling"}
        assert run.settings["kernel"] == eb.RandomWalk().describe()
        assert run.settings["energy"] == E.describe()
        assert (run.settings["n_chains"], run.settings["thin"]) == (32, 2)
        assert same(run.energy.ravel(), E.energy(run.draws.reshape(-1, 2)))

    def test_all_but_energy_and_kernel_go_by_name(self):
        kinds = [p.kind for p in inspect.signature(eb.sample).parameters.values()]
        assert kinds[2:] == [inspect.Parameter.KEYWORD_ONLY] * (len(kinds) - 2)

    @given(seeds, st.integers(2, 7))
    @settings(max_examples=15)
    def test_thin_is_transitions_per_kept_draw(self, seed, thin):
        every = quiet(E, WALK, n_chains=9, n_draws=4 * thin, n_warmup=3, rng=seed)
        kept = quiet(E, WALK, n_chains=9, n_draws=4, n_warmup=3, thin=thin, rng=seed)
        assert same(kept.draws, every.draws[:, thin - 1 :: thin])
        assert same(kept.energy, every.energy[:, thin - 1 :: thin])
        assert same(kept.acceptance_rate, every.acceptance_rate)

    @given(seeds, st.integers(0, 30))
    @settings(max_examples=15)
    def test_warm_up_with_a_given_step_is_only_left_out(self, seed, n_warmup):
        whole = quiet(E, WALK, n_chains=9, n_draws=n_warmup + 5, n_warmup=0, rng=seed)
        late = quiet(E, WALK, n_chains=9, n_draws=5, n_warmup=n_warmup, rng=seed)
        assert same(late.draws, whole.draws[:, n_warmup:])
        moved = (np.diff(late.draws, axis=1) != 0.0).any(axis=2).sum(axis=1)
        assert ((late.acceptance_rate * 5).round() - moved >= 0).all(), "only transitions after warm-up count"

    def test_starts_are_where_they_are_wanted(self):
        init = np.random.default_rng(0).standard_normal((9, 2))
        run = quiet(E, eb.RandomWalk(1e-9), n_chains=9, n_draws=2, n_warmup=0, init=init, rng=0)
        np.testing.assert_allclose(run.draws, np.stack([init, init], axis=1), atol=1e-6)

    def test_a_given_step_is_final(self):
        run = quiet(E, eb.RandomWalk([0.3, 0.6]), **FAST, rng=1)
        assert run.step_size.tolist() == [0.3, 0.6]
        assert run.scale.tolist() == [1.0, 1.0]


class TestFrozenStep:
    @pytest.mark.parametrize("n_warmup", [1, 60])
    def test_every_draw_after_warm_up_is_made_with_the_step_that_is_reported(self, n_warmup):
        """A replay in plain Python from the first draw on, with the stream where warm-up has left it."""
        seed = entropy()
        run = quiet(E, n_chains=9, n_draws=30, n_warmup=n_warmup, rng=seed)
        walk = RandomWalkTwin(np.ravel(run.step_size * run.scale), E.dim)
        for c in (0, 8):
            twin = Stream(seed, c)
            for _ in range(3 * (n_warmup + 1)):  # two words of a pair of normals and one for the decision
                twin.word()
            positions, _, closest = walk.run(E.energy, None, run.draws[c, 0], twin, 29)
            if closest > 1e-12:
                np.testing.assert_allclose(run.draws[c, 1:], positions, rtol=1e-12, atol=1e-12, err_msg=f"seed {seed}")


class TestSameBits:
    @given(seeds, st.lists(st.integers(1, 150), min_size=2, max_size=3))
    @settings(max_examples=15)
    def test_for_any_number_of_chains(self, seed, sizes):
        runs = [quiet(E, WALK, n_chains=n, n_draws=4, n_warmup=3, rng=seed) for n in sizes]
        for run in runs[1:]:
            n = min(len(run.draws), len(runs[0].draws))
            assert same(run.draws[:n], runs[0].draws[:n])

    def test_for_any_number_of_threads_and_with_tuning(self):
        seed = entropy()
        runs = [eb.sample(E, n_chains=200, n_draws=20, n_warmup=150, rng=seed, n_threads=n) for n in (1, 2, 3, 7, None)]
        for run in runs[1:]:
            assert same(run.draws, runs[0].draws)
            assert run.step_size == runs[0].step_size
            assert same(run.scale, runs[0].scale)

    def test_a_run_without_a_seed_can_be_had_again(self):
        one, other = quiet(E, WALK, **FAST), quiet(E, WALK, **FAST)
        assert one.seed != other.seed
        assert not same(one.draws, other.draws)
        assert same(quiet(E, WALK, **FAST, rng=one.seed).draws, one.draws)

    @given(seeds)
    @settings(max_examples=5)
    def test_for_every_kind_of_generator(self, seed):
        for make in (np.random.default_rng, np.random.PCG64, np.random.SeedSequence):
            run = quiet(E, WALK, **FAST, rng=make(seed))
            assert same(run.draws, quiet(E, WALK, **FAST, rng=make(seed)).draws)
            assert same(run.draws, quiet(E, WALK, **FAST, rng=run.seed).draws)

    def test_in_another_process(self):
        seed = entropy()
        script = (
            "import hashlib, fastebm as eb\n"
            "E = eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.5)\n"
            f"run = eb.sample(E, n_chains=70, n_draws=50, n_warmup=100, rng={seed})\n"
            "print(hashlib.sha256(run.draws.tobytes()).hexdigest())\n"
        )
        there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        here = eb.sample(E, n_chains=70, n_draws=50, n_warmup=100, rng=seed)
        assert hashlib.sha256(here.draws.tobytes()).hexdigest() == there.stdout.strip()

    def test_in_several_threads_of_python_at_once(self):
        def work(seed):
            return eb.sample(E, n_chains=130, n_draws=100, n_warmup=100, rng=seed, n_threads=2).draws

        alone = [work(seed) for seed in range(6)]
        with ThreadPoolExecutor(3) as pool:
            for together, wanted in zip(pool.map(work, range(6)), alone, strict=True):
                assert same(together, wanted)

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_after_a_fork(self):
        options = {"n_chains": 130, "n_draws": 50, "n_warmup": 50, "rng": 4, "n_threads": 2}
        wanted = eb.sample(E, **options).draws
        child = os.fork()
        if child == 0:
            os._exit(0 if same(eb.sample(E, **options).draws, wanted) else 1)
        for _ in range(600):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.1)
        else:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        assert os.waitstatus_to_exitcode(status) == 0


def test_the_default_way_reaches_the_law():
    """All defaults, to the last draw of 20,000 independent chains: the coordinate's moments of degree 1 to 8."""
    from scipy.stats import norm

    seed = entropy()
    run = eb.sample(eb.Gaussian([1.0, -2.0], [0.25, 9.0]), n_chains=20_000, n_draws=1, n_warmup=600, thin=100, rng=seed)
    shares = norm.cdf((run.draws[:, -1] - [1.0, -2.0]) / [0.5, 3.0])
    assert largest_z(moments(shares)) < bound(16), f"seed {seed}"
    assert largest_z(moments(norm.cdf(1.1 * norm.ppf(shares)))) > bound(16), "a spread that is wrong would be seen"


def gap(x):
    return eb.where(x[0] < 1.0, 0.5 * x[0] ** 2, math.nan)


def pit(x):
    return eb.where(x[0] < 1.0, 0.5 * x[0] ** 2, -math.inf)


def hole(x):
    return min(0.5 * x[0] ** 2, 1e6 * abs(x[0] - 50.0) - 1e3)


class TestWarnings:
    def warned(self, *words, **options):
        options = {"n_chains": 20, "n_draws": 100, "n_warmup": 0, "rng": 3} | options
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = eb.sample(options.pop("energy"), options.pop("kernel"), **options)
        messages = [str(warning.message) for warning in caught]
        assert len(messages) == 1, messages
        assert caught[0].category is FastebmWarning
        assert caught[0].filename == __file__, "it must point at the user's line"
        assert all(word in messages[0] for word in words), messages
        assert messages[0].endswith(".")
        assert run.draws.shape[:2] == (20, 100), "draws are never withheld"
        return run

    def test_stuck_chains(self):
        self.warned("20 of 20 chains never moved", "smaller step_size", energy=eb.Gaussian([0.0], 1e-8),
                    kernel=eb.RandomWalk(1e4), init=[0.0])

    def test_one_stuck_chain_among_many(self):
        init = np.zeros((20, 1))
        init[7] = 50.0
        self.warned("1 of 20 chains never moved", energy=eb.energy(1)(hole), kernel=eb.RandomWalk(2.0), init=init)

    def test_bad_luck_is_not_stuck(self):
        """Of 2,000 chains with 20 transitions at an acceptance of 0.3 one or two never move."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run = eb.sample(eb.Gaussian([0.0]), eb.RandomWalk(4.0), n_chains=2000, n_draws=20, n_warmup=0, rng=5)
        assert (run.acceptance_rate == 0.0).any()

    def test_low_acceptance(self):
        self.warned("acceptance rate is", "below 10 %", "smaller step_size", energy=eb.Gaussian([0.0]),
                    kernel=eb.RandomWalk(14.0), init=[0.0])

    def test_high_acceptance(self):
        self.warned("acceptance rate is", "above 90 %", "larger step_size", energy=eb.Gaussian([0.0]),
                    kernel=eb.RandomWalk(0.01))

    @pytest.mark.parametrize(("function", "value"), [(gap, "nan"), (pit, "-inf")])
    def test_energies_that_are_no_numbers(self, function, value):
        run = self.warned(function.__name__, f"example {value} at x=[", "return math.inf",
                          energy=eb.energy(1)(function), kernel=eb.RandomWalk(1.0), init=[0.0])
        assert (run.draws < 1.0).all()
        assert np.isfinite(run.energy).all()

    def test_a_good_run_is_silent(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            eb.sample(E, n_chains=20, n_draws=50, n_warmup=300, rng=1)
            eb.sample(eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0]), n_chains=20, n_draws=50, n_warmup=300, rng=1)


class TestWhatIsRefused:
    @pytest.mark.parametrize(("changes", "kind", "words"), [
        ({"energy": "E"}, TypeError, ["energy is a str", "eb.Gaussian"]),
        ({"energy": eb.Gaussian}, TypeError, ["energy is a"]),
        ({"kernel": 0.5}, TypeError, ["kernel is 0.5", "eb.RandomWalk()"]),
        ({"kernel": eb.RandomWalk}, TypeError, ["kernel is", "eb.RandomWalk()"]),
        ({"n_chains": 0}, ValueError, ["n_chains is 0"]),
        ({"n_chains": 2.0}, ValueError, ["n_chains is 2.0"]),
        ({"n_draws": 0}, ValueError, ["n_draws is 0"]),
        ({"n_warmup": -1}, ValueError, ["n_warmup is -1"]),
        ({"thin": 0}, ValueError, ["thin is 0"]),
        ({"n_threads": 0}, ValueError, ["n_threads is 0"]),
        ({"rng": -1}, ValueError, ["rng is -1"]),
        ({"rng": "seed"}, TypeError, ["rng is a str"]),
        ({"progress": "loud"}, ValueError, ["progress is 'loud'"]),
        ({"init": [0.0]}, ValueError, ["init has shape (1,)", "(9, 2)"]),
        ({"kernel": eb.RandomWalk([1.0, 1.0, 1.0])}, ValueError, ["step_size has shape (3,)", "(2,)"]),
        ({"kernel": None, "n_warmup": 0}, ValueError, ["step_size is None and n_warmup is 0"]),
        ({"n_draws": 10**12}, MemoryError, ["GB", "thin"]),
    ])
    def test_arguments(self, changes, kind, words):
        arguments = {"energy": E, "kernel": WALK} | FAST | changes
        energy, kernel = arguments.pop("energy"), arguments.pop("kernel")
        refused(lambda: eb.sample(energy, kernel, **arguments), *words, kind=kind)

    def test_an_exception_of_the_energys_own_comes_through_from_any_thread(self):
        def strict(x):
            if x[0] > 3.0:
                raise ValueError("x[0] is above 3")
            return -x[0]

        energy = eb.energy(1)(strict)
        with pytest.warns(eb.FastebmWarning, match="chain by chain"):
            energy.energy([0.0])
        for n_threads in (1, 3):
            with pytest.raises(ValueError, match="x\\[0\\] is above 3"):
                eb.sample(energy, WALK, n_chains=200, n_draws=100, n_warmup=0, init=[0.0], rng=0, n_threads=n_threads)
        assert len(quiet(E, WALK, **FAST, rng=0, n_threads=3).draws) == 9
