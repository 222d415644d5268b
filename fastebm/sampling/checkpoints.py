"""Checkpoints: a small file that is whole at any moment, and a side file to which draws are appended."""

import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastebm import files
from fastebm._checks import FloatArray
from fastebm.files import FileFormatError, FileWriteError

KIND = "checkpoint"
_PIECE = 2**19  # bytes


class SideFile:
    """Draws as they come: of each draw all chains' positions, their energy last, as little-endian doubles.

    Parameters
    ----------
    path : of the checkpoint; the side file is beside it, with `.draws` behind its name.

    Attributes
    ----------
    n_draws : draws that it holds for certain.
    crc : checksum of these.
    """

    def __init__(self, path: files.PathLike) -> None:
        self.path = Path(f"{os.fspath(path)}.draws")
        self.n_draws = 0
        self.crc = 0

    def append(self, draws: FloatArray, energies: FloatArray) -> None:
        """Add draws (n_chains, k, dim) and energies (n_chains, k); what an earlier attempt left behind is overwritten.

        Raises
        ------
        FileWriteError : they cannot be written; what was there before is counted as before.
        """
        n_chains, n_new, dim = draws.shape
        n_a_time = max(1, _PIECE // (8 * n_chains * (dim + 1)))
        place = self.n_draws * n_chains * (dim + 1) * 8
        crc = self.crc
        try:
            with open(self.path, "r+b" if self.n_draws else "wb") as stream:
                stream.truncate(place)
                stream.seek(place)
                for first in range(0, n_new, n_a_time):  # in pieces, which stay in the cache
                    some = slice(first, first + n_a_time)
                    piece = np.empty((len(range(n_new)[some]), n_chains, dim + 1), dtype="<f8")
                    piece[:, :, :dim] = draws[:, some].transpose(1, 0, 2)
                    piece[:, :, dim] = energies[:, some].T
                    crc = zlib.crc32(piece.data, crc)
                    stream.write(piece.data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as fault:
            raise FileWriteError(
                f"{self.path} cannot be written: {fault.strerror or fault}; free space there, or choose another path."
            ) from fault
        self.n_draws += n_new
        self.crc = crc

    def read(self, n_draws: int, crc: int, draws: FloatArray, energies: FloatArray) -> None:
        """The first n draws, into draws (n_chains, >= n, dim) and energies (n_chains, >= n).

        Raises
        ------
        FileFormatError : they are missing or damaged.
        """
        n_chains, _, dim = draws.shape
        size = n_draws * n_chains * (dim + 1) * 8
        try:
            content = self.path.read_bytes()[:size] if n_draws else b""
        except OSError as fault:
            raise FileFormatError(
                f"{self.path} cannot be read: {fault.strerror or fault}; it belongs to the checkpoint beside it."
            ) from fault
        if len(content) < size or zlib.crc32(content) != crc:
            raise FileFormatError(f"{self.path} is cut short or damaged; take a copy, or run again from the start.")
        block = np.frombuffer(content, dtype="<f8").reshape(n_draws, n_chains, dim + 1)
        draws[:, :n_draws] = block[:, :, :dim].transpose(1, 0, 2)
        energies[:, :n_draws] = block[:, :, dim].T
        self.n_draws, self.crc = n_draws, crc


class Writer:
    """Writes checkpoints in a thread of its own, one after the other, while chains go on.

    Parameters
    ----------
    faults : takes sentences about checkpoints that could not be written.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
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
        except FileWriteError as fault:
            message = f"{fault} The run went on in memory; its last checkpoint is as it was."
            if message not in self.faults:
                self.faults.append(message)


def write(path: files.PathLike, header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Replace the checkpoint at `path`, whole or not at all."""
    signed = {name: np.asarray(one).view(np.int64) if np.asarray(one).dtype == np.uint64 else one
              for name, one in arrays.items()}
    files.write(path, KIND, header, signed)


def read(path: files.PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of the checkpoint at `path`.

    Raises
    ------
    FileNotFoundError, FileFormatError : there is none, or what is there is damaged or something else.
    """
    _, header, arrays = files.read(path, (KIND,))
    arrays["streams"] = arrays["streams"].view(np.uint64)
    return header, arrays
