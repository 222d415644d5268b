"""Rows to train on and rows to judge by."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastebm import _checks


def split(X: ArrayLike, fraction: float = 0.2, *, rng: _checks.RNGLike = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Training rows and held-out rows of X: every row in exactly one of the two, in its old order.

    Which rows are held out depends on their number, on `fraction` and on `rng` alone, so that one seed splits data and
    labels alike.

    Parameters
    ----------
    X : (n, ...), n >= 2, of any dtype.
    fraction : share of rows to hold out, strictly between 0 and 1; rounded to whole rows, at least one on each side.
    rng : seed, or any other form of SPEC 7.
    """
    rows = np.asarray(X)
    if rows.ndim == 0 or len(rows) < 2:
        raise ValueError(f"X has shape {rows.shape}; pass at least two rows, one to train on and one to hold out.")
    n = len(rows)
    n_held_out = min(max(round(_checks.fraction(fraction, "fraction") * n), 1), n - 1)
    is_held_out = np.zeros(n, dtype=bool)
    is_held_out[np.random.default_rng(_checks.seed(rng)).choice(n, n_held_out, replace=False)] = True
    return rows[~is_held_out], rows[is_held_out]
