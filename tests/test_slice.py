"""Slice sampling along coordinates and ellipses: its law, mutants, closed forms, tuning, hostile energies."""

import json
import math

import numpy as np
import pytest
from invariance import entropy
from messages import refused

import fastebm as eb
from fastebm.kernels import Slice
from fastebm.kernels.descriptions import rebuild
from fastebm.kernels.slice import MOST_WIDTHS
from fastebm.sampling.chains import Chains
from fastebm.testing import check_kernel
from fastebm.testing.changes import changed
from fastebm.testing.replay import replay
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins.slice import SliceTwin
from fastebm.testing.twins.streams import Stream

MIXTURE = eb.GaussianMixture([[-1.5], [1.0]], [[[0.4]], [[0.8]]], [0.35, 0.65])
PLANE = eb.Gaussian([0.5, -1.0], [[1.5, 0.6], [0.6, 0.8]])
WALLED = eb.energy(1, domain=[(0.0, 2.0)])(lambda x: 1.5 * x[0] + 0.4 * math.sin(5.0 * x[0]))
PRIOR = eb.Gaussian([0.4, -0.2], [[1.6, 0.3], [0.3, 0.9]])
POSTERIOR = PRIOR + eb.energy(2)(lambda x: 1.3 * eb.softplus(-2.0 * x[0]) + 0.4 * (x[1] - 0.5 * x[0] ** 2) ** 2)
LINE = eb.Gaussian([0.3], 2.0)

SHORT, WIDE, TURNED = (Slice(0.3), MIXTURE), (Slice(1.3), MIXTURE), (Slice(prior=PRIOR), POSTERIOR)
# (kernel, energy), what stands there, what is put in its place, and the delta at which statistics alone surely see it
MUTANTS = {
    "both ends up to 15 widths": (
        SHORT, "n_above = MOST_WIDTHS - 1.0 - n_below", "n_above = as_lane(MOST_WIDTHS - 1.0)", 0.06,
    ),
    "the lower end first": (SHORT, "np.floor(MOST_WIDTHS * share)", "as_lane(MOST_WIDTHS - 1.0)", 0.06),
    "x in the middle": (WIDE, "- offset * load_row(span, l)", "- 0.5 * load_row(span, l)", None),
    "shrinks past x": (WIDE, "is_cut & (at < x_i)", "is_cut & (at >= x_i)", None),
    "shrinks at both ends": (
        WIDE, "is_cut & (at < x_i), at,", "is_cut, np.minimum(at, 2.0 * x_i - at),", 0.03,
    ),
    "level at E(x)": (WIDE, "load_row(e, l) + exponential", "load_row(e, l)", 0.06),
    "stale energy": (WIDE, "np.where(is_taken, there, load_row(e, l))", "load_row(e, l)", 0.06),
    "hot": (WIDE, "load_row(e, l) + exponential", "load_row(e, l) + 1.4 * exponential", 0.06),
    "streams of all columns move on": (WIDE, "chosen_streams(is_on & is_inner, after, state)", "after", None),
    "ellipse: prior counted twice": (TURNED, "there - load_row(prior, l) <=", "there <=", 0.06),
    "ellipse: prior never counted": (TURNED, "load_row(e, l) - 0.5 * squared + ", "load_row(e, l) + ", 0.06),
    "ellipse: stale energy": (TURNED, "np.where(is_taken, there, load_row(e, l))", "load_row(e, l)", 0.06),
    "ellipse: angle not shrunk": (TURNED, "np.where(at < 0.0, load_row(high, l), at)", "load_row(high, l)", None),
    "ellipse: angle shrunk past x": (TURNED, "np.where(at < 0.0, at, load_row(low, l))", "at", None),
}


@pytest.mark.parametrize(("kernel", "E", "is_reversible"), [
    (Slice(1.3), MIXTURE, True), (Slice([2.5, 0.7]), PLANE, None), (Slice(0.9), WALLED, True),
    (Slice(prior=PRIOR), POSTERIOR, None),
], ids=["mixture", "plane", "walled", "ellipse"])
def test_the_law_is_kept(kernel, E, is_reversible):
    check_kernel(kernel, E, is_reversible=is_reversible, rng=entropy()).raise_if_failed()


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_ones_are_caught(name):
    (kernel, E), old, new, delta = MUTANTS[name]
    report = check_kernel(changed(kernel, old, new), E, delta=delta or 0.3, rng=entropy())
    assert report.verdict == "failed"
    found = {tier.name for tier in report.ran if tier.faults}
    assert found & {"replay", "same bits"}
    assert "invariance" in found or delta is None


