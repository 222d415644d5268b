"""Contrastive divergence: each chain as a plain Python twin makes it, and in the mean what the exact laws say.

Every statistical check has a false alarm with probability 1e-9, from the spread over independent chains; wrong
estimators go through the same checks and are caught.
"""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from means import ALPHA, fresh_seed, mean_may_be
from messages import refused
from scipy.stats import chisquare

import fastebm as eb
from fastebm.exact import exact_draws
from fastebm.testing.twins import RandomWalkTwin, Stream

WELL = eb.DoubleWell(1, barrier=1.2, location=1.1, tilt=0.35)
STEP = 0.8
KERNEL = eb.RandomWalk(STEP)
FROM = np.array([-1.7, 0.2, 2.5])  # where the batches of the transfer operator begin
N = 100_000
seeds = st.integers(0, 2**64)


def at_work(objective, energy, data, seed=None, n_threads=2):
    return objective.begin(energy, np.asarray(data), fresh_seed() if seed is None else seed, n_threads)


@functools.cache
def transfer(energy=WELL):
    """Nodes and the matrix of one Metropolis transition with step STEP: the rule itself, by the trapezoidal rule.

    Its error is of order spacing**2 = 1e-4 times a second derivative over 12, a hundredth of the standard errors below.
    """
    nodes = np.linspace(-6.0, 6.0, 1201)
    e = energy.energy(nodes[:, None])
    proposal = np.exp(-0.5 * ((nodes - nodes[:, None]) / STEP) ** 2) / (STEP * math.sqrt(2.0 * math.pi))
    moves = 0.01 * proposal * np.exp(np.minimum(0.0, e[:, None] - e))
    return nodes, moves + np.diag(1.0 - moves.sum(axis=1))


@functools.cache
def expected_slopes(k):
    """E of dE/dtheta k transitions after FROM: (3, n_params)."""
    nodes, matrix = transfer()
    ahead = WELL.grad_theta(nodes[:, None])
    for _ in range(k):
        ahead = matrix @ ahead
    return ahead[np.searchsorted(nodes, FROM - 1e-9)]


def expected_cd(k):
    """E of the CD-k gradient, and of each of its chains', for a batch of FROM in equal shares."""
    return (WELL.grad_theta(FROM[:, None]) - expected_slopes(k)).mean(axis=0)


def cd_samples(k, n=N, energy=WELL):
    """Independent samples (n, n_params) whose mean is the CD-k gradient at a batch of FROM in equal shares."""
    batch = np.repeat(FROM, n)[:, None]
    estimator = at_work(eb.ContrastiveDivergence(k, KERNEL), energy, batch)
    gradient = estimator.gradient(energy, batch)
    chains = WELL.grad_theta(batch) - WELL.grad_theta(estimator.particles)
    samples = chains.reshape(len(FROM), n, -1).mean(axis=0)
    if energy is WELL:
        assert gradient == pytest.approx(samples.mean(axis=0), rel=1e-9, abs=1e-12)
    return samples


class TestExpectation:
    @pytest.mark.parametrize("k", [1, 3])
    def test_cd_k_is_the_transfer_operators(self, k):
        assert mean_may_be(expected_cd(k), cd_samples(k))

    def test_wrong_ones_would_be_seen(self):
        samples = cd_samples(2)
        assert mean_may_be(expected_cd(2), samples)
        assert not mean_may_be(expected_cd(1), samples)
        assert not mean_may_be(expected_cd(3), samples)
        assert not mean_may_be(expected_cd(2), -samples)
        assert not mean_may_be(expected_cd(20), cd_samples(20, energy=1.3 * WELL))  # the wrong temperature

    def test_the_operator_keeps_the_density(self):
        nodes, matrix = transfer()
        density = np.exp(-WELL.energy(nodes[:, None]))
        assert density @ matrix == pytest.approx(density, abs=1e-12 * density.max())

    @pytest.mark.parametrize("k", [1, 100])
    def test_it_vanishes_in_the_mean_from_exact_draws(self, k):
        def samples(kernel_energy):
            batch = exact_draws(WELL, N, fresh_seed())
            estimator = at_work(eb.ContrastiveDivergence(k, KERNEL), kernel_energy, batch)
            estimator.gradient(kernel_energy, batch)
            return WELL.grad_theta(batch) - WELL.grad_theta(estimator.particles)

        assert mean_may_be(0.0, samples(WELL))
        if k == 100:
            assert not mean_may_be(0.0, samples(1.2 * WELL))

    def test_persistent_particles_estimate_the_slope_of_log_z(self):
        n_gradients, k = 10, 20
        truth = -eb.log_partition_grad(WELL)
        assert expected_slopes(n_gradients * k) == pytest.approx(np.tile(truth, (3, 1)), abs=1e-9)  # all is forgotten

        def samples(objective):
            estimator = at_work(objective, WELL, FROM[:, None])
            batch = FROM[:, None] if isinstance(objective, eb.PersistentCD) else np.full((N, 1), FROM[2])
            for _ in range(n_gradients):
                gradient = estimator.gradient(WELL, batch)
            slopes = WELL.grad_theta(estimator.particles)
            assert gradient == pytest.approx(WELL.mean_grad_theta(batch) - slopes.mean(axis=0), rel=1e-9, abs=1e-12)
            return slopes

        assert mean_may_be(truth, samples(eb.PersistentCD(k, N, KERNEL)))
        assert not mean_may_be(-truth, samples(eb.PersistentCD(k, N, KERNEL)))
        restarted = eb.ContrastiveDivergence(2, KERNEL)
        assert not mean_may_be(truth, samples(restarted))


