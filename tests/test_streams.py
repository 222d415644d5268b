"""The generator is the published one, its numbers have their laws, and no two chains share a stream."""

import numba
import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastebm import streams
from fastebm._compile import FLAGS
from fastebm.lanes.lane import WORDS, load_row, place, store_row, stored
from fastebm.lanes.vectors import Word
from fastebm.testing.twins.streams import GOLDEN, MASK, STARTS, Stream, direction
from fastebm.tiles import LANES

ALPHA = 1e-9
seeds = st.integers(0, 2**64 - 1)
widths = st.integers(1, 4).map(lambda n: n * LANES)


@intrinsic
def next_words(_context, state):
    """The bits that every number is made of: (words, states after them)."""

    def generate(context, builder, _signature, arguments):
        words, after = streams._next_words([Word(builder, one) for one in cgutils.unpack_tuple(builder, arguments[0])])
        packed = context.make_tuple(builder, streams.STATE, [one.value for one in after])
        return context.make_tuple(builder, types.Tuple((WORDS, streams.STATE)), [words.value, packed])

    return types.Tuple((WORDS, streams.STATE))(streams.STATE), generate


@intrinsic
def store_words(_context, out, t, l, words):
    """out[t, l : l + LANES] = words."""

    def generate(context, builder, signature, arguments):
        kind = context.get_value_type(WORDS)
        stored(builder, arguments[3], place(context, builder, signature.args[0], arguments[0], arguments[1:3], kind))
        return context.get_dummy_value()

    return types.void(out, types.intp, types.intp, WORDS), generate


@numba.njit(**FLAGS)
def fill(states, words, uniforms, exponentials):
    """One row after the other of each kind, from one tile of streams."""
    for l in range(0, words.shape[1], LANES):
        state = streams.load_streams(states, l)
        for t in range(len(words)):
            drawn, state = next_words(state)
            store_words(words, t, l, drawn)
        streams.store_streams(states, l, state)
    for t in range(len(uniforms)):
        streams.fill_uniforms(states, uniforms[t])
    for t in range(len(exponentials)):
        streams.fill_exponentials(states, exponentials[t])


def drawn(states, n_words=0, n_uniforms=0, n_exponentials=0):
    """Rows of words, uniforms and exponentials from one tile of streams (4, width), which moves on."""
    width = states.shape[1]
    out = np.empty((n_words, width), np.uint64), np.empty((n_uniforms, width)), np.empty((n_exponentials, width))
    fill(states, *out)
    return out


def normals(seed, n_tiles, width, dim):
    """Normal numbers (n_tiles, dim, width) of the chains 0 to n_tiles * width - 1."""
    out = np.empty((n_tiles, dim, width))
    streams.normals(streams.seed_streams(seed, n_tiles, width), out)
    return out


class TestPublishedVectors:
    def test_xoshiro256plusplus(self):
        """The first words from the state 1, 2, 3, 4 as the reference code in C by Blackman and Vigna gives them.

        The same ten stand in the tests of the crate rand_xoshiro, which are computed with that code.
        """
        words = drawn(np.repeat(np.array([[1], [2], [3], [4]], dtype=np.uint64), LANES, axis=1), n_words=10)[0]
        assert (words == words[:, :1]).all()
        assert words[:, 0].tolist() == [
            41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205, 9973669472204895162,
            14011001112246962877, 12406186145184390807, 15849039046786891736, 10450023813501588000,
        ]

    def test_splitmix64(self):
        """The first words from the state 1234567 as the reference code in C by Vigna gives them."""
        counters = np.array([(1234567 + k * GOLDEN) & MASK for k in range(5)], dtype=np.uint64)
        assert streams.splitmix64(counters).tolist() == [
            6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821
        ]