@pytest.mark.parametrize("kernel", [Slice([0.02, 30.0]), Slice(prior=eb.Gaussian([3.0, 0.0], [9.0, 0.1]))])
def test_priors_and_widths_that_suit_badly(kernel):
    found = replay(KernelStep(kernel, POSTERIOR, 1), entropy() % 2**62, 20)
    assert not found.faults


def test_what_is_too_close_to_call_is_said():
    """Where E is the level itself no twin can tell; it says so, and uses its streams up."""
    twin = SliceTwin(np.array([1.0]), 1)
    numbers, _ = twin.numbers(Stream(1, 0), 1)
    flat = lambda x: 1e15 * np.ones(np.shape(x)[:-1])  # noqa: E731
    _, _, found = twin.attempt(np.zeros((1, 1)), np.zeros((1, 1)), np.array([numbers]), None, 0, flat)
    assert found.tolist() == [0.0]
    assert twin.streams == []


# ---- closed forms ----


def test_short_widths_are_stepped_out_to_sixteen():
    """In a wide plateau x has a uniform place in 16 widths, so that moves are those times a difference of uniforms."""
    plateau = eb.energy(1)(lambda x: 1e-9 * x[0] ** 2)
    chains = Chains(plateau, Slice(0.25), np.zeros((4096, 1)), entropy() % 2**62, 1)
    chains.advance(1, np.array([0.25]))
    assert (chains.memories == [[MOST_WIDTHS - 1.0, 0.0]]).all()
    moves = chains.positions[:, 0] / (0.25 * MOST_WIDTHS)
    assert np.abs(moves).max() < 1.0
    squares = moves**2  # of mean 1/6 and variance 1/15 - 1/36
    assert abs(squares.mean() - 1.0 / 6.0) < 6.1 * math.sqrt((1.0 / 15.0 - 1.0 / 36.0) / 4096)
    assert abs(moves.mean()) < 6.1 / math.sqrt(6.0 * 4096)


def test_a_prior_alone_is_turned_by_any_angle():
    """E is the prior: x + mean has the law of x cos a + n sin a, for the first angle a, from any x."""
    x = np.array([3.0, -2.0])
    chains = Chains(PRIOR, Slice(prior=PRIOR), np.tile(x, (20_000, 1)), entropy() % 2**62, 1)
    chains.advance(1, chains.kernel.settings(1.0, np.ones(2)))
    mean, cov = PRIOR.closed_moments()
    away = chains.positions - mean
    products = away[:, :, None] * away[:, None, :]
    wanted = 0.5 * (np.outer(x - mean, x - mean) + cov)
    assert (np.abs(away.mean(axis=0)) < 6.1 * away.std(axis=0) / math.sqrt(20_000)).all()
    assert (np.abs(products.mean(axis=0) - wanted) < 6.1 * products.std(axis=0) / math.sqrt(20_000)).all()


# ---- tuning ----


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_widths_settle_at_some_standard_deviations(scale):
    spread = scale * np.array([1.0, 3.0])
    run = eb.sample(eb.Gaussian([0.0, 0.0], spread**2), Slice(), n_chains=64, n_draws=5, n_warmup=300, rng=entropy())
    widths = run.step_size * run.scale / spread
    assert (widths > 1.0).all(), f"seed {run.seed}"
    assert (widths < 4.0).all(), f"seed {run.seed}"
    assert (run.acceptance_rate == 1.0).all()


def test_rates_are_shares_of_expansions():
    assert Slice().rates(1.0, np.array([3.0, 1.0])) == 0.75
    assert math.isnan(Slice().rates(1.0, np.zeros(2)))


# ---- hostile energies ----


@pytest.mark.parametrize("kernel", [Slice(0.5), Slice(prior=PRIOR)], ids=["sweep", "ellipse"])
@pytest.mark.parametrize(("value", "is_fault"), [(math.inf, False), (-math.inf, True), (math.nan, True)])
def test_energies_that_are_no_numbers(kernel, value, is_fault):
    E = eb.energy(2)(lambda x: eb.where(abs(x[0]) + abs(x[1]) == 0.0, 0.0, value))
    chains = Chains(E, kernel, np.zeros((40, 2)), 3, 1)
    chains.advance(3, kernel.settings(0.5, np.ones(2)))
    assert (chains.positions == 0.0).all()
    assert (chains.energies == 0.0).all()
    assert (chains.counts()[0] == 0).all()
    assert ((chains.counts()[1] > 0) == is_fault).all()


