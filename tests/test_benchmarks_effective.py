"""Rows that count effective draws: all sample the same law, only what is measured counts, other laws are noticed."""

import numpy as np
import pytest

from benchmarks import cases, effective
from benchmarks.rows import effective_draws
from fastebm.kernels import HMC, RandomWalk


def normal(shift=0.0):
    def draw(seed):
        return shift + np.random.default_rng([seed, 3]).standard_normal((8, 500, 2))

    return effective.Sampler("normal", draw)


@pytest.mark.parametrize("case", [cases.funnel(10), cases.far_modes()], ids=["funnel", "far modes"])
def test_every_sampler_has_the_same_target(case):
    x = case.points[:50]
    np.testing.assert_allclose([case.of_one(np, one, *case.parameters) for one in x], case.energy.energy(x), rtol=1e-12)


def test_the_density_that_numba_compiles_is_that_of_the_rows():
    case = cases.logistic()
    slope = np.empty(25)
    for x in case.points[:5]:
        value = effective.log_density_of_rows(x, *case.parameters, slope)
        assert value == pytest.approx(-case.energy.energy(x), rel=1e-12)
        np.testing.assert_allclose(slope, -case.energy.grad(x), rtol=1e-9, atol=1e-9)


def test_the_first_run_compiles_and_is_not_counted():
    seeds = []
    sampler = effective.Sampler("one", lambda seed: seeds.append(seed) or np.random.default_rng(0).random((4, 100, 1)))
    measure = sampler.measure(lambda draws, seconds: draws.size)
    assert seeds == [0]
    assert [measure(), measure()] == [400, 400]
    assert seeds == [0, 1, 2]
    assert len(sampler.seconds) == len(sampler.means) == len(sampler.deviations) == 2


def test_means_of_one_law_agree_and_those_of_another_do_not():
    """Of 4,000 draws the error of a mean is 1/63, and a shift of 0.3 is 13 errors of a difference."""
    same, other, shifted = normal(), normal(), normal(0.3)
    for sampler, seeds in ((same, (1, 2)), (other, (3, 4)), (shifted, (5, 6))):
        for seed in seeds:
            sampler.see(sampler.draw(seed))
    assert effective.distance(same, other) < effective_draws._FARTHEST
    assert effective.distance(same, shifted) > effective_draws._FARTHEST
    assert effective.distance(same, same) == 0.0


def test_rates_are_of_the_worst_coordinate():
    draws = normal().draw(1)
    draws[:, 1:, 1] = draws[:, :-1, 1]  # pairs of equal numbers: half as many
    draws[:, 1::2, 1] = draws[:, ::2, 1]
    both, seconds = effective.effective_rate(draws, 1.0), 2.0
    assert both < effective.effective_rate(draws[:, :, :1], 1.0)
    assert effective.effective_rate(draws, seconds) == pytest.approx(both / 2.0)


def test_weights_of_modes():
    draws = np.repeat(cases.FAR_CENTRES, [60, 140], axis=0).reshape(4, 50, 2)
    assert effective_draws.weights_off(draws, 1.0) == pytest.approx(0.0, abs=1e-9)
    draws = np.repeat(cases.FAR_CENTRES, [66, 134], axis=0).reshape(4, 50, 2)
    assert effective_draws.weights_off(draws, 1.0) == pytest.approx(10.0)
    assert effective_draws.weights_off(np.repeat(cases.FAR_CENTRES[1:], 9, axis=0)[None], 1.0) == pytest.approx(100.0)


@pytest.mark.parametrize("kernel", [HMC(n_leapfrog=4), RandomWalk()])
def test_our_runs_depend_on_the_seed_alone(kernel):
    sampler = effective.ours(cases.far_modes().energy, kernel, 16, 50, 20)
    assert sampler.draw(1).shape == (16, 20, 2)
    assert np.array_equal(sampler.draw(1), sampler.draw(1))
    assert not np.array_equal(sampler.draw(1), sampler.draw(2))
    assert sampler.name.endswith("16 x (50 + 20)")
