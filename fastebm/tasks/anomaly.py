"""Anomaly detection: the energy is the score, since Z cancels where points are compared."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.energies import Energy


def anomaly_score(energy: Energy, X: ArrayLike) -> Any:
    """E(X): the higher, the less probable. It is -log p(X) up to the constant log Z.

    Parameters
    ----------
    energy : the model.
    X : (n, dim) or (dim,) points; +inf outside the domain, nan for nan in a domain without walls.

    Returns
    -------
    (n,) scores, or a float.

    Examples
    --------
    >>> import fastebm as eb
    >>> eb.anomaly_score(eb.Gaussian([0.0]), [[0.0], [3.0]])
    array([0. , 4.5])
    """
    _checks.instance(energy, Energy, "energy", "fit.energy")
    return energy.energy(X)


def anomaly_threshold(energy: Energy, X: ArrayLike, false_alarm_rate: float = 0.05) -> float:
    """Score above which a point counts as anomalous, with a guaranteed rate of false alarms.

    Split conformal prediction: with n held-out normal points, never seen in training, a new normal point exceeds the
    ceil((n + 1)(1 - rate))-th smallest of their scores with probability at most `false_alarm_rate`.

    Parameters
    ----------
    energy : the model.
    X : (n, dim) held-out normal points.
    false_alarm_rate : strictly between 0 and 1.

    Returns
    -------
    The threshold; +inf where n is below 1/rate - 1, too few points to guarantee the rate. Points whose score equals the
    threshold are not anomalous.

    References
    ----------
    V. Vovk, A. Gammerman and G. Shafer (2005), Algorithmic Learning in a Random World, doi:10.1007/b106715.
    """
    _checks.instance(energy, Energy, "energy", "fit.energy")
    rate = _checks.fraction(false_alarm_rate, "false_alarm_rate")
    points = _checks.data(X, energy.dim, energy.domain, "X", energy.values)
    scores = energy.energy(points)
    if np.isnan(scores).any():
        row = int(np.argmax(np.isnan(scores)))
        raise ValueError(
            f"{energy.name} is nan at X[{row}] = {points[row].tolist()}; mend the energy or leave the point out."
        )
    n = len(scores)
    place = math.ceil((n + 1) * (1.0 - rate) * (1.0 - 1e-12))  # the product's rounding must not move the rank
    return float(np.sort(scores)[place - 1]) if place <= n else math.inf
