"""Models and energies that commands take: from files, and from a user's module."""

import argparse
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.loading import load
from fastebm.training import Fit


@dataclass(frozen=True)
class Model:
    """What a model file holds for the commands.

    Attributes
    ----------
    energy : the energy.
    columns : names of the coordinates; None where the file notes none.
    threshold : energy above which a row is anomalous; None where the file notes none.
    particles : (n, dim) points that the training left behind; None where there are none.
    """

    energy: Energy
    columns: list[str] | None = None
    threshold: float | None = None
    particles: FloatArray | None = None


def add_model(parser: argparse.ArgumentParser) -> None:
    """The arguments MODEL and --energy."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="file that `fastebm fit` or save() wrote")
    parser.add_argument("--energy", metavar="MODULE:NAME", help="your own energy, if the model was made from one")


def read_model(chosen: argparse.Namespace) -> Model:
    """The model that these arguments name."""
    saved = load(chosen.model, None if chosen.energy is None else import_energy(chosen.energy))
    if isinstance(saved, Fit):
        return Model(
            saved.energy, saved.settings.get("columns"), saved.settings.get("threshold"), saved.particles
        )
    if isinstance(saved, Energy):
        return Model(saved)
    raise ValueError(f"{chosen.model} holds draws, not a model; pass a file that `fastebm fit` wrote.")


def import_energy(name: str) -> Energy:
    """The energy MODULE:NAME, from the working folder or an installed package."""
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"{name!r} does not name an energy; write MODULE:NAME, for example models:ring.")
    sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as fault:
        if fault.name is None or not f"{module_name}.".startswith(f"{fault.name}."):
            raise  # the module is there, and one that it imports is not
        raise ValueError(
            f"there is no module {module_name!r} in this folder or installed; write MODULE:NAME without .py, and run "
            "the command in the folder of the module."
        ) from None
    finally:
        sys.path.remove("")
    found = getattr(module, attribute, None)
    if not isinstance(found, Energy):
        energies = [key for key, value in vars(module).items() if isinstance(value, Energy)]
        raise ValueError(
            f"{module_name} has no energy named {attribute!r}; the energies in it are: {', '.join(energies) or 'none'}."
        )
    return found
