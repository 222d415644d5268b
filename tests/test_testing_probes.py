"""Prescribed energies: where a rule stops accepting, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastebm as eb
from fastebm.testing.probes import LARGEST, Probe, thresholds
from fastebm.tiles import LANES


@given(st.lists(st.floats(-LARGEST, np.nextafter(LARGEST, 0.0)), min_size=1, max_size=20))
def test_thresholds_are_found_to_the_last_bit(wanted):
    found = thresholds(lambda e: e <= np.array(wanted), len(wanted))
    assert found.tolist() == [one + 0.0 for one in wanted]
    below = thresholds(lambda e: e < np.array(wanted), len(wanted))
    assert below.tolist() == [np.nextafter(one, -math.inf) if one > -LARGEST else -math.inf for one in wanted]


def test_rules_without_threshold_have_an_infinite_one():
    assert thresholds(lambda e: e < math.inf, 2).tolist() == [math.inf, math.inf]
    assert thresholds(lambda e: e > math.inf, 2).tolist() == [-math.inf, -math.inf]


@pytest.mark.parametrize("kernel", [eb.RandomWalk(1.0), eb.MALA(0.5), eb.ULA(0.5)], ids=repr)
def test_a_probe_repeats_itself_and_shows_what_is_remembered(kernel):
    generator = np.random.default_rng(2)
    x, slope_x, slope_y = generator.standard_normal((3, LANES, 2))
    e_x = generator.standard_normal(LANES)
    probe = Probe(kernel, kernel.settings(kernel.step_size, np.ones(2)), x, e_x, slope_x, slope_y, 4)
    low = np.full(LANES, -1e10)
    for _ in range(2):
        assert probe.accepts(low).all()
        first = probe.y
        assert not (first == x).any()
        assert (probe.memory[0] == low).all()
        if kernel.needs_grad:
            assert (probe.memory[1] == slope_y).all()
        assert not probe.accepts(np.full(LANES, math.inf)).any()
        assert (probe.y == x).all()
        assert (probe.memory[0] == e_x).all()
        probe.accepts(low)
        assert (probe.y == first).all()
