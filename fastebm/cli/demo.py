"""Fit, prove, score and denoise on real data: one table, one picture, one model file.

(a) An MLP energy on two columns of the breast cancer table, by persistent contrastive divergence: its exact held-out
likelihood beside a Gaussian and a kernel density estimate, its draws against quadrature. (b) The same on all thirty
columns of the benign rows: how well the energy tells malignant rows. (c) Held-out points of (a) with noise taken away.
Writes fastebm-demo.png and fastebm-demo.npz into the working folder.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from fastebm import datasets, files, plots
from fastebm._checks import FloatArray
from fastebm.datasets import split
from fastebm.energies import MLP, Energy, Gaussian
from fastebm.exact import Grid, quadrature
from fastebm.kernels import RandomWalk
from fastebm.partition import log_likelihood
from fastebm.sampling import Run, sample
from fastebm.tasks import anomaly_score, anomaly_threshold, denoise
from fastebm.training import Adam, Fit, PersistentCD, fit

_COLUMNS = ("mean radius", "mean concave points")
_STEPS = (2000, 1000)  # of the fits in (a) and (b)
_PICTURE, _MODEL = Path("fastebm-demo.png"), Path("fastebm-demo.npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")


def run(chosen: argparse.Namespace) -> int:
    for path in (_PICTURE, _MODEL):
        files.writable(path)
    table = datasets.breast_cancer()
    plane = np.ascontiguousarray(table.data[:, [table.feature_names.index(name) for name in _COLUMNS]])
    train, held_out = split(plane, 0.3, rng=chosen.seed)

    _say("fitting two columns ...")
    model = fit_table(train, held_out, n_steps=_STEPS[0], k=5, seed=chosen.seed)
    energy = model.energy
    exact = quadrature.grid(energy)
    lines = [
        f"fastebm demo, seed {chosen.seed}: {table.source}",
        f"(a) {_COLUMNS[0]} and {_COLUMNS[1]}: {len(train)} rows to train, {len(held_out)} held out",
        *_likelihoods(energy, exact, train, held_out),
    ]
    _say("sampling ...")
    draws = sample(energy, RandomWalk(), n_chains=256, n_draws=200, n_warmup=1000, thin=20, rng=chosen.seed)
    lines += _moments(exact, draws)

    _say("fitting thirty columns ...")
    detection, normal, odd, threshold = _detection(table, chosen.seed)
    lines += detection

    _say("denoising ...")
    lines += _denoising(energy, train, held_out, chosen.seed)

    dataclasses.replace(model, settings=model.settings | {"columns": list(_COLUMNS)}).save(_MODEL)
    print("\n".join(lines))
    print(f"model: {_MODEL}")
    if _draw(model, train, held_out, draws, normal, odd, threshold):
        print(f"picture: {_PICTURE}")
    else:
        print('no picture: it needs matplotlib (pip install "fastebm[plots]")')
    return 0


def fit_table(train: FloatArray, held_out: FloatArray | None, *, n_steps: int, k: int, seed: int) -> Fit:
    """A perceptron with the data's centre and scale, by persistent contrastive divergence."""
    start = MLP(train.shape[1], center=train.mean(axis=0), scale=train.std(axis=0), rng=seed)
    result = fit(
        start, train, PersistentCD(k=k), optimizer=Adam(3e-3, 1e-4), n_steps=n_steps, validation=held_out, rng=seed
    )
    if result.interrupted:
        raise KeyboardInterrupt  # who stops one part of the demo wants to see no other
    return result


def _likelihoods(energy: Energy, exact: Grid, train: FloatArray, held_out: FloatArray) -> list[str]:
    gaussian = Gaussian(train.mean(axis=0), np.cov(train.T))
    values = {
        "fastebm MLP, persistent CD": log_likelihood(energy, held_out, log_z=exact.log_partition),
        "Gaussian": log_likelihood(gaussian, held_out),
        "kernel density estimate (SciPy)": scipy.stats.gaussian_kde(train.T).logpdf(held_out.T),
    }
    best = max(values, key=lambda name: float(values[name].mean()))
    rows = [
        f"    log Z = {exact.log_partition:.10f} by quadrature, error {exact.error:.1e}",
        "    held-out log-likelihood per row",
    ]
    for name, value in values.items():
        error = value.std(ddof=1) / np.sqrt(len(value))
        rows.append(f"      {name:34}{value.mean():9.4f} +- {error:.4f}{'   best' if name == best else ''}")
    return rows


def _moments(exact: Grid, draws: Run) -> list[str]:
    flat = draws.draws.reshape(-1, len(_COLUMNS))
    means = draws.draws.mean(axis=1)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    rows = [f"    {len(flat)} draws against quadrature, acceptance {draws.acceptance_rate.mean():.1%}"]
    for i, name in enumerate(_COLUMNS):
        rows.append(
            f"      {name:22} mean {flat[:, i].mean():9.5f} (exact {exact.mean[i]:9.5f}, error {error[i]:.5f})"
            f"   s.d. {flat[:, i].std():8.5f} (exact {np.sqrt(exact.cov[i, i]):8.5f})"
        )
    return rows


