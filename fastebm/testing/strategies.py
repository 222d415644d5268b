"""Hypothesis strategies: energies, their parameters, kernels, layouts of chains, points, seeds.

Parameters are drawn, never new functions: a new function costs a compilation, new parameters cost nothing. Laws are
such that exp(-E) can be integrated, and none stands at neutral values, at which a missing factor would not be seen,
unless an example has shrunk. What is drawn prints as the Python that makes it. A test that takes its seed from
`seeds()` fails, shrinks and replays as one without chance.

Needs hypothesis: pip install "fastebm[test]".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies import Banana, DoubleWell, Energy, Funnel, Gaussian, GaussianMixture, QuarticChain, Ring, StudentT
from fastebm.energies import mixture as mixture_of
from fastebm.kernels import MALA, ULA, Kernel, RandomWalk
from fastebm.tiles import LANES, WIDEST

__all__ = ["FAMILIES", "Layout", "chain_layouts", "energies", "kernels", "parameters", "points", "seeds"]

MAX_DIM = 3  # as far as exact laws go
_HOSTILE = (0.0, -0.0, 1e-300, -1e-300, 1e-12, 1e12, 1e150, -1e150, 1e308)


def seeds() -> st.SearchStrategy[int]:
    """What `rng` takes."""
    return st.integers(0, 2**64 - 1)


# ---- energies ----


def _sizes(low: float = 0.3, high: float = 3.0) -> st.SearchStrategy[float]:
    """Positive numbers that shrink to 1, with few digits."""
    scaled = st.integers(round(1000 * (low - 1.0)), round(1000 * (high - 1.0)))
    return scaled.map(lambda n: round(1.0 + n / 1000.0, 3))


def _places() -> st.SearchStrategy[float]:
    """Numbers between -2 and 2 that shrink to 0, with few digits."""
    return st.integers(-2000, 2000).map(lambda n: n / 1000.0)


def _centres(dim: int) -> st.SearchStrategy[list[float]]:
    return st.lists(_places(), min_size=dim, max_size=dim)


def _covariances(dim: int) -> st.SearchStrategy[list[list[float]]]:
    """Symmetric and well conditioned; shrink to the identity."""

    def made(scales: list[float], turns: list[float]) -> list[list[float]]:
        factor = np.diag(scales)
        factor[np.tril_indices(dim, -1)] = 0.25 * np.array(turns)
        return (factor @ factor.T).round(6).tolist()  # type: ignore[no-any-return]

    n_turns = dim * (dim - 1) // 2
    return st.builds(
        made, st.lists(_sizes(0.5, 2.0), min_size=dim, max_size=dim),
        st.lists(_places(), min_size=n_turns, max_size=n_turns),
    )


def _gaussians(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(Gaussian, _centres(dim), _covariances(dim))


def _mixtures(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(
        lambda first, second, spread, share: GaussianMixture([first, second], spread, [share, round(1.0 - share, 3)]),
        _centres(dim), _centres(dim), _sizes(0.3, 2.0), st.integers(100, 900).map(lambda n: n / 1000.0),
    )


def _wells(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(DoubleWell, st.just(dim), _sizes(), _sizes(0.7, 2.0), _places().map(lambda t: 0.25 * t))


def _rings(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(Ring, _sizes(1.0, 4.0), _sizes(0.3, 1.0)) if dim == 2 else st.nothing()


def _bananas(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(Banana, st.just(dim), _places().map(lambda b: 0.1 * b), _sizes()) if dim > 1 else st.nothing()


def _funnels(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(Funnel, st.just(dim), _sizes(0.3, 1.0)) if dim > 1 else st.nothing()


def _students(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(StudentT, _centres(dim), _sizes(), _sizes(3.0, 10.0))


def _chains(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(QuarticChain, st.just(dim), _sizes(), _places().map(lambda c: 0.25 * c))


def _sums(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(lambda one, other: one + other, _gaussians(dim), _wells(dim))


def _tempered(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(lambda beta, one: beta * one, _sizes(0.5, 2.0), _mixtures(dim))


def _affine(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(lambda one, scale, shift: one.affine(scale, shift), _wells(dim), _sizes(), _centres(dim))


def _composed(dim: int) -> st.SearchStrategy[Energy]:
    return st.builds(
        lambda one, other, share: mixture_of([one, other], [share, 1.0]), _gaussians(dim), _wells(dim), _sizes()
    )


def _walled(dim: int) -> st.SearchStrategy[Energy]:
    """Between two walls, or above one, in each coordinate."""
    ends = st.tuples(
        _places().map(lambda a: a - 2.0), st.one_of(st.just(float("inf")), _sizes(0.5, 3.0))
    )
    return st.builds(lambda one, walls: one.restricted(walls), _wells(dim), st.lists(ends, min_size=dim, max_size=dim))


FAMILIES: dict[str, Callable[[int], st.SearchStrategy[Energy]]] = {
    "gaussian": _gaussians, "mixture": _mixtures, "double well": _wells, "ring": _rings, "banana": _bananas,
    "funnel": _funnels, "student t": _students, "chain": _chains, "sum": _sums, "tempered": _tempered,
    "affine": _affine, "composed": _composed, "walled": _walled,
}


def energies(dim: int | None = None, family: str | Sequence[str] | None = None) -> st.SearchStrategy[Energy]:
    """Energies with laws that can be computed exactly.

    Parameters
    ----------
    dim : 1 to 3; None for any of them.
    family : one or several of `FAMILIES`; None for all that exist in this dimension. The simplest comes first, which is
        what examples shrink to.

    Raises
    ------
    ValueError : another dimension, an unknown family, or none in this dimension.
    """
    if dim is not None and _checks.count(dim, "dim") > MAX_DIM:
        raise ValueError(f"dim is {dim}; pass 1, 2 or 3, up to where exact laws go.")
    wanted = [*FAMILIES] if family is None else [family] if isinstance(family, str) else [*family]
    for name in wanted:
        _checks.choice(name, "family", [*FAMILIES])
    dims = range(1, MAX_DIM + 1) if dim is None else [dim]
    choices = [FAMILIES[name](n) for n in dims for name in wanted]
    choices = [one for one in choices if not one.is_empty]
    if not choices:
        raise ValueError(f"family is {family!r}, which has no energy of dim={dim}; pass another dimension.")
    return st.one_of(choices)


def parameters(energy: Energy, *, hostile: bool = False) -> st.SearchStrategy[FloatArray]:
    """Vectors theta (n_params,) for an energy.

    Near its own, each up to a tenth away, so that its law stays one; shrink to its own. With `hostile` also zeros, tiny
    and huge numbers in any place, with which there may be no law.
    """
    near = st.lists(
        st.integers(-100, 100), min_size=energy.n_params, max_size=energy.n_params
    ).map(lambda steps: energy.theta * (1.0 + 0.001 * np.array(steps)) + 0.0001 * np.array(steps))
    if not hostile or energy.n_params == 0:
        return near

    def spoiled(theta: FloatArray, place: int, value: float) -> FloatArray:
        changed = theta.copy()
        changed[place] = value
        return changed

    return st.one_of(near, st.builds(spoiled, near, st.integers(0, energy.n_params - 1), st.sampled_from(_HOSTILE)))


# ---- kernels, chains, points ----


def kernels(energy: Energy | None = None, *, is_exact: bool = True) -> st.SearchStrategy[Kernel]:
    """Kernels with a given step size that moves on the energies drawn here.

    Parameters
    ----------
    energy : for one step size in each coordinate too; None: one number only.
    is_exact : False draws ULA as well, which keeps the law only nearly.
    """
    one = _sizes(0.2, 1.5)
    steps: st.SearchStrategy[float | list[float]] = one
    if energy is not None:
        steps = st.one_of(one, st.lists(one, min_size=energy.dim, max_size=energy.dim))
    kinds: list[st.SearchStrategy[Kernel]] = [
        st.builds(RandomWalk, steps), st.builds(lambda s: MALA(0.2 * np.array(s)), steps)
    ]
    if not is_exact:
        kinds.append(st.builds(lambda s: ULA(0.05 * np.array(s)), steps))
    return st.one_of(kinds)


@dataclass(frozen=True)
class Layout:
    """How chains are run: results must depend on none of it.

    Attributes
    ----------
    n_chains, n_threads : how many.
    lengths : transitions, cut into runs.
    """

    n_chains: int
    n_threads: int
    lengths: tuple[int, ...]


def chain_layouts(max_transitions: int = 24) -> st.SearchStrategy[Layout]:
    """Numbers of chains around the edges of lanes and tiles, threads, and cuts of a run; shrink to one of each."""
    edges = sorted({1, 2, 7, *(edge + d for edge in (LANES, WIDEST, 2 * WIDEST, 4 * WIDEST) for d in (-1, 0, 1))})
    counts = st.one_of(st.sampled_from(edges), st.integers(1, 3 * WIDEST))
    cuts = st.lists(st.integers(1, max(1, max_transitions // 4)), min_size=1, max_size=4).map(tuple)
    return st.builds(Layout, counts, st.sampled_from([1, 2, 3, 7]), cuts)


def points(energy: Energy, *, hostile: bool = False) -> st.SearchStrategy[FloatArray]:
    """Points (dim,) inside the walls, near the mass of the energies drawn here; with `hostile` any floats at all."""
    walls = np.tile([-np.inf, np.inf], (energy.dim, 1)) if energy.domain is None else energy.domain
    low, high = np.clip(walls, -3.0, 3.0).T
    steps = st.lists(st.integers(0, 6000), min_size=energy.dim, max_size=energy.dim)
    inside = steps.map(lambda n: low + np.array(n) / 6000.0 * (high - low))
    if not hostile:
        return inside
    special = [np.nan, np.inf, -np.inf, *_HOSTILE, *walls[np.isfinite(walls)].tolist()]
    anywhere = st.lists(
        st.one_of(st.floats(), st.sampled_from(special)), min_size=energy.dim, max_size=energy.dim
    ).map(np.array)
    return st.one_of(inside, anywhere)
