"""Checkpoints: a small file that is whole at any moment, beside the side file to which draws are appended."""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm import files
from fastebm.files import FileFormatError, FileWriteError
from fastebm.sampling.side_files import SUFFIX

KIND = "checkpoint"
_PREVIOUS = ".previous"


class Writer:
    """Writes checkpoints in a thread of its own, one after the other, while chains go on.

    Attributes
    ----------
    fault : why the last one could not be written; None if it was.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self._thread: threading.Thread | None = None

    def start(self, content: Callable[[], Callable[[], None]]) -> None:
        """Write what `content` has gathered, once the checkpoint before is on disk."""
        self.wait()
        self._thread = threading.Thread(target=self._write, args=(content(),), name="fastebm-checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Until the checkpoint that is being written, if there is one, is on disk."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _write(self, write: Callable[[], None]) -> None:
        """Where it is impossible now, that is told at the end of the run, which goes on."""
        try:
            write()
            self.fault = None
        except FileWriteError as fault:
            self.fault = f"{fault} The run went on in memory; its last checkpoint is as it was."


def written(path: files.PathLike) -> tuple[str, str, str]:
    """The files of a checkpoint: itself, its draws, and the one before."""
    given = os.fspath(path)
    return given, f"{given}{SUFFIX}", f"{given}{_PREVIOUS}"


def current(path: files.PathLike) -> str:
    """The checkpoint that goes on being written, of its own path or of that of the one before."""
    return os.fspath(path).removesuffix(_PREVIOUS)


def forget_previous(path: files.PathLike) -> None:
    """Remove what an earlier run at this path had kept: its draws are being overwritten."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(written(path)[2])


def refuse_losing(path: files.PathLike) -> None:
    """Nothing, where a new run may write its checkpoint: where nothing is, or a run that has come to its end.

    Raises
    ------
    FileWriteError : something else is there, or a run that could go on.
    """
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return
    try:
        header, _ = read(path)
    except FileFormatError as fault:
        raise FileWriteError(
            f"{path} is there and holds no whole checkpoint; choose another path, or remove the file."
        ) from fault
    if not header.get("is_over"):
        raise FileWriteError(
            f"{path} holds a run that has not come to its end; go on with it by eb.resume({os.fspath(path)!r}), or "
            "remove the file to begin anew."
        )


def write(
    path: files.PathLike, header: dict[str, Any], arrays: dict[str, Any], *, keeps_previous: bool = False
) -> None:
    """Replace the checkpoint at `path`, whole or not at all; the one that was there can be kept beside it."""
    signed = {name: np.asarray(one).view(np.int64) if np.asarray(one).dtype == np.uint64 else one
              for name, one in arrays.items()}
    files.write(path, KIND, header, signed, written(path)[2] if keeps_previous else None)


def read(path: files.PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of the checkpoint at `path`.

    Raises
    ------
    FileNotFoundError, FileFormatError : there is none, or what is there is damaged or something else.
    """
    try:
        _, header, arrays = files.read(path, (KIND,))
    except FileFormatError as fault:
        previous = written(path)[2]
        if _is_whole(previous):
            raise FileFormatError(
                f"{str(fault).split(';')[0]}; the one before it is whole, and eb.resume({previous!r}) goes on from it."
            ) from fault
        raise
    if "streams" in arrays:
        arrays["streams"] = arrays["streams"].view(np.uint64)
    return header, arrays


def _is_whole(path: files.PathLike) -> bool:
    try:
        files.read(path, (KIND,))
    except (OSError, FileFormatError):
        return False
    return True
