"""log Z by quadrature against closed forms of random shape: the truth lies within the error, or there is no answer."""

import math
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_energies import PlainEnergy
from scipy import special

import fastebm as eb
from fastebm.exact import crosschecks, quadrature

ROUNDING = 1e-13
LOG_TWO_PI = math.log(2.0 * math.pi)
seeds = st.integers(0, 2**32 - 1)
dims = st.integers(1, 3)


def grid_of(energy, **options):
    """The grid, without the warning that an error above rtol has; the error itself is what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", eb.FastebmWarning)
        return quadrature.grid(energy, **options)


def holds(grid, truth):
    return abs(grid.log_partition - truth) <= grid.error + ROUNDING * (1.0 + abs(truth))


def test_a_claim_that_is_too_small_would_be_seen():
    grid = grid_of(PlainEnergy(lambda X: np.abs(X[:, 0] - 0.3)))
    assert holds(grid, math.log(2.0))
    grid.error *= 1e-3
    assert not holds(grid, math.log(2.0))


@settings(max_examples=10)
@given(seed=seeds, dim=dims, n=st.integers(1, 3))
def test_mixtures_of_any_shape(seed, dim, n):
    generator = np.random.default_rng(seed)
    means = generator.standard_normal((n, dim)) * 10.0 ** generator.uniform(-1.0, 1.0)
    turns = np.linalg.qr(generator.standard_normal((n, dim, dim)))[0]
    frames = turns * 10.0 ** generator.uniform(-1.0, 0.5, (n, 1, dim))
    weights = generator.dirichlet(np.ones(n))
    offset = 3.0 * generator.standard_normal()
    heights = np.log(weights) - np.linalg.slogdet(frames)[1] - 0.5 * dim * LOG_TWO_PI
    inverses = np.linalg.inv(frames)

    def energy(X):
        with np.errstate(over="ignore"):  # far out
            away = np.einsum("kij,knj->kni", inverses, X - means[:, None])
            squares = (away**2).sum(axis=2)
        return offset - special.logsumexp(heights[:, None] - 0.5 * squares, axis=0)

    try:
        grid = grid_of(PlainEnergy(energy, dim))
    except eb.NotNormalisableError:
        assert dim == 3  # three sheets across each other can be too thin for a lattice; then there is no answer
        assume(False)
    assert holds(grid, -offset)
    assert grid.error < 1e-6 or dim == 3


@settings(max_examples=7)
@given(seed=seeds, dim=dims, nu=st.floats(0.7, 20.0), power=st.floats(-3.0, 3.0))
def test_power_tails(seed, dim, nu, power):
    generator = np.random.default_rng(seed)
    scale, centre = 10.0**power, 10.0**power * generator.standard_normal(dim)
    truth = 0.5 * dim * math.log(nu * math.pi) + special.gammaln(0.5 * nu) - special.gammaln(0.5 * (nu + dim))

    def energy(X):
        return 0.5 * (nu + dim) * np.log1p((((X - centre) / scale) ** 2).sum(axis=1) / nu)

    assert holds(grid_of(PlainEnergy(energy, dim), rtol=1e-6), truth + dim * math.log(scale))


@settings(max_examples=15)
@given(a=st.floats(0.3, 8.0), b=st.floats(0.3, 8.0), lower=st.floats(-100.0, 100.0), width=st.floats(1e-3, 1e3))
def test_poles_and_zeros_at_two_walls(a, b, lower, width):
    upper = lower + width

    def energy(X):
        return (1.0 - a) * np.log((X[:, 0] - lower) / width) + (1.0 - b) * np.log((upper - X[:, 0]) / width)

    truth = special.betaln(a, b) + math.log(upper - lower)
    grid = grid_of(PlainEnergy(energy, 1, [(lower, upper)]))
    # Near a wall other than 0 the energy itself is rounded; what a**-1 of the mass that blurs is beyond any quadrature.
    blur = 10.0 * (2.0 * np.spacing(max(abs(lower), abs(upper))) / width) ** min(a, b, 1.0)
    assert abs(grid.log_partition - truth) <= grid.error + blur


@settings(max_examples=15)
@given(shape=st.floats(0.05, 30.0), power=st.floats(-3.0, 3.0), side=st.sampled_from([-1, 1]))
def test_gamma_laws_on_either_half_line(shape, power, side):
    rate = 10.0**power

    def energy(X):
        return rate * np.abs(X[:, 0]) + (1.0 - shape) * np.log(np.abs(X[:, 0]))

    domain = [(0.0, math.inf)] if side == 1 else [(-math.inf, 0.0)]
    truth = special.gammaln(shape) - shape * math.log(rate)
    assert holds(grid_of(PlainEnergy(energy, 1, domain)), truth)


@settings(max_examples=15)
@given(lower=st.floats(-9.0, 9.0), width=st.floats(1e-3, 20.0), kind=st.sampled_from(["domain", "bounds", "half"]))
def test_normal_laws_cut_off(lower, width, kind):
    upper = math.inf if kind == "half" else lower + width

    def energy(X):
        return 0.5 * X[:, 0] ** 2

    walls = [(lower, upper)]
    grid = grid_of(PlainEnergy(energy, 1, walls)) if kind != "bounds" else grid_of(PlainEnergy(energy), bounds=walls)
    with mpmath.workdps(40):
        root = mpmath.sqrt(2)
        high = mpmath.mpf(0) if upper == math.inf else mpmath.erfc(mpmath.mpf(upper) / root)
        truth = float(mpmath.log((mpmath.erfc(mpmath.mpf(lower) / root) - high) / 2)) + 0.5 * LOG_TWO_PI
    assert holds(grid, truth)


@settings(max_examples=7)
@given(barrier=st.floats(0.5, 12.0), location=st.floats(0.5, 3.0), tilt=st.floats(-2.0, 2.0), beta=st.floats(0.3, 3.0))
def test_tempered_double_wells_against_thirty_digits(barrier, location, tilt, beta):
    well = beta * eb.DoubleWell(2, barrier, location, tilt)
    with mpmath.workdps(30):
        def density(x):
            return mpmath.exp(-beta * (barrier * ((x / location) ** 2 - 1) ** 2 + tilt * x))

        truth = mpmath.log(mpmath.quad(density, [-8 * location, -location, 0, location, 8 * location]))
    assert holds(grid_of(well), float(truth) + 0.5 * math.log(2.0 * math.pi / beta))


@settings(max_examples=7)
@given(coupling=st.floats(-1.5, 1.5), power=st.floats(-4.0, 4.0), shift=st.floats(-100.0, 100.0))
def test_scales_and_shifts_move_log_z_as_they_must(coupling, power, shift):
    scale = 10.0**power

    def energy(X):
        return 2.0 * ((X**2 - 1.0) ** 2).sum(axis=1) + coupling * X[:, 0] * X[:, 1] + 0.3 * X[:, 0]

    plain = grid_of(PlainEnergy(energy, 2))
    moved = grid_of(PlainEnergy(lambda X: energy(X / scale - shift), 2))
    change = moved.log_partition - plain.log_partition
    assert abs(change - 2.0 * math.log(scale)) <= moved.error + plain.error + ROUNDING
    np.testing.assert_allclose(moved.mean / scale - shift, plain.mean, atol=1e-6)
    np.testing.assert_allclose(moved.cov / scale**2, plain.cov, atol=1e-6)


JUMPS = {
    "disc": (PlainEnergy(lambda X: np.where((X**2).sum(axis=1) < 1.0, 0.0, np.inf), 2), math.log(math.pi)),
    "interval": (PlainEnergy(lambda X: np.where(np.abs(X[:, 0] - 3.0) < 0.1, 0.0, np.inf)), math.log(0.2)),
    "cross of kinks": (
        PlainEnergy(lambda X: np.abs(X[:, 0] + X[:, 1]) + 10.0 * np.abs(X[:, 0] - X[:, 1]), 2), math.log(0.2)
    ),
    "noise": (PlainEnergy(lambda X: 1e8 + 0.5 * X[:, 0] ** 2), 0.5 * LOG_TWO_PI - 1e8),
}


@pytest.mark.parametrize("name", JUMPS)
def test_what_limits_the_error_is_announced(name):
    energy, truth = JUMPS[name]
    with pytest.warns(eb.FastebmWarning, match="known to"):
        grid = quadrature.grid(energy)
    assert holds(grid, truth)


@pytest.mark.parametrize("power", [2.2, 3.0])
def test_slow_tails_in_the_plane_end_at_two(power):
    def energy(X):
        return 0.5 * power * np.log1p((X**2).sum(axis=1))

    assert holds(grid_of(PlainEnergy(energy, 2), rtol=1e-6), math.log(2.0 * math.pi / (power - 2.0)))


@pytest.mark.parametrize("energy", [
    PlainEnergy(lambda X: np.log1p((X**2).sum(axis=1)), 2),
    PlainEnergy(lambda X: np.log1p(np.abs(X[:, 0]))),
    PlainEnergy(lambda X: np.log1p(X[:, 0]), 1, [(0.0, math.inf)]),
    PlainEnergy(lambda X: np.log(X[:, 0] - 1.0), 1, [(1.0, 2.0)]),
    PlainEnergy(lambda X: (X[:, 0] * X[:, 1]) ** 2 + 0.5 * X[:, 0] ** 2, 2),
    PlainEnergy(lambda X: np.cos(X[:, 0])),
    PlainEnergy(lambda X: 0.5 * np.log(np.abs(X[:, 0] - 0.3) + 1e-320) + X[:, 0] ** 2),
])
def test_mass_that_goes_on_for_ever_is_refused(energy):
    with pytest.raises(eb.NotNormalisableError):
        grid_of(energy)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_second_opinion_agrees_and_would_notice_an_error(dim):
    energy = PlainEnergy(lambda X: ((X**2 - 1.0) ** 2).sum(axis=1) + 0.3 * X[:, 0], dim)
    grid = grid_of(energy)
    value, claimed = crosschecks.second_opinion(grid.lattice)
    assert abs(value - grid.log_partition) < 1e-3
    assert claimed < 0.1
    grid.log_partition += 10.0 * claimed + 2e-4  # as a lattice that oversees mass would
    with pytest.warns(eb.FastebmWarning, match="two quadrature rules"):
        quadrature._ask_second_opinion(grid)
    assert grid.error > 10.0 * claimed


def test_expectations_and_weights():
    grid = grid_of(eb.Gaussian([1.0, -2.0], [[2.0, 0.9], [0.9, 1.0]]))
    assert grid.expectation(grid.points[:, 0]) == pytest.approx(1.0, abs=1e-8)
    np.testing.assert_allclose(grid.expectation(grid.points**2), [3.0, 5.0], atol=1e-7)
    masses = grid.log_weights - grid.energy.energy(grid.points)
    assert special.logsumexp(masses) == pytest.approx(grid.log_partition, abs=1e-12)
    np.testing.assert_allclose(np.exp(masses - grid.log_partition), grid.probabilities, atol=1e-12)


def test_other_energies_get_no_reweighted_grid_where_the_nodes_do_not_suffice():
    grid = grid_of(eb.Gaussian([0.0, 0.0], 1.0))
    assert grid.reweighted(eb.Gaussian([0.0], 1.0)) is None
    assert grid.reweighted(eb.Gaussian([0.0, 0.0], 4.0)) is None  # mass beyond the box
    assert grid.reweighted(eb.Gaussian([0.0, 0.0], 1e-4)) is None  # thinner than the steps
    again = grid.reweighted(eb.Gaussian([0.01, 0.0], 1.01))
    assert holds(again, eb.Gaussian([0.01, 0.0], 1.01).closed_log_partition())
    assert again.n_evaluations == grid.lattice.n_nodes