@pytest.mark.parametrize("kernel", [Slice(0.5), Slice(prior=PRIOR)], ids=["sweep", "ellipse"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_the_other_side_of_a_cliff_is_not_entered(kernel, value):
    E = eb.energy(2)(lambda x: eb.where(x[0] > 0.0, 0.5 * (x[0] ** 2 + x[1] ** 2), value))
    chains = Chains(E, kernel, np.full((40, 2), 0.1), 3, 1)
    chains.advance(50, kernel.settings(0.5, np.ones(2)))
    assert (chains.positions[:, 0] > 0.0).all()
    assert (chains.energies == E.energy(chains.positions)).all()
    assert (chains.counts()[0] == 50).all()


@pytest.mark.parametrize("width", [1e-300, 1e300, 1.7e308])
def test_widths_without_measure(width):
    chains = Chains(PLANE, Slice(width), np.ones((40, 2)), 3, 1)
    chains.advance(5, np.full(2, width))
    assert np.isfinite(chains.positions).all()
    assert (chains.energies == PLANE.energy(chains.positions)).all()


# ---- neighbours, files, refusals ----


@pytest.mark.parametrize("kernel", [Slice(1.5), Slice(prior=PRIOR)], ids=["sweep", "ellipse"])
def test_neighbours_change_nothing(kernel):
    """Chains whose neighbours are far off, and contract and expand many times, keep their bits and their streams."""
    settings, near = kernel.settings(1.5, np.ones(2)), np.full((64, 2), 0.3)
    mixed = near.copy()
    mixed[1::2] = [40.0, -60.0]
    found = []
    for starts in (near, mixed):
        chains = Chains(POSTERIOR, kernel, starts, 11, 1)
        chains.advance(7, settings)
        found.append(chains.state())
    for part in ("x", "e", "streams", "memory"):
        assert np.array_equal(found[0][part][::2], found[1][part][::2])
    assert not np.array_equal(found[0]["streams"][1::2], found[1]["streams"][1::2])


def test_a_prior_travels_with_its_kernel():
    moved = eb.Gaussian([0.1, 0.2], [[2.0, 0.3], [0.3, 1.0]]).with_theta(mean=[1.0 / 3.0, -2.0])
    for kernel in (Slice(prior=moved), Slice(prior=eb.Gaussian([0.0, 1.0], [2.0, 3.0])), Slice(), Slice([0.5, 2.0])):
        described = json.loads(json.dumps(kernel.describe()))
        twin = rebuild(described)
        assert twin.describe() == described
        assert twin.is_reversible == kernel.is_reversible
        if kernel.prior is not None:
            assert np.array_equal(twin.settings(1.0, np.ones(2)), kernel.settings(1.0, np.ones(2)))


def test_what_is_no_slice():
    refused(lambda: Slice(prior=3.0), "prior", "eb.Gaussian", kind=TypeError)
    refused(lambda: Slice(prior=eb.Ring()), "prior", "eb.Gaussian", kind=TypeError)
    refused(lambda: Slice(0.5, prior=PRIOR), "step_size is 0.5", "one of")
    refused(lambda: Slice(-1.0), "step_size is -1.0")
    refused(lambda: Slice(prior=PRIOR.with_theta(precision_factor=np.zeros((2, 2)))), "prior", "0 on")
    refused(lambda: eb.sample(PLANE, Slice(prior=LINE)), "prior has dim=1", "dim=2")
    refused(lambda: eb.sample(PLANE, Slice(prior=PRIOR), clamp={0: 1.0}), "prior has dim=2", "dim=1")
    refused(lambda: eb.sample(eb.energy(2, values=(0, 1))(lambda x: x[0]), Slice()), "Slice steps off", "eb.Gibbs()")


def test_ellipses_take_no_step_and_need_no_tuning():
    run = eb.sample(POSTERIOR, Slice(prior=PRIOR), n_chains=8, n_draws=5, n_warmup=5, rng=1)
    assert run.step_size == 1.0
    assert repr(Slice(prior=LINE)) == "Slice(prior=Gaussian(mean=[0.3], cov=[2.0]))"
    assert repr(Slice(0.5)) == "Slice(step_size=0.5)"
    assert Slice(prior=PRIOR).is_reversible
    assert not Slice().is_reversible
