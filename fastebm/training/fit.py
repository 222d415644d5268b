"""The training loop."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks, files, tiles
from fastebm._checks import FloatArray, RNGLike
from fastebm.energies import Energy
from fastebm.exact import quadrature
from fastebm.exact.enumerations import MAX_STATES, enumeration, n_states
from fastebm.sampling.interrupts import Interrupts
from fastebm.sampling.progress import Progress
from fastebm.training.contrastive import PersistentCD
from fastebm.training.objective import Estimator, Objective
from fastebm.training.optimisers import Adam, Optimiser

_EXACT_DIM = 3
_LOOKS = 20  # evaluations of the held-out likelihood in one training
_LAG = 3.0  # standard deviations of the energy between data and particles; healthy training keeps well below one
_NEAR, _FAR = 30.0, 1e3  # standard deviations of the data: a model whose particles go far is no good any more
_SHUFFLES = 2  # what the seed's random numbers are for, besides the purposes in `streams`


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained model and how it came about.

    Attributes
    ----------
    energy : the energy with the last theta.
    history : arrays by name, one entry a step: "energy_gap" (mean energy of the batch minus that of the model's points,
        near 0 when the two agree), "acceptance_rate" (nan for exact training), "gradient_norm"; and one entry a look:
        "step", "log_likelihood" (exact mean log-likelihood of the validation data, nan where the model has no finite
        Z; empty without validation data, or above three dimensions where Z has no closed form and no states).
    particles : (n_particles, dim) last points of the model's chains; None for exact training.
    seed : passed as `rng`, it gives the same training again.
    interrupted : True if Ctrl-C or divergence ended the training early.
    timings : seconds of "training".
    settings : what else was asked for.
    """

    energy: Energy
    history: dict[str, FloatArray]
    particles: FloatArray | None
    seed: int
    interrupted: bool
    timings: dict[str, float]
    settings: dict[str, Any] = field(repr=False)

    def save(self, path: str | Path) -> None:
        """Write the fit to `path`, atomically; `fastebm.load` reads it."""
        header = {
            "energy": self.energy.describe(),
            "shapes": self.energy.shapes,
            "seed": self.seed,
            "interrupted": self.interrupted,
            "timings": self.timings,
            "settings": self.settings,
        }
        arrays = {"theta": self.energy.theta} | {f"history_{key}": value for key, value in self.history.items()}
        if self.particles is not None:
            arrays["particles"] = self.particles
        files.write(path, "fit", header, arrays)

    @classmethod
    def restore(cls, energy: Energy, header: dict[str, Any], arrays: dict[str, Any]) -> "Fit":
        """The fit that `save` wrote, around its energy."""
        history = {key.removeprefix("history_"): value for key, value in arrays.items() if key.startswith("history_")}
        rest = {key: value for key, value in header.items() if key not in ("energy", "shapes")}
        return cls(energy=energy, history=history, particles=arrays.get("particles"), **rest)


