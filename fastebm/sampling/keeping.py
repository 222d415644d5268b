"""What becomes of draws: all kept in memory, or in a file as they come; only their moments; only the last."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastebm import tiles
from fastebm._checks import FloatArray
from fastebm.files import FileFormatError, FileWriteError
from fastebm.sampling.chains import Chains
from fastebm.sampling.moments import Moments, MomentSums

MODES = ("draws", "moments", "last")


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
        if keep in MODES:
            _refuse_too_much(n_chains, room, dim)
            self.draws = np.empty((n_chains, room, dim))
        else:
            self.draws = _mapped(keep, (n_chains, room, dim)) if is_new else _mapped_again(keep)
        self.energies = np.empty((n_chains, room))
        if is_new or keep in MODES:
            for i, value in clamp.items():
                self.draws[:, :, i] = value

    def begin(self, chains: Chains) -> None:
        """What can only be laid out after warm-up."""
        if self.keep == "moments":
            self.moments = MomentSums(
                chains.positions, chains.energies, len(chains.x), chains.width,
                len(tiles.ranges(len(chains.x), chains.n_threads)),
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
    needed = 8 * n_chains * n_draws * (dim + 1)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise MemoryError(
                f"the draws need {needed / 1e9:.1f} GB and this machine has {memory / 1e9:.1f} GB; "
                "lower n_chains or n_draws, raise thin to cover as many transitions, or pass keep='moments' or a path."
            )


def _mapped(path: str, shape: tuple[int, int, int]) -> FloatArray:
    """A new .npy file of this shape, its space reserved: on a full disk a write to mapped memory kills the process."""
    try:
        mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=shape)
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, os.path.getsize(path))
    except OSError as fault:
        if os.path.isfile(path):
            os.unlink(path)
        raise FileWriteError(
            f"{path} cannot be written: {fault.strerror or fault}; choose another path for keep=, or fewer draws."
        ) from fault
    return mapped


def _mapped_again(path: str) -> FloatArray:
    """The file of an earlier run, which this one goes on with."""
    try:
        return np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError) as fault:
        raise FileFormatError(
            f"{path}, where the run kept its draws, cannot be read: {fault}; put it back, or run again from the start."
        ) from fault
