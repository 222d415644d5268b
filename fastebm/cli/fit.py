"""Fit a model to the rows of a CSV file.

The model is a multilayer perceptron with a confining term, trained by persistent contrastive divergence. A share of
the rows is held out: it gives the likelihood, which is exact for one to three columns, and the threshold for anomalies.
"""

import argparse
import dataclasses
import math
from pathlib import Path

import numpy as np

from fastebm import _checks, files, tables
from fastebm._checks import FloatArray
from fastebm.datasets import split
from fastebm.energies import MLP, Gaussian
from fastebm.partition import log_likelihood
from fastebm.tasks import anomaly_threshold
from fastebm.training import Adam, PersistentCD, fit

_FALSE_ALARMS = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", type=Path, help="CSV file of numbers, with or without a header")
    parser.add_argument("--out", metavar="MODEL", type=Path, required=True, help="file for the model (.npz)")
    parser.add_argument("--columns", help="names of the columns to use, with commas between; all by default")
    parser.add_argument("--hidden", type=_widths, default="64,64", help="widths of the hidden layers (default 64,64)")
    parser.add_argument("--steps", type=int, default=4000, help="gradient steps (default 4000)")
    parser.add_argument("--transitions", type=int, default=5, help="transitions per particle and step (default 5)")
    parser.add_argument("--rate", type=float, default=3e-3, help="first learning rate (default 3e-3)")
    parser.add_argument("--held-out", type=float, default=0.2, help="share of the rows held out (default 0.2)")
    parser.add_argument("--seed", type=int, default=0, help="seed (default 0)")


def run(chosen: argparse.Namespace) -> int:
    files.writable(chosen.out, reads=[chosen.data])
    columns = None if chosen.columns is None else [name.strip() for name in chosen.columns.split(",")]
    names, rows = tables.read_csv(chosen.data, columns)
    train, held_out = split(rows, _checks.fraction(chosen.held_out, "--held-out"), rng=chosen.seed)
    dim, scale = rows.shape[1], _scale(chosen.data, names, train)
    result = fit(
        MLP(dim, chosen.hidden, center=train.mean(axis=0), scale=scale, rng=chosen.seed),
        train,
        PersistentCD(k=chosen.transitions),
        optimizer=Adam(chosen.rate, chosen.rate / 30.0),
        n_steps=chosen.steps,
        validation=held_out,
        rng=chosen.seed,
    )
    threshold = anomaly_threshold(result.energy, held_out, _FALSE_ALARMS)
    notes = {"columns": names, "threshold": threshold if np.isfinite(threshold) else None}
    dataclasses.replace(result, settings=result.settings | notes).save(chosen.out)
    print(f"{chosen.data}: {len(train)} rows to train, {len(held_out)} held out, {dim} column(s): {', '.join(names)}")
    if len(result.history["log_likelihood"]):
        print("held-out log-likelihood per row, exact:")
        print(f"  this model  {result.history['log_likelihood'][-1]:9.4f}")
        print(f"  Gaussian    {_gaussian(train, held_out)}")
    if np.isfinite(threshold):
        print(f"anomaly threshold for {_FALSE_ALARMS:.0%} false alarms: energy above {threshold:.4f}")
    else:
        print(f"no anomaly threshold: {_FALSE_ALARMS:.0%} false alarms need {1 / _FALSE_ALARMS - 1:.0f} rows held out")
    print(f"model: {chosen.out}")
    return 0


def _widths(text: str) -> list[int]:
    try:
        return [int(width) for width in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of widths; write whole numbers with commas between, for example 64,64."
        ) from None


def _scale(path: Path, names: list[str], train: FloatArray) -> FloatArray:
    """Standard deviations of the training rows' columns; those that cannot be a scale are refused by name."""
    if len(train) < 2:
        raise ValueError(
            f"{path}: {len(train)} row is left to train on, where 2 are needed; give it more rows, or lower --held-out."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        scale: FloatArray = train.std(axis=0)
        ranges = np.ptp(train, axis=0)
    for name, spread, distance in zip(names, scale.tolist(), ranges.tolist(), strict=True):
        if distance == 0.0:
            raise ValueError(f"{path}: column {name!r} is constant; leave it out with --columns.")
        if not 0.0 < spread < math.inf:
            raise ValueError(
                f"{path}: column {name!r} has the standard deviation {spread}, too small or too large for its square; "
                "rescale it, or remove the rows that are not data."
            )
    return scale


def _gaussian(train: FloatArray, held_out: FloatArray) -> str:
    """Mean log-likelihood of held-out rows under the normal law of the training rows, as printed."""
    if np.linalg.matrix_rank(np.corrcoef(train.T), tol=1e-10) < train.shape[1]:
        return "   none: the training rows lie in a plane"
    law = Gaussian(train.mean(axis=0), np.atleast_2d(np.cov(train.T)))
    return f"{log_likelihood(law, held_out).mean():9.4f}"