def fit(
    energy: Energy,
    data: ArrayLike,
    objective: Objective | None = None,
    *,
    optimizer: Optimiser | None = None,
    n_steps: int = 2000,
    batch_size: int = 128,
    validation: ArrayLike | None = None,
    rng: RNGLike = None,
    n_threads: int | None = None,
    progress: bool | str = "auto",
) -> Fit:
    """Fit the parameters of an energy to data.

    Parameters
    ----------
    energy : the model, with the theta to start from.
    data : (n, dim) finite points inside the domain.
    objective : where gradients come from; PersistentCD() if None.
    optimizer : the rule of descent; Adam() if None.
    n_steps : gradient steps, at least 1.
    batch_size : rows of data in each step, drawn without replacement until all were used; all rows if there are fewer.
    validation : (m, dim) held-out points, whose exact mean log-likelihood goes into the history about twenty times, in
        one to three dimensions or where Z has a closed form.
    rng, n_threads, progress : as in `sample`; the same seed gives the same bits for any number of threads.

    Returns
    -------
    Fit. Ctrl-C ends the training early and returns the model so far.

    Warns
    -----
    FastebmWarning : the training diverged (theta or gradient not finite, Z infinite, particles far from all data): the
        last good model is returned; a model without a finite Z; chains that lag behind the model; an energy that is nan
        or -inf; an interrupt.

    Examples
    --------
    >>> import fastebm as eb, numpy as np
    >>> data = np.random.default_rng(0).normal(3.0, 1.0, (500, 1))
    >>> fit = eb.fit(eb.Gaussian([0.0], 4.0), data, eb.MaximumLikelihood(), n_steps=300, batch_size=500, rng=0,
    ...              optimizer=eb.Adam(5e-2))
    >>> bool(abs(fit.energy.unpack()["mean"][0] - data.mean()) < 0.01)
    True
    """
    _checks.instance(energy, Energy, "energy", "eb.MLP(dim=2)")
    rows = _checks.data(data, energy.dim, energy.domain, values=energy.values)
    held_out = None
    if validation is not None:
        held_out = _checks.data(validation, energy.dim, energy.domain, "validation", energy.values)
    loss = PersistentCD() if objective is None else objective
    rule = Adam() if optimizer is None else optimizer
    _checks.instance(loss, Objective, "objective", "eb.PersistentCD()")
    _checks.instance(rule, Optimiser, "optimizer", "eb.Adam(1e-2)")
    n_steps = _checks.count(n_steps, "n_steps")
    batch_size = min(_checks.count(batch_size, "batch_size"), len(rows))
    if energy.n_params == 0:
        raise ValueError(f"{energy.name} has no parameters to fit; define it with theta={{...}}.")
    seed = _checks.seed(rng)
    values = energy.energy(rows)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{energy.name} is {values[row]} at data[{row}] = {rows[row].tolist()}; start from a theta for which the "
            "energy is finite at all data."
        )

    began = time.perf_counter()
    estimator = loss.begin(energy, rows, seed, tiles.threads(n_threads))
    batches = _Batches(rows, batch_size, seed)
    carried = rule.begin(energy.n_params)
    history: dict[str, list[float]] = {
        key: [] for key in ("energy_gap", "acceptance_rate", "gradient_norm", "step", "log_likelihood")
    }
    bar = Progress(n_steps, "training", progress)
    trouble = None
    good = energy
    try:
        with Interrupts() as interrupts, np.errstate(over="ignore", invalid="ignore"):
            for step in range(n_steps):
                if held_out is not None and step % -(-n_steps // _LOOKS) == 0:
                    _look(history, step, energy, held_out)
                try:
                    gradient = estimator.gradient(energy, batches.next())
                except ValueError as fault:  # no finite Z, or an energy that is nan
                    if step == 0:
                        raise
                    trouble = str(fault).partition(";")[0]
                    break
                theta = rule.step(energy.theta, gradient, carried, step, n_steps)
                trouble = _trouble(gradient, [theta, *carried], estimator.reach)
                if trouble is not None:
                    break
                if estimator.reach < _NEAR:
                    good = energy
                energy = energy.with_theta(theta)
                history["energy_gap"].append(estimator.energy_gap)
                history["acceptance_rate"].append(estimator.acceptance_rate)
                history["gradient_norm"].append(float(np.linalg.norm(gradient)))
                bar.advance(1, energy_gap=f"{estimator.energy_gap:.3g}")
                if interrupts.requested:
                    break
            n_made = len(history["energy_gap"])
            if trouble is not None:
                energy = good
            if held_out is not None:
                _look(history, n_made, energy, held_out)
    finally:
        bar.close()
    result = Fit(
        energy=energy,
        history={key: np.array(values) for key, values in history.items()},
        particles=estimator.particles,
        seed=seed,
        interrupted=n_made < n_steps,
        timings={"training": time.perf_counter() - began},
        settings={"objective": repr(loss), "optimizer": repr(rule), "n_steps": n_steps, "batch_size": batch_size},
    )
    for message in _messages(result, estimator, trouble):
        _checks.warn(message)
    return result


class _Batches:
    """Batches of equal size without replacement: every row is used once before any is used again."""

    def __init__(self, data: FloatArray, size: int, seed: int) -> None:
        self._data = data
        self._size = size
        self._generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SHUFFLES,)))
        self._order = np.zeros(0, dtype=np.int64)

    def next(self) -> FloatArray:
        if self._size == len(self._data):
            return self._data
        if len(self._order) < self._size:
            fresh = self._generator.permutation(len(self._data))
            filling = fresh[~np.isin(fresh, self._order)][: self._size - len(self._order)]  # no row twice in a batch
            self._order = np.concatenate([self._order, filling, fresh[~np.isin(fresh, filling)]])
        rows, self._order = self._order[: self._size], self._order[self._size :]
        return self._data[rows]


