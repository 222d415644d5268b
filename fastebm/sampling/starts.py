"""Where chains begin."""

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, streams, tiles
from fastebm._checks import FloatArray
from fastebm.energies import Energy

_SPREAD = 2.0
_ATTEMPTS = 100


def starts(energy: Energy, init: ArrayLike | None, n_chains: int, seed: int) -> FloatArray:
    """First positions (n_chains, dim), all of finite energy.

    `init` gives them as (n_chains, dim), or as one point (dim,) for all. None: each chain draws from a normal
    distribution of standard deviation 2 inside the domain, or evenly between two walls or among the values, and again
    while the energy there is not finite; its start depends on the seed and the chain's number alone.
    """
    if init is not None:
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
    n_tiles, width = tiles.shape(n_chains, energy.dim)
    states = streams.seed_streams(seed, n_tiles, width, streams.STARTS)
    draws = np.empty((n_tiles, energy.dim, width))
    positions = np.empty((n_chains, energy.dim))
    missing = np.ones(n_chains, dtype=bool)
    for _ in range(_ATTEMPTS):
        streams.normals(states, draws)
        tried = _into_domain(_SPREAD * tiles.unpack(draws, n_chains), energy)
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
    share = (X / _SPREAD * 0.5) % 1.0  # a normal number of standard deviation 1/2, modulo 1: even to two per cent
    if energy.values is not None:
        return np.asarray(energy.values[np.minimum(len(energy.values) * share, len(energy.values) - 1).astype(np.intp)])
    if energy.domain is None:
        return X
    lower, upper = energy.domain.T
    two = np.isfinite(lower) & np.isfinite(upper)
    low, high = np.where(two, lower, 0.0), np.where(two, upper, 1.0)
    about = X + np.clip(0.0, lower, upper)
    reflected = np.where(about < lower, 2.0 * lower - about, np.where(about > upper, 2.0 * upper - about, about))
    return np.asarray(np.where(two, low + share * (high - low), reflected))
