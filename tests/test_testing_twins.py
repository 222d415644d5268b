"""The slow twins: normalised, reversible, right in closed form, and found by the type of the kernel."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from fastebm import kernels
from fastebm.kernels import (
    HMC,
    MALA,
    ULA,
    Barker,
    DelayedRejection,
    Gibbs,
    GibbsWithGradients,
    Kernel,
    RandomWalk,
    Slice,
    SpinFlip,
    Stretch,
)
from fastebm.kernels.several import SeveralRules
from fastebm.kernels.tempered import TemperedKernel
from fastebm.testing.changes import changed
from fastebm.testing.reports import NotRun
from fastebm.testing.twins import TWINS, MALATwin, RandomWalkTwin, Stream, Twin, ULATwin, twin_of

WIDTHS = np.array([1.0, 2.0])
SETTINGS = {
    RandomWalk: RandomWalk().settings(0.7, WIDTHS),
    MALA: MALA().settings(0.3, WIDTHS),
    ULA: ULA(0.3).settings(0.3, WIDTHS),
    Barker: Barker().settings(0.7, WIDTHS),
    DelayedRejection: DelayedRejection().settings(0.7, WIDTHS),
    HMC: HMC().settings(0.3, WIDTHS),
    Slice: Slice().settings(2.0, WIDTHS),
    **{kind: np.array([-1.0, 1.0]) for kind in (Gibbs, GibbsWithGradients, SpinFlip)},
}
NORMAL = (RandomWalk, MALA, ULA)  # whose proposals are normal numbers, moved and stretched
EVERY = [kind for kind in vars(kernels).values() if isinstance(kind, type) and issubclass(kind, Kernel)]
NUMBERS = st.floats(-30, 30)


def twin(kind):
    return TWINS[kind](SETTINGS[kind], 2)


def test_every_kernel_has_a_twin():
    made_of_others = {kind for kind in EVERY if issubclass(kind, SeveralRules | TemperedKernel)}
    assert set(TWINS) == set(EVERY) - {Kernel} - made_of_others
    assert twin_of(RandomWalk()) is RandomWalkTwin
    assert twin_of(MALA()) is MALATwin
    assert twin_of(ULA(0.1)) is ULATwin


def test_a_changed_kernel_has_the_twin_of_what_it_was():
    assert twin_of(changed(MALA(), "+ 0.5 * twice", "+ 0.0 * twice")) is MALATwin


def test_a_kernel_without_twin_is_named(monkeypatch):
    class Other(RandomWalk):
        """Another rule."""

    assert twin_of(Other()) is RandomWalkTwin
    monkeypatch.setitem(TWINS, Other, None)
    with pytest.raises(NotRun, match="Other has no slow twin"):
        twin_of(Other())


@pytest.mark.parametrize("kind", TWINS)
def test_a_twin_says_what_the_kernel_says(kind):
    assert TWINS[kind].needs_grad == kind.needs_grad
    assert TWINS[kind].is_exact == kind.is_exact
    assert TWINS[kind].is_coupled == (kind is Stretch)


@pytest.mark.parametrize("kind", NORMAL)
class TestEveryTwin:
    def test_proposals_have_the_density(self, kind):
        """Its integral is 1, and standardised proposals are the normal numbers that they were made of."""
        one, x, slope = twin(kind), np.array([0.4, -1.3]), np.array([1.1, -0.6])
        centre = one.propose(x, slope, np.zeros(2))
        axes = [m + s * np.linspace(-9.0, 9.0, 91) for m, s in zip(centre, one.scale, strict=True)]
        y = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        total = np.exp(one.log_density(y, x, slope)).sum() * (0.2 * one.scale).prod()
        assert total == pytest.approx(1.0, abs=1e-12)
        normals = np.random.default_rng(0).standard_normal((50, 2))
        wanted = scipy.stats.norm.logpdf(normals).sum(axis=1) - np.log(one.scale).sum()
        np.testing.assert_allclose(one.log_density(one.propose(x, slope, normals), x, slope), wanted, rtol=1e-12)

    def test_all_of_it_broadcasts(self, kind):
        one, generator = twin(kind), np.random.default_rng(1)
        x, y, g_x, g_y = generator.standard_normal((4, 5, 2))
        e_x, e_y = generator.standard_normal((2, 5))
        table = one.log_ratio(x[:, None], e_x[:, None], g_x[:, None], y, e_y, g_y)
        assert table.shape == (5, 5)
        for i in range(5):
            for j in range(5):
                assert table[i, j] == one.log_ratio(x[i], e_x[i], g_x[i], y[j], e_y[j], g_y[j])
                assert one.log_density(y, x[:, None], g_x[:, None])[i, j] == one.log_density(y[j], x[i], g_x[i])

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number_is_never_accepted(self, kind, value):
        x, y, g = np.zeros(2), np.ones(2), np.ones(2)
        assert twin(kind).log_ratio(x, 0.0, g, y, value, g) == -math.inf
        if kind.needs_grad:
            assert twin(kind).log_ratio(x, 0.0, g, y, 0.0, np.array([value, 1.0])) == -math.inf

    def test_a_run_takes_each_random_number_once(self, kind):
        stream = Stream(3, 1)
        twin(kind).run(lambda x: 0.5 * x @ x, lambda x: x, np.zeros(2), stream, 7)
        plain = Stream(3, 1)
        for _ in range(7 * (3 if kind.is_exact else 2)):  # two words of a pair of normals, and one for the decision
            plain.word()
        assert stream.state == plain.state


@given(NUMBERS, NUMBERS)
def test_the_ratio_of_a_symmetric_proposal_is_that_of_the_densities(e_x, e_y):
    nothing = np.zeros(2)
    found = twin(RandomWalk).log_ratio(np.array([1.0, 2.0]), e_x, nothing, np.array([0.3, -2.0]), e_y, nothing)
    assert found == e_x - e_y


@given(st.lists(NUMBERS, min_size=8, max_size=8), NUMBERS, NUMBERS)
def test_hastings_ratio_in_another_form(numbers, e_x, e_y):
    """log q(x | y) - log q(y | x) = sum (g_x + g_y) (y - x + eps (g_x - g_y) / 2) / 2."""
    x, y, g_x, g_y = np.reshape(numbers, (4, 2))
    eps = SETTINGS[MALA][:2]
    wanted = e_x - e_y + 0.5 * ((g_x + g_y) * (y - x + 0.5 * eps * (g_x - g_y))).sum()
    size = 1.0 + abs(e_x) + abs(e_y) + (((y - x) ** 2 + (eps * g_x) ** 2 + (eps * g_y) ** 2) / eps).sum()
    assert twin(MALA).log_ratio(x, e_x, g_x, y, e_y, g_y) == pytest.approx(wanted, abs=1e-13 * size)


def test_the_unadjusted_one_takes_whatever_is_finite():
    one, x = twin(ULA), np.zeros(2)
    assert one.log_ratio(x, 0.0, x, x + 5.0, 1e300, x + 1e300) == math.inf
    positions, accepts, closest = one.run(lambda x: 0.5 * x @ x, lambda x: x, x, Stream(0, 0), 5)
    assert accepts.all()
    assert closest == math.inf
    assert positions.shape == (5, 2)


def test_the_outline_itself_is_no_rule():
    with pytest.raises(TypeError, match="abstract"):
        Twin(np.ones(2))
