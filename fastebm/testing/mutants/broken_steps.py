"""Steps that keep the law and do not reach all of it, and steps that are no samplers at all."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.testing.mutants import targets
from fastebm.testing.mutants.correct import gaussian_scan, metropolis, scan
from fastebm.testing.mutants.entries import Entry
from fastebm.testing.mutants.rules import Points, Random, accepts, chosen, hastings, steps
from fastebm.testing.steps import Step

# ---- reducible: from the exact law nothing is to be seen, from one point it is ----


def never_crosses_zero(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Proposals of the other sign are rejected."""
    y = x + scale * generator.standard_normal(x.shape)
    e_y = np.where((np.sign(y) == np.sign(x)).all(axis=1), energy.energy(y), np.inf)
    return chosen(accepts(generator, e - e_y), x, e, y, e_y)


def on_a_lattice(energy: Energy, x: FloatArray, e: FloatArray, generator: Random, scale: float) -> Points:
    """Steps of -scale or +scale."""
    return hastings(energy, x, e, x + scale * generator.choice([-1.0, 1.0], size=x.shape), generator)


def mirrored(energy: Energy, x: FloatArray, e: FloatArray, generator: Random) -> Points:
    """To the other side of the mean of a Gaussian, at the same energy, or not."""
    flipped = generator.random(len(x)) < 0.5
    return np.where(flipped[:, None], 2.0 * targets.MEAN - x, x), e


def too_short(energy: Energy, x: FloatArray, e: FloatArray, generator: Random) -> Points:
    """Steps so short that nothing of the law is seen."""
    return hastings(energy, x, e, x + 1e-9 * generator.standard_normal(x.shape), generator)


# ---- no samplers ----


def moves_nothing(states: FloatArray, k: int, seed: int) -> FloatArray:
    """The states as they were."""
    return states


def returns_nan(states: FloatArray, k: int, seed: int) -> FloatArray:
    """One state of each hundred is lost."""
    states[::100] = math.nan
    return states


def changes_shape(states: FloatArray, k: int, seed: int) -> FloatArray:
    """Leaves the last state out."""
    return states[:-1]


def one_axis_less(states: FloatArray, k: int, seed: int) -> FloatArray:
    """Returns x[0] alone."""
    return states[:, 0]


def returns_text(states: FloatArray, k: int, seed: int) -> Any:
    """No numbers."""
    return states.astype(str)


def with_seeds(other: Any) -> Any:
    """A step that takes its random numbers from `other(seed)`."""

    def make(energy: Energy) -> Step:
        walk = steps(metropolis, scale=1.9)(energy)

        def step(states: FloatArray, k: int, seed: int) -> FloatArray:
            return walk(states, k, other(seed))

        return step

    return make


def _beyond_its_seed() -> Any:
    calls = itertools.count()
    return with_seeds(lambda seed: seed + next(calls))


def _as_it_is(step: Any) -> Any:
    return lambda energy: step


MIXTURE, PLANE = targets.MIXTURE, targets.PLANE
_REVERSIBLE = {"is_reversible": True}

_STEPS = (
    Entry("a coordinate left out", "the scan stops before x[1]", steps(scan, scales=(2.0,)), PLANE, delta=0.2),
    Entry("never crosses 0", "what changes sign is rejected", steps(never_crosses_zero, scale=1.9), MIXTURE, delta=0.2),
    Entry("steps on a lattice", "of one length", steps(on_a_lattice, scale=0.7), MIXTURE, delta=0.2),
    Entry("on one contour", "E never changes", steps(mirrored), PLANE, delta=0.2),
    Entry("steps far too short", "1e-9", steps(too_short), MIXTURE, delta=0.2),
    Entry(
        "scan called reversible", "Gibbs in fixed order", steps(gaussian_scan), PLANE, delta=0.1, options=_REVERSIBLE
    ),
    Entry("moves nothing", "returns what it got", _as_it_is(moves_nothing), MIXTURE, delta=0.3),
    Entry("returns nan", "now and then", _as_it_is(returns_nan), MIXTURE, delta=0.3),
    Entry("changes shape", "a row too few", _as_it_is(changes_shape), MIXTURE, delta=0.3),
    Entry("an axis too few", "(n,) for (n, dim)", _as_it_is(one_axis_less), PLANE, delta=0.3),
    Entry("returns text", "no numbers", _as_it_is(returns_text), MIXTURE, delta=0.3),
    Entry("random beyond its seed", "keeps a counter", lambda energy: _beyond_its_seed()(energy), MIXTURE, delta=0.3),
    Entry("ignores its seed", "always 1", with_seeds(lambda seed: 1), MIXTURE, delta=0.3),
)
BROKEN = (
    *_STEPS,
    *(
        replace(one, name=f"{one.name}, by check_reproducible", check="reproducible")
        for one in _STEPS if one.name in ("random beyond its seed", "ignores its seed", "moves nothing")
    ),
)