def _detection(table: datasets.Table, seed: int) -> tuple[list[str], FloatArray, FloatArray, float]:
    """Train on benign rows; scores of held-out benign and of malignant ones; AUROC beside two standard methods."""
    benign, malignant = (table.data[table.target == table.target_names.index(name)] for name in ("benign", "malignant"))
    train, held_out = split(benign, 0.3, rng=seed)
    energy = fit_table(train, None, n_steps=_STEPS[1], k=10, seed=seed).energy
    normal, odd = anomaly_score(energy, held_out), anomaly_score(energy, malignant)
    gaussian = Gaussian(train.mean(axis=0), np.cov(train.T))  # its energy is half the squared Mahalanobis distance
    results = {
        "fastebm MLP, persistent CD": auroc(normal, odd),
        "Mahalanobis distance": auroc(gaussian.energy(held_out), gaussian.energy(malignant)),
    }
    try:
        from sklearn.ensemble import IsolationForest
    except ImportError:
        missing = ['      IsolationForest                   not installed (pip install "fastebm[sklearn]")']
    else:
        missing = []
        forest = IsolationForest(random_state=seed % 2**32).fit(train)
        results["IsolationForest (scikit-learn)"] = auroc(*(-forest.score_samples(X) for X in (held_out, malignant)))
    best = max(results, key=lambda name: results[name])
    calibration, rest = held_out[::2], held_out[1::2]
    threshold = anomaly_threshold(energy, calibration)
    rows = [
        f"(b) thirty columns, trained on {len(train)} benign rows: AUROC of {len(odd)} malignant against "
        f"{len(normal)} held-out benign rows",
        *(f"      {name:34}{value:9.4f}{'   best' if name == best else ''}" for name, value in results.items()),
        *missing,
        f"    threshold for 5 % false alarms from {len(calibration)} benign rows: alarms for "
        f"{np.mean(anomaly_score(energy, rest) > threshold):.1%} of the {len(rest)} others, "
        f"{np.mean(odd > threshold):.1%} of the malignant",
    ]
    return rows, normal, odd, threshold


def auroc(normal: FloatArray, anomalous: FloatArray) -> float:
    """Area under the ROC curve: the chance that an anomalous score exceeds a normal one, ties counting half.

    References
    ----------
    J. A. Hanley and B. J. McNeil (1982), doi:10.1148/radiology.143.1.7063747.
    """
    ranks = scipy.stats.rankdata(np.concatenate([normal, anomalous]))
    n, m = len(normal), len(anomalous)
    return float((ranks[n:].sum() - m * (m + 1) / 2.0) / (n * m))


def _denoising(energy: Energy, train: FloatArray, held_out: FloatArray, seed: int) -> list[str]:
    """Noise of half a standard deviation in units where both columns have spread 1; errors in the same units."""
    scale = train.std(axis=0)
    noise = 0.5
    # the model in scaled coordinates is the same perceptron with centre and scale divided
    unit = MLP(2, center=train.mean(axis=0) / scale, scale=1.0).with_theta(energy.theta)
    clean = held_out / scale
    noisy = clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)
    covariance = np.cov((train / scale).T)
    mean = train.mean(axis=0) / scale
    linear = mean + (noisy - mean) @ np.linalg.solve(covariance + noise**2 * np.eye(2), covariance)
    results = {
        "noisy": noisy,
        "fastebm, posterior mean": denoise(unit, noisy, noise, n_draws=1000, rng=seed),
        "fastebm, most probable": denoise(unit, noisy, noise, method="mode"),
        "Gaussian (Wiener filter)": linear,
    }
    errors = {name: float(np.sqrt(np.mean((value - clean) ** 2))) for name, value in results.items()}
    best = min(errors, key=lambda name: errors[name])
    return [
        f"(c) {len(clean)} held-out rows of (a) with noise of {noise} standard deviations: root mean squared error",
        *(f"      {name:34}{value:9.4f}{'   best' if name == best else ''}" for name, value in errors.items()),
    ]


def _draw(
    model: Fit,
    train: FloatArray,
    held_out: FloatArray,
    draws: Run,
    normal: FloatArray,
    odd: FloatArray,
    threshold: float,
) -> bool:
    """Write the picture; False if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(12, 9), layout="constrained")
    axes: Any = figure.subplots(2, 2)
    plots.density(model.energy, held_out, ax=axes[0, 0]).set_title("(a) density and held-out data")
    shown = draws.draws[:, -1]
    axes[0, 1].plot(*train.T, ".", color="C1", ms=4, label="data (training rows)")
    axes[0, 1].plot(*shown.T, ".", color="C0", ms=4, label="draws of the model")
    axes[0, 1].set(title="(a) data and draws")
    axes[0, 1].legend()
    for axis in axes[0]:
        axis.set(xlabel=_COLUMNS[0], ylabel=_COLUMNS[1])
    plots.training(model, ax=axes[1, 0]).set_title("(a) training")
    plots.scores(normal, odd, threshold=threshold, ax=axes[1, 1]).set_title("(b) benign and malignant rows")
    with files.replacing(_PICTURE) as temporary:
        figure.savefig(temporary, dpi=120)
    return True


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