class TestReplay:
    """Particles as the twin of Metropolis's rule makes them from the same stream."""

    ENERGIES = (eb.DoubleWell(2, tilt=0.3), eb.DoubleWell(2, barrier=0.7))  # theta moves between two gradients

    def twin(self, seed, starts, k, streams=None):
        """Last positions for a list of starts at one energy after the other; None where a decision was too close."""
        streams = [Stream(seed, c) for c in range(len(starts[0]))] if streams is None else streams
        x = starts[0]
        for energy, start in zip(self.ENERGIES, starts, strict=True):
            x = x if start is None else start
            runs = [
                RandomWalkTwin(np.array([STEP] * 2), 2).run(energy.energy, None, x[c], stream, k)
                for c, stream in enumerate(streams)
            ]
            if min(closest for _, _, closest in runs) < 1e-9:
                return None
            x = np.array([positions[-1] for positions, _, _ in runs])
        return x

    @given(seed=seeds, k=st.integers(1, 4), n=st.integers(1, 9))
    @settings(max_examples=15)
    def test_cd_begins_at_the_batch_and_draws_on(self, seed, k, n):
        batches = np.random.default_rng(seed).normal(0.0, 1.5, (2, n, 2))
        estimator = at_work(eb.ContrastiveDivergence(k, KERNEL), self.ENERGIES[0], batches[0], seed)
        for energy, batch in zip(self.ENERGIES, batches, strict=True):
            estimator.gradient(energy, batch)
        twin = self.twin(seed, batches, k)
        if twin is not None:
            assert estimator.particles == pytest.approx(twin, rel=1e-12, abs=1e-12)

    @given(seed=seeds, k=st.integers(1, 4), n=st.integers(1, 9))
    @settings(max_examples=15)
    def test_persistent_particles_go_on_where_they_were(self, seed, k, n):
        data = np.random.default_rng(seed).normal(0.0, 1.5, (4, 2))
        objective = eb.PersistentCD(k, n, KERNEL)
        starts = at_work(objective, self.ENERGIES[0], data, seed).chains.positions
        assert all(start.tolist() in data.tolist() for start in starts)
        estimator = at_work(objective, self.ENERGIES[0], data, seed)
        for energy in self.ENERGIES:
            estimator.gradient(energy, data[:3])
        twin = self.twin(seed, [starts, None], k)
        if twin is not None:
            assert estimator.particles == pytest.approx(twin, rel=1e-12, abs=1e-12)

    def test_a_transition_too_many_would_be_seen(self):
        data = np.random.default_rng(fresh_seed()).normal(0.0, 1.5, (64, 2))
        estimator = at_work(eb.ContrastiveDivergence(2, KERNEL), self.ENERGIES[0], data, 5)
        for energy in self.ENERGIES:
            estimator.gradient(energy, data)
        assert not np.allclose(estimator.particles, self.twin(5, [data, data], 3), atol=1e-6)
        assert not np.allclose(estimator.particles, self.twin(5, [data, None], 2), atol=1e-6)