class TestTwin:
    @given(seeds, widths, st.integers(1, 5))
    @settings(max_examples=30)
    def test_every_number_is_the_one_of_plain_python(self, seed, width, dim):
        n_tiles = 2
        states = streams.seed_streams(seed, n_tiles, width)
        twins = [Stream(seed, chain) for chain in range(n_tiles * width)]
        for chain in {0, width - 1, width, 2 * width - 1}:
            t, l = divmod(chain, width)
            assert states[t, :, l].tolist() == twins[chain].state
        words, uniforms, exponentials = drawn(states[1], 3, 3, 3)
        out = np.empty((2, dim, width))
        streams.normals(states, out)
        for l in {0, width // 2, width - 1}:
            twin = twins[width + l]
            assert words[:, l].tolist() == [twin.word() for _ in range(3)]
            assert uniforms[:, l].tolist() == [twin.uniform() for _ in range(3)]
            np.testing.assert_allclose(exponentials[:, l], [twin.exponential() for _ in range(3)], rtol=1e-15)
            np.testing.assert_allclose(out[1, :, l], twin.normals(dim), rtol=3e-15)

    @given(seeds)
    def test_streams_of_starts(self, seed):
        states = streams.seed_streams(seed, 2, LANES, streams.STARTS)
        assert states[1, :, 2].tolist() == Stream(seed, LANES + 2, STARTS).state

    @pytest.mark.parametrize("width", [0, 1, LANES - 1, LANES + 1])
    def test_a_width_that_is_no_multiple_of_a_lane_is_refused(self, width):
        refused(lambda: streams.seed_streams(0, 1, width), f"width is {width}", str(LANES))

    def test_uniforms_are_inside_their_ends(self):
        """The smallest and the largest word: 0 and 1 are never drawn, so that logarithms are finite."""
        ends = [(2 * (word >> 12) + 1) * 2.0**-53 for word in (0, MASK)]
        assert ends == [2.0**-53, 1.0 - 2.0**-53]
        turned = direction(0)
        assert turned[0] ** 2 + turned[1] ** 2 == pytest.approx(1.0)


@numba.njit(**FLAGS)
def move_some(states, wanted, uniforms):
    """The next uniform number of all streams, of which only the wanted move on."""
    for l in range(0, uniforms.shape[0], LANES):
        before = streams.load_streams(states, l)
        drawn, state = streams.lane_uniforms(before)
        store_row(uniforms, l, drawn)
        streams.store_streams(states, l, streams.chosen_streams(load_row(wanted, l) > 0.0, state, before))


@given(seeds, widths, st.integers(0, 2**32))
@settings(max_examples=30)
def test_streams_that_are_not_chosen_stay(seed, width, pattern):
    states, twins = streams.seed_streams(seed, 1, width)[0], [Stream(seed, chain) for chain in range(width)]
    uniforms = np.empty(width)
    for wanted in (np.random.default_rng(pattern).random((3, width)) < 0.5).astype(float):
        move_some(states, wanted, uniforms)
        for chain, twin in enumerate(twins):
            kept = list(twin.state)
            assert twin.uniform() == uniforms[chain]
            if not wanted[chain]:
                twin.state = kept
        assert states.T.tolist() == [twin.state for twin in twins]


class TestIndependence:
    @given(seeds, st.integers(1, 8), widths)
    @settings(max_examples=30)
    def test_a_stream_depends_on_seed_and_chain_alone(self, seed, n_tiles, width):
        wide = streams.seed_streams(seed, 1, n_tiles * width)
        tiled = streams.seed_streams(seed, n_tiles, width)
        assert (tiled.transpose(1, 0, 2).reshape(4, -1) == wide[0]).all()
        assert (normals(seed, n_tiles, width, 3).transpose(1, 0, 2).reshape(3, -1)
                == normals(seed, 1, n_tiles * width, 3)[0]).all()

    @given(st.lists(seeds, min_size=2, max_size=5, unique=True))
    @settings(max_examples=20)
    def test_no_state_and_no_word_comes_twice(self, several):
        """64-bit words of 640 chains: two of 6.4e4 of them are equal with probability 1.1e-10."""
        states = np.concatenate([
            streams.seed_streams(seed, 1, 2 * LANES, purpose)[0]
            for seed in several for purpose in (streams.TRANSITIONS, streams.STARTS)
        ], axis=1)
        words = drawn(states, n_words=100)[0]
        assert len(np.unique(words)) == words.size
        assert len(np.unique(states)) == states.size

    @given(seeds)
    @settings(max_examples=4)
    def test_neighbouring_chains_and_numbers_are_uncorrelated(self, seed):
        """Means of 1e6 products of two normal numbers, of standard deviation 1e-3, at the same or the next draw."""
        z = normals(seed, 1, 64, 2**14)[0]
        bound = scipy.stats.norm.isf(ALPHA / 8 / 2)
        pairs = [(z[:, 1:], z[:, :-1]), (z[1:], z[:-1]), (z[1:, 1:], z[:-1, :-1]), (z[2:], z[:-2])]
        for a, b in pairs:
            for f in (np.positive, lambda v: (v * v - 1.0) / np.sqrt(2.0)):
                assert abs((f(a) * f(b)).sum()) < bound * np.sqrt(a.size)


def distance(numbers, law) -> float:
    """The p-value of Kolmogorov and Smirnov's test: too small if the numbers do not follow the law."""
    return scipy.stats.ks_1samp(numbers, law.cdf, method="asymp").pvalue


class TestLaws:
    @given(seeds)
    @settings(max_examples=5)
    def test_uniform_normal_and_exponential(self, seed):
        _, uniforms, exponentials = drawn(streams.seed_streams(seed, 1, 64)[0], 0, 3000, 3000)
        for numbers, law in (
            (uniforms, scipy.stats.uniform), (exponentials, scipy.stats.expon),
            (normals(seed, 1, 64, 3000), scipy.stats.norm), (normals(seed, 40, 64, 75)[:, -1:], scipy.stats.norm),
        ):
            assert distance(numbers.ravel(), law) > ALPHA / 4
            for order in range(1, 9):  # Legendre polynomials of the uniform number that the law makes of each
                terms = np.sqrt(2 * order + 1) * scipy.special.eval_legendre(order, 2 * law.cdf(numbers.ravel()) - 1)
                assert abs(terms.sum()) < scipy.stats.norm.isf(ALPHA / 64) * np.sqrt(terms.size)

    @given(seeds)
    @settings(max_examples=3)
    def test_pairs_of_normals_have_no_preferred_angle(self, seed):
        z = normals(seed, 1, 64, 2**13)[0]
        turns = np.arctan2(z[::2], z[1::2]).ravel() / (2.0 * np.pi) + 0.5
        assert distance(turns, scipy.stats.uniform) > ALPHA / 2
        counts = np.bincount((turns * 8).astype(int) % 8, minlength=8)
        assert scipy.stats.chisquare(counts).pvalue > ALPHA / 2

    @pytest.mark.parametrize("wrong", [
        lambda z: 1.03 * z, lambda z: z + 0.03, lambda z: np.minimum(z, 2.0), np.abs,
    ], ids=["scaled", "shifted", "cut", "folded"])
    def test_wrong_normals_would_be_seen(self, wrong):
        z = wrong(normals(np.random.SeedSequence().entropy, 1, 64, 3000)).ravel()
        p = [distance(z, scipy.stats.norm)]
        for order in range(1, 9):
            terms = np.sqrt(2 * order + 1) * scipy.special.eval_legendre(order, 2 * scipy.stats.norm.cdf(z) - 1)
            p.append(2 * scipy.stats.norm.sf(abs(terms.sum()) / np.sqrt(terms.size)))
        assert min(p) < ALPHA / 64
