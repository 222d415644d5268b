"""Energies as the Python that makes them, where that is short: what failing tests and reports show."""

from typing import Any

import numpy as np

from fastebm.energies.algebra import Combined
from fastebm.energies.energy import Energy

_LONGEST = 400  # characters


def expression(energy: Energy) -> str | None:
    """Python that makes this energy again; None where it is long, or a function that a user wrote."""
    text = _combination(energy) if isinstance(energy, Combined) else _call(energy)
    return text if text is not None and len(text) <= _LONGEST else None


def _call(energy: Energy) -> str | None:
    """The constructor of the catalogue with its arguments, as far as they hold all of theta."""
    described = energy.describe()
    settings: dict[str, Any] = described.get("settings", {})
    if not settings or "data" in settings:
        return None
    theta = energy.unpack()
    if set(theta) <= set(settings):
        settings = settings | {key: np.asarray(value).tolist() for key, value in theta.items()}
    elif energy.theta is not energy.first_theta:
        return None
    return f"{described['type']}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"


def _combination(energy: Combined) -> str | None:
    written = [expression(part) for part in energy.parts]
    parts = [one for one in written if one is not None]
    if len(parts) < len(written):
        return None
    settings = energy.settings()
    closed = f"({parts[0]})" if " + " in parts[0] or " * " in parts[0] else parts[0]
    if energy.kind == "sum":
        return " + ".join(parts)
    if energy.kind == "tempered":
        return f"{settings['beta']!r} * {closed}"
    if energy.kind == "mixture":
        weights = [float(f"{weight:.12g}") for weight in np.exp(energy.theta[: len(parts)])]
        return f"mixture([{', '.join(parts)}], {weights!r})"
    if energy.kind == "affine":
        return f"{closed}.affine({settings['matrix']!r}, {settings['shift']!r})"
    if energy.kind == "walled":
        walls = [tuple(float("inf") if end is None else end for end in pair) for pair in settings["walls"]]
        ends = [tuple(end if end != float("inf") or side else -end for side, end in enumerate(pair)) for pair in walls]
        return f"{closed}.restricted({ends!r})".replace("inf", "math.inf")
    if energy.kind == "conditioned":
        values = dict(zip(settings["clamped"], settings["values"], strict=True))
        return f"{closed}.conditioned({values!r})"
    if energy.kind == "observed":
        return f"{closed}.observed({settings['noise']!r})"
    return None
