"""What exact starts cannot show: kernels that keep the law and do not reach all of it; chains that hang together."""

import numpy as np
import pytest

import fastebm as eb
from fastebm.testing import reach
from fastebm.testing.contrasts import Contrasts
from fastebm.testing.invariance import evidence
from fastebm.testing.laws import law_of
from fastebm.testing.reports import NotRun
from fastebm.testing.steps import KernelStep

E = eb.Gaussian([0.0, 0.0], [1.0, 2.0])
SCALES = np.sqrt([1.0, 2.0])


def entropy():
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def walk(proposal):
    """Metropolis's rule with proposal(generator, states), which has to be symmetric."""

    def step(states, k, seed):
        generator = np.random.default_rng(seed)
        x, e = states, E.energy(states)
        for _ in range(k):
            y = proposal(generator, x)
            e_y = E.energy(y)
            accepted = -generator.standard_exponential(len(x)) < e - e_y
            x, e = np.where(accepted[:, None], y, x), np.where(accepted, e_y, e)
        return x

    return step


good = walk(lambda generator, x: x + 1.5 * generator.standard_normal(x.shape))


def one_coordinate(generator, x):
    return x + np.array([1.5, 0.0]) * generator.standard_normal(x.shape)


def lattice(generator, x):
    return x + generator.choice([-1.0, 1.0], x.shape)


def one_side(generator, x):
    """Proposals that would change the sign of x[0] are left where they were."""
    y = x + 1.5 * generator.standard_normal(x.shape)
    return np.where((y[:, :1] > 0.0) == (x[:, :1] > 0.0), y, x)


def turned(states, k, seed):
    """A random rotation of the standardised point: its distance from the centre never changes."""
    angle = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, len(states))
    z = states / SCALES
    cosine, sine = np.cos(angle), np.sin(angle)
    return SCALES * np.column_stack([cosine * z[:, 0] - sine * z[:, 1], sine * z[:, 0] + cosine * z[:, 1]])


def seen(step, n=20_000):
    law = law_of(E)
    seed = entropy()
    contrasts = Contrasts(law.columns, False)
    starts = law.draws(n, seed)
    return law, contrasts, starts, evidence(step, law, contrasts, starts, [seed, seed + 1, seed + 2], 1)


def faults_of(step):
    law, contrasts, starts, found = seen(step)
    if faults := reach.confinements(found, law.columns):
        return faults, ""
    try:
        start = reach.nearest_to_medians(starts, found.starts, 1)
        faults += reach.from_one_point(step, law, contrasts, start, found.slopes, entropy()).faults
    except NotRun as why:
        return faults, str(why)
    return faults, ""


def test_a_good_kernel_reaches_everything():
    assert faults_of(good) == ([], "")


@pytest.mark.parametrize(("step", "words"), [
    (walk(one_coordinate), "x[1] never changes"),
    (walk(one_side), "from the median of x[0] only"),
    (turned, "the energy never changes"),
])
def test_kernels_that_are_confined(step, words):
    faults, _ = faults_of(step)
    assert any(words in fault for fault in faults), faults


def test_steps_on_a_lattice():
    faults, _ = faults_of(walk(lattice))
    assert any("are at only" in fault and "draw steps from a continuous law" in fault for fault in faults), faults


def test_a_coordinate_that_stays_where_all_chains_begin():
    law, contrasts, starts, found = seen(good)
    tier = reach.from_one_point(walk(one_coordinate), law, contrasts, starts[:1], found.slopes, 1)
    assert any("x[1] stays at" in fault for fault in tier.faults)


def test_a_part_that_is_not_reached():
    law, contrasts, _, found = seen(good)
    start = np.array([0.5, 0.5])
    tier = reach.from_one_point(walk(one_side), law, contrasts, start[None], found.slopes, 1, patience=1)
    assert any("where x[0] is between its quantiles 0 and 0.0625" in fault for fault in tier.faults)


def test_a_right_kernel_is_not_put_to_where_it_cannot_get_away_from():
    """MALA far out in the tail of a banana proposes to leap over the law, and is rejected."""
    energy = eb.Banana()
    law = law_of(energy)
    contrasts = Contrasts(law.columns, False)
    step = KernelStep(eb.MALA(0.3), energy, entropy())
    draws = law.draws(2000, entropy())
    tail = np.array([[28.26260672044837, -70.30689686257494]])  # once the first of 1e5 exact draws
    for start, is_reached in ((tail, False), (reach.nearest_to_medians(draws, law.shares(draws), 1), True)):
        tier = reach.from_one_point(step, law, contrasts, start, np.array([0.5]), entropy(), 1 + 3 * is_reached)
        assert (not tier.faults) == is_reached, tier.faults


def test_chains_begin_nearest_to_all_medians():
    law, _, draws, found = seen(good)
    far = abs(found.starts - 0.5).max(axis=1)
    assert np.array_equal(reach.nearest_to_medians(draws, found.starts, 1)[0], draws[np.argmin(far)])
    begins = reach.nearest_to_medians(draws, found.starts, 20)
    assert np.array_equal(np.sort(abs(law.shares(begins) - 0.5).max(axis=1)), np.sort(far)[:20])


def test_walkers_begin_at_distinct_points():
    draws = np.array([[1.0], [2.0], [1.0], [3.0], [2.0]])
    shares = draws / 4.0  # 0.5 is that of 2
    assert reach.nearest_to_medians(draws, shares, 2).tolist() == [[2.0], [1.0]]
    assert reach.nearest_to_medians(draws, shares, 3).tolist() == [[2.0], [1.0], [3.0]]
    assert reach.nearest_to_medians(draws, shares, 5).tolist() == [[2.0], [1.0], [3.0], [2.0], [1.0]]


def test_slow_kernels_that_do_not_look_it_get_longer():
    law = law_of(E)
    contrasts = Contrasts(law.columns, False)
    slow = walk(lambda generator, x: x + 0.05 * generator.standard_normal(x.shape))

    def faults(patience):
        x, slopes = np.array([[0.5, 1.0]]), np.zeros(1)
        return reach.from_one_point(slow, law, contrasts, x, slopes, entropy(), patience).faults

    assert faults(64) == ()
    assert any("after 64 transitions; the kernel does not reach" in fault for fault in faults(1))


def test_slow_kernels_are_not_waited_for():
    slow = walk(lambda generator, x: x + 0.001 * generator.standard_normal(x.shape))
    faults, why = faults_of(slow)
    assert faults == []
    assert "too slowly, with an autocorrelation of 1" in why


class TestIndependence:
    def smallest(self, step, n=20_000):
        law, contrasts, _, found = seen(step, n)
        statistics = reach.independence(found, contrasts, law.moments(contrasts)[0])
        assert len(statistics) == reach.n_lags(contrasts)
        assert len({one.name for one in statistics}) == len(statistics)
        return min(statistics, key=lambda one: one.p_value)

    def test_independent_chains(self):
        assert self.smallest(good).p_value > 1e-9 / 42

    @pytest.mark.parametrize("lag", [1, 2, 3, 8, 16, 32, 64])
    def test_shared_random_numbers(self, lag):
        """Chains c and c + lag, for every second block of `lag` chains, take the same steps."""

        def shared(generator, x):
            steps = generator.standard_normal(x.shape)
            blocks = np.arange(len(x)) // lag % 2 == 1
            twins = np.flatnonzero(blocks)
            steps[twins] = steps[twins - lag]
            return x + 0.5 * steps

        worst = self.smallest(walk(shared))
        assert worst.p_value < 1e-12
        assert "give every chain random numbers of its own" in worst.words
