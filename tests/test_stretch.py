"""The stretch move: its law and that of whole groups, affine invariance, the same bits, groups that are not whole."""

import functools
import importlib
import math
import warnings

import numpy as np
import pytest
from energy_laws import same
from exact_laws import MIXTURE
from hypothesis import given, settings
from hypothesis import strategies as st
from invariance import bound, entropy, largest_z
from messages import refused
from test_checkpoints import Stopping
from test_shards import Plain

import fastebm as eb
from fastebm.kernels import Stretch
from fastebm.sampling.chains import Chains
from fastebm.testing import check_kernel
from fastebm.testing.changes import changed
from fastebm.testing.replay import replay
from fastebm.testing.steps import KernelStep

CALLS = importlib.import_module("fastebm.sampling.sample")  # whose name the function has, too
PLANE = eb.Gaussian([0.5, -1.0], [[1.5, 0.9], [0.9, 0.8]])
WALLED = eb.energy(2, domain=[(0.0, 2.0), (-1.0, math.inf)])(lambda x: 1.5 * x[0] + x[0] * x[1] + 0.5 * x[1] ** 2)
LINE = eb.Gaussian([0.0], [[1.0]])
BROKEN = {  # by changes of the source
    "no (dim - 1) log z": [("gains[c] + here - there", "here - there")],
    "z uniform": [("root * root / a", "1.0 / a + (a - 1.0 / a) * uniform")],
    "stale energy": [("e[c] = there if accepted else here", "pass")],
    "partner from the own half": [("x[i, other + int(", "x[i, own + int(")],
    "both halves at once": [
        ("for side in range(2)", "before = x.copy()\n        for side in range(2)"),
        ("x[i, own + k], x[i, other + int(", "before[i, own + k], before[i, other + int("),
    ],
}
PLAIN = ("no (dim - 1) log z", "z uniform", "stale energy")  # whose law is far off
seeds = st.integers(0, 2**64 - 1)


def broken(name, kernel):
    return functools.reduce(lambda one, change: changed(one, *change), BROKEN[name], kernel)


