"""Models and energies that commands take: from files, and from a user's module."""

import argparse
import importlib
import sys
from pathlib import Path

from fastebm.energies import Energy
from fastebm.loading import load
from fastebm.training import Fit


def add_model(parser: argparse.ArgumentParser) -> None:
    """The arguments MODEL and --energy."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="file that `fastebm fit` or save() wrote")
    parser.add_argument("--energy", metavar="MODULE:NAME", help="your own energy, if the model was made from one")


def read_model(chosen: argparse.Namespace) -> tuple[Energy, dict[str, object]]:
    """The energy in a model file, and what the fit noted: columns, threshold."""
    model = load(chosen.model, None if chosen.energy is None else import_energy(chosen.energy))
    if isinstance(model, Fit):
        return model.energy, model.settings
    if isinstance(model, Energy):
        return model, {}
    raise ValueError(f"{chosen.model} holds draws, not a model; pass a file that `fastebm fit` wrote.")


def import_energy(name: str) -> Energy:
    """The energy MODULE:NAME, from the working folder or an installed package."""
    module_name, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"{name!r} does not name an energy; write MODULE:NAME, for example models:ring.")
    sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    finally:
        sys.path.remove("")
    found = getattr(module, attribute, None)
    if not isinstance(found, Energy):
        energies = [key for key, value in vars(module).items() if isinstance(value, Energy)]
        raise ValueError(
            f"{module_name} has no energy named {attribute!r}; it has: {', '.join(energies) or 'none'}."
        )
    return found
