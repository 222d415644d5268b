"""The density of a model over a plane or a line."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, exact
from fastebm.energies import Energy, refuse_discrete
from fastebm.partition import log_likelihood
from fastebm.plots.axes import axes

_NODES = 200


def density(energy: Energy, data: ArrayLike | None = None, *, ax: Any = None) -> Any:
    """p(x) of a model in one dimension as a curve, in two as filled contours, with data on top.

    Parameters
    ----------
    energy : a model of dimension 1 or 2 whose Z is finite.
    data : (n, dim) points, drawn over the density; they set the limits. None: limits from draws of the model.
    ax : matplotlib axes; None makes new ones.

    Returns
    -------
    The axes.
    """
    _checks.instance(energy, Energy, "energy", "fit.energy")
    if energy.dim > 2:
        raise ValueError(f"{energy.name} has dim={energy.dim}; density plots need one or two dimensions.")
    refuse_discrete(energy, "and has probabilities, no density; plot eb.exact.enumeration(E).probabilities as bars")
    points = None if data is None else _checks.data(data, energy.dim, energy.domain)
    around = exact.exact_draws(energy, 1000, 0) if points is None else points
    low, high = around.min(axis=0), around.max(axis=0)
    margin = 0.25 * np.where(high > low, high - low, 1.0)
    sides = [np.linspace(a, b, _NODES) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, energy.dim)
    p = np.exp(log_likelihood(energy, grid))
    plane = axes(ax)
    if energy.dim == 1:
        plane.plot(sides[0], p, color="C0", label="model")
        if points is not None:
            plane.hist(points[:, 0], bins="auto", density=True, color="0.8", zorder=0, label="data")
        plane.set(xlabel="x", ylabel="density")
        plane.legend()
    else:
        filled = plane.contourf(*sides, p.reshape(_NODES, _NODES).T, levels=12, cmap="Blues")
        plane.figure.colorbar(filled, ax=plane, label="density")
        if points is not None:
            plane.plot(*points.T, "o", ms=3, color="C1", mec="white", mew=0.3, label="data")
        plane.set(xlabel="x[0]", ylabel="x[1]")
    return plane
