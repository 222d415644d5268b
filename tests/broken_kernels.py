"""Kernels with a line changed, by what is wrong with them; every tier without chance says which of them it misses."""

import fastebm as eb
from fastebm.kernels import Kernel
from fastebm.testing.changes import changed

_FLOAT32 = "\n        for c in range(width):\n            e_y[c] = np.float64(np.float32(e_y[c]))"
_GRAD = "grad(y, packed, e_y, g_y)"
_DECISION = "-load_row(exponentials, l) < here - there"
_LAST = "settings[dim - 1] * last"

# Of each: the kernel, the text changed, and what stands in its place.
CHANGES: dict[str, tuple[type[Kernel], str, str]] = {
    "walk: energy x 0.999": (eb.RandomWalk, "here - there)", "0.999 * (here - there))"),
    "walk: hot": (eb.RandomWalk, "here - there)", "0.95 * (here - there))"),
    "walk: cold": (eb.RandomWalk, "here - there)", "1.05 * (here - there))"),
    "walk: float32 energies": (
        eb.RandomWalk, "energy(y, packed, e_y)", "energy(y, packed, e_y)" + _FLOAT32
    ),
    "walk: generous by 0.01": (
        eb.RandomWalk, _DECISION, "math.exp(-load_row(exponentials, l)) - 0.01 < math.exp(here - there)"
    ),
    "walk: takes nan": (eb.RandomWalk, f"({_DECISION}) & is_number", "~(-load_row(exponentials, l) >= here - there)"),
    "walk: takes -inf": (eb.RandomWalk, f"({_DECISION}) & is_number", f"({_DECISION})"),
    "walk: stale energy": (eb.RandomWalk, "l, e, e_y, y", "l, e, e, y"),
    "walk: drift": (eb.RandomWalk, _LAST, "settings[dim - 1] * (last + 0.02)"),
    "walk: one coordinate too wide": (eb.RandomWalk, _LAST, "1.0000001 * settings[dim - 1] * last"),
    "walk: reused uniform": (eb.RandomWalk, "store_streams(streams, l, state)", "pass"),
    "walk: a number left out": (
        eb.RandomWalk, "store_streams(streams, l, state)",
        "_, state = lane_exponentials(state)\n            store_streams(streams, l, state)",
    ),
    "walk: accepts everything": (eb.RandomWalk, _DECISION, "there < np.inf"),
    "walk: moves nothing": (eb.RandomWalk, "move(accepted, l, x, y)", "pass"),
    "MALA: energy x 0.999": (eb.MALA, "here - there +", "0.999 * (here - there) +"),
    "MALA: hot": (eb.MALA, "< log_ratio)", "< 0.95 * log_ratio)"),
    "MALA: float32 energies": (eb.MALA, _GRAD, _GRAD + _FLOAT32),
    "MALA: no Hastings term": (eb.MALA, "+ 0.5 * twice", "+ 0.0 * twice"),
    "MALA: half the Hastings term": (eb.MALA, "+ 0.5 * twice", "+ 0.25 * twice"),
    "MALA: Hastings term x 0.999999": (eb.MALA, "+ 0.5 * twice", "+ 0.4999995 * twice"),
    "MALA: stale energy": (eb.MALA, "l, e, e_y, y", "l, e, e, y"),
    "MALA: stale gradient": (eb.MALA, "move(accepted, l, g, g_y)", "pass"),
    "MALA: reused uniform": (eb.MALA, "store_streams(streams, l, state)", "pass"),
    "MALA: takes everything": (eb.MALA, "(-load_row(exponentials, l) < log_ratio)", "(there < np.inf)"),
    "MALA: drift": (eb.MALA, _GRAD, "y += 1e-8\n        " + _GRAD),
    "ULA: stale gradient": (eb.ULA, "move(accepted, l, g, g_y)", "pass"),
    "ULA: slope x 1.03": (eb.ULA, _GRAD, _GRAD + "\n        g_y *= 1.03"),
    "ULA: takes what is not finite": (eb.ULA, "accepted = nothing == 0.0", "accepted = load_row(e_y, l) > -np.inf"),
}
ENERGY = eb.GaussianMixture([[0.0, 0.0, 1.0], [2.0, 1.0, 0.0]], 0.6, [0.3, 0.7])  # of odd dimension: no half pairs
STEPS = {eb.RandomWalk: 1.3, eb.MALA: 0.4, eb.ULA: 0.2}


def broken(name: str) -> Kernel:
    """The kernel, with a step size that leaves about half of the proposals of `ENERGY` rejected."""
    kind, old, new = CHANGES[name]
    return changed(kind(STEPS[kind]), old, new)
