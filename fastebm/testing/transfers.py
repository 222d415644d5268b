"""What k transitions of a kernel do to a mean, exactly: the transfer operator of one dimension, by quadrature.

(K h)(x) = h(x) + integral of q(y | x) a(x, y) (h(y) - h(x)) dy: what is rejected needs no term of its own. q and a are
those of the kernel's slow twin.
"""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.testing.reports import NotRun
from fastebm.testing.twins import ProposalTwin, Twin

_COARSE, _FINE = 1000, 2000  # nodes
_FEWEST = 8.0  # nodes to a proposal's standard deviation
_MARGIN = 6.0  # standard deviations of a proposal, beyond the law and the starts
_KEPT = 1e-12  # of the law's height, below which its nodes are no guide to where mass is


def expectations(
    twin: ProposalTwin, energy: Energy, functions: FloatArray, nodes: FloatArray, starts: FloatArray, lengths: list[int]
) -> list[FloatArray]:
    """E of functions after so many transitions from each start.

    Parameters
    ----------
    twin : the rule, of one dimension.
    energy : the energy E.
    functions : (n + s, m) values at the nodes, then at the starts.
    nodes : (n,) evenly spaced.
    starts : (s,) of finite energy.
    lengths : rising numbers of transitions.

    Returns
    -------
    (s, m) for each length.
    """
    X = np.concatenate([nodes, starts])[:, None]
    e = energy.energy(X)
    slopes = energy.grad(X) if twin.needs_grad else np.zeros_like(X)
    weights = np.full(len(nodes), nodes[1] - nodes[0])
    weights[[0, -1]] *= 0.5
    n = len(nodes)
    x, y = (X[:, None], e[:, None], slopes[:, None]), (X[None, :n], e[None, :n], slopes[None, :n])
    with np.errstate(all="ignore"):
        log_rate = twin.log_density(y[0], x[0], x[2])
        if twin.is_exact:
            log_rate = log_rate + np.minimum(twin.log_ratio(*x, *y), 0.0)
        rates = np.where(np.isfinite(log_rate), np.exp(log_rate), 0.0) * weights
    out = rates.sum(axis=1, keepdims=True)
    found, values, done = [], functions, 0
    for length in lengths:
        while done < length:
            values = values + rates @ values[:n] - out * values
            done += 1
        found.append(values[n:])
    return found


def mean_slopes(
    twin: Twin, energy: Energy, starts: FloatArray, lengths: list[int]
) -> tuple[list[FloatArray], FloatArray]:
    """E of dE/dtheta after so many transitions from each start (s, 1), and how far it can be trusted.

    Returns
    -------
    (s, n_params) for each length, extrapolated from two lattices; and the largest difference between them (n_params,).

    Raises
    ------
    NotRun : more than one dimension; no exact law; proposals too short for a lattice.
    """
    if not isinstance(twin, ProposalTwin):
        raise NotRun("its kernel's proposals have no density that is known")
    if energy.dim != 1:
        raise NotRun(f"transfer operators are computed in one dimension, and {energy.name} has {energy.dim}")
    try:
        grid = quadrature.grid(energy, rtol=1e-6)
    except ValueError as fault:
        raise NotRun(f"its exact law cannot be computed: {fault}") from None
    inside = grid.points[grid.probabilities > _KEPT * grid.probabilities.max()]
    scale = float(twin.scale[0])
    low = min(inside.min(), starts.min()) - _MARGIN * scale
    high = max(inside.max(), starts.max()) + _MARGIN * scale
    if energy.domain is not None:
        low, high = max(low, energy.domain[0, 0]), min(high, energy.domain[0, 1])
    if (high - low) / scale * _FEWEST > _COARSE:
        raise NotRun(
            f"proposals of standard deviation {scale:.3g} are too short for a lattice from {low:.3g} to {high:.3g}"
        )
    results = []
    for n in (_COARSE, _FINE):
        nodes = np.linspace(low, high, n + 1)
        functions = np.nan_to_num(energy.grad_theta(np.concatenate([nodes, starts[:, 0]])[:, None]))
        results.append(expectations(twin, energy, functions, nodes, starts[:, 0], lengths))
    # the kink of min(1, ratio) makes the error of order spacing**2
    found = [fine + (fine - coarse) / 3.0 for coarse, fine in zip(*results, strict=True)]
    apart = np.max([abs(fine - coarse).max(axis=0) for coarse, fine in zip(*results, strict=True)], axis=0)
    return found, np.asarray(apart)
