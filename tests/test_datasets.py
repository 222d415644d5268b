"""The shipped tables are scikit-learn's, and the toys have the laws that their docstrings state."""

import math
from collections.abc import Callable
from importlib import resources

import numpy as np
import pytest
import scipy
import sklearn.datasets
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastebm import _checks, datasets

ALPHA = 1e-9
N = 200_000
DIRECTIONS = (0.0, 0.4, math.pi / 2, 2.0)

Law = Callable[[float, np.ndarray], np.ndarray]  # (direction, t) -> P(projection on the direction <= t)


class TestTables:
    @pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
    def test_numbers_and_names_are_those_of_scikit_learn(self, name):
        ours, theirs = getattr(datasets, name)(), getattr(sklearn.datasets, f"load_{name}")()
        np.testing.assert_array_equal(ours.data, theirs.data)
        np.testing.assert_array_equal(ours.target, theirs.target)
        assert (ours.data.dtype, ours.target.dtype) == (np.float64, np.int64)
        assert ours.data.flags.c_contiguous
        assert ours.feature_names == tuple(map(str, theirs.feature_names))
        assert ours.target_names == tuple(map(str, theirs.target_names))

    @pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
    def test_the_source_is_the_one_in_the_list_of_sources(self, name):
        title, _, doi, licence = datasets.__dict__[name]().source.rsplit(", ", 3)
        listed = resources.files("fastebm.datasets").joinpath("SOURCES.md").read_text().replace("*", "")
        assert f"| {title}" in listed
        assert f"https://doi.org/{doi.removeprefix('doi:')}" in listed
        assert licence == "CC BY 4.0"

    def test_a_table_belongs_to_its_caller(self):
        datasets.iris().data[:] = 0.0
        assert datasets.iris().data.min() > 0.0


def has_law(points: np.ndarray, law: Law) -> bool:
    """Whether no projection's empirical distribution is further from its law than chance allows at level ALPHA.

    The bound of Dvoretzky, Kiefer and Wolfowitz with the constant of P. Massart (1990), doi:10.1214/aop/1176990746,
    holds for every n. Projections on all directions determine a law (Cramér and Wold, 1936,
    doi:10.1112/jlms/s1-11.4.290).
    """
    n = len(points)
    allowed = math.sqrt(math.log(2.0 * len(DIRECTIONS) / ALPHA) / (2.0 * n))
    for direction in DIRECTIONS:
        t = np.sort(points @ [math.cos(direction), math.sin(direction)])
        grid = np.linspace(t[0], t[-1], 2001)
        ranks = np.searchsorted(t, grid, side="right") / n
        if not np.abs(ranks - law(direction, grid)).max() <= allowed:
            return False
    return True


def smeared(centres: np.ndarray, width: float) -> Law:
    """The law of a uniformly chosen centre (k, 2) plus normal noise."""

    def law(direction: float, t: np.ndarray) -> np.ndarray:
        means = centres @ [math.cos(direction), math.sin(direction)]
        return scipy.special.ndtr((t[:, None] - means) / width).mean(axis=1)

    return law


def moons_law(noise: float, gap: float = 0.5) -> Law:
    angle = (np.arange(500) + 0.5) * (math.pi / 500)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return smeared(np.concatenate([upper, [1.0, gap] - upper]), noise)


def gaussians_law(radius: float, width: float, n_centres: int = 8) -> Law:
    angle = np.arange(n_centres) * (2.0 * math.pi / n_centres)
    return smeared(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), width)


def rings_law(radii: list[float], width: float, squeeze: float = 1.0) -> Law:
    """At angle a the projection is normal with mean r cos a and standard deviation width |cos a|."""

    def law(direction: float, t: np.ndarray) -> np.ndarray:
        cosine = np.cos((np.arange(1000) + 0.5) * (2.0 * math.pi / 1000) * squeeze - direction)
        below = [scipy.special.ndtr((t[:, None] - r * cosine) / (width * np.abs(cosine))).mean(axis=1) for r in radii]
        return np.mean(below, axis=0)

    return law


