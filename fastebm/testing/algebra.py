"""Tier 0, without chance: the rule balances in formulas, and the compiled kernel decides as the formulas say."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from fastebm import tiles
from fastebm._checks import FastebmWarning, FloatArray
from fastebm.energies import Energy
from fastebm.exact.densities import NotNormalisableError
from fastebm.exact.quadrature import grid
from fastebm.sampling.starts import starts
from fastebm.testing import stages
from fastebm.testing.probes import LARGEST, Flags, Probe, thresholds
from fastebm.testing.reports import NotRun, Tier
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import DelayedRejectionTwin, GibbsTwin, HMCTwin, ProposalTwin, Stream, Twin, twin_of
from fastebm.testing.twins.discrete import DiscreteTwin
from fastebm.tiles import LANES

NAME = "algebra"
BALANCE = 1e-12  # most that the formulas may miss detailed balance by
RESIDUAL = 1e-9  # most that the compiled code may be away by; 64-bit rounding stays below 1e-12
_N_ROUNDS = 4
_SPREADS = (1.0, 10.0, 100.0, 1000.0)  # of prescribed energies, a round each
_SHIFTS = (-1e300, -1e3, -1.0, -1e-3, -1e-6, 1e-6, 1e-3, 1.0, 1e3, 1e300)  # of energies from the threshold
_N_PAIRS = 256
_N_TRANSITIONS = 9
_LEAST_NODES = {1: 64, 2: 16}  # a side of the lattice
_MOST_NODES = 1500
_MOST_PROPOSED = 1.001  # less than 1 is right where proposals leave the lattice; far from 0 its points are rounded
_HOSTILE = (np.inf, -np.inf, np.nan)
_MOST_TURNED = 10  # leapfrog steps
_WILD = 1e3  # positions and velocities, beyond which rounding has grown too much to see anything
_VOLUME = 1e-4  # of differences with steps of 1e-5


def algebra(step: KernelStep, energy: Energy, seed: int = 0) -> Tier:
    """What has to hold for every pair of points, each number compared to rounding.

    Looked at are: detailed balance pi(x) q(y | x) a(x, y) = pi(y) q(x | y) a(y, x) and pi K = pi of the rule in
    formulas; proposals of the compiled kernel, and the energy from which on it rejects them, against these formulas;
    energies and slopes that chains remember, against those of their positions; and these energies against the law's.

    Parameters
    ----------
    step : the kernel, with the energy that it samples.
    energy : the energy whose law is to be kept, up to a constant.
    seed : of the pairs.

    Raises
    ------
    NotRun : the kernel has no slow twin, or no starts are found.
    """
    twin = twin_of(step.kernel)(step.settings, energy.dim)
    generator = np.random.default_rng(seed)
    try:
        X = starts(step.energy, None, step.in_groups(_N_PAIRS), seed)
    except ValueError as fault:
        raise NotRun(f"no starts are found: {fault}") from None
    words, faults = [], []
    if isinstance(twin, DelayedRejectionTwin):
        parts = [
            stages.balance(twin, energy, X, generator), stages.kept_on_a_line(twin, energy),
            stages.rule(step, twin, generator, seed),
        ]
    else:
        if isinstance(twin, ProposalTwin):
            balance = _balance(twin, energy, X, generator)
        else:
            balance = _turned_back(twin, energy, X, generator)
        parts = [balance, _kept_on_a_lattice(twin, energy), _rule(step, twin, generator, seed)]
    for part in (*parts, _memory(step, energy, X, seed)):
        words += part[0]
        faults += part[1]
    return Tier(NAME, "; ".join(words), tuple(faults))


Part = tuple[list[str], list[str]]  # words and faults


# ---- the rule in formulas ----


def acceptance(log_ratio: FloatArray) -> FloatArray:
    """The probability with which a proposal is accepted: min(1, ratio)."""
    return np.asarray(np.exp(np.minimum(log_ratio, 0.0)))


def _balance(twin: ProposalTwin, energy: Energy, X: FloatArray, generator: np.random.Generator) -> Part:
    """Detailed balance at proposals, at pairs from all over, and with energies as hostile as they come."""
    if not twin.is_exact:
        return ["no claim of detailed balance, since the rule tests nothing"], []
    slope_x = twin.slopes(energy.grad, X)
    proposed = twin.propose(X, slope_x, twin.sampled(generator, *X.shape))
    x, g_x = np.tile(X, (2, 1)), np.tile(slope_x, (2, 1))
    y = np.concatenate([proposed, np.roll(X, 1, axis=0)])
    e_x, e_y, g_y = energy.energy(x), energy.energy(y), twin.slopes(energy.grad, y)
    is_usable = np.isfinite(e_x) & np.isfinite(e_y) & np.isfinite(g_x).all(axis=1) & np.isfinite(g_y).all(axis=1)
    if not is_usable.any():
        return [], [f"no pair of points has finite energies, so that nothing of {energy.name} can be balanced."]
    x, g_x, y, g_y = x[is_usable], g_x[is_usable], y[is_usable], g_y[is_usable]
    e_x, e_y = e_x[is_usable], e_y[is_usable]
    sizes = (0.0, 1e-300, 1e-9, 1.0, 40.0, 800.0, 1e5, 1e300)
    steps = np.array([-one for one in sizes] + list(sizes))
    rows = generator.integers(len(x), size=len(steps))
    x, g_x, y, g_y = (np.concatenate([one, one[rows]]) for one in (x, g_x, y, g_y))
    e_x, e_y = np.concatenate([e_x, e_x[rows]]), np.concatenate([e_y, e_x[rows] + steps])
    there, back = twin.log_density(y, x, g_x), twin.log_density(x, y, g_y)
    is_possible = np.isfinite(there)  # what is never proposed needs no balance
    left = -e_x + there + np.minimum(twin.log_ratio(x, e_x, g_x, y, e_y, g_y), 0.0)
    right = -e_y + back + np.minimum(twin.log_ratio(y, e_y, g_y, x, e_x, g_x), 0.0)
    size = 1.0 + np.abs(e_x) + np.abs(e_y) + np.abs(there) + np.abs(back)
    with np.errstate(invalid="ignore"):
        residual = np.where(is_possible | np.isfinite(back), np.abs(left - right) / size, 0.0)
    worst = int(np.argmax(np.where(np.isnan(residual), np.inf, residual)))
    faults = []
    if not residual[worst] < BALANCE:
        faults.append(
            f"the rule misses detailed balance by {residual[worst]:.2g}, above {BALANCE}, between "
            f"x={x[worst].tolist()} of energy {e_x[worst]} and y={y[worst].tolist()} of energy {e_y[worst]}."
        )
    for value in _HOSTILE:
        if acceptance(twin.log_ratio(x, e_x, g_x, y, np.full(len(x), value), g_y)).any():
            faults.append(f"the rule accepts proposals of energy {value}; reject them.")
    return [f"detailed balance at {len(x)} pairs to {residual[worst]:.1e}"], faults


def _turned_back(twin: Twin, energy: Energy, X: FloatArray, generator: np.random.Generator) -> Part:
    """Trajectories lead back from their end with the velocity turned round, and neither stretch nor squeeze volumes."""
    if not isinstance(twin, HMCTwin):
        return ["proposals have no density that could be balanced"], []
    v = generator.standard_normal(X.shape)
    n_steps = min(twin.n_steps(0), _MOST_TURNED)
    with np.errstate(all="ignore"):
        y, w, slope_y = twin.flow(X, energy.grad(X), v, energy.grad, n_steps)
        x, u, _ = twin.flow(y, slope_y, -w, energy.grad, n_steps)
        size = 1.0 + np.abs(X) + np.abs(y) + np.abs(v) + np.abs(w)
        away = (np.maximum(np.abs(x - X), np.abs(u + v)) / size).max(axis=1)
    tame = np.isfinite(away) & (size.max(axis=1) < _WILD)
    if not tame.any():
        return ["no trajectory stays near enough to be turned back"], []
    words = [f"{int(tame.sum())} trajectories turned back to {np.median(away[tame]):.1e}"]
    faults = []
    if not np.median(away[tame]) < RESIDUAL:
        faults.append(f"trajectories miss their start by {np.median(away[tame]):.2g} when turned back.")
    first = int(np.argmax(tame))
    dim, step = energy.dim, 1e-5
    moved = np.vstack([np.eye(2 * dim), -np.eye(2 * dim)]) * step + np.concatenate([X[first], v[first]])
    ends = np.hstack(twin.flow(moved[:, :dim], energy.grad(moved[:, :dim]), moved[:, dim:], energy.grad, 1)[:2])
    volume = float(abs(np.linalg.det((ends[: 2 * dim] - ends[2 * dim :]) / (2.0 * step))))
    words.append(f"a leapfrog step keeps volumes to {abs(volume - 1.0):.1e}")
    if not abs(volume - 1.0) < _VOLUME:
        faults.append(f"a leapfrog step multiplies volumes by {volume}.")
    return words, faults


def _kept_on_a_lattice(twin: Twin, energy: Energy) -> Part:
    """pi K = pi, with K from q, a and the volumes of a lattice, and what is rejected on the diagonal."""
    if not twin.is_exact:
        return ["no claim that pi K = pi"], []
    if isinstance(twin, DiscreteTwin):
        return _kept_on_states(twin, energy)
    if not isinstance(twin, ProposalTwin):
        return ["pi K not computed, since proposals have no density that is known"], []
    lattice = _lattice(twin, energy)
    if isinstance(lattice, str):
        return [f"pi K not computed, since {lattice}"], []
    X, volume = lattice
    e, slopes = energy.energy(X), twin.slopes(energy.grad, X)
    inside = np.isfinite(e) & np.isfinite(slopes).all(axis=1)
    X, e, slopes = X[inside], e[inside], slopes[inside]
    law = np.exp(e.min() - e)
    law /= law.sum()
    x, e_x, g_x, y, e_y, g_y = X[:, None], e[:, None], slopes[:, None], X[None], e[None], slopes[None]
    proposed = np.exp(twin.log_density(y, x, g_x)) * volume
    K = proposed * acceptance(twin.log_ratio(x, e_x, g_x, y, e_y, g_y))
    np.fill_diagonal(K, 0.0)
    np.fill_diagonal(K, 1.0 - K.sum(axis=1))
    residual, most = float(np.abs(law @ K - law).max()), float(proposed.sum(axis=1).max())
    faults = []
    if not residual < BALANCE:
        faults.append(f"pi K differs from pi by {residual:.2g} on a lattice of {len(X)} points, above {BALANCE}.")
    if not most < _MOST_PROPOSED:
        faults.append(f"the rule proposes with a total probability of {most}, above 1; q(y | x) is not normalised.")
    return [f"pi K = pi on {len(X)} points to {residual:.1e}"], faults


def _kept_on_states(twin: Twin, energy: Energy) -> Part:
    """pi K = pi over all states of a discrete energy."""
    assert energy.values is not None
    n = len(energy.values) ** energy.dim
    if n > _MOST_NODES:
        return [f"pi K not computed, since there are {n:.2g} states"], []
    states = np.stack(np.meshgrid(*[energy.values] * energy.dim, indexing="ij"), axis=-1).reshape(-1, energy.dim)
    e, slopes = energy.energy(states), twin.slopes(energy.grad, states)
    inside = np.isfinite(e)
    law = np.where(inside, np.exp(e[inside].min() - e), 0.0)
    law /= law.sum()
    if isinstance(twin, GibbsTwin):
        K = twin.matrix(energy.energy, states)
    else:
        assert isinstance(twin, ProposalTwin)
        x, e_x, g_x, y, e_y, g_y = states[:, None], e[:, None], slopes[:, None], states[None], e[None], slopes[None]
        with np.errstate(invalid="ignore"):
            K = np.exp(twin.log_density(y, x, g_x)) * acceptance(twin.log_ratio(x, e_x, g_x, y, e_y, g_y))
        np.fill_diagonal(K, 0.0)
        np.fill_diagonal(K, 1.0 - K.sum(axis=1))
    residual = float(np.abs(law @ K - law).max())
    faults = [] if residual < BALANCE else [f"pi K differs from pi by {residual:.2g} on {n} states, above {BALANCE}."]
    return [f"pi K = pi on {n} states to {residual:.1e}"], faults


def _lattice(twin: Twin, energy: Energy) -> tuple[FloatArray, float] | str:
    """Points (n, dim) at most half a proposal apart where the mass is, with their volume; or why there are none."""
    dim = energy.dim
    if dim not in _LEAST_NODES:
        return f"there are {dim} dimensions"
    try:
        with warnings.catch_warnings():  # how well log Z is known does not matter here
            warnings.simplefilter("ignore", FastebmWarning)
            points = grid(energy, rtol=1e-3).points
    except (NotNormalisableError, ValueError) as fault:
        return f"the law is not known: {fault}"
    low, high = points.min(axis=0), points.max(axis=0)
    spacing = np.minimum(0.5 * twin.scale, (high - low) / _LEAST_NODES[dim])
    counts = 2.0 + np.floor((high - low) / spacing)
    if not counts.prod() <= _MOST_NODES:
        return f"proposals are so short that a lattice needs {counts.prod():.2g} points"
    axes = [a + h * np.arange(int(n)) for a, h, n in zip(low, spacing, counts, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim), float(spacing.prod())


# ---- the compiled kernel ----


def _rule(step: KernelStep, twin: Twin, generator: np.random.Generator, seed: int) -> Part:
    """Proposals, and energies from which on they are rejected, of chains with prescribed energies and slopes."""
    if twin.is_coupled:
        return ["no energy can be prescribed, since proposals depend on what became of other chains"], []
    if not twin.is_tested and twin.is_exact:
        return ["nothing is rejected, so that no energy can be prescribed"], []
    dim, scale = step.energy.dim, twin.scale
    worst: dict[str, float] = {}
    faults: dict[str, str] = {}
    for turn in range(_N_ROUNDS):
        slope_x, slope_y = generator.standard_normal((2, LANES, dim))
        e_x = generator.normal(0.0, _SPREADS[turn], LANES)
        x = twin.points(generator, LANES)
        probe = Probe(step.kernel, step.settings, x, e_x, slope_x / scale, slope_y / scale, seed + turn)
        for name, residuals, words in _residuals(twin, probe, seed + turn):
            largest = float(residuals.max())
            worst[name] = max(worst.get(name, 0.0), largest)
            if largest > RESIDUAL and name not in faults:
                faults[name] = words(int(residuals.argmax()))
    seen = [name + (f" to {largest:.1e}" if largest else "") for name, largest in worst.items()]
    return [f"of {_N_ROUNDS * LANES} prescribed transitions the {', '.join(seen)}"], list(faults.values())


Residuals = tuple[str, FloatArray, Callable[[int], str]]  # of what, (LANES,), and the fault of a lane in words


def _residuals(twin: Twin, probe: Probe, seed: int) -> Iterator[Residuals]:
    """How far the compiled transition is from its formulas; +inf for what is right or wrong only."""
    name = type(probe.kernel).__name__
    x, e_x, slope_x, slope_y = probe.x, probe.e_x, probe.slope_x, probe.slope_y
    numbers, log_u = map(np.array, zip(*(twin.numbers(Stream(seed, c), x.shape[1]) for c in range(LANES)), strict=True))
    wanted_y, _, hastings = twin.attempt(x, slope_x, numbers, lambda _: slope_y)

    low = np.full(LANES, -LARGEST)
    is_accepted = probe.accepts(low)
    y = probe.y
    sizes = np.abs(x) + np.abs(wanted_y) + twin.scale
    yield "proposals", _numbers(np.abs(y - wanted_y) / sizes).max(axis=1), lambda c: (
        f"{name} goes from x={x[c].tolist()} to {y[c].tolist()} where its formula gives {wanted_y[c].tolist()}."
    )
    is_kept = is_accepted & (probe.memory[0] == low)
    if twin.needs_grad:
        is_kept &= (probe.memory[1] == slope_y).all(axis=1)
    yield "memories of what was accepted", _wrong(~is_kept), lambda c: (
        f"{name} does not take over a proposal of energy {low[c]:.3g} with its energy and slope: from "
        f"x={x[c].tolist()} it is at {y[c].tolist()} and remembers the energy {probe.memory[0][c]}."
    )

    if isinstance(twin, ProposalTwin):  # of the proposal as it was rounded
        hastings = twin.log_density(x, y, slope_y) - twin.log_density(y, x, slope_x)
    wanted = e_x - log_u + hastings if twin.is_tested else e_x
    if twin.is_tested:
        found = thresholds(probe.accepts, LANES)
        yield "thresholds of acceptance", _numbers(np.abs(found - wanted) / (1.0 + np.abs(wanted))), lambda c: (
            f"{name} goes from x={x[c].tolist()} of energy {e_x[c]} to y={y[c].tolist()} for energies up to "
            f"{float(found[c])!r} where its formula says up to {float(wanted[c])!r}."
        )
    around = [wanted + shift * (1.0 + np.abs(wanted)) for shift in _SHIFTS]
    for e_y in around + [np.full(LANES, one) for one in _HOSTILE]:
        is_wanted = log_u < twin.decision(e_x, e_y, slope_y, hastings)
        is_accepted = probe.accepts(e_y)
        yield "decisions", _wrong(is_accepted != is_wanted), lambda c: (
            f"{name} {('rejects', 'accepts')[int(is_accepted[c])]} y={y[c].tolist()} of energy {e_y[c]} from "  # noqa: B023
            f"x={x[c].tolist()} of energy {e_x[c]}, against its formula."
        )
        is_as_before = (probe.y == x).all(axis=1) & (probe.memory[0] == e_x)
        is_as_before &= (probe.memory[1] == slope_x).all(axis=1)
        yield "memories of what was rejected", _wrong(~is_accepted & ~is_as_before), lambda c: (
            f"{name} rejects a proposal at x={x[c].tolist()} of energy {e_x[c]}, and is at {probe.y[c].tolist()} with "
            f"the energy {probe.memory[0][c]} after it."
        )


def _numbers(residuals: FloatArray) -> FloatArray:
    """+inf in the place of nan."""
    return np.where(np.isnan(residuals), np.inf, residuals)


def _wrong(is_wrong: Flags) -> FloatArray:
    return np.where(is_wrong, np.inf, 0.0)


def _memory(step: KernelStep, energy: Energy, X: FloatArray, seed: int) -> Part:
    """What chains remember after some transitions: the energy and slope of where they are, and the law's energy."""
    name = type(step.kernel).__name__
    chains = step.chains(X, seed)
    chains.advance(_N_TRANSITIONS, step.settings)
    positions, remembered = chains.positions, chains.energies
    slopes = tiles.unpack(chains.g, chains.n)
    fresh = step.chains(positions, seed)
    faults = []
    fresh_slopes = tiles.unpack(fresh.g, fresh.n)
    for what, known, right in (("energy", remembered, fresh.energies), ("slope", slopes, fresh_slopes)):
        is_stale = ~((known == right) | (np.isnan(known) & np.isnan(right))).reshape(len(positions), -1).all(axis=1)
        if is_stale.any():
            c = int(np.argmax(is_stale))
            faults.append(
                f"{name} remembers the {what} {known[c].tolist()} at x={positions[c].tolist()} after {_N_TRANSITIONS} "
                f"transitions, where it is {right[c].tolist()}; so do {int(is_stale.sum())} of {len(positions)} chains."
            )
    law = energy.energy(positions)
    away = remembered - law
    away -= np.median(away)  # a constant changes no law
    residual = _numbers(np.abs(away) / (1.0 + np.abs(law)))
    c = int(np.argmax(residual))
    if residual[c] > RESIDUAL:
        faults.append(
            f"{name} works with energies that differ by {residual[c]:.2g} from those of {energy.name}, more than by a "
            f"constant and than {RESIDUAL}: {remembered[c]} and {law[c]} at x={positions[c].tolist()}."
        )
    n_moved = int((chains.counts()[0] > 0).sum())
    words = (
        f"energies and slopes that {len(X)} chains remember, of which {n_moved} have moved, to the bit; "
        f"these energies to {residual[c]:.1e}"
    )
    return [words], faults
