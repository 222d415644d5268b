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

import math

import numpy as np
from numba import types, uint64
from numpy.typing import NDArray

from fastebm._compile import STREAM_TILES, TILES, compiled, inlined
from fastebm.lanes.scalars import direction, float_of_bits, log

Words = NDArray[np.uint64]

# What streams are for. Streams of one seed and different purposes have nothing in common.
TRANSITIONS, STARTS = 0, 1

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def seed_streams(seed: int, n_tiles: int, width: int, purpose: int = TRANSITIONS) -> Words:
    """States of the streams of chains 0 to n_tiles * width - 1.

    Word j of chain c is SplitMix64's output number c from a key that depends on the seed, on the purpose and on j.
    Its output is a bijection of the counter, so that no two chains of a seed share a state.

    Returns
    -------
    streams : (n_tiles, 4, width) uint64; chain c stands in tile c // width, column c % width.
    """
    keys = np.random.SeedSequence(seed, spawn_key=(purpose,)).generate_state(4, np.uint64)
    chains = np.arange(n_tiles * width, dtype=np.uint64).reshape(n_tiles, 1, width)
    return splitmix64(keys[:, None] + chains * _GOLDEN)


def splitmix64(counter: Words) -> Words:
    """SplitMix64's output for a state `counter`, element by element."""
    z = counter + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


@inlined
def _rotate_left(word, n):  # type: ignore[no-untyped-def]
    return (word << uint64(n)) | (word >> uint64(64 - n))


@inlined
def next_word(s0, s1, s2, s3, l):  # type: ignore[no-untyped-def]
    """Advance stream l by one step and return its 64 bits; changes the four words in place."""
    a, b, c, d = s0[l], s1[l], s2[l], s3[l]
    result = _rotate_left(a + d, 23) + a
    shifted = b << uint64(17)
    c ^= a
    d ^= b
    s1[l] = b ^ c
    s0[l] = a ^ d
    s2[l] = c ^ shifted
    s3[l] = _rotate_left(d, 45)
    return result


@inlined
def _uniform_of_word(word):  # type: ignore[no-untyped-def]
    """A double in the open interval (0, 1): an odd multiple of 2**-53, so that its logarithm is finite."""
    return float_of_bits((word >> uint64(12)) | uint64(0x3FF0000000000000)) - (1.0 - 2.0**-53)


@inlined
def fill_uniforms(streams, out):  # type: ignore[no-untyped-def]
    """Uniform numbers in (0, 1), one a stream, into out (width,); advances the streams."""
    s0, s1, s2, s3 = streams[0], streams[1], streams[2], streams[3]
    for l in range(out.shape[0]):
        out[l] = _uniform_of_word(next_word(s0, s1, s2, s3, l))


@inlined
def fill_exponentials(streams, out):  # type: ignore[no-untyped-def]
    """Standard exponential numbers, one a stream, into out (width,); advances the streams."""
    s0, s1, s2, s3 = streams[0], streams[1], streams[2], streams[3]
    for l in range(out.shape[0]):
        out[l] = -log(_uniform_of_word(next_word(s0, s1, s2, s3, l)))


@inlined
def fill_normals(streams, out):  # type: ignore[no-untyped-def]
    """Standard normal numbers into out (dim, width), by Box and Muller in pairs of rows; advances the streams.

    An odd last row takes the sine of its pair and drops the cosine, so that a row depends on the rows before it only.
    """
    s0, s1, s2, s3 = streams[0], streams[1], streams[2], streams[3]
    dim, width = out.shape
    for i in range(0, dim, 2):
        first = out[i]
        second = out[min(i + 1, dim - 1)]
        for l in range(width):
            radius = math.sqrt(-2.0 * log(_uniform_of_word(next_word(s0, s1, s2, s3, l))))
            sine, cosine = direction(next_word(s0, s1, s2, s3, l))
            second[l] = radius * cosine
            first[l] = radius * sine


@compiled(types.void(STREAM_TILES, TILES))
def normals(streams, out):  # type: ignore[no-untyped-def]
    """`fill_normals` for Python and for many tiles: streams (n_tiles, 4, width) fill out (n_tiles, dim, width)."""
    for t in range(out.shape[0]):
        fill_normals(streams[t], out[t])
