"""Contrastive divergence: each chain as a plain Python twin makes it, and in the mean what the exact laws say.

Every statistical check has a false alarm with probability 1e-9, from the spread over independent chains; wrong
estimators go through the same checks and are caught.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from twins import Stream, metropolis

import fastebm as eb
from fastebm.exact import exact_draws

ALPHA = 1e-9
WELL = eb.DoubleWell(1, barrier=1.2, location=1.1, tilt=0.35)
STEP = 0.8
STARTS = np.array([-1.7, 0.2, 2.5])
seeds = st.integers(0, 2**64)


def entropy():
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def agrees(samples, truth):
    """Whether the mean of independent samples (n, m) may be truth (m,): normal law, Bonferroni over m; fails closed."""
    error = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    limit = np.sqrt(2.0) * 4.4 if False else _limit(samples.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.abs(samples.mean(axis=0) - truth) / error
    return bool((away < limit).all())


def _limit(n_checks):
    from scipy.stats import norm

    return norm.isf(ALPHA / (2 * n_checks))


def contrast(objective, energy, data, seed=None, n_threads=2):
    return objective.begin(energy, np.asarray(data), entropy() if seed is None else seed, n_threads)
