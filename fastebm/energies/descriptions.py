"""Energies from their descriptions: the catalogue by name, a user's by the energy that is passed in."""

from typing import Any

from fastebm import _checks
from fastebm.energies import catalogue
from fastebm.energies.algebra import Affine, Combined, Conditioned, Discrete, Mixture, Observed, Sum, Tempered, Walled
from fastebm.energies.energy import Energy

CATALOGUE: dict[str, type[Energy]] = {name: getattr(catalogue, name) for name in catalogue.__all__}
COMBINATIONS: dict[str, type[Combined]] = {
    one.kind: one for one in (Affine, Conditioned, Discrete, Mixture, Observed, Sum, Tempered, Walled)
}


def rebuild(
    description: dict[str, Any], shapes: dict[str, Any], theta: Any, energy: Energy | None, path: Any
) -> Energy:
    """The energy that a file describes, with the file's theta.

    Parameters
    ----------
    description : what `describe` gave.
    shapes : of the parameters by name, in order.
    theta : (n_params,) parameters.
    energy : the user's energy, where the description has a function in it; files hold no code.
    path : the file, for messages.

    Raises
    ------
    TypeError : what is passed as energy is none.
    ValueError : a user's energy is needed and missing, or it is not the one that was saved.
    """
    if energy is not None:
        _checks.instance(energy, Energy, "energy", "the one that the file was saved with")
        if energy.describe() != description:
            raise ValueError(
                f"{path} was saved with another energy than the {energy.name!r} passed in: their source, data or "
                "settings differ; pass the energy as it was when the file was written."
            )
        if [(key, list(shape)) for key, shape in energy.shapes.items()] != [(key, list(shapes[key])) for key in shapes]:
            raise ValueError(
                f"{path} holds the parameters {', '.join(shapes)}, and {energy.name!r} has {', '.join(energy.shapes)}, "
                "or their shapes differ; define theta with the same names and shapes in the same order."
            )
        return energy.with_theta(theta)
    if name := _function_in(description):
        raise ValueError(f"{path} holds a model of your own energy {name!r}; pass it: load(path, energy={name}).")
    return build(description).with_theta(theta)


def _function_in(description: dict[str, Any]) -> str | None:
    """The name of a user's function in the description, None if there is none."""
    if description["type"] == "function":
        return str(description["name"])
    return next((name for name in map(_function_in, description.get("parts", [])) if name), None)


def build(description: dict[str, Any]) -> Energy:
    """An energy without functions of users', with the parameters that its settings say."""
    kind = description["type"]
    if kind in COMBINATIONS:
        return COMBINATIONS[kind].rebuilt([build(part) for part in description["parts"]], description["settings"])
    if kind not in CATALOGUE:
        raise ValueError(f"the file names the energy {kind!r}, which this version does not know; upgrade fastebm.")
    return CATALOGUE[kind](**description["settings"])
