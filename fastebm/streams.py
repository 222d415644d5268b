"""Random numbers: one xoshiro256++ stream for each chain, a tile of streams advanced side by side.

The state of a tile is an array (4, width) of 64-bit words; column l belongs to chain l of the tile. A stream is a
function of the seed and of the chain's number alone, so that neither the number of chains nor tiles and threads
change what a chain draws. Filling a tile advances every stream by the same number of steps.

References
----------
D. Blackman and S. Vigna (2021), Scrambled linear pseudorandom number generators, doi:10.1145/3460772.
G. L. Steele, D. Lea and C. H. Flood (2014), Fast splittable pseudorandom number generators,
    doi:10.1145/2660193.2660195.
G. E. P. Box and M. E. Muller (1958), A note on the generation of random normal deviates, doi:10.1214/aoms/1177706645.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from fastebm._compile import STREAM_TILES, TILES, compiled, inlined_borrowing
from fastebm.lanes import maths
from fastebm.lanes.lane import LANE, MASK, WORDS, loaded, place, store, store_row, stored
from fastebm.lanes.vectors import ONE_BITS, Real, Word
from fastebm.tiles import LANES

Words = NDArray[np.uint64]

# What streams are for. Streams of one seed and different purposes have nothing in common.
TRANSITIONS, STARTS = 0, 1

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def seed_streams(seed: int, n_tiles: int, width: int, purpose: int = TRANSITIONS, first: int = 0) -> Words:
    """States of the streams of chains first to first + n_tiles * width - 1; the width is a multiple of LANES.

    Word j of chain c is SplitMix64's output number c from a key that depends on the seed, on the purpose and on j.
    Its output is a bijection of the counter, so that no two chains of a seed share a state.

    Returns
    -------
    streams : (n_tiles, 4, width) uint64; chain first + c stands in tile c // width, column c % width.
    """
    if width < 1 or width % LANES:
        raise ValueError(f"width is {width}; pass a multiple of {LANES}, since compiled code takes as many at a time.")
    keys = np.random.SeedSequence(seed, spawn_key=(purpose,)).generate_state(4, np.uint64)
    chains = np.arange(first, first + n_tiles * width, dtype=np.uint64).reshape(n_tiles, 1, width)
    return splitmix64(keys[:, None] + chains * _GOLDEN)


def splitmix64(counter: Words) -> Words:
    """SplitMix64's output for a state `counter`, element by element."""
    z = counter + _GOLDEN
    z ^= z >> np.uint64(30)  # in place: of a million chains the words are most of the memory
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.asarray(z)


# ---- the streams of a lane of chains, in registers ----

STATE = types.UniTuple(WORDS, 4)


def _next_words(state: list[Word]) -> tuple[Word, list[Word]]:
    """The next 64 bits of each stream, and the states after it."""
    a, b, c, d = state
    result = _rotated(a + d, 23) + a
    c, d_mixed = c ^ a, d ^ b
    return result, [a ^ d_mixed, b ^ c, c ^ (b << 17), _rotated(d_mixed, 45)]


def _rotated(word: Word, n: int) -> Word:
    return (word << n) | (word >> (64 - n))


def _uniform(word: Word) -> Real:
    """A double in the open interval (0, 1): an odd multiple of 2**-53, so that its logarithm is finite."""
    return ((word >> 12) | ONE_BITS).double() - (1.0 - 2.0**-53)


def _uniforms(state: list[Word]) -> tuple[list[Real], list[Word]]:
    word, state = _next_words(state)
    return [_uniform(word)], state


def _exponentials(state: list[Word]) -> tuple[list[Real], list[Word]]:
    word, state = _next_words(state)
    return [-maths.log_of_normal(_uniform(word))], state


def _normal_pairs(state: list[Word]) -> tuple[list[Real], list[Word]]:
    """By Box and Muller."""
    word, state = _next_words(state)
    radius = (-2.0 * maths.log_of_normal(_uniform(word))).sqrt()
    word, state = _next_words(state)
    sine, cosine = maths.direction(word)
    return [radius * sine, radius * cosine], state


