"""Reading back what was saved: energies, runs and fits."""

from pathlib import Path

from fastebm import files
from fastebm.energies import Energy
from fastebm.energies.descriptions import rebuild
from fastebm.sampling import Run
from fastebm.training import Fit


def load(path: str | Path, energy: Energy | None = None) -> Energy | Run | Fit:
    """Read what `save` wrote.

    Parameters
    ----------
    path : the file.
    energy : your own energy, for a model that was made from it; files hold arrays and JSON, never code. It is checked
        against the digest of its source and data in the file. A catalogue energy is rebuilt without it.

    Returns
    -------
    An Energy, a Run or a Fit, as saved.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : the file is damaged, cut short, of another kind, or from a newer version.
    ValueError : a user's energy is missing or is not the one that was saved.
    """
    kind, header, arrays = files.read(path, ("energy", "run", "fit"))
    if kind == "run":
        return Run.restore(header, arrays)
    model = rebuild(header["energy"], header["shapes"], arrays["theta"], energy, path)
    return model if kind == "energy" else Fit.restore(model, header, arrays)
