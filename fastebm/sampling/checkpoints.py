"""Checkpoints: a small file that is whole at any moment, and a side file to which draws are appended."""

import contextlib
import os
import threading
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastebm import files
from fastebm._checks import FloatArray
from fastebm.files import FileFormatError, FileWriteError

try:
    import fcntl
except ImportError:  # no such locks: two processes at one checkpoint go unnoticed
    fcntl = None  # type: ignore[assignment]

KIND = "checkpoint"
_PIECE = 2**19  # bytes
_SIDE, _PREVIOUS = ".draws", ".previous"


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
        self.path = Path(f"{os.fspath(path)}{_SIDE}")
        self.n_draws = 0
        self.crc = 0
        self._claim: BinaryIO | None = None

    def claim(self) -> None:
        """Be the only one that writes, until `release` or the end of the process, however it ends.

        Raises
        ------
        FileWriteError : another run writes it, of this process or of another.
        """
        if fcntl is None:
            return
        try:
            stream = open(self.path, "ab")  # noqa: SIM115 (it is open as long as the run)
        except OSError as fault:
            raise _not_writable(self.path, fault) from fault
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            stream.close()
            if isinstance(fault, BlockingIOError):
                raise FileWriteError(
                    f"{self.path} is being written by another run; wait for its end, or choose another checkpoint."
                ) from fault
            return  # a file system without locks
        self._claim = stream
        _CLAIMS.add(self)

    def release(self) -> None:
        """Let others write."""
        if self._claim is not None and fcntl is not None:
            fcntl.flock(self._claim, fcntl.LOCK_UN)  # for forked processes, too, that have it open
        self._let_go()

    def _let_go(self) -> None:
        if self._claim is not None:
            self._claim.close()
            self._claim = None

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
            raise _not_writable(self.path, fault) from fault
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


# A forked process that outlives a killed run must not hold its claim.
_CLAIMS: weakref.WeakSet[SideFile] = weakref.WeakSet()


def _let_go() -> None:
    for one in list(_CLAIMS):
        one._let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def _not_writable(path: Path, fault: OSError) -> FileWriteError:
    return FileWriteError(
        f"{path} cannot be written: {fault.strerror or fault}; free space there, or choose another path."
    )


def written(path: files.PathLike) -> tuple[str, str, str]:
    """The files of a checkpoint: itself, its draws, and the one before."""
    given = os.fspath(path)
    return given, f"{given}{_SIDE}", f"{given}{_PREVIOUS}"


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
