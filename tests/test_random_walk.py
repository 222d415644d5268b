"""Random-walk Metropolis: hostile energies, its law from exact starts, and broken ones.

Its algebra and its replay in plain Python are in test_testing_algebra and test_testing_replay.
"""

import math

import numpy as np
import pytest
from energy_laws import same
from exact_laws import CASES, MIXTURE, mixture_draws, mixture_shares
from hypothesis import given, settings
from hypothesis import strategies as st
from invariance import ALPHA, bound, entropy, is_caught, largest_z, moments, verdict
from messages import refused

import fastebm as eb
from fastebm import streams
from fastebm.kernels.random_walk import RandomWalk
from fastebm.sampling.chains import Chains
from fastebm.testing.changes import changed
from fastebm.testing.twins import Stream

seeds = st.integers(0, 2**64 - 1)
energies = st.floats(-30, 30) | st.sampled_from([math.inf, -math.inf, math.nan, 1e300, -1e300, 0.0])


class TestHostile:
    @pytest.mark.filterwarnings("ignore:.*chain by chain")
    @pytest.mark.parametrize("is_branching", [False, True])
    @given(energies, energies, seeds, st.integers(1, 40))
    @settings(max_examples=60)
    def test_the_compiled_rule_decides_as_the_twin(self, is_branching, here, there, seed, n):
        """Chains on a plateau of one energy propose to step on another of any energy, hostile ones included."""
        step = 0.5
        plateaus = BRANCHING_PLATEAUS if is_branching else PLATEAUS
        E = plateaus.with_theta([code(here), number(here), code(there), number(there)])
        chains = Chains(E, RandomWalk(), np.zeros((n, 1)), seed, 1)
        chains.advance(1, np.array([step]))
        accepted, faults = chains.counts()
        for c in range(n):
            twin = Stream(seed, c)
            proposal = step * twin.normals(1)[0]
            log_u = -twin.exponential()
            is_accepted = there > -math.inf and log_u < here - there
            assert bool(accepted[c]) == is_accepted
            assert faults[c] == (not there > -math.inf)
            assert chains.positions[c, 0] == (pytest.approx(proposal, rel=1e-14) if is_accepted else 0.0)
            assert same(chains.energies[c], there if is_accepted else here)
            if faults[c]:
                assert chains.fault_x.ravel()[c] == pytest.approx(proposal, rel=1e-14)


def decoded(kind, value):
    if kind == 1.0:
        return math.inf
    if kind == 2.0:
        return -math.inf
    return math.nan if kind == 3.0 else value


def code(value: float) -> float:
    return 0.0 if math.isfinite(value) else 1.0 if value == math.inf else 2.0 if value == -math.inf else 3.0


def number(value: float) -> float:
    return value if math.isfinite(value) else 0.0


@eb.energy(dim=1, theta={"here": np.zeros(2), "there": np.zeros(2)})
def PLATEAUS(x, theta):
    """The first energy at 0 and the second one elsewhere; parameters are finite, so that codes stand for the rest."""
    return eb.where(x[0] == 0.0, decoded(theta.here[0], theta.here[1]), decoded(theta.there[0], theta.there[1]))


@eb.energy(dim=1, theta={"here": np.zeros(2), "there": np.zeros(2)})
def BRANCHING_PLATEAUS(x, theta):
    """The same with a branch on x, which is compiled for one chain at a time."""
    if x[0] == 0.0:
        return decoded(theta.here[0], theta.here[1])
    return decoded(theta.there[0], theta.there[1])


MUTANTS = {
    "generous by 0.01": (
        "-load_row(exponentials, l) < here - there",
        "math.exp(-load_row(exponentials, l)) - 0.01 < math.exp(here - there)",
    ),
    "stale energy": ("l, e, e_y, y", "l, e, e, y"),
    "drifting": (
        "load(x, dim - 1, l) + settings[dim - 1] * last", "load(x, dim - 1, l) + settings[dim - 1] * (last + 0.05)"
    ),
    "hot": ("here - there)", "0.9 * (here - there))"),
}


