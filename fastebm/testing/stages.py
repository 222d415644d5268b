"""Tier 0 for rules that try a second time where the first proposal is rejected: their paths balance."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from fastebm._checks import FastebmWarning, FloatArray
from fastebm.energies import Energy
from fastebm.exact.densities import NotNormalisableError
from fastebm.exact.quadrature import grid
from fastebm.testing.probes import LARGEST, Flags, Probe, thresholds
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import DelayedRejectionTwin, Stream
from fastebm.testing.twins.delayed_rejection import log_rejection
from fastebm.tiles import LANES

BALANCE = 1e-12  # most that the formulas may miss balance by
RESIDUAL = 1e-9  # most that the compiled code may be away by
_SIZES = (0.0, 1e-300, 1e-9, 1.0, 40.0, 800.0, 1e5, 1e300)  # of what energies differ by
_N_ROUNDS = 4
_SPREADS = (1.0, 10.0, 100.0, 1000.0)  # of prescribed energies, a round each
_SHIFTS = (-1e300, -1.0, -1e-6, 1e-6, 1.0, 1e300)  # of energies from the threshold
_LEAST_NODES, _MOST_NODES = 64, 128  # of a line; paths on it are their third power
_MOST_PROPOSED = 1.001  # less than 1 is right where proposals leave the line
_HOSTILE = (np.inf, -np.inf, np.nan)

Part = tuple[list[str], list[str]]  # words and faults


# ---- the rule in formulas ----


def balance(twin: DelayedRejectionTwin, energy: Energy, X: FloatArray, generator: np.random.Generator) -> Part:
    """Paths x, y1, y2 are as probable as y2, y1, x, at proposals and with energies as hostile as they come."""
    x = np.tile(X, (3, 1))
    y_1, y_2, _ = twin.proposals(x, twin_numbers(twin, generator, len(x)))
    y_2[len(X) : 2 * len(X)] = np.roll(X, 1, axis=0)
    e_x, e_1, e_2 = energy.energy(x), energy.energy(y_1), energy.energy(y_2)
    is_usable = np.isfinite(e_x) & np.isfinite(e_2)
    if not is_usable.any():
        return [], [f"no pair of points has finite energies, so that nothing of {energy.name} can be balanced."]
    x, y_1, y_2, e_x, e_1, e_2 = (one[is_usable] for one in (x, y_1, y_2, e_x, e_1, e_2))
    sizes = np.array([-one for one in _SIZES] + list(_SIZES))
    rises_1, rises_2 = (one.ravel() for one in np.meshgrid([*sizes, *_HOSTILE], sizes))
    rows = generator.integers(len(x), size=len(rises_1))
    x, y_1, y_2 = (np.concatenate([one, one[rows]]) for one in (x, y_1, y_2))
    e_1, e_2 = np.concatenate([e_1, e_x[rows] + rises_1]), np.concatenate([e_2, e_x[rows] + rises_2])
    e_x = np.concatenate([e_x, e_x[rows]])

    left, right = _log_path(twin, x, e_x, y_1, e_1, y_2, e_2), _log_path(twin, y_2, e_2, y_1, e_1, x, e_x)
    size = 1.0 + np.abs(e_x) + np.abs(e_2) + np.where(np.isfinite(e_1), np.abs(e_1), 0.0)
    for there, here in ((y_1, x), (y_1, y_2)):
        size = size + np.abs(twin.first.log_density(there, here, here))
    with np.errstate(invalid="ignore"):
        residual = np.where(left == right, 0.0, np.abs(left - right) / size)
    worst = int(np.argmax(np.where(np.isnan(residual), np.inf, residual)))
    faults = []
    if not residual[worst] < BALANCE:
        faults.append(
            f"the rule misses balance by {residual[worst]:.2g}, above {BALANCE}, between x={x[worst].tolist()} of "
            f"energy {e_x[worst]} and y={y_2[worst].tolist()} of energy {e_2[worst]}, where y={y_1[worst].tolist()} of "
            f"energy {e_1[worst]} is rejected first."
        )
    for value in _HOSTILE:
        if (twin.log_second(x, e_x, y_1, e_1, y_2, np.full(len(x), value)) > -np.inf).any():
            faults.append(f"the rule accepts second proposals of energy {value}; reject them.")
    return [f"balance of {len(x)} paths of two proposals to {residual[worst]:.1e}"], faults


def twin_numbers(twin: DelayedRejectionTwin, generator: np.random.Generator, n: int) -> FloatArray:
    """What a transition takes (n, 2 dim + 1), from another generator."""
    numbers = generator.standard_normal((n, 2 * len(twin.scale) + 1))
    numbers[:, len(twin.scale)] = -generator.standard_exponential(n)
    return numbers


def _log_path(
    twin: DelayedRejectionTwin, x: FloatArray, e_x: FloatArray, y_1: FloatArray, e_1: FloatArray, y_2: FloatArray,
    e_2: FloatArray,
) -> FloatArray:
    """log of pi(x) q1(y1 | x) (1 - a1(x, y1)) q2(y2 | x) a2(x, y1, y2) (...,), up to a constant."""
    proposed = twin.first.log_density(y_1, x, x) + twin.second.log_density(y_2, x, x)
    accepted = np.minimum(twin.log_second(x, e_x, y_1, e_1, y_2, e_2), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(-e_x + proposed + log_rejection(e_x, e_1) + accepted)


def kept_on_a_line(twin: DelayedRejectionTwin, energy: Energy) -> Part:
    """pi K = pi, with K from both densities, both tests and the sum over first proposals, the rest on the diagonal."""
    line = _line(twin, energy)
    if isinstance(line, str):
        return [f"pi K not computed, since {line}"], []
    X, volume = line
    e = energy.energy(X)
    X, e = X[np.isfinite(e)], e[np.isfinite(e)]
    law = np.exp(e.min() - e)
    law /= law.sum()
    x, e_x, y, e_y = X[:, None], e[:, None], X[None], e[None]
    first = np.exp(twin.first.log_density(y, x, x)) * volume
    second = np.exp(twin.second.log_density(y, x, x)) * volume
    with np.errstate(invalid="ignore"):
        K = first * np.exp(np.minimum(e_x - e_y, 0.0))
        rejected = first * np.exp(log_rejection(e_x, e_y))
    for k in range(len(X)):  # by way of the k-th point
        taken = np.exp(np.minimum(twin.log_second(x, e_x, X[k], e[k], y, e_y), 0.0))
        K += rejected[:, k, None] * second * taken
    np.fill_diagonal(K, 0.0)
    np.fill_diagonal(K, 1.0 - K.sum(axis=1))
    residual = float(np.abs(law @ K - law).max())
    most = max(float(one.sum(axis=1).max()) for one in (first, second))
    faults = []
    if not residual < BALANCE:
        faults.append(f"pi K differs from pi by {residual:.2g} on a line of {len(X)} points, above {BALANCE}.")
    if not most < _MOST_PROPOSED:
        faults.append(f"the rule proposes with a total probability of {most}, above 1; q(y | x) is not normalised.")
    return [f"pi K = pi on {len(X)} points, by way of each of them, to {residual:.1e}"], faults


def _line(twin: DelayedRejectionTwin, energy: Energy) -> tuple[FloatArray, float] | str:
    """Points (n, 1) where the mass is, at most half a second proposal apart, with their spacing; or why not."""
    if energy.dim != 1:
        return f"there are {energy.dim} dimensions"
    try:
        with warnings.catch_warnings():  # how well log Z is known does not matter here
            warnings.simplefilter("ignore", FastebmWarning)
            points = grid(energy, rtol=1e-3).points
    except (NotNormalisableError, ValueError) as fault:
        return f"the law is not known: {fault}"
    low, high = float(points.min()), float(points.max())
    spacing = min(0.5 * float(twin.second.scale[0]), (high - low) / _LEAST_NODES)
    n = 2.0 + np.floor((high - low) / spacing)
    if not n <= _MOST_NODES:
        return f"second proposals are so short that a line needs {n:.2g} points"
    return np.asarray(low + spacing * np.arange(int(n))[:, None], dtype=float), spacing


# ---- the compiled kernel ----


def rule(step: KernelStep, twin: DelayedRejectionTwin, generator: np.random.Generator, seed: int) -> Part:
    """Both proposals, and energies from which on each is rejected, of chains with prescribed energies."""
    worst: dict[str, float] = {}
    faults: dict[str, str] = {}
    for turn in range(_N_ROUNDS):
        x, e_x = twin.points(generator, LANES), generator.normal(0.0, _SPREADS[turn], LANES)
        probe = Probe(step.kernel, step.settings, x, e_x, x, x, seed + turn)
        rises = _SPREADS[turn] * generator.standard_exponential(LANES)
        for name, residuals, words in _residuals(twin, probe, rises, seed + turn):
            largest = float(np.where(np.isnan(residuals), np.inf, residuals).max())
            worst[name] = max(worst.get(name, 0.0), largest)
            if not largest <= RESIDUAL and name not in faults:
                faults[name] = words(int(residuals.argmax()))
    seen = [name + (f" to {largest:.1e}" if largest else "") for name, largest in worst.items()]
    return [f"of {_N_ROUNDS * LANES} prescribed transitions the {', '.join(seen)}"], list(faults.values())


Residuals = tuple[str, FloatArray, Callable[[int], str]]  # of what, (LANES,), and the fault of a lane in words


def _residuals(twin: DelayedRejectionTwin, probe: Probe, rises: FloatArray, seed: int) -> Iterator[Residuals]:
    """How far the compiled transition is from its formulas; +inf for what is right or wrong only."""
    name = type(probe.kernel).__name__
    x, e_x = probe.x, probe.e_x
    drawn, log_u_2 = map(np.array, zip(*(twin.numbers(Stream(seed, c), x.shape[1]) for c in range(LANES)), strict=True))
    wanted_1, wanted_2, log_u_1 = twin.proposals(x, drawn)
    low, high = np.full(LANES, -LARGEST), np.full(LANES, np.inf)

    found = []
    for stage, energies, wanted in ((1, (low, high), wanted_1), (2, (high, low), wanted_2)):
        is_accepted = probe.accepts(np.array(energies))
        y = probe.y
        found.append(y)
        away = (np.abs(y - wanted) / (np.abs(x) + np.abs(wanted) + twin.scale)).max(axis=1)
        yield "proposals", away, lambda c: (
            f"{name} goes from x={x[c].tolist()} to {y[c].tolist()} where its formula of stage {stage} gives "  # noqa: B023
            f"{wanted[c].tolist()}."  # noqa: B023
        )
        yield "memories of what was accepted", _wrong(~(is_accepted & (probe.memory[0] == low))), lambda c: (
            f"{name} does not take over a proposal of stage {stage} with its energy {low[c]:.3g}: from "  # noqa: B023
            f"x={x[c].tolist()} it is at {y[c].tolist()} and remembers the energy {probe.memory[0][c]}."  # noqa: B023
        )

    limit = e_x - log_u_1
    taken = thresholds(lambda e_1: probe.accepts(np.array([e_1, high])), LANES)
    yield "first thresholds of acceptance", np.abs(taken - limit) / (1.0 + np.abs(limit)), lambda c: (
        f"{name} goes from x={x[c].tolist()} of energy {e_x[c]} to {found[0][c].tolist()} for energies up to "
        f"{float(taken[c])!r} where its formula says up to {float(limit[c])!r}."
    )

    y_1, y_2 = found  # as they were rounded
    proposed = twin.first.log_density(y_1, y_2, y_2) - twin.first.log_density(y_1, x, x)
    for e_1 in (limit + rises, limit + 1e-6, *(np.full(LANES, one) for one in _HOSTILE)):
        # exp(-E(y2)) - exp(-E(y1)) > u2 exp(-E(x)) (1 - a(x, y1)) q(y1 | x) / q(y1 | y2)
        log_least = log_u_2 - e_x + log_rejection(e_x, e_1) - proposed
        most = -np.logaddexp(np.where(np.isfinite(e_1), -e_1, -np.inf), log_least)
        taken = thresholds(lambda e_2: probe.accepts(np.array([e_1, e_2])), LANES)  # noqa: B023
        size = 1.0 + np.abs(e_x) + np.abs(most) + np.abs(proposed)
        yield "second thresholds of acceptance", np.abs(taken - most) / size, lambda c: (
            f"{name} goes from x={x[c].tolist()} of energy {e_x[c]} to {y_2[c].tolist()}, after {y_1[c].tolist()} of "
            f"energy {e_1[c]}, for energies up to {float(taken[c])!r} where its formula says up to "  # noqa: B023
            f"{float(most[c])!r}."  # noqa: B023
        )
        around = [most + shift * size for shift in _SHIFTS]
        for e_2 in around + [np.full(LANES, one) for one in _HOSTILE]:
            is_accepted = probe.accepts(np.array([e_1, e_2]))
            is_wanted = np.isfinite(e_2) & (e_2 < most)
            yield "decisions", _wrong(is_accepted != is_wanted), lambda c: (
                f"{name} {('rejects', 'accepts')[int(is_accepted[c])]} {y_2[c].tolist()} of energy {e_2[c]} from "  # noqa: B023
                f"x={x[c].tolist()} of energy {e_x[c]} after {y_1[c].tolist()} of energy {e_1[c]}, against its "  # noqa: B023
                "formula."
            )
            is_as_before = (probe.y == x).all(axis=1) & (probe.memory[0] == e_x)
            yield "memories of what was rejected", _wrong(~is_accepted & ~is_as_before), lambda c: (
                f"{name} rejects both proposals at x={x[c].tolist()} of energy {e_x[c]}, and is at "
                f"{probe.y[c].tolist()} with the energy {probe.memory[0][c]} after it."
            )


def _wrong(is_wrong: Flags) -> FloatArray:
    return np.where(is_wrong, np.inf, 0.0)
