"""What becomes of draws: all kept in memory, or in a file as they come; only their moments; only the last."""

import contextlib
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastebm._checks import FloatArray
from fastebm.files import FileFormatError, FileWriteError
from fastebm.sampling.chains import Chains
from fastebm.sampling.moments import Moments, MomentSums

MODES = ("draws", "moments", "last")
_START = 192  # bytes of a file before its numbers, a multiple of 64


class Keeping:
    """Room for draws of chains whose clamped coordinates are put back.

    Parameters
    ----------
    keep : one of MODES, or the path of a file to be written in NumPy's format.
    n_chains, n_draws, dim : of the draws; dim counts clamped coordinates too.
    clamp : those, with their values.
    is_new : whether a file is to be made; otherwise it goes on.

    Attributes
    ----------
    draws, energies : (n_chains, n, dim) and (n_chains, n), n being n_draws, or 0 where only moments or the last are
        kept.
    columns : places of the coordinates that move.
    """

    def __init__(
        self, keep: str, n_chains: int, n_draws: int, dim: int, clamp: Mapping[int, float], *, is_new: bool = True
    ) -> None:
        self.keep, self.clamp = keep, dict(clamp)
        self.n_chains, self.dim = n_chains, dim
        self.columns = np.array([i for i in range(dim) if i not in clamp])
        self.moments: MomentSums | None = None
        self.kept: Moments | None = None
        room = 0 if keep in ("moments", "last") else n_draws
        shape = (n_chains, room, dim)
        _refuse_too_much(n_chains, room, dim if keep in MODES else 0)
        if keep in MODES:
            self.draws: FloatArray = np.empty(shape)
        else:
            self.draws = _mapped(keep, shape) if is_new else _mapped_again(keep, shape)
        self.energies = np.empty((n_chains, room))
        for i, value in clamp.items():
            self.draws[:, :, i] = value

    def begin(self, chains: Chains) -> None:
        """What can only be laid out after warm-up."""
        if self.keep == "moments":
            self.moments = MomentSums(
                chains.positions, chains.energies, len(chains.x), chains.width, chains.n_threads
            )

    def made(self, n: int, chains: Chains) -> tuple[FloatArray, FloatArray]:
        """The first n draws and energies; of modes that keep none, the last one, if there is one."""
        if self.energies.shape[1] or n == 0:
            return self.draws[:, :n], self.energies[:, :n]
        last = np.empty((self.n_chains, 1, self.dim))
        last[:, 0, self.columns] = chains.positions
        for i, value in self.clamp.items():
            last[:, 0, i] = value
        return last, chains.energies[:, None].copy()

    def result_draws(self, n: int, chains: Chains) -> tuple[FloatArray, FloatArray]:
        """As `made`, of a run that is over for now: the file, where there is one, then holds these draws alone."""
        if self.keep not in MODES and n < self.draws.shape[1]:
            self.draws = _cut(self.keep, self.draws, n)
        return self.made(n, chains)

    def result(self) -> Moments | None:
        """The moments, where they were kept, of all coordinates; their sums are let go, and nothing can be added."""
        if self.moments is not None:
            self.kept = self.moments.moments(self.n_chains, self.columns, self.dim, self.clamp)
            self.moments = None
        return self.kept

    def state(self) -> dict[str, Any]:
        return {} if self.moments is None else self.moments.state(self.n_chains)


def _refuse_too_much(n_chains: int, n_draws: int, dim: int) -> None:
    """A request beyond the machine's memory is refused at once."""
    needed = 8 * n_chains * n_draws * (dim + 1)  # energies, too, which are in memory always
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise MemoryError(
                f"the draws need {needed / 1e9:.1f} GB and this machine has {memory / 1e9:.1f} GB; "
                "lower n_chains or n_draws, raise thin to cover as many transitions, or pass keep='moments' or a path."
            )


def _mapped(path: str, shape: tuple[int, int, int]) -> FloatArray:
    """A .npy file of this shape, mapped into memory, nan where no draw has come yet.

    Its space is reserved, since on a full disk a write to mapped memory kills the process; where there is no room, what
    was at the path stays as it was.
    """
    size = _START + 8 * math.prod(shape)
    before = os.path.getsize(path) if os.path.exists(path) else None
    try:
        with open(path, "wb" if before is None else "r+b") as stream:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(stream.fileno(), 0, size)
            stream.write(_head(shape))
            block = np.full(1 << 17, np.nan).tobytes()
            for place in range(_START, size, len(block)):
                stream.write(block[: size - place])
            stream.truncate(size)
        return np.lib.format.open_memmap(path, mode="r+")
    except OSError as fault:
        with contextlib.suppress(OSError):
            os.truncate(path, before) if before else os.unlink(path)
        raise FileWriteError(
            f"{path} cannot be written: {fault.strerror or fault}; choose another path for keep=, or fewer draws."
        ) from fault


def _mapped_again(path: str, shape: tuple[int, int, int]) -> FloatArray:
    """The file of an earlier run, which this one goes on with; made anew where it is gone or was cut."""
    if not os.path.exists(path):
        return _mapped(path, shape)
    try:
        mapped = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError) as fault:
        raise FileFormatError(
            f"{path}, where the run kept its draws, cannot be read: {fault}; move it away, and the run makes it anew."
        ) from fault
    there, is_plain = mapped.shape, mapped.dtype == np.float64 and mapped.flags.c_contiguous
    if is_plain and there == shape:
        return mapped
    del mapped
    if is_plain and len(there) == 3 and there[1] <= shape[1] and there == (shape[0], there[1], shape[2]):
        return _mapped(path, shape)
    raise FileFormatError(
        f"{path}, where the run kept its draws, holds an array of shape {there} instead of {shape}; move it away, and "
        "the run makes it anew."
    )


def _cut(path: str, mapped: FloatArray, n: int) -> FloatArray:
    """The file again, with the first n draws of each chain alone."""
    n_chains, _, dim = mapped.shape
    rows, size = mapped.reshape(-1), n * dim
    for c in range(n_chains):
        rows[c * size : (c + 1) * size] = mapped[c, :n].reshape(-1)  # nothing that is still needed lies before
    del rows, mapped
    with open(path, "r+b") as stream:
        stream.write(_head((n_chains, n, dim)))
        stream.truncate(_START + 8 * n_chains * size)
    return np.lib.format.open_memmap(path, mode="r+") if size else np.empty((n_chains, n, dim))


def _head(shape: tuple[int, int, int]) -> bytes:
    """The first _START bytes of a .npy file of this shape."""
    text = repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode()
    start = np.lib.format.magic(1, 0) + (_START - 10).to_bytes(2, "little")
    return start + text.ljust(_START - 11) + b"\n"
