"""Many chains: the same bits however they are cut, counted or shared, and draws that are what was sampled."""

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm.kernels import RandomWalk
from fastebm.sampling import chains as module
from fastebm.sampling.chains import Chains

ENERGIES = {
    "gaussian": eb.Gaussian([0.0, 1.0, -1.0], [[1.0, 0.2, 0.0], [0.2, 2.0, 0.1], [0.0, 0.1, 0.5]]),
    "mixture": eb.GaussianMixture([[0.0, 0.0], [2.0, 1.0]], 0.5),
    "network": eb.MLP(2, (5, 3), rng=1).with_theta(w_out=np.array([1.0, -1.0, 0.5])),
    "walled": eb.energy(1, domain=[(-1.0, 2.0)])(lambda x: x[0] ** 2),
}
seeds = st.integers(0, 2**64 - 1)


def made(name, n, seed, n_threads=1):
    """Chains from starts that depend on the chain's number alone."""
    E = ENERGIES[name]
    starts = np.random.default_rng(0).uniform(-0.9, 0.9, (500, E.dim))[:n]
    return Chains(E, RandomWalk(), starts, seed, n_threads)


def state(chains):
    return chains.positions, chains.energies, *chains.counts()


def advanced(chains, *lengths, thin=0, n_draws=0):
    """The state, and the draws, after stretches of these lengths."""
    draws, values = np.zeros((chains.n, n_draws, chains.dim)), np.zeros((chains.n, n_draws))
    for length in lengths:
        chains.advance(length, np.full(chains.dim, 0.7), thin=thin, draws=draws, energies=values)
    return *state(chains), draws, values


class TestSameBits:
    @pytest.mark.parametrize("name", ENERGIES)
    @pytest.mark.parametrize("n", [1, 7, 64, 300])
    def test_for_any_number_of_threads(self, name, n):
        wanted = advanced(made(name, n, 5), 30, thin=3, n_draws=10)
        for n_threads in (2, 3, 7):
            got = advanced(made(name, n, 5, n_threads), 30, thin=3, n_draws=10)
            assert all(same(a, b) for a, b in zip(got, wanted, strict=True))

    @given(st.sampled_from(list(ENERGIES)), seeds, st.lists(st.integers(1, 300), min_size=2, max_size=4))
    @settings(max_examples=25)
    def test_for_any_number_of_chains(self, name, seed, sizes):
        """Tiles have other widths and other numbers: a chain does not notice."""
        results = [advanced(made(name, n, seed), 12, thin=4, n_draws=3) for n in sizes]
        fewest = min(sizes)
        for result in results[1:]:
            assert all(same(a[:fewest], b[:fewest]) for a, b in zip(result, results[0], strict=True))

    @given(st.sampled_from(list(ENERGIES)), seeds, st.lists(st.integers(1, 9), min_size=2, max_size=5))
    @settings(max_examples=25)
    def test_for_any_cut_of_the_run(self, name, seed, lengths):
        whole, cut = made(name, 70, seed), made(name, 70, seed)
        assert all(same(a, b) for a, b in zip(advanced(whole, sum(lengths)), advanced(cut, *lengths), strict=True))
        assert whole.n_transitions == cut.n_transitions == sum(lengths)

    @given(seeds, st.integers(1, 40))
    @settings(max_examples=15)
    def test_for_any_length_of_blocks(self, seed, block):
        """Blocks are a tenth of a second long, so that their number depends on the machine's mood."""
        wanted = advanced(made("mixture", 70, seed), 40, thin=7, n_draws=5)
        with pytest.MonkeyPatch.context() as patch:
            ticks = iter(np.cumsum(np.random.default_rng(block).uniform(0.01, 0.5, 1000)))
            patch.setattr(module.time, "perf_counter", lambda: next(ticks))
            got = advanced(made("mixture", 70, seed), 40, thin=7, n_draws=5)
        assert all(same(a, b) for a, b in zip(got, wanted, strict=True))