def _look(history: dict[str, list[float]], step: int, energy: Energy, held_out: FloatArray) -> None:
    """Note the exact mean log-likelihood of held-out points, where log Z can be had."""
    closed = energy.closed_log_partition()
    is_discrete = energy.values is not None
    if closed is None and (n_states(energy) > MAX_STATES if is_discrete else energy.dim > _EXACT_DIM):
        return
    try:
        if is_discrete:
            log_z = enumeration(energy).log_partition
        else:
            log_z = quadrature.grid(energy, rtol=1e-6).log_partition if closed is None else closed
    except ValueError:  # no finite Z, or an energy that is nan
        log_z = np.nan
    history["step"].append(float(step))
    history["log_likelihood"].append(float(-energy.energy(held_out).mean() - log_z))


def _trouble(gradient: FloatArray, vectors: Sequence[FloatArray], reach: float) -> str | None:
    """What shows that the training has come off the rails, in words; None if nothing does."""
    if not np.isfinite(gradient).all():
        return "the gradient is not finite"
    if not all(np.isfinite(vector).all() for vector in vectors):
        return "theta or the optimizer's memory would overflow"
    if not reach < _FAR:
        return f"particles are {reach:.3g} standard deviations away from the data, which this energy does not hold"
    return None


def _messages(result: Fit, estimator: Estimator, trouble: str | None) -> Iterator[str]:
    """What the user should know about the training, each with what to do."""
    n_steps, n_made = result.settings["n_steps"], len(result.history["energy_gap"])
    name = result.energy.name
    if estimator.fault_x is not None:
        yield (
            f"{name} was nan or -inf {estimator.faults} times, for example at x={estimator.fault_x.tolist()}; those "
            "proposals were rejected: return math.inf outside the support."
        )
    if trouble is not None:
        yield (
            f"training stopped at step {n_made} of {n_steps}: {trouble}; fit.energy is the last good model: lower the "
            "learning rate, raise k of the objective, or add a term to the energy that confines x."
        )
    elif n_made < n_steps:
        yield f"interrupted after {n_made} of {n_steps} steps; fit.energy is the model so far."
    elif estimator.particles is not None and estimator.energy_spread > 0.0:
        lag = float(np.mean(result.history["energy_gap"][-max(1, n_steps // 10) :]))
        if abs(lag) > _LAG * estimator.energy_spread:
            yield (
                f"the data's energy is {lag:.3g} away from that of the model's points at the end, more than {_LAG:g} "
                f"standard deviations ({estimator.energy_spread:.3g}): the chains lag behind the model; raise k of the "
                "objective, lower the learning rate, or train longer."
            )
    if np.isnan(result.history["log_likelihood"][-1:]).any():
        yield (
            f"exp(-E) of the trained {name} has no finite integral that quadrature can find, so that its likelihood is "
            "nan; add a term to the energy that confines x."
        )
