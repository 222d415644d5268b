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
CLOSE = 1e-12  # a decision by less may fall either way
APART = 1e-12  # most that positions may differ by, against the size of their terms


def replay(step: KernelStep, seed: int, n_chains: int = N_CHAINS) -> Tier:
    """Each transition of each chain, compiled and in plain Python.

    Every transition of the twin begins where the compiled chain stands. Rounding therefore does not add up, and 1e-12
    is asked of kernels with gradients too, however fast their trajectories diverge. Decisions have to be equal unless
    log u is within 1e-12 of the log of the ratio, the streams the same in the end: no number used twice, none left out.

    Raises
    ------
    NotRun : the kernel has no slow twin, or no starts are found.
    """
    energy, name = step.energy, type(step.kernel).__name__
    twin = twin_of(step.kernel)(step.settings)
    try:
        X = starts(energy, None, n_chains, seed)
    except ValueError as fault:
        raise NotRun(f"no starts are found: {fault}") from None
    path, accepts, states = _compiled(step, X, seed)
    n_close = n_compared = 0
    largest = 0.0
    faults: dict[str, str] = {}
    with np.errstate(all="ignore"):  # far-off proposals overflow, as they do in compiled code
        for c in range(n_chains):
            stream = Stream(seed, c)
            for t in range(N_TRANSITIONS):
                x, y = path[t, c], path[t + 1, c]
                grad = energy.grad if twin.needs_grad else None
                positions, is_accepted, closest = twin.run(energy.energy, grad, x, stream, 1)
                place = f"{name}, chain {c}, transition {t + 1}, from x={x.tolist()} with seed {seed}:"
                if closest < CLOSE:
                    n_close += 1
                    continue
                n_compared += 1
                if accepts[t, c] != is_accepted[0]:
                    faults.setdefault("decision", (
                        f"{place} compiled it {('rejects', 'accepts')[int(accepts[t, c])]} what its twin "
                        f"{('rejects', 'accepts')[int(is_accepted[0])]}, by {closest:.2g}."
                    ))
                    continue
                away = np.abs(y - positions[0]) / (np.abs(x) + np.abs(positions[0]) + twin.scale)
                largest = max(largest, float(away.max()))
                if not (away <= APART).all():
                    faults.setdefault(
                        "position", f"{place} compiled it goes to {y.tolist()}, its twin to {positions[0].tolist()}."
                    )
            if states[c] != stream.state:
                faults.setdefault("stream", (
                    f"{name} leaves the stream of chain {c} of seed {seed} elsewhere than its twin after "
                    f"{N_TRANSITIONS} transitions; use every random number once and store the streams."
                ))
    if not accepts.any():
        faults["moves"] = f"{name} accepted none of {accepts.size} proposals; pass a smaller step_size."
    words = (
        f"{n_compared} transitions of {n_chains} chains decided as by the twin, positions to {largest:.1e}, "
        f"{int(accepts.sum())} accepted, {n_close} too close to call"
    )
    return Tier(NAME, words, tuple(faults.values()))


def _compiled(step: KernelStep, X: FloatArray, seed: int) -> tuple[FloatArray, Flags, list[list[int]]]:
    """Positions (N_TRANSITIONS + 1, n, dim), acceptances (N_TRANSITIONS, n), and the streams' last states (n lists)."""
    chains = step.chains(X, seed)
    path, counts = [X], [np.zeros(len(X), dtype=int)]
    for _ in range(N_TRANSITIONS):
        chains.advance(1, step.settings)
        path.append(chains.positions)
        counts.append(chains.counts()[0].copy())
    states = chains.streams.transpose(0, 2, 1).reshape(-1, 4)[: len(X)].tolist()
    return np.array(path), np.diff(counts, axis=0) > 0, states