class TestDraws:
    @given(st.sampled_from(list(ENERGIES)), seeds, st.integers(1, 9))
    @settings(max_examples=25)
    def test_every_thin_th_position_is_kept(self, name, seed, thin):
        n_draws = 5
        all_of_them, all_values = advanced(made(name, 9, seed), thin * n_draws, thin=1, n_draws=thin * n_draws)[4:]
        kept, kept_values = advanced(made(name, 9, seed), thin * n_draws, thin=thin, n_draws=n_draws)[4:]
        assert same(kept, all_of_them[:, thin - 1 :: thin])
        assert same(kept_values, all_values[:, thin - 1 :: thin])

    @pytest.mark.parametrize("name", ENERGIES)
    def test_energies_are_those_of_the_draws(self, name):
        *_, draws, values = advanced(made(name, 70, 3), 20, thin=1, n_draws=20)
        E = ENERGIES[name]
        assert same(values.ravel(), E.energy(draws.reshape(-1, E.dim)))

    def test_the_last_draw_is_where_the_chains_are(self):
        chains = made("gaussian", 70, 3)
        *_, draws, values = advanced(chains, 12, thin=4, n_draws=3)
        assert same(draws[:, -1], chains.positions)
        assert same(values[:, -1], chains.energies)

    def test_nothing_is_kept_where_nothing_is_asked_for(self):
        chains = made("gaussian", 70, 3)
        assert chains.advance(5, np.ones(3)) == 5
        assert chains.advance(0, np.ones(3)) == 0


class TestStops:
    @pytest.mark.parametrize("stop_after", [1, 2, 5])
    def test_a_request_ends_the_run_after_the_block(self, stop_after):
        chains, whole = made("mixture", 70, 3), made("mixture", 70, 3)
        blocks = []

        def after_block(n):
            blocks.append(n)
            return len(blocks) == stop_after

        draws, values = np.zeros((70, 4000, 2)), np.zeros((70, 4000))
        step = np.full(2, 0.7)
        done = chains.advance(4000, step, thin=1, draws=draws, energies=values, after_block=after_block)
        assert done == sum(blocks) == chains.n_transitions
        assert len(blocks) <= stop_after
        wanted = np.zeros((70, done, 2))
        whole.advance(done, step, thin=1, draws=wanted, energies=np.zeros((70, done)))
        assert same(draws[:, :done], wanted)
        assert same(chains.positions, whole.positions)


class TestCounts:
    def test_moves_are_counted(self):
        chains = made("mixture", 9, 4)
        start = chains.positions
        *_, draws, _ = advanced(chains, 50, thin=1, n_draws=50)
        moved = (np.diff(np.concatenate([start[:, None], draws], axis=1), axis=1) != 0.0).any(axis=2)
        assert same(chains.counts()[0], moved.sum(axis=1))
        assert same(chains.acceptance_rate(), moved.mean(axis=1))
        chains.forget()
        assert not any(part.any() for part in chains.counts())
        assert same(chains.acceptance_rate(), np.zeros(9))

    def test_faults_are_counted_and_one_is_kept(self):
        E = eb.energy(1)(faulty)
        chains = Chains(E, RandomWalk(), np.zeros((50, 1)), 1, 1)
        chains.advance(20, np.array([1.0]))
        n_faults = chains.counts()[1]
        assert n_faults.sum() > 0
        assert np.isfinite(chains.energies).all()
        assert (chains.positions <= 0.5).all()
        examples = chains.fault_x.transpose(0, 2, 1).reshape(-1, 1)[:50]
        assert not np.isfinite(E.energy(examples[n_faults > 0])).any()


def faulty(x):
    return eb.where(x[0] <= 0.5, 0.5 * x[0] ** 2, eb.where(x[0] < 1.0, np.nan, -np.inf))


class TestRetarget:
    def test_another_energy_from_here_on(self):
        chains = made("mixture", 70, 3)
        chains.advance(10, np.ones(2))
        here, E = chains.positions, eb.Gaussian([5.0, 5.0])
        chains.retarget(E)
        assert same(chains.positions, here)
        assert same(chains.energies, E.energy(here))
        chains.advance(200, np.ones(2))
        assert np.abs(chains.positions - 5.0).max() < 10.0

    def test_other_positions(self):
        chains = made("mixture", 70, 3)
        there = np.random.default_rng(1).standard_normal((70, 2))
        before = chains.streams.copy()
        chains.retarget(chains.energy, there)
        assert same(chains.positions, there)
        assert same(chains.energies, chains.energy.energy(there))
        assert same(chains.streams, before)

    def test_a_chain_leaves_a_place_that_the_new_energy_forbids(self):
        chains = Chains(eb.Gaussian([0.0]), RandomWalk(), np.full((50, 1), -0.5), 3, 1)
        chains.retarget(eb.energy(1, domain=[(0.0, 4.0)])(lambda x: x[0]))
        assert (chains.energies == np.inf).all()
        chains.advance(200, np.array([1.0]))
        assert (chains.positions >= 0.0).all()
