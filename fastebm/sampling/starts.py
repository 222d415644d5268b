"""Where chains begin."""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, streams, tiles
from fastebm._checks import FloatArray
from fastebm.energies import Energy

_SPREAD = 2.0
_ATTEMPTS = 100


class Overdispersed:
    """Starts from a normal distribution: center + spread * normal, again where the energy is not finite.

    Parameters
    ----------
    center : (dim,) or one number.
    spread : standard deviation, (dim,) or one number, above 0; wider than the law, if R-hat is to be believed.
    """

    def __init__(self, center: ArrayLike = 0.0, spread: ArrayLike = _SPREAD) -> None:
        self.center = _checks.finite_array(center, "center")
        self.spread = _checks.finite_array(spread, "spread")
        if not (self.spread > 0.0).all():
            raise ValueError(f"spread is {spread!r}; pass numbers above 0.")

    def __repr__(self) -> str:
        return f"Overdispersed(center={self.center.tolist()}, spread={self.spread.tolist()})"


class FromData:
    """Starts at rows of data, each chain's drawn by the seed and the chain's number.

    Parameters
    ----------
    X : (m, dim) points, m at least 1.
    """

    def __init__(self, X: ArrayLike) -> None:
        self.X = _checks.finite_array(X, "X")
        if self.X.ndim != 2 or len(self.X) == 0:
            raise ValueError(f"X has shape {self.X.shape}; pass rows of data, (m, dim) with m at least 1.")

    def __repr__(self) -> str:
        return f"FromData(X of shape {self.X.shape})"


class Superchains:
    """Groups of consecutive chains that start at one point each: nested R-hat then tells whether starts are forgotten.

    Parameters
    ----------
    n_groups : how many groups, at least 2; n_chains must be a multiple of it.
    init : where groups start, as `init` of `sample` for n_groups chains.

    References
    ----------
    C. C. Margossian et al. (2024), Nested R-hat, doi:10.1214/24-BA1453.
    """

    def __init__(self, n_groups: int, init: "Init" = None) -> None:
        self.n_groups = _checks.count(n_groups, "n_groups", 2)
        if isinstance(init, Superchains):
            raise TypeError("init is Superchains inside Superchains; pass points, or None.")
        self.init = init

    def __repr__(self) -> str:
        return f"Superchains({self.n_groups})" if self.init is None else f"Superchains({self.n_groups}, {self.init!r})"


Init = ArrayLike | Overdispersed | FromData | Superchains | None


def free_part(init: Init, clamped: Collection[int], dim: int) -> Init:
    """`init` of the coordinates that move, where it gives points of all `dim`."""
    if init is None or not clamped:
        return init
    places = [*clamped]
    if isinstance(init, Superchains):
        return Superchains(init.n_groups, free_part(init.init, clamped, dim))
    if isinstance(init, Overdispersed):
        return Overdispersed(*(
            np.delete(one, places) if one.shape == (dim,) else one for one in (init.center, init.spread)
        ))
    if isinstance(init, FromData):
        return FromData(np.delete(init.X, places, axis=1)) if init.X.shape[1] == dim else init
    given = _checks.finite_array(init, "init")
    if given.ndim == 0 or given.shape[-1] != dim:
        raise ValueError(f"init has shape {given.shape}; pass all {dim} coordinates, the clamped ones too.")
    return np.delete(given, places, axis=-1)


def starts(energy: Energy, init: Init, n_chains: int, seed: int) -> FloatArray:
    """First positions (n_chains, dim), all of finite energy.

    `init` gives them as (n_chains, dim), or as one point (dim,) for all, or says how to find them. None: each chain
    draws from a normal distribution of standard deviation 2 inside the domain, or evenly between two walls or among the
    values, and again while the energy there is not finite; its start depends on the seed and the chain's number alone.
    """
    if isinstance(init, Superchains):
        if n_chains % init.n_groups:
            raise ValueError(f"n_chains is {n_chains} and n_groups {init.n_groups}; pass a multiple of these.")
        return np.repeat(starts(energy, init.init, init.n_groups, seed), n_chains // init.n_groups, axis=0)
    if isinstance(init, FromData):
        rows = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(streams.STARTS,)))
        if init.X.shape[1] != energy.dim:
            raise ValueError(f"X has {init.X.shape[1]} columns, but {energy.name} has dim={energy.dim}; pass as many.")
        return _given(energy, init.X[rows.integers(len(init.X), size=n_chains)], n_chains)
    if init is None or isinstance(init, Overdispersed):
        return _drawn(energy, init, n_chains, seed)
    return _given(energy, init, n_chains)


def _given(energy: Energy, init: ArrayLike, n_chains: int) -> FloatArray:
    given = _checks.finite_array(init, "init")
    if given.shape not in ((energy.dim,), (n_chains, energy.dim)):
        raise ValueError(
            f"init has shape {given.shape}; pass an array of shape ({n_chains}, {energy.dim}) or ({energy.dim},)."
        )
    positions = np.ascontiguousarray(np.broadcast_to(given, (n_chains, energy.dim)))
    values = energy.energy(positions)
    if not np.isfinite(values).all():
        c = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{energy.name} is {values[c]} at init[{c}] = {positions[c].tolist()}; start where it is finite."
        )
    return positions


def _drawn(energy: Energy, how: Overdispersed | None, n_chains: int, seed: int) -> FloatArray:
    if how is not None and {how.center.shape, how.spread.shape} - {(), (energy.dim,)}:
        raise ValueError(f"{how} does not fit {energy.name} of dim={energy.dim}; pass (dim,) numbers, or one.")
    n_tiles, width = tiles.shape(n_chains, energy.dim)
    states = streams.seed_streams(seed, n_tiles, width, streams.STARTS)
    draws = np.empty((n_tiles, energy.dim, width))
    positions = np.empty((n_chains, energy.dim))
    missing = np.ones(n_chains, dtype=bool)
    for _ in range(_ATTEMPTS):
        streams.normals(states, draws)
        normal = tiles.unpack(draws, n_chains)
        tried = _into_domain(_SPREAD * normal, energy) if how is None else how.center + how.spread * normal
        positions[missing] = tried[missing]
        values = energy.energy(positions)
        missing = ~np.isfinite(values)
        if not missing.any():
            return positions
    c = int(np.argmax(missing))
    raise ValueError(
        f"{energy.name} is {values[c]} at x={positions[c].tolist()} and at {_ATTEMPTS - 1} other points tried for "
        f"chain {c}; pass init= with points where it is finite."
    )


def _into_domain(X: FloatArray, energy: Energy) -> FloatArray:
    """Normal draws X (n, dim) brought to the values, or into the walls: nearly evenly between two, reflected at one.

    Where 0 is outside one wall, the draws are taken about that wall.
    """
    if energy.values is None and energy.domain is None:
        return X
    share = (X / _SPREAD * 0.5) % 1.0  # a normal number of standard deviation 1/2, modulo 1: even to two per cent
    if energy.values is not None:
        return np.asarray(energy.values[np.minimum(len(energy.values) * share, len(energy.values) - 1).astype(np.intp)])
    assert energy.domain is not None
    lower, upper = energy.domain.T
    two = np.isfinite(lower) & np.isfinite(upper)
    low, high = np.where(two, lower, 0.0), np.where(two, upper, 1.0)
    about = X + np.clip(0.0, lower, upper)
    reflected = np.where(about < lower, 2.0 * lower - about, np.where(about > upper, 2.0 * upper - about, about))
    return np.asarray(np.where(two, low + share * (high - low), reflected))