class TestParticles:
    def test_starts_are_drawn_evenly_from_the_data(self):
        data = np.arange(7.0)[:, None]
        chains = at_work(eb.PersistentCD(n_particles=5000), eb.Gaussian([0.0]), data).chains
        counts = np.unique(chains.positions, return_counts=True)[1]
        assert len(counts) == 7
        assert chisquare(counts).pvalue > ALPHA

    @pytest.mark.parametrize("objective", [eb.ContrastiveDivergence(3), eb.PersistentCD(3, 500)], ids=repr)
    @given(seed=seeds)
    @settings(max_examples=3)
    def test_same_bits_for_any_number_of_threads(self, objective, seed):
        data = np.random.default_rng(seed).normal(size=(300, 1))
        gradients = []
        for n_threads in (1, 2, 3):
            estimator = at_work(objective, WELL, data, seed, n_threads)
            gradients.append([estimator.gradient(WELL, data).tobytes() for _ in range(3)])
        assert gradients[0] == gradients[1] == gradients[2]

    def test_notes(self):
        data = np.array([[-1.0], [0.5], [3.5]])
        estimator = at_work(eb.PersistentCD(4, 100, KERNEL), WELL, data)
        estimator.gradient(WELL, data)
        energies = WELL.energy(estimator.particles)
        assert estimator.energy_gap == pytest.approx(WELL.energy(data).mean() - energies.mean())
        assert estimator.energy_spread == pytest.approx(energies.std())
        assert estimator.reach == pytest.approx(np.abs((estimator.particles - 1.0) / data.std()).max())
        assert 0.0 < estimator.acceptance_rate < 1.0
        assert estimator.acceptance_rate * 400 == pytest.approx(round(estimator.acceptance_rate * 400))
        assert estimator.fault_x is None

    def test_proposals_without_an_energy_are_counted(self):
        half = eb.energy(1, {"k": 1.0})(lambda x, theta: theta.k * x[0] - math.log(1.0 - x[0]))
        data = np.zeros((500, 1))
        estimator = at_work(eb.ContrastiveDivergence(1, eb.RandomWalk(2.0)), half, data)
        estimator.gradient(half, data)
        assert 0 < estimator.faults < 500
        assert estimator.fault_x[0] > 1.0
        assert (estimator.particles < 1.0).all()
        before = estimator.faults
        estimator.gradient(half, data)
        assert estimator.faults > before


class TestStepSize:
    def test_it_learns_while_training(self):
        """A rate of 0.44 in one dimension: over 50 gradients of 5,000 proposals its error is below 0.005."""
        data = np.random.default_rng(0).normal(0.0, 40.0, (1000, 1))
        energy = eb.Gaussian([0.0], 900.0)
        estimator = at_work(eb.PersistentCD(5, 1000), energy, data)
        rates = []
        for _ in range(150):
            estimator.gradient(energy, data)
            rates.append(estimator.acceptance_rate)
        assert np.mean(rates[100:]) == pytest.approx(0.44, abs=0.03)

    def test_proposals_follow_the_spread_of_the_data(self):
        data = np.column_stack([[1.0, 2.0, 4.0], np.full(3, 0.1), [0.0, 300.0, 0.0]])
        estimator = at_work(eb.PersistentCD(), eb.Gaussian(np.zeros(3)), data)
        assert estimator.scale == pytest.approx([data[:, 0].std(), 1.0, data[:, 2].std()])

    def test_a_given_one_stays(self):
        data = np.random.default_rng(0).normal(0.0, 40.0, (50, 2))
        estimator = at_work(eb.PersistentCD(kernel=eb.RandomWalk([0.5, 2.0])), eb.Gaussian([0.0, 0.0]), data)
        for _ in range(3):
            estimator.gradient(eb.Gaussian([0.0, 0.0]), data)
            assert estimator.settings().tolist() == [0.5, 2.0]


class TestArguments:
    @pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
    def test_counts(self, k):
        refused(lambda: eb.ContrastiveDivergence(k), "k is", repr(k))
        refused(lambda: eb.PersistentCD(k), "k is", repr(k))
        refused(lambda: eb.PersistentCD(1, k), "n_particles is", repr(k))

    def test_kernels(self):
        refused(lambda: eb.PersistentCD(kernel=0.5), "kernel", "float", "eb.RandomWalk()", kind=TypeError)
        refused(lambda: eb.ContrastiveDivergence(kernel=eb.RandomWalk), "kernel", kind=TypeError)
        wide = eb.ContrastiveDivergence(kernel=eb.RandomWalk([1.0, 2.0]))
        refused(lambda: wide.gradient(WELL, [[0.0]]), "step_size", "(2,)", "(1,)")
