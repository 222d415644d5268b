"""The unadjusted Langevin algorithm: its law in closed form, and what it refuses.

Its replay in plain Python is in test_testing_replay.
"""

import math
import warnings

import numpy as np
import pytest
from invariance import bound, entropy, largest_z
from messages import refused

import fastebm as eb
from fastebm.kernels.ula import ULA
from fastebm.sampling.chains import Chains
from fastebm.testing.changes import changed

NORMAL = eb.Gaussian([0.0])


def stationary(kernel, eps, n, seed):
    """Two successive states of chains that start in the law of the algorithm on N(0, 1), variance 1/(1 - eps/2)."""
    starts = np.random.default_rng(seed).standard_normal((n, 1)) / math.sqrt(1.0 - 0.5 * eps)
    chains = Chains(NORMAL, kernel, starts, seed, 2)
    chains.advance(4, kernel.settings(eps, np.ones(1)))
    before = chains.positions[:, 0]
    chains.advance(1, kernel.settings(eps, np.ones(1)))
    return before, chains.positions[:, 0]


def departures(before, after, eps):
    """Terms of mean zero: variance 1/(1 - eps/2), lag-one correlation 1 - eps, and a mean of zero."""
    variance = 1.0 / (1.0 - 0.5 * eps)
    return np.column_stack([after**2 / variance - 1.0, before * after / variance - (1.0 - eps), after])


class TestLaw:
    @pytest.mark.parametrize("eps", [0.1, 0.5, 1.0, 1.5])
    def test_variance_and_correlation_in_closed_form(self, eps):
        seed = entropy()
        terms = departures(*stationary(ULA(eps), eps, 400_000, seed), eps)
        assert largest_z(terms) < bound(3), f"seed {seed}"

    @pytest.mark.parametrize(("old", "new"), [
        ("grad(y, packed, e_y, g_y)", "grad(y, packed, e_y, g_y)\n        g_y *= 1.03"),
        ("move(accepted, l, g, g_y)", "pass"),
        ("grad(y, packed, e_y, g_y)", "y += 0.02\n        grad(y, packed, e_y, g_y)"),
    ], ids=["slope x 1.03", "stale gradient", "drift"])
    def test_broken_kernels_are_caught(self, old, new):
        eps = 0.5
        terms = departures(*stationary(changed(ULA(eps), old, new), eps, 400_000, entropy()), eps)
        assert largest_z(terms) > bound(3)

    def test_it_does_not_pass_for_exact(self):
        """The law of the energy is not kept: what is right for MALA must fail here."""
        seed, eps = entropy(), 0.2
        starts = np.random.default_rng(seed).standard_normal((400_000, 1))
        chains = Chains(NORMAL, ULA(eps), starts, seed, 2)
        chains.advance(20, ULA(eps).settings(eps, np.ones(1)))
        assert largest_z(chains.positions**2 - 1.0) > bound(1)


class TestHostile:
    @pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
    def test_energies_and_gradients_that_are_no_numbers_are_not_entered(self, value):
        energies = eb.energy(2)(lambda x: eb.where(abs(x[0]) + abs(x[1]) == 0.0, 0.0, value))
        gradients = eb.energy(2, grad=lambda x: [0.0, 0.0 if x[0] == 0.0 else value])(lambda x: 0.0)
        for E in (energies, gradients):
            chains = Chains(E, ULA(0.5), np.zeros((40, 2)), 3, 1)
            chains.advance(4, ULA(0.5).settings(0.5, np.ones(2)))
            accepted, faults = chains.counts()
            assert (chains.positions == 0.0).all()
            assert (accepted == 0).all()
            assert (faults == 4).all()

    def test_divergence_is_told(self):
        """On a quartic, far out, a step of this size throws every chain to infinity."""
        E = eb.energy(1)(lambda x: x[0] ** 4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = eb.sample(E, ULA(0.5), n_chains=8, n_draws=50, init=[30.0], rng=0, progress=False)
        assert any("not finite" in str(one.message) for one in caught)
        assert np.isfinite(run.draws).all()

    def test_walls_are_refused(self):
        E = eb.energy(1, domain=[(0.0, 1.0)])(lambda x: x[0])
        refused(lambda: eb.sample(E, ULA(0.1), progress=False), "ULA", "eb.MALA()")


class TestSettings:
    def test_a_step_size_has_to_be_given(self):
        with pytest.raises(TypeError):
            ULA()
        refused(lambda: ULA(None), "step_size is None", "eb.MALA()", kind=TypeError)
        refused(lambda: ULA(-0.1), "step_size is -0.1")
        assert ULA(0.1).step_size == 0.1
        assert repr(ULA(0.1)) == "ULA(step_size=0.1)"

    def test_every_proposal_is_taken_and_nothing_is_said_of_it(self, recwarn):
        run = eb.sample(NORMAL, ULA(0.1), n_chains=32, n_draws=50, rng=0, progress=False)
        assert (run.acceptance_rate == 1.0).all()
        assert not [one for one in recwarn if issubclass(one.category, eb.FastebmWarning)]
        assert run.settings["kernel"] == {"type": "ULA", "step_size": 0.1}
