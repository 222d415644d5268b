"""The course of a training."""

from typing import Any

import numpy as np

from fastebm.plots.axes import axes
from fastebm.training import Fit

_SMOOTH = 50


def training(fit: Fit, *, ax: Any = None) -> Any:
    """Held-out log-likelihood where it is exact, and the energy gap, step by step.

    Parameters
    ----------
    fit : what `fastebm.fit` returned.
    ax : matplotlib axes; None makes new ones.

    Returns
    -------
    The axes; the energy gap, a running mean over 50 steps, has an axis of its own on the right.
    """
    left = axes(ax)
    gap = fit.history["energy_gap"]
    width = min(_SMOOTH, len(gap))
    if len(fit.history["step"]):
        left.plot(fit.history["step"], fit.history["log_likelihood"], "o-", color="C0", ms=3)
        left.set(xlabel="step", ylabel="held-out log-likelihood per point")
        left.yaxis.label.set_color("C0")
        right = left.twinx()
    else:
        left.set(xlabel="step")
        right = left
    if len(gap):  # a training that went wrong in its first step has none
        steps = np.arange(width - 1, len(gap))
        right.plot(steps, np.convolve(gap, np.ones(width) / width, mode="valid"), color="C1", lw=0.8)
    right.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    right.set_ylabel("energy gap", color="C1")
    return left
