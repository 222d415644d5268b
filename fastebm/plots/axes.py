"""Axes to draw into."""

from typing import Any


def axes(given: Any) -> Any:
    """The given axes, or new ones."""
    if given is not None:
        return given
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('plots need matplotlib; run: pip install "fastebm[plots]".') from None
    return pyplot.figure(layout="constrained").add_subplot()
