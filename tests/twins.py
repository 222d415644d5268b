"""Slow twins in plain Python: the random numbers and the sampler, written again from their definitions.

Nothing here calls the code it judges, except for the energies, which have twins of their own.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
STARTS = 1  # the number that stands for the streams of starts


def splitmix64(counter: int) -> int:
    z = (counter + GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def rotate_left(word: int, n: int) -> int:
    return ((word << n) | (word >> (64 - n))) & MASK


class Stream:
    """The random numbers of one chain."""

    def __init__(self, seed: int, chain: int, purpose: int = 0) -> None:
        keys = np.random.SeedSequence(seed, spawn_key=(purpose,)).generate_state(4, np.uint64)
        self.state = [splitmix64((int(key) + chain * GOLDEN) & MASK) for key in keys]

    def word(self) -> int:
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
        return (2 * (self.word() >> 12) + 1) * 2.0**-53

    def exponential(self) -> float:
        return -math.log(self.uniform())

    def normals(self, n: int) -> list[float]:
        """Box and Muller, two of a pair at a time; of the last pair the second is dropped if n is odd."""
        numbers: list[float] = []
        while len(numbers) < n:
            radius = math.sqrt(-2.0 * math.log(self.uniform()))
            along, across = direction(self.word())
            numbers += [radius * along, radius * across]
        return numbers[:n]


def direction(word: int) -> tuple[float, float]:
    """Sine and cosine of a uniform angle: 52 bits within an eighth of a turn of an axis, two bits for the axis."""
    angle = ((word >> 12) * 2.0**-52 - 0.5) * (math.pi / 2.0)
    sine, cosine = math.sin(angle), math.cos(angle) * (-1.0 if word & 1 else 1.0)
    return (cosine, sine) if word & 2 else (sine, cosine)


def metropolis(
    energy: Callable[[Sequence[float]], float],
    x: Sequence[float],
    step: Sequence[float],
    stream: Stream,
    n_transitions: int,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Random-walk Metropolis as it stands in the textbook.

    Returns
    -------
    Positions (n_transitions, dim) and acceptances (n_transitions,), and how close the closest decision was.
    """
    here, e = list(x), energy(x)
    positions, accepts, closest = [], [], math.inf
    for _ in range(n_transitions):
        proposal = [a + s * z for a, s, z in zip(here, step, stream.normals(len(here)), strict=True)]
        e_new = energy(proposal)
        log_u = -stream.exponential()
        is_accepted = math.isfinite(e_new) and log_u < e - e_new
        if math.isfinite(e_new):
            closest = min(closest, abs(log_u - (e - e_new)))
        if is_accepted:
            here, e = proposal, e_new
        positions.append(list(here))
        accepts.append(is_accepted)
    return np.array(positions), np.array(accepts), closest


def langevin(
    energy: Callable[[Sequence[float]], float],
    grad: Callable[[Sequence[float]], Sequence[float]],
    x: Sequence[float],
    eps: Sequence[float],
    stream: Stream,
    n_transitions: int,
    *,
    is_adjusted: bool,
) -> tuple[np.ndarray, np.ndarray, float]:
    """The Langevin algorithm as it stands in the textbook, with Hastings's test or without; returns as `metropolis`."""

    def log_density(to: Sequence[float], start: Sequence[float], slope: Sequence[float]) -> float:
        """log q(to | start), but for a constant."""
        return -sum((b - a + h * g) ** 2 / (4.0 * h) for a, b, g, h in zip(start, to, slope, eps, strict=True))

    here, e, slope = list(x), energy(x), list(grad(x))
    positions, accepts, closest = [], [], math.inf
    for _ in range(n_transitions):
        normals = stream.normals(len(here))
        proposal = [a - h * g + math.sqrt(2.0 * h) * z for a, g, h, z in zip(here, slope, eps, normals, strict=True)]
        e_new, slope_new = energy(proposal), list(grad(proposal))
        is_accepted = math.isfinite(e_new) and all(map(math.isfinite, slope_new))
        if is_adjusted:
            log_u = -stream.exponential()
            if is_accepted:
                back, there = log_density(here, proposal, slope_new), log_density(proposal, here, slope)
                is_accepted = log_u < e - e_new + back - there
                closest = min(closest, abs(log_u - (e - e_new + back - there)))
        if is_accepted:
            here, e, slope = proposal, e_new, slope_new
        positions.append(list(here))
        accepts.append(is_accepted)
    return np.array(positions), np.array(accepts), closest