class TestLaw:
    @pytest.mark.parametrize(
        ("kernel", "E"), [(Stretch(3.0), MIXTURE), (Stretch(), PLANE), (Stretch(), WALLED)],
        ids=["mixture", "plane", "walls"],
    )
    def test_exact_draws_stay_exact(self, kernel, E):
        report = check_kernel(kernel, E, delta=0.03)
        assert report.passed, str(report)
        assert {tier.name for tier in report.ran} >= {"algebra", "replay", "same bits", "invariance", "reach"}

    def test_small_groups_beside_columns_that_stand_for_no_chain(self):
        report = check_kernel(Stretch(group_size=6), PLANE, delta=0.1)
        assert report.passed, str(report)
        assert report.n_chains % 6 == 0

    @pytest.mark.parametrize("kernel", [
        eb.Cycle([Stretch(group_size=6), eb.RandomWalk(1.3)]),
        eb.ParallelTempering(Stretch(group_size=6), betas=[0.4, 1.0]),
    ], ids=["cycle", "tempering"])
    def test_inside_of_other_kernels(self, kernel):
        report = check_kernel(kernel, PLANE, delta=0.1)
        assert report.passed, str(report)
        assert report.n_chains % 6 == 0
        refused(lambda: eb.sample(PLANE, kernel, n_chains=64), "n_chains is 64", "groups of 6")

    @pytest.mark.parametrize("name", PLAIN)
    def test_broken_kernels_are_caught(self, name):
        report = check_kernel(broken(name, Stretch()), PLANE, delta=0.1)
        assert {"replay", "invariance"} <= {tier.name for tier in report.ran if tier.faults}, str(report)

    @pytest.mark.parametrize("name", BROKEN)
    def test_the_twin_sees_what_is_broken(self, name):
        assert replay(KernelStep(broken(name, Stretch()), PLANE, 1), 5).faults

    @pytest.mark.parametrize("name", [None, "partner from the own half", "both halves at once"])
    def test_walkers_of_a_group_are_independent(self, name):
        """From exact starts a group's mean keeps its variance, which one chain's law does not show."""
        kernel, seed, size = Stretch(8.0, group_size=4), entropy(), 4
        kernel = kernel if name is None else broken(name, kernel)
        chains = Chains(LINE, kernel, np.random.default_rng(seed).standard_normal((80_000, 1)), seed, 2)
        squares = np.zeros(80_000 // size)
        for _ in range(25):
            chains.advance(8, kernel.settings(1.0, np.ones(1)))
            squares += chains.positions.reshape(-1, size).sum(axis=1) ** 2 / size - 1.0
        assert (largest_z(squares[:, None]) < bound(1)) is (name is None), f"seed {seed}"


def walkers(seed, n, dim):
    return np.random.default_rng(seed).standard_normal((n, dim))


class TestAffineInvariance:
    @given(seeds, st.integers(1, 4), st.integers(1, 3))
    @settings(max_examples=25)
    def test_draws_of_the_transformed_law_are_the_transformed_draws(self, seed, dim, n_groups):
        generator = np.random.default_rng(seed)
        A = np.linalg.qr(generator.standard_normal((dim, dim)))[0] * 10.0 ** generator.uniform(-2.0, 2.0, dim)
        b = 3.0 * generator.standard_normal(dim)
        E = eb.Gaussian(np.linspace(-1.0, 1.0, dim), np.linspace(0.5, 2.0, dim))
        kernel, X = Stretch(group_size=10), walkers(seed, 10 * n_groups, dim)
        plain = Chains(E, kernel, X, seed, 1)
        other = Chains(E.affine(A, b), kernel, X @ A.T + b, seed, 1)
        for chains in (plain, other):
            chains.advance(40, kernel.settings(1.0, np.ones(dim)))
        assert (plain.counts()[0] == other.counts()[0]).all()
        np.testing.assert_allclose(
            other.positions, plain.positions @ A.T + b, rtol=1e-9, atol=1e-9 * float(np.abs(A).max())
        )

    def test_the_starts_are_all_that_tells_the_scale(self):
        """A law a millionth as wide is as easy."""
        run = eb.sample(eb.Gaussian([0.0, 0.0], 1e-12), Stretch(), n_draws=50, n_warmup=0, rng=1,
                        init=1e-6 * walkers(1, 64, 2), progress=False)
        wide = eb.sample(eb.Gaussian([0.0, 0.0], 1.0), Stretch(), n_draws=50, n_warmup=0, rng=1,
                         init=walkers(1, 64, 2), progress=False)
        np.testing.assert_allclose(1e6 * run.draws, wide.draws, rtol=1e-9, atol=1e-9)


OPTIONS = {"n_draws": 20, "n_warmup": 15, "rng": 3, "progress": False}


class TestBits:
    @pytest.mark.parametrize(("group_size", "n_chains"), [(None, 32), (None, 160), (6, 90), (10, 10), (96, 192)])
    def test_threads_shards_and_other_groups_change_nothing(self, group_size, n_chains):
        kernel = Stretch(group_size=group_size)
        wanted = eb.sample(PLANE, kernel, n_chains=n_chains, **OPTIONS, n_threads=1)
        for options in ({"n_threads": 3}, {"executor": Plain(1)}, {"executor": Plain(2)}, {"executor": Plain(50)}):
            run = eb.sample(PLANE, kernel, n_chains=n_chains, **OPTIONS, **options)
            assert same(run.draws, wanted.draws)
            assert same(run.energy, wanted.energy)
            assert same(run.acceptance_rate, wanted.acceptance_rate)
        size = kernel.n_coupled(2)
        assert same(eb.sample(PLANE, kernel, n_chains=size, **OPTIONS).draws, wanted.draws[:size])
        assert wanted.step_size == 1.0

    @pytest.mark.parametrize("options", [
        {}, {"keep": "moments"}, {"keep": "last", "thin": 2}, {"until": eb.Converged(1.3, 50), "n_draws": 300},
        {"clamp": {0: 0.3}},
    ], ids=str)
    def test_resumed_in_pieces(self, tmp_path, monkeypatch, options):
        wanted = eb.sample(PLANE, Stretch(), n_chains=64, **(OPTIONS | options))
        monkeypatch.setattr("fastebm.sampling.chains._BLOCK_SECONDS", 1e-9)
        monkeypatch.setattr(CALLS, "Interrupts", Stopping)
        path = tmp_path / "run.npz"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", eb.FastebmWarning)
            Stopping.left = 9
            eb.sample(PLANE, Stretch(), n_chains=64, **(OPTIONS | options), checkpoint=path, every=1e-9)
            Stopping.left = 11
            eb.resume(path, progress=False)
            Stopping.left = 10**9
            run = eb.resume(path, progress=False)
        assert same(run.draws, wanted.draws)
        assert same(run.energy, wanted.energy)
        assert run.converged is wanted.converged
        if wanted.moments is not None:
            assert same(run.moments.mean, wanted.moments.mean)
            assert same(run.moments.counts, wanted.moments.counts)

    def test_a_summary(self):
        table = eb.sample(PLANE, Stretch(), n_chains=64, n_draws=200, rng=1, progress=False).summary()
        assert (table["stuck_chains"] == 0).all()


class TestGroups:
    @given(st.integers(1, 500))
    def test_their_size(self, dim):
        size = Stretch().n_coupled(dim)
        assert size % 32 == 0
        assert 2 * (dim + 1) <= size < 2 * (dim + 1) + 32
        assert Stretch(group_size=8).n_coupled(3) == 8

    def test_numbers_of_chains_that_are_no_whole_groups(self):
        refused(lambda: eb.sample(PLANE, Stretch(), n_chains=50), "n_chains is 50", "groups of 32", "n_chains=64")
        refused(lambda: eb.sample(PLANE, Stretch(group_size=6), n_chains=4), "n_chains is 4", "n_chains=6")
        wide = eb.Gaussian(np.zeros(40))
        refused(lambda: eb.sample(wide, Stretch(), n_chains=64), "n_chains is 64", "groups of 96", "n_chains=96")

    def test_particles_and_batches_that_are_no_whole_groups(self):
        data = walkers(0, 200, 2)
        persistent = eb.PersistentCD(1, n_particles=100, kernel=Stretch())
        refused(lambda: persistent.begin(PLANE, data, 1, 1), "n_particles is 100", "n_particles=128")
        refused(
            lambda: eb.ContrastiveDivergence(1, Stretch()).gradient(PLANE, data[:100], 1), "batch_size is 100",
            "batch_size=128",
        )
        refused(lambda: persistent.begin(PLANE, data[:1], 1, 1), "n_particles is 100")
        few = eb.PersistentCD(1, n_particles=96, kernel=Stretch())
        refused(lambda: few.begin(PLANE, data[:1], 1, 1), "span 0 of 2", "Stretch")
        fit = eb.fit(
            eb.Gaussian([0.0, 0.0], 1.0), data + 1.0, eb.PersistentCD(2, 96, Stretch()), n_steps=50, batch_size=64,
            rng=0, progress=False,
        )
        assert fit.particles.shape == (96, 2)
        assert (fit.history["acceptance_rate"] > 0.2).all()

    @pytest.mark.parametrize(("init", "rank"), [
        ([0.5, -1.0], 0), (eb.Superchains(2), 0), (np.outer(np.arange(64.0), [1.0, -2.0]), 1),
    ], ids=["one point", "superchains", "a line"])
    def test_starts_that_span_too_little(self, init, rank):
        refused(lambda: eb.sample(PLANE, Stretch(), init=init), f"chains 0 to 31 start at points that span {rank} of 2")

    def test_starts_far_off_and_of_unlike_widths_span_all(self):
        Stretch().refuse_starts(1e8 + walkers(1, 32, 3) * [1e-3, 1.0, 1e3])
        Stretch().refuse_starts(walkers(1, 64, 2) * [1e-100, 1e100])

    def test_bad_arguments(self):
        refused(lambda: Stretch(1.0), "a is 1.0", "above 1")
        refused(lambda: Stretch(group_size=7), "group_size is 7", "even")
        refused(lambda: Stretch(group_size=2), "group_size is 2")
        refused(lambda: Stretch(group_size=4).on(PLANE), "group_size is 4", "at least 6")
        refused(lambda: Stretch().on(eb.energy(2, values=(0, 1))(lambda x: x[0] * x[1])), "Stretch", "eb.Gibbs()")


@pytest.mark.parametrize("group_size", [4, 32])
@pytest.mark.parametrize(("value", "is_fault"), [(math.inf, False), (-math.inf, True), (math.nan, True)])
def test_energies_that_are_no_numbers(value, is_fault, group_size):
    """Halves at 0 and at 1, where alone the energy is a number: what lies between is proposed, and never taken."""
    E = eb.energy(1)(lambda x: eb.where(x[0] * (x[0] - 1.0) == 0.0, 0.0, value))
    X = np.tile(np.repeat([0.0, 1.0], group_size // 2), 3)[:, None]
    kernel = Stretch(group_size=group_size)
    chains = Chains(E, kernel, X, 3, 1)
    chains.advance(4, kernel.settings(1.0, np.ones(1)))
    assert same(chains.positions, X)
    assert (chains.energies == 0.0).all()
    assert (chains.counts()[0] == 0).all()
    assert (chains.counts()[1] == (4 if is_fault else 0)).all()
    if is_fault:
        faults = chains.fault_x.ravel()[: chains.n]
        assert ((faults != 0.0) & (faults != 1.0) & (faults >= -1.0) & (faults <= 2.0)).all()
