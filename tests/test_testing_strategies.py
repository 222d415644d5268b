"""Strategies: laws that can be computed, no compilations for new parameters, simple examples, failures that replay."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from messages import refused

import fastebm as eb
from fastebm.sampling.chains import Chains
from fastebm.testing import strategies
from fastebm.testing.strategies import FAMILIES, chain_layouts, energies, kernels, parameters, points, seeds

QUIET = settings(max_examples=300, database=None, phases=[Phase.generate, Phase.shrink])


class TestEnergies:
    @given(st.data(), energies())
    @settings(max_examples=20)
    def test_laws_can_be_computed(self, data, E):
        assert 1 <= E.dim <= 3
        theta = data.draw(parameters(E))
        assert theta.shape == (E.n_params,)
        z = eb.log_partition(E.with_theta(theta), rtol=1e-4)
        assert math.isfinite(z.value)

    @given(st.data(), energies(2))
    @settings(max_examples=30)
    def test_they_print_as_what_makes_them(self, data, E):
        twin = eval(repr(E), {"math": math, **vars(eb)})
        X = np.array([data.draw(points(E)) for _ in range(3)])
        np.testing.assert_allclose(twin.energy(X), E.energy(X), rtol=1e-9, atol=1e-9)

    def test_new_parameters_compile_nothing(self, compilations):
        drawn = []

        @given(st.data(), energies(1))
        @settings(max_examples=40, database=None)
        def run(data, E):
            E.energy(data.draw(points(E)))
            E.with_theta(data.draw(parameters(E, hostile=True)))
            drawn.append(E)

        for family in FAMILIES:
            if not FAMILIES[family](1).is_empty:
                find(energies(1, family), lambda E: True, settings=QUIET).energy([0.5])
        compilations()
        run()
        assert compilations() == 0
        assert len({repr(E) for E in drawn}) > 20

    def test_examples_shrink_to_a_simple_energy(self):
        assert repr(find(energies(), lambda E: True, settings=QUIET)) == "Gaussian(mean=[0.0], cov=[[1.0]])"
        wide = find(energies(1, "gaussian"), lambda E: E.closed_moments().cov[0, 0] > 2.25, settings=QUIET)
        assert repr(wide).startswith("Gaussian(mean=[0.0], cov=[[2.25")
        assert repr(find(energies(2, "ring"), lambda E: True, settings=QUIET)) == "Ring(radius=1.0, width=1.0)"

    def test_what_is_refused(self):
        refused(lambda: energies(4), "dim is 4")
        refused(lambda: energies(1, "ring"), "'ring'", "dim=1")
        assert "gaussian" in refused(lambda: energies(1, "normal"), "family")

    def test_every_family_is_drawn(self):
        for family in FAMILIES:
            assert isinstance(find(energies(family=family), lambda E: True, settings=QUIET), eb.Energy)


class TestOthers:
    @given(st.data(), energies(2), seeds(), chain_layouts())
    @settings(max_examples=30)
    def test_layouts_change_nothing(self, data, E, seed, layout):
        kernel = data.draw(kernels(E))
        start = data.draw(points(E))
        if not (np.isfinite(E.energy(start)) and np.isfinite(E.grad(start)).all()):
            return
        starts = np.tile(start, (layout.n_chains, 1))
        rule = kernel.settings(kernel.step_size, np.ones(E.dim))
        one, other = Chains(E, kernel, starts, seed, layout.n_threads), Chains(E, kernel, starts, seed, 1)
        for length in layout.lengths:
            one.advance(length, rule)
        other.advance(sum(layout.lengths), rule)
        assert one.positions.tobytes() == other.positions.tobytes()

    @given(st.data(), energies(2))
    @settings(max_examples=30)
    def test_points_are_inside_unless_hostile(self, data, E):
        x = data.draw(points(E))
        assert x.shape == (E.dim,)
        if E.domain is not None:
            assert ((x >= E.domain[:, 0]) & (x <= E.domain[:, 1])).all()
        assert data.draw(points(E, hostile=True)).shape == (E.dim,)

    def test_hostile_ones_are_hostile(self):
        E = eb.DoubleWell()
        assert np.isnan(find(points(E, hostile=True), lambda x: np.isnan(x).any(), settings=QUIET)).any()
        assert (find(parameters(E, hostile=True), lambda theta: abs(theta).max() > 1e100, settings=QUIET)).shape == (3,)
        with pytest.raises(NoSuchExample):
            find(parameters(E), lambda theta: abs(theta).max() > 1e100, settings=QUIET)

    def test_ula_only_if_asked_for(self):
        assert isinstance(find(kernels(is_exact=False), lambda k: not k.is_exact, settings=QUIET), eb.ULA)
        with pytest.raises(NoSuchExample):
            find(kernels(), lambda k: not k.is_exact, settings=QUIET)

    def test_a_failure_replays(self):
        """The seed is part of the example: what fails once, fails again with the same numbers."""
        seen = []

        @given(seeds(), energies(1, "gaussian"))
        @settings(database=None, derandomize=True, max_examples=50)
        def property_of_draws(seed, E):
            x = float(eb.sample(E, eb.RandomWalk(1.0), n_chains=4, n_draws=4, rng=seed, progress=False).draws.max())
            if x > 1.0:
                seen.append((seed, repr(E), x))
                raise AssertionError(x)

        for _ in range(2):
            with pytest.raises(AssertionError):
                property_of_draws()
            last = seen[-1]
            seen.clear()
            seen.append(last)
        with pytest.raises(AssertionError):
            property_of_draws()
        assert seen[-1] == last


class TestImport:
    def test_hypothesis_is_imported_on_first_use(self):
        code = (
            "import sys, fastebm.testing as t; assert 'hypothesis' not in sys.modules; "
            "t.strategies.energies(); assert 'hypothesis' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_without_it_the_error_names_the_extra(self):
        code = "import sys; sys.modules['hypothesis'] = None\nimport fastebm.testing\nfastebm.testing.strategies"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert 'pip install "fastebm[test]"' in done.stderr

    def test_other_names_are_no_attributes(self):
        import fastebm.testing

        with pytest.raises(AttributeError, match="no_such"):
            fastebm.testing.no_such  # noqa: B018
        assert fastebm.testing.strategies is strategies
