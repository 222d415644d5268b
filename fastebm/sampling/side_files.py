"""The side file of a checkpoint, to which draws are appended as they come, and its checksum."""

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numba import types

from fastebm import files
from fastebm._checks import FloatArray
from fastebm._compile import compiled, inlined
from fastebm.files import FileFormatError, FileWriteError

try:
    import fcntl
except ImportError:  # no such locks: two processes at one checkpoint go unnoticed
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".draws"
_PIECE = 2**19  # bytes, which stay in the cache
_ODD, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


class SideFile:
    """Blocks of draws, as little-endian doubles: every chain's positions one after the other, then all energies.

    Parameters
    ----------
    path : of the checkpoint; the side file is beside it, with `.draws` behind its name.

    Attributes
    ----------
    blocks : how many draws each block has, of those that it holds for certain.
    checksum : of these blocks.
    """

    def __init__(self, path: files.PathLike) -> None:
        self.path = Path(f"{os.fspath(path)}{SUFFIX}")
        self.blocks: list[int] = []
        self.checksum = 0
        self._claim: BinaryIO | None = None

    @property
    def n_draws(self) -> int:
        """How many draws the blocks have."""
        return sum(self.blocks)

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
        place = self.n_draws * n_chains * (dim + 1) * 8
        total = self.checksum
        try:
            with open(self.path, "r+b" if self.blocks else "wb") as stream:
                stream.truncate(place)
                stream.seek(place)
                for some in _pieces(draws, energies):
                    piece = np.ascontiguousarray(some, "<f8")
                    total = checksum(piece, total)
                    stream.write(piece.data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as fault:
            raise _not_writable(self.path, fault) from fault
        self.blocks.append(n_new)
        self.checksum = total

    def read(self, blocks: list[int], total: int, draws: FloatArray, energies: FloatArray) -> None:
        """These blocks, of this checksum, into the first of draws (n_chains, >= n, dim) and energies (n_chains, >= n).

        Raises
        ------
        FileFormatError : they are missing or damaged.
        """
        found, done = 0, 0
        try:
            with open(self.path if blocks else os.devnull, "rb") as stream:
                for n in blocks:
                    for some in _pieces(draws[:, done : done + n], energies[:, done : done + n]):
                        content = stream.read(8 * some.size)
                        if len(content) < 8 * some.size:
                            raise self._damaged()
                        piece = np.frombuffer(content, "<f8")
                        found = checksum(piece, found)
                        some[...] = piece.reshape(some.shape)
                    done += n
        except OSError as fault:
            raise FileFormatError(
                f"{self.path} cannot be read: {fault.strerror or fault}; it belongs to the checkpoint beside it."
            ) from fault
        if found != total:
            raise self._damaged()
        self.blocks, self.checksum = list(blocks), total

    def _damaged(self) -> FileFormatError:
        return FileFormatError(f"{self.path} is cut short or damaged; take a copy, or run again from the start.")


def _pieces(*arrays: FloatArray) -> Iterator[FloatArray]:
    """Views of the rows of each array, as many at a time as stay in the cache."""
    for array in arrays:
        n = max(1, _PIECE // max(1, 8 * array[0].size))
        for first in range(0, len(array), n):
            yield array[first : first + n]


def checksum(piece: FloatArray, before: int) -> int:
    """A checksum of doubles that come after others of checksum `before`: any one that changes changes it for certain.

    zlib.crc32 takes several times as long, more than the chains' draws can spare. This one guards against accidents,
    not against design.
    """
    return int(_mixed(piece.reshape(-1).view(np.uint64), np.uint64(before)))


@compiled(types.uint64(types.Array(types.uint64, 1, "C", readonly=True), types.uint64))
def _mixed(words, before):  # type: ignore[no-untyped-def]
    """Every step is one to one in the word and in what came before; four chains of steps keep a processor busy."""
    a, b, c, d = before ^ np.uint64(len(words)), before, before, before
    n_whole = len(words) // 4 * 4
    for i in range(0, n_whole, 4):
        a, b, c, d = _step(a, words[i]), _step(b, words[i + 1]), _step(c, words[i + 2]), _step(d, words[i + 3])
    for i in range(n_whole, len(words)):
        a = _step(a, words[i])
    for other in (b, c, d):
        a = _step(a, other)
    return a


@inlined
def _step(state, word):  # type: ignore[no-untyped-def]
    state = (state ^ word) * _ODD
    return state ^ (state >> _HALF)


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
