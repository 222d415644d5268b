"""What the Langevin kernels share: their settings, and proposals that scale with the coordinates, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastebm as eb
from fastebm.kernels.langevin import Langevin
from fastebm.sampling.chains import Chains

KERNELS = pytest.mark.parametrize("kernel", [eb.ULA(0.1), eb.MALA()], ids=lambda one: type(one).__name__)
steps = st.floats(1e-6, 10.0)
powers = st.integers(-8, 8).map(lambda k: 2.0**k)


@KERNELS
@given(step=steps, scale=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5))
def test_settings_are_the_step_and_the_standard_deviation(kernel, step, scale):
    eps, deviation = np.split(kernel.settings(step, np.array(scale)), 2)
    np.testing.assert_allclose(eps, [step * s**2 for s in scale], rtol=1e-15)
    np.testing.assert_allclose(deviation**2, 2.0 * eps, rtol=1e-15)


@KERNELS
@given(seed=st.integers(0, 2**64 - 1), step=st.floats(0.01, 0.5), dim=st.sampled_from([1, 5]), factor=powers)
@settings(max_examples=20)
def test_wider_coordinates_are_the_same_chain_with_a_wider_step(kernel, seed, step, dim, factor):
    """E(x / c) with scale c moves as E does, c times as far; for powers of two no number is rounded otherwise."""
    E = eb.energy(dim, theta={"precision": 1.0})(quartic)
    wide = eb.energy(dim, theta={"precision": 1.0 / factor})(quartic)
    starts = np.random.default_rng(seed).standard_normal((40, dim))
    chains, wider = Chains(E, kernel, starts, seed, 1), Chains(wide, kernel, factor * starts, seed, 1)
    chains.advance(9, kernel.settings(step, np.ones(dim)))
    wider.advance(9, kernel.settings(step, np.full(dim, factor)))
    assert np.array_equal(factor * chains.positions, wider.positions)
    assert np.array_equal(chains.energies, wider.energies)


def quartic(x, theta):
    total = 0.0
    for i in range(len(x)):
        y = theta.precision * x[i]
        total += 0.5 * y * y + 0.1 * (y * y) * (y * y)
        if i > 0:
            total += 0.3 * y * (theta.precision * x[i - 1])
    return total


@KERNELS
def test_they_need_gradients(kernel):
    assert isinstance(kernel, Langevin)
    assert kernel.needs_grad
    assert not eb.RandomWalk().needs_grad


def test_only_the_adjusted_one_is_exact():
    assert eb.MALA().is_exact
    assert not eb.ULA(0.1).is_exact


def test_they_say_what_they_are():
    assert repr(eb.MALA()) == "MALA(step_size=None)"
    assert repr(eb.ULA(0.25)) == "ULA(step_size=0.25)"
