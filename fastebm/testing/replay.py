"""Tier 1, without chance: the compiled kernel against its slow twin on the same random numbers, lane by lane."""

import numpy as np

from fastebm._checks import FloatArray
from fastebm.sampling.starts import starts
from fastebm.testing.probes import Flags
from fastebm.testing.reports import NotRun, Tier
from fastebm.testing.steps import KernelStep
from fastebm.testing.twins import Stream, twin_of

NAME = "replay"
N_CHAINS = 40  # the last lanes of their tiles stand for no chain
N_TRANSITIONS = 20


def replay(step: KernelStep, seed: int, n_chains: int = N_CHAINS) -> Tier:
    """Each transition of each chain, compiled and in plain Python.

    Every transition of the twin begins where the compiled chain stands. Rounding therefore does not add up, and 1e-12
    is asked of kernels with gradients too, however fast their trajectories diverge; 1e-9 of trajectories of many steps.
    Decisions have to be equal unless log u is as close as that, against the size of the energies, to the log of the
    ratio, the streams the same in the end: no number used twice, none left out. Chains that are coupled are replayed in
    whole groups.

    Raises
    ------
    NotRun : the kernel has no slow twin, no starts are found, or nothing is accepted that could be compared.
    """
    energy, name, n_chains = step.energy, type(step.kernel).__name__, step.in_groups(n_chains)
    twin = twin_of(step.kernel)(step.settings, energy.dim)
    try:
        X = starts(energy, None, n_chains, seed)
    except ValueError as fault:
        raise NotRun(f"no starts are found: {fault}") from None
    path, accepts, states = _compiled(step, X, seed)
    streams = [Stream(seed, c) for c in range(n_chains)]
    n_close, largest = 0, 0.0
    faults: dict[str, str] = {}
    for t in range(N_TRANSITIONS):
        x, found = path[t], path[t + 1]
        numbers, log_u = map(np.array, zip(*(twin.numbers(one, energy.dim, t) for one in streams), strict=True))
        with np.errstate(all="ignore"):  # far-off proposals overflow, as they do in compiled code
            slope_x = twin.slopes(energy.grad, x)
            y, slope_y, hastings = twin.attempt(x, slope_x, numbers, energy.grad, t, energy.energy)
            e_x = energy.energy(x)
            log_ratio = twin.decision(e_x, energy.energy(y), slope_y, hastings)
        is_accepted = log_u < log_ratio
        is_clear = np.abs(log_u - log_ratio) >= twin.close * (1.0 + np.abs(e_x))
        n_close += int((~is_clear).sum())
        for c in np.flatnonzero(~is_clear).tolist():  # the other decision may have taken more random numbers, or fewer
            streams[c].state = states[t][c]
        wanted = y if twin.decides else np.where(is_accepted[:, None], y, x)
        away = (np.abs(found - wanted) / (np.abs(x) + np.abs(wanted) + twin.scale)).max(axis=1)
        is_same = accepts[t] == is_accepted
        compared = away[is_clear & is_same]
        largest = max(largest, float(compared.max(initial=0.0)))

        def place(c: int, t: int = t, x: FloatArray = x) -> str:
            return f"{name}, chain {c}, transition {t + 1}, from x={x[c].tolist()} with seed {seed}: compiled it"

        if (is_clear & ~is_same).any():
            c = int(np.argmax(is_clear & ~is_same))
            verbs = ("rejects", "accepts")
            faults.setdefault("decision", (
                f"{place(c)} {verbs[int(accepts[t, c])]} what its twin {verbs[int(is_accepted[c])]}, log u being "
                f"{log_u[c]:.6g} and the log of the ratio {log_ratio[c]:.6g}."
            ))
        if not (compared <= twin.close).all():
            c = int(np.argmax(is_clear & is_same & ~(away <= twin.close)))
            faults.setdefault("position", f"{place(c)} goes to {found[c].tolist()}, its twin to {wanted[c].tolist()}.")
    for c, stream in enumerate(streams):
        if states[-1][c] != stream.state:
            faults.setdefault("stream", (
                f"{name} leaves the stream of chain {c} of seed {seed} elsewhere than its twin after {N_TRANSITIONS} "
                "transitions; use every random number once and store the streams."
            ))
    if not (accepts.any() or faults):
        raise NotRun(f"{name} accepts none of {accepts.size} proposals, as its twin does; pass a smaller step_size")
    words = (
        f"{accepts.size} transitions of {n_chains} chains against the slow twin's, positions to {largest:.1e}, "
        f"{int(accepts.sum())} accepted, {n_close} too close to call"
    )
    return Tier(NAME, words, tuple(faults.values()))


def _compiled(step: KernelStep, X: FloatArray, seed: int) -> tuple[FloatArray, Flags, list[list[list[int]]]]:
    """Positions (N_TRANSITIONS + 1, n, dim), acceptances (N_TRANSITIONS, n), and the streams' states (.., n lists)."""
    chains = step.chains(X, seed)
    path, counts, states = [X], [np.zeros(len(X), dtype=int)], []
    for _ in range(N_TRANSITIONS):
        chains.advance(1, step.settings)
        path.append(chains.positions)
        counts.append(chains.counts()[0].copy())
        states.append(chains.streams.transpose(0, 2, 1).reshape(-1, 4)[: len(X)].tolist())
    return np.array(path), np.diff(counts, axis=0) > 0, states
