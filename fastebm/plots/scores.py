"""Anomaly scores of two groups."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.plots.axes import axes


def scores(normal: ArrayLike, anomalous: ArrayLike, *, threshold: float | None = None, ax: Any = None) -> Any:
    """Histograms of the scores of normal and of anomalous points, on common bins.

    Parameters
    ----------
    normal, anomalous : (n,), (m,) scores, not empty; +inf is drawn in the last bin, nan is refused.
    threshold : drawn as a line if it is given and finite.
    ax : matplotlib axes; None makes new ones.

    Returns
    -------
    The axes.
    """
    groups = {"normal": _scores(normal, "normal"), "anomalous": _scores(anomalous, "anomalous")}
    together = np.concatenate(list(groups.values()))
    finite = together[np.isfinite(together)]
    if finite.size == 0:
        raise ValueError("no score is finite; pass scores of points inside the energy's domain.")
    low, high = float(finite.min()), float(np.quantile(finite, 0.98))  # a few far outliers would flatten the rest
    if high == low:
        high = low + 1.0
    bins = np.linspace(low, high, 41)
    plane = axes(ax)
    for place, (name, values) in enumerate(groups.items()):
        plane.hist(np.clip(values, low, high), bins=bins, density=True, alpha=0.6, color=f"C{place}", label=name)
    if threshold is not None and np.isfinite(threshold):
        plane.axvline(threshold, color="0.3", ls="--", lw=1.0, label="threshold")
    plane.set(xlabel="anomaly score (energy)", ylabel="density")
    plane.legend()
    return plane


def _scores(values: ArrayLike, name: str) -> FloatArray:
    given = _checks.array(values, name).ravel()
    if given.size == 0 or np.isnan(given).any():
        fault = "is empty" if given.size == 0 else f"has nan at [{int(np.argmax(np.isnan(given)))}]"
        raise ValueError(f"{name} {fault}; pass at least one score, none of them nan.")
    return given
