"""Kernels of this library with a line of their compiled source changed, for the tiers without chance."""

from collections.abc import Callable

from fastebm.energies import Energy
from fastebm.kernels import MALA, ULA, DelayedRejection, Kernel, RandomWalk, Slice, Stretch
from fastebm.testing.changes import changed
from fastebm.testing.mutants import targets
from fastebm.testing.mutants.entries import Entry

_TEST = "-load_row(exponentials, l) < here - there"
_STORE = "store_streams(streams, l, state)"
_ENERGY = "energy(y, packed, e_y)"
_ROUNDED = (
    "\n        for c in range(width):"
    "\n            e_y[c] = (e_y[c] + 805306368.0) - 805306368.0"  # 1.5 * 2**29, whose last bit is 2**-23
)
_CALL = "grad(y, packed, e_y, g_y)"
_LAST = "settings[dim - 1] * last"


def _changed(kernel: Kernel, old: str, new: str) -> Callable[[Energy], Kernel]:
    return lambda energy: changed(kernel, old, new)


def _mistaken(
    name: str, words: str, old: str, new: str, kernel: Kernel, energy: Energy = targets.MIXTURE
) -> Entry:
    return Entry(f"{type(kernel).__name__}: {name}", words, _changed(kernel, old, new), energy, delta=0.3)


_WALK, _MALA, _ULA, _TWICE = RandomWalk(1.9), MALA(0.5), ULA(0.15), DelayedRejection(3.0)
_SLICE, _STRETCH = Slice(0.3), Stretch()

BROKEN = (
    _mistaken("energy x 0.999", "0.999 (E(x) - E(y))", "here - there)", "0.999 * (here - there))", _WALK),
    _mistaken("float32 energies", "rounded to 2**-23", _ENERGY, _ENERGY + _ROUNDED, _WALK),
    _mistaken(
        "generous by 0.01", "u - 0.01 < r", _TEST,
        "math.exp(-load_row(exponentials, l)) - 0.01 < math.exp(here - there)", _WALK,
    ),
    _mistaken(
        "min(0, nan)", "takes what has no energy", f"({_TEST}) & is_number",
        "~(-load_row(exponentials, l) >= here - there)", _WALK,
    ),
    _mistaken("takes -inf", "as if it were likely", f"({_TEST}) & is_number", f"({_TEST})", _WALK),
    _mistaken("stale energy", "E of the first point", "l, e, e_y, y", "l, e, e, y", _WALK),
    _mistaken("drift of 0.02 s", "proposals on the right of x", _LAST, "settings[dim - 1] * (last + 0.02)", _WALK),
    _mistaken("the same numbers again", "streams are not stored", _STORE, "pass", _WALK),
    _mistaken("a number left out", "the streams run ahead", _STORE,
              "_, state = lane_exponentials(state)\n            store_streams(streams, l, state)", _WALK),
    _mistaken("everything accepted", "no test", _TEST, "there < np.inf", _WALK),
    _mistaken("moves nothing", "counts, and stays", "move(accepted, l, x, y)", "pass", _WALK),
    _mistaken("energy x 0.999", "in the test alone", "here - there +", "0.999 * (here - there) +", _MALA),
    _mistaken("no Hastings term", "no q(x | y) / q(y | x)", "+ 0.5 * twice", "+ 0.0 * twice", _MALA),
    _mistaken("half a Hastings term", "its root", "+ 0.5 * twice", "+ 0.25 * twice", _MALA),
    _mistaken("no test", "ULA under its name", "(-load_row(exponentials, l) < log_ratio)", "(there < np.inf)", _MALA),
    _mistaken("stale gradient", "dE/dx of the first point", "move(accepted, l, g, g_y)", "pass", _MALA),
    _mistaken("float32 energies", "rounded to 2**-23", _CALL, _CALL + _ROUNDED, _MALA),
    _mistaken("ends that do not share", "15 widths at either end", "n_above = MOST_WIDTHS - 1.0 - n_below",
              "n_above = as_lane(MOST_WIDTHS - 1.0)", _SLICE),
    _mistaken("streams that run on", "of columns that draw nothing", "chosen_streams(is_on & is_inner, after, state)",
              "after", _SLICE),
    _mistaken("gradient x 1.03", "steps that are too long", _CALL, f"{_CALL}\n        g_y *= 1.03", _ULA),
    _mistaken("no share of rejections", "(1 - a(y2, y1)) / (1 - a(x, y1)) left out",
              "+ np.log(rejection(rise_2) / rejection(rise_x))", "", _TWICE),
    _mistaken("no way back", "q(y1 | y2) / q(y1 | x) left out", "+ hastings(", "+ 0.0 * hastings(", _TWICE),
    _mistaken("no (dim - 1) log z", "E alone", "gains[c] + here - there", "here - there", _STRETCH, targets.PLANE),
    _mistaken("a partner of the same half", "which moves as well", "x[i, other + int(", "x[i, own + int(", _STRETCH),
)
