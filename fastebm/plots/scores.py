"""Anomaly scores of two groups."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.plots.axes import axes


def scores(normal: ArrayLike, anomalous: ArrayLike, *, threshold: float | None = None, ax: Any = None) -> Any:
    """Histograms of the scores of normal and of anomalous points, on common bins.

    Parameters
    ----------
    normal, anomalous : (n,), (m,) scores.
    threshold : drawn as a line if given.
    ax : matplotlib axes; None makes new ones.

    Returns
    -------
    The axes.
    """
    plane = axes(ax)
    groups = {"normal": _checks.finite_array(normal, "normal"), "anomalous": _checks.finite_array(anomalous, "anomalous")}
    high = float(np.quantile(np.concatenate(list(groups.values())), 0.98))  # a few far outliers would flatten the rest
    low = float(min(values.min() for values in groups.values()))
    bins = np.linspace(low, high, 41)
    for place, (name, values) in enumerate(groups.items()):
        plane.hist(np.minimum(values, high), bins=bins, density=True, alpha=0.6, color=f"C{place}", label=name)
    if threshold is not None:
        plane.axvline(threshold, color="0.3", ls="--", lw=1.0, label="threshold")
    plane.set(xlabel="anomaly score (energy)", ylabel="density")
    plane.legend()
    return plane