class TestToys:
    def test_two_moons(self):
        seed = _checks.seed(None)
        points = datasets.two_moons(N, 0.15, rng=seed)
        assert has_law(points, moons_law(0.15)), seed
        assert not has_law(points, moons_law(0.2))
        assert not has_law(points, moons_law(0.15, gap=0.45))

    def test_eight_gaussians(self):
        seed = _checks.seed(None)
        points = datasets.eight_gaussians(N, 3.0, width=0.4, rng=seed)
        assert has_law(points, gaussians_law(3.0, 0.4)), seed
        assert not has_law(points, gaussians_law(3.0, 0.48))
        assert not has_law(points, gaussians_law(3.0, 0.4, n_centres=7))

    def test_rings(self):
        seed = _checks.seed(None)
        points = datasets.rings(N, [1.0, 3.0], width=0.3, rng=seed)
        assert has_law(points, rings_law([1.0, 3.0], 0.3)), seed
        assert not has_law(points, rings_law([1.0, 1.0, 3.0], 0.3))
        assert not has_law(points, rings_law([1.0, 3.0], 0.3, squeeze=0.97))

    @pytest.mark.parametrize("toy", [datasets.two_moons, datasets.eight_gaussians, datasets.rings])
    def test_the_seed_decides(self, toy):
        np.testing.assert_array_equal(toy(5, rng=3), toy(5, rng=3))
        assert (toy(5, rng=3) != toy(5, rng=4)).all()
        assert toy(1).shape == (1, 2)

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="n is 0; pass a whole number of at least 1"):
            datasets.two_moons(0)
        with pytest.raises(ValueError, match="noise is 0"):
            datasets.two_moons(5, 0)
        with pytest.raises(ValueError, match="width is -1"):
            datasets.eight_gaussians(5, width=-1)
        with pytest.raises(ValueError, match=r"radii\[1\] is nan"):
            datasets.rings(5, [1.0, math.nan])
        with pytest.raises(ValueError, match="radii is empty"):
            datasets.rings(5, [])


class TestSplit:
    @given(
        n=st.integers(2, 40),
        fraction=st.floats(0.001, 0.999),
        seed=st.integers(0, 2**64),
        rest=hnp.array_shapes(min_dims=0, max_dims=2, max_side=2),
    )
    def test_every_row_is_on_one_side_in_its_old_order(self, n, fraction, seed, rest):
        X = np.arange(n * math.prod(rest)).reshape(n, *rest)
        train, held_out = datasets.split(X, fraction, rng=seed)
        kept, held = datasets.split(range(n), fraction, rng=seed)  # labels are split as the data are
        np.testing.assert_array_equal(train, X[kept])
        np.testing.assert_array_equal(held_out, X[held])
        assert sorted([*kept, *held]) == list(range(n))
        assert (np.diff(kept) > 0).all()
        assert (np.diff(held) > 0).all()
        assert abs(len(held) - fraction * n) <= 0.5 or min(len(held), len(kept)) == 1

    def test_every_row_is_held_out_equally_often(self):
        seed, n_splits = _checks.seed(None), 2000
        generator = np.random.default_rng(seed)
        counts = np.zeros(5)
        for _ in range(n_splits):
            counts[datasets.split(np.arange(5), 0.4, rng=generator)[1]] += 1

        def is_fair(counts: np.ndarray) -> bool:
            """Hoeffding (1963), doi:10.1080/01621459.1963.10500830, for the five rows together."""
            return bool(np.abs(counts / n_splits - 0.4).max() <= math.sqrt(math.log(10.0 / ALPHA) / (2.0 * n_splits)))

        assert is_fair(counts), seed
        assert not is_fair(np.array([1.0, 1.0, 0.0, 0.0, 0.0]) * n_splits)  # the last rows, unshuffled

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match=r"X has shape \(1, 3\); pass at least two rows"):
            datasets.split(np.ones((1, 3)))
        with pytest.raises(ValueError, match="fraction is 1"):
            datasets.split(np.ones((4, 3)), 1.0)
