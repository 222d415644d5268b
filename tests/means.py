"""The one statistical test of means: a stated error rate instead of a tolerance."""

import math

import numpy as np
from scipy.stats import norm

ALPHA = 1e-9


def fresh_seed():
    """Another seed in every run: a law holds for each of them."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def mean_may_be(truth, samples):
    """Whether independent samples (n, m) or (n,) may have the mean `truth`; false for a true one once in 1/ALPHA.

    By the normal law of means, so that n has to be large; Bonferroni over the m columns. Samples without spread, and
    nan, never pass.
    """
    columns = np.reshape(samples, (len(samples), -1))
    error = columns.std(axis=0, ddof=1) / math.sqrt(len(columns))
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.abs(columns.mean(axis=0) - truth) / error
    return bool((error > 0.0).all() and (away < norm.isf(ALPHA / (2 * columns.shape[1]))).all())