def _drawing(rule: Callable[[list[Word]], tuple[list[Real], list[Word]]], n: int) -> Any:
    """The compiled function: state -> (n lanes, the state after them)."""
    result = types.Tuple((*[LANE] * n, STATE))

    @intrinsic  # type: ignore[untyped-decorator]
    def draw(_context: Any, _state: Any) -> Any:
        def generate(context: Any, builder: Any, _face: Any, arguments: Any) -> Any:
            drawn, after = rule([Word(builder, one) for one in cgutils.unpack_tuple(builder, arguments[0])])
            packed = context.make_tuple(builder, STATE, [word.value for word in after])
            return context.make_tuple(builder, result, [*(one.value for one in drawn), packed])

        return result(STATE), generate

    return draw


lane_uniforms, lane_exponentials, lane_normals = (
    _drawing(_uniforms, 1), _drawing(_exponentials, 1), _drawing(_normal_pairs, 2)
)


@intrinsic  # type: ignore[untyped-decorator]
def load_streams(_context: Any, streams: Any, l: Any) -> Any:
    """The states of columns l to l + LANES of streams (4, width)."""

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        pointers = _pointers(context, builder, face.args[0], *arguments)
        return context.make_tuple(builder, STATE, [loaded(builder, pointer) for pointer in pointers])

    return STATE(streams, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_streams(_context: Any, streams: Any, l: Any, _state: Any) -> Any:
    """Put the states of columns l to l + LANES back into streams (4, width)."""

    def generate(context: Any, builder: Any, face: Any, arguments: Any) -> Any:
        words = cgutils.unpack_tuple(builder, arguments[2])
        for word, pointer in zip(words, _pointers(context, builder, face.args[0], *arguments[:2]), strict=True):
            stored(builder, word, pointer)
        return context.get_dummy_value()

    return types.void(streams, types.intp, STATE), generate


@intrinsic  # type: ignore[untyped-decorator]
def chosen_streams(_context: Any, _mask: Any, _yes: Any, _no: Any) -> Any:
    """The states `yes` where the mask is true and `no` elsewhere: streams of which only some move on."""

    def generate(context: Any, builder: Any, _face: Any, arguments: Any) -> Any:
        yes, no = (cgutils.unpack_tuple(builder, one) for one in arguments[1:])
        words = [builder.select(arguments[0], one, other) for one, other in zip(yes, no, strict=True)]
        return context.make_tuple(builder, STATE, words)

    return STATE(MASK, STATE, STATE), generate


def _pointers(context: Any, builder: Any, kind: Any, streams: Any, l: Any) -> list[Any]:
    vector = context.get_value_type(WORDS)
    rows = [context.get_constant(types.intp, j) for j in range(4)]
    return [place(context, builder, kind, streams, [row, l], vector) for row in rows]


# ---- tiles ----


@inlined_borrowing
def fill_uniforms(streams, out):  # type: ignore[no-untyped-def]
    """Uniform numbers in (0, 1), one a stream, into out (width,); advances the streams."""
    for l in range(0, out.shape[0], LANES):
        drawn, state = lane_uniforms(load_streams(streams, l))
        store_row(out, l, drawn)
        store_streams(streams, l, state)


@inlined_borrowing
def fill_exponentials(streams, out):  # type: ignore[no-untyped-def]
    """Standard exponential numbers, one a stream, into out (width,); advances the streams."""
    for l in range(0, out.shape[0], LANES):
        drawn, state = lane_exponentials(load_streams(streams, l))
        store_row(out, l, drawn)
        store_streams(streams, l, state)


@inlined_borrowing
def fill_normals(streams, out):  # type: ignore[no-untyped-def]
    """Standard normal numbers into out (dim, width), by Box and Muller in pairs of rows; advances the streams.

    An odd last row takes the sine of its pair and drops the cosine, so that a row depends on the rows before it only.
    """
    for l in range(0, out.shape[1], LANES):
        store_streams(streams, l, store_normals(load_streams(streams, l), out, l))


@inlined_borrowing
def store_normals(state, out, l):  # type: ignore[no-untyped-def]
    """Standard normal numbers into columns l to l + LANES of out (dim, width); the streams after it."""
    dim = out.shape[0]
    for i in range(0, dim - 1, 2):
        first, second, state = lane_normals(state)
        store(out, i, l, first)
        store(out, i + 1, l, second)
    if dim % 2:
        last, _, state = lane_normals(state)
        store(out, dim - 1, l, last)
    return state


@compiled(types.void(STREAM_TILES, TILES))
def normals(streams, out):  # type: ignore[no-untyped-def]
    """`fill_normals` for Python and for many tiles: streams (n_tiles, 4, width) fill out (n_tiles, dim, width)."""
    for t in range(out.shape[0]):
        fill_normals(streams[t], out[t])
