"""The posterior of logistic regression on given data."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.energies.formulas import Formula
from fastebm.lanes.language import softplus


class LogisticPosterior(Formula):
    """E(x) = sum over rows n of softplus(z_n) - labels_n z_n, with z_n = features_n . x, + |x|**2 / (2 prior_scale**2).

    exp(-E) is the likelihood of the coefficients x times their prior, a normal one: the posterior up to a constant, so
    that exp(log Z) is the evidence times (2 pi prior_scale**2)**(dim/2).

    Parameters
    ----------
    features : (n, dim); for an intercept, one of the columns is all 1. Columns of like size make sampling easy.
    labels : (n,) of 0 and 1, or of False and True.
    prior_scale : standard deviation of the prior of each coefficient, above 0.

    Notes
    -----
    theta holds `prior_scale`. The data travel beside it: another data set of the same shape compiles nothing.
    """

    def __init__(self, features: ArrayLike, labels: ArrayLike, prior_scale: float = 10.0) -> None:
        rows = _checks.finite_array(features, "features")
        if rows.ndim != 2 or rows.size == 0:
            raise ValueError(f"features has shape {rows.shape}; pass an array of shape (n, dim).")
        classes = _checks.finite_array(labels, "labels", (len(rows),))
        strange = classes[(classes != 0.0) & (classes != 1.0)]
        if strange.size:
            raise ValueError(f"labels has the entry {strange[0]:g}; pass 0 or 1 for each of the {len(rows)} rows.")
        theta = {"prior_scale": _checks.positive(prior_scale, "prior_scale")}
        settings = {"features": rows.tolist(), "labels": classes.tolist(), **theta}
        # with the sign of the label in the features, a row's term is one softplus
        signed = (1.0 - 2.0 * classes)[:, np.newaxis] * rows
        super().__init__(logistic_posterior, rows.shape[1], theta, settings, data={"signed": signed})


def logistic_posterior(x: Any, theta: Any, data: Any) -> Any:
    total = 0.0
    for n in range(len(data.signed)):
        z = 0.0
        for i in range(len(x)):
            z += data.signed[n, i] * x[i]
        total += softplus(z)
    square = 0.0
    for i in range(len(x)):
        square += x[i] ** 2
    return total + 0.5 * square / theta.prior_scale**2
