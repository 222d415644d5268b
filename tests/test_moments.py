"""Moments in constant memory: those of the draws that were not kept."""

import numpy as np
import pytest
from energy_laws import same
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused

import fastebm as eb

E = eb.GaussianMixture([[0.0, 0.0], [3.0, 3.0]], 0.7)
OPTIONS = {"n_chains": 70, "n_warmup": 50, "rng": 3, "progress": False}


def both(kernel=None, **options):
    """The same run with draws and with moments."""
    kernel = eb.RandomWalk(1.0) if kernel is None else kernel
    options = OPTIONS | {"n_draws": 200} | options
    return eb.sample(E, kernel, **options), eb.sample(E, kernel, **options, keep="moments")


@pytest.mark.parametrize("options", [{}, {"thin": 3}, {"n_chains": 1}, {"clamp": {0: 1.5}}, {"n_draws": 2}], ids=str)
def test_they_are_those_of_the_draws(options):
    run, brief = both(**options)
    found = brief.moments
    assert found.n_draws == run.draws.shape[1]
    np.testing.assert_allclose(found.mean, run.draws.mean(axis=1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.var, run.draws.var(axis=1, ddof=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.energy_mean, run.energy.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.energy_var, run.energy.var(axis=1, ddof=1), rtol=1e-9, atol=1e-12)
    assert same(brief.draws, run.draws[:, -1:])
    assert same(brief.energy, run.energy[:, -1:])
    assert run.moments is None


def test_quantiles_are_off_by_half_a_bin_at_most():
    run, brief = both()
    q = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    for found, draws, row in (
        (brief.moments.quantile(q), run.draws.reshape(-1, 2), slice(None, -1)),
        (brief.moments.energy_quantile(q)[:, None], run.energy.reshape(-1, 1), slice(-1, None)),
    ):
        wanted = np.quantile(draws, q, axis=0)
        center, width = brief.moments.center[row], brief.moments.width[row]
        allowed = 0.006 * np.sqrt(width**2 + (wanted - center) ** 2) + 0.02  # the last term: gaps between draws
        assert (np.abs(found - wanted) < allowed).all()
    assert same(brief.moments.quantile(0.5), brief.moments.quantile(q)[2])


def test_the_same_bits_for_any_number_of_threads():
    wanted = eb.sample(E, **OPTIONS, n_draws=50, keep="moments", n_threads=1).moments
    for n_threads in (2, 3, 7):
        found = eb.sample(E, **OPTIONS, n_draws=50, keep="moments", n_threads=n_threads).moments
        assert all(same(np.asarray(one), np.asarray(other)) for one, other in zip(
            vars(found).values(), vars(wanted).values(), strict=True
        ))


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
@settings(max_examples=20)
def test_any_place_and_width(place, width):
    """Means keep their digits far from zero, where a sum of squares would lose them."""
    law = eb.Gaussian([place], [[width**2]])
    options = {"n_chains": 64, "n_draws": 100, "init": [place], "rng": 1}
    run, brief = (eb.sample(law, eb.RandomWalk(2.0 * width), keep=keep, **options) for keep in ("draws", "moments"))
    np.testing.assert_allclose(brief.moments.mean, run.draws.mean(axis=1), atol=1e-9 * width + 1e-13 * abs(place))
    np.testing.assert_allclose(brief.moments.var, run.draws.var(axis=1, ddof=1), rtol=1e-6 + 1e-14 * abs(place) / width)
    assert abs(brief.moments.quantile(0.5)[0] - np.median(run.draws)) < 0.1 * width


def test_a_table_and_a_file(tmp_path):
    _, brief = both()
    table = brief.summary()
    assert list(table.index) == ["x[0]", "x[1]", "energy"]
    np.testing.assert_allclose(table["mean"][:2], brief.moments.mean.mean(axis=0))
    assert (table["q25"] < table["median"]).all()
    brief.save(tmp_path / "run.npz")
    twin = eb.load(tmp_path / "run.npz")
    for name, one in vars(brief.moments).items():
        assert same(np.asarray(getattr(twin.moments, name)), np.asarray(one))


def test_chains_apart_are_seen():
    run = eb.sample(
        eb.GaussianMixture([[-9.0], [9.0]], 1.0), eb.RandomWalk(0.5), n_chains=64, n_draws=100, rng=1, keep="moments"
    )
    assert run.summary()["r_hat"].iloc[0] > 1.5


@pytest.mark.parametrize("q", [-0.1, 1.1, [0.5, 2.0], "half"])
def test_what_is_no_probability_is_refused(q):
    refused(lambda: both()[1].moments.quantile(q), "q ", kind=TypeError if q == "half" else ValueError)