class TestLaw:
    @pytest.mark.parametrize("name", CASES)
    def test_exact_draws_stay_exact(self, name):
        E, draw, transform, step = CASES[name]
        seed = entropy()
        worst, allowed = verdict(RandomWalk(), step, E, draw, transform, seed)
        assert worst < allowed, f"seed {seed}"

    @pytest.mark.parametrize("name", CASES)
    @pytest.mark.parametrize("change", MUTANTS)
    def test_broken_kernels_are_caught(self, name, change):
        E, draw, transform, step = CASES[name]
        assert is_caught(changed(RandomWalk(), *MUTANTS[change]), step, E, draw, transform)

    @pytest.mark.parametrize("name", CASES)
    @pytest.mark.parametrize("beta", [0.95, 1.05])
    def test_a_temperature_that_is_wrong_by_five_per_cent_is_caught(self, name, beta):
        E, draw, transform, step = CASES[name]
        assert is_caught(RandomWalk(), step, beta * E, draw, transform)

    def test_a_correct_kernel_of_another_look_is_not_caught(self):
        """Barker's rule keeps the law too, and a mutant that only names things anew keeps the bits."""
        rule = "math.exp(-load_row(exponentials, l)) * (1.0 + math.exp(there - here)) < 1.0"
        barker = changed(RandomWalk(), "-load_row(exponentials, l) < here - there", rule)
        E, draw, transform, step = CASES["mixture"]
        seed = entropy()
        worst, allowed = verdict(barker, step, E, draw, transform, seed)
        assert worst < allowed, f"seed {seed}"

    def test_what_does_not_move_or_is_no_number_fails(self):
        E, draw, transform, _ = CASES["mixture"]
        assert verdict(RandomWalk(), [1e-300], E, draw, transform, entropy(), n=1000)[0] == math.inf
        assert largest_z(np.full((10, 2), math.nan)) == math.inf
        assert largest_z(np.ones((10, 2))) == math.inf

    @pytest.mark.parametrize("size", [0.5, 2.4, 10.0])
    def test_acceptance_in_closed_form(self, size):
        """On N(0, 1) a proposal of standard deviation s is accepted with probability (2/pi) arctan(2/s)."""
        seed, n = entropy(), 50_000
        starts = np.random.default_rng(seed).standard_normal((n, 1))
        chains = Chains(eb.Gaussian([0.0]), RandomWalk(), starts, seed, 2)
        chains.advance(20, np.array([size]))
        away = chains.acceptance_rate() - 2.0 / math.pi * math.atan(2.0 / size)
        assert abs(largest_z(away[:, None])) < bound(1), f"seed {seed}"
        assert largest_z(away[:, None] + 0.01) > bound(1), "an acceptance that is wrong by 0.01 would be seen"

    def test_all_of_the_law_is_reached_from_one_point(self):
        """Irreducibility: 40,000 chains from one far point, after 500 transitions."""
        seed, n = entropy(), 40_000
        chains = Chains(MIXTURE, RandomWalk(), np.full((n, 1), 6.0), seed, 2)
        chains.advance(5, np.array([2.0]))
        assert largest_z(moments(mixture_shares(chains.positions))) > bound(16), "five transitions are too few"
        chains.advance(495, np.array([2.0]))
        assert largest_z(moments(mixture_shares(chains.positions))) < bound(16), f"seed {seed}"

    def test_neighbouring_chains_are_independent(self):
        """Products of the moments of chains c and c + 1, and of chains a tile apart, have mean zero."""
        seed, n = entropy(), 100_000
        starts = mixture_draws(np.random.default_rng(seed), n)
        chains = Chains(MIXTURE, RandomWalk(), starts, seed, 2)
        chains.advance(8, np.array([2.0]))
        terms = moments(mixture_shares(chains.positions))
        products = np.hstack([terms[:-64] * terms[64:], terms[:-64] * terms[1:-63]])
        assert largest_z(products) < bound(products.shape[1]), f"seed {seed}"


class TestSettings:
    def test_step_sizes(self):
        assert RandomWalk().step_size is None
        assert RandomWalk(0.5).step_size == RandomWalk(np.float32(0.5)).step_size == 0.5
        assert RandomWalk([0.5, 2]).step_size.tolist() == [0.5, 2.0]
        assert RandomWalk(2).settings(0.5, np.array([1.0, 3.0])).tolist() == [0.5, 1.5]
        assert repr(RandomWalk(0.5)) == "RandomWalk(step_size=0.5)"

    @pytest.mark.parametrize(("bad", "words"), [
        (0.0, ["step_size is 0.0"]), (-1, ["step_size is -1"]), (math.nan, ["nan"]), (math.inf, ["inf"]),
        ("big", ["'big'"]),
        ([1.0, 0.0], ["[1.0, 0.0]", "above 0"]), ([1.0, math.nan], ["step_size[1] is nan"]), ([[1.0]], ["[[1.0]]"]),
    ])
    def test_what_is_refused(self, bad, words):
        refused(lambda: RandomWalk(bad), *words)

    @given(st.integers(1, 10**6))
    def test_targets_go_from_one_to_many_dimensions(self, dim):
        """0.44 in one dimension, 0.234 in many: Roberts, Gelman and Gilks (1997), doi:10.1214/aoap/1034625254."""
        assert RandomWalk().target_acceptance(1) == pytest.approx(0.44)
        assert 0.234 < RandomWalk().target_acceptance(dim) <= 0.44 + 1e-12
        assert RandomWalk().first_step_size(dim) == pytest.approx(2.38 / math.sqrt(dim))


def test_the_error_rate_is_the_one_of_the_manual():
    assert ALPHA == 1e-9
    assert streams.TRANSITIONS == 0
