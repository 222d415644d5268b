"""The random numbers of one chain in plain Python, written again from their definitions.

References
----------
D. Blackman and S. Vigna (2021), Scrambled linear pseudorandom number generators, doi:10.1145/3460772 (xoshiro256++).
G. L. Steele, D. Lea and C. H. Flood (2014), Fast splittable pseudorandom number generators,
    doi:10.1145/2660193.2660195 (SplitMix64).
G. E. P. Box and M. E. Muller (1958), A note on the generation of random normal deviates, doi:10.1214/aoms/1177706645.
"""

import math

import numpy as np

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
STARTS = 1  # the number that stands for the streams of starts


def splitmix64(counter: int) -> int:
    """SplitMix64's output for a state `counter`."""
    z = (counter + GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def rotate_left(word: int, n: int) -> int:
    """A word of 64 bits turned by n."""
    return ((word << n) | (word >> (64 - n))) & MASK


def direction(word: int) -> tuple[float, float]:
    """Sine and cosine of a uniform angle: 52 bits within an eighth of a turn of an axis, two bits for the axis."""
    angle = ((word >> 12) * 2.0**-52 - 0.5) * (math.pi / 2.0)
    sine, cosine = math.sin(angle), math.cos(angle) * (-1.0 if word & 1 else 1.0)
    return (cosine, sine) if word & 2 else (sine, cosine)


class Stream:
    """The random numbers of one chain.

    Attributes
    ----------
    state : the four words of xoshiro256++; each number changes them.
    """

    def __init__(self, seed: int, chain: int, purpose: int = 0) -> None:
        keys = np.random.SeedSequence(seed, spawn_key=(purpose,)).generate_state(4, np.uint64)
        self.state = [splitmix64((int(key) + chain * GOLDEN) & MASK) for key in keys]

    def word(self) -> int:
        """The next 64 bits."""
        s = self.state
        result = (rotate_left((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate_left(s[3], 45)
        return result

    def uniform(self) -> float:
        """An odd multiple of 2**-53 in (0, 1)."""
        return (2 * (self.word() >> 12) + 1) * 2.0**-53

    def exponential(self) -> float:
        """Minus the logarithm of a uniform number."""
        return -math.log(self.uniform())

    def normals(self, n: int) -> list[float]:
        """Box and Muller, two of a pair at a time; of the last pair the second is dropped if n is odd."""
        numbers: list[float] = []
        while len(numbers) < n:
            radius = math.sqrt(-2.0 * math.log(self.uniform()))
            along, across = direction(self.word())
            numbers += [radius * along, radius * across]
        return numbers[:n]
