"""The C reference: built by gcc when it is first asked for, in a temporary folder, and called by ctypes."""

import ctypes
import functools
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Bar, Contestant, Cost, Field, Measure

Number = TypeVar("Number", np.float64, np.int64, np.uint64)

VARIANTS = ("polynomial", "libmvec")
BLOCK = 64

_COMPILER = "gcc"
_FLAGS = ("-O3", "-march=native", "-ffast-math", "-fPIC", "-Wno-psabi")
# gcc by itself prefers half of a 512-bit register, which costs the loops over libmvec a tenth
_X86_FLAGS = ("-mprefer-vector-width=512",)


class NoReferenceError(RuntimeError):
    """There is no C reference on this machine; the message says why."""


class Reference:
    """The compiled functions of the folder c.

    Attributes
    ----------
    build_seconds : what compiling took.
    """

    def __init__(self) -> None:
        compiler = shutil.which(_COMPILER)
        if compiler is None:
            raise NoReferenceError(
                f"{_COMPILER} was not found on PATH, so the C figures are absent; install {_COMPILER} to have them."
            )
        flags = _FLAGS + (_X86_FLAGS if platform.machine().lower() in ("x86_64", "amd64") else ())
        sources = sorted(Path(__file__).with_name("c").glob("*.c"))
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            compiled = [str(Path(folder) / f"{source.stem}.o") for source in sources]
            library = Path(folder) / "reference.so"
            for source, target in zip(sources, compiled, strict=True):
                _run([compiler, *flags, "-c", str(source), "-o", target])
            # apart, since linking with -ffast-math would add code that takes subnormal numbers from the whole process
            _run([compiler, "-shared", *compiled, "-o", str(library), "-lm"])
            self.build_seconds = time.perf_counter() - began
            self._library = ctypes.CDLL(str(library))

    def normals(self, variant: str, out: NDArray[np.float64], streams: NDArray[np.uint64], n_repeats: int) -> None:
        """Standard normals into out (n_rows, 64), n_rows even, n_repeats times; advances streams (4, 64)."""
        _check_rows(len(out))
        self._call(f"normals_{variant}", out, streams, len(out), n_repeats)

    def gaussian_chains(
        self,
        kernel: str,
        variant: str,
        positions: NDArray[np.float64],
        streams: NDArray[np.uint64],
        mean: NDArray[np.float64],
        precision: NDArray[np.float64],
        step: float,
        n_steps: int,
        accepted: NDArray[np.int64],
    ) -> None:
        """Transitions of chains at positions (n_blocks, dim, 64), dim even, on a diagonal Gaussian.

        `kernel` is "random_walk", `step` the proposal's standard deviation, or "langevin", `step` half its variance.
        Changes positions, streams (n_blocks, 4, 64) and accepted (n_blocks, 64), to which it adds, in place.
        """
        n_blocks, dim, _ = positions.shape
        _check_rows(dim)
        self._call(f"{kernel}_{variant}", positions, streams, mean, precision, step, dim, n_blocks, n_steps, accepted)

    def trajectories(
        self,
        variant: str,
        positions: NDArray[np.float64],
        streams: NDArray[np.uint64],
        mean: NDArray[np.float64],
        precision: NDArray[np.float64],
        step: float,
        n_leapfrog: int,
        n_steps: int,
        accepted: NDArray[np.int64],
    ) -> None:
        """Transitions of Hamiltonian Monte Carlo, of n_leapfrog steps each; otherwise as `gaussian_chains`."""
        n_blocks, dim, _ = positions.shape
        _check_rows(dim)
        self._call(
            f"hmc_{variant}", positions, streams, mean, precision, step, n_leapfrog, dim, n_blocks, n_steps, accepted
        )

    def mixture_walk(
        self,
        variant: str,
        positions: NDArray[np.float64],
        streams: NDArray[np.uint64],
        centres: NDArray[np.float64],
        step: float,
        n_steps: int,
        accepted: NDArray[np.int64],
    ) -> None:
        """Random walks at positions (n_blocks, 2, 64) on equal unit normals around centres (n, 2)."""
        name = f"mixture_walk_{variant}"
        self._call(name, positions, streams, centres, step, len(centres), len(positions), n_steps, accepted)

    def rosenbrock_grad(self, positions: NDArray[np.float64], out: NDArray[np.float64], n_repeats: int) -> None:
        """Gradients of Rosenbrock's valley at positions (n_blocks, dim, 64), n_repeats times."""
        n_blocks, dim, _ = positions.shape
        self._call("rosenbrock_grad", positions, out, dim, n_blocks, n_repeats)

    def elementwise(self, name: str, x: NDArray[np.float64], out: NDArray[np.float64], n_repeats: int) -> None:
        """exp, log, tanh or erf of x (1, n) into out (1, n), or sincos into out (2, n), n_repeats times, by libmvec."""
        self._call(f"{name}_libmvec", x, out, x.shape[1], n_repeats)

    def _call(self, name: str, *arguments: NDArray[Any] | float) -> None:
        """Arrays go as their addresses, whole numbers as long, others as double."""
        function = self._library[name]
        function.restype = None
        function(*(
            ctypes.c_void_p(one.ctypes.data) if isinstance(one, np.ndarray)
            else ctypes.c_long(one) if isinstance(one, int) else ctypes.c_double(one)
            for one in arguments
        ))


@functools.cache
def load() -> Reference:
    """The reference, built once a process.

    Raises
    ------
    NoReferenceError : there is no compiler, or it fails.
    """
    return Reference()


def field(
    measure_of: Callable[[Reference, str], Measure], bar: Bar | None = None, variants: Sequence[str] = VARIANTS
) -> Field:
    """The variants as contestants, measured by `measure_of(library, variant)`; absent, with a note, without gcc."""
    try:
        library = load()
    except NoReferenceError as fault:
        return Field([Contestant(f"C, {one}", None, "absent", bar) for one in variants], notes=[str(fault)])
    contestants = [Contestant(f"C, {one}", measure_of(library, one), bar=bar) for one in variants]
    return Field(contestants, [Cost("C", f"compile by {_COMPILER}", library.build_seconds)])


def compiler_version() -> str:
    """gcc's version, "none" where there is none."""
    compiler = shutil.which(_COMPILER)
    if compiler is None:
        return "none"
    answer = subprocess.run([compiler, "-dumpfullversion", "-dumpversion"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def fresh_streams(n_blocks: int) -> NDArray[np.uint64]:
    """States (n_blocks, 4, 64) of independent generators, seeded anew at every call."""
    return aligned(np.random.default_rng().integers(0, 2**64, size=(n_blocks, 4, BLOCK), dtype=np.uint64))


def blocks(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, dim), n a multiple of 64, in the layout of the reference, (n / 64, dim, 64)."""
    return aligned(points.reshape(-1, BLOCK, points.shape[1]).transpose(0, 2, 1))


def aligned(values: NDArray[Number]) -> NDArray[Number]:
    """A contiguous copy that begins at a cache line, without which C is 4 to 10 % slower."""
    raw = np.empty(values.nbytes + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    copy = raw[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def _run(command: list[str]) -> None:
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        lines = made.stderr.strip().splitlines() or ["without a message"]
        fault = next((line for line in lines if "error" in line), lines[-1])
        raise NoReferenceError(
            f"{command[0]} could not build the C reference ({fault}), so the C figures are absent; use gcc 10 or newer."
        )


def _check_rows(n_rows: int) -> None:
    if n_rows % 2:
        raise ValueError(f"the C reference makes normals in pairs of rows and got {n_rows} rows; pass an even number.")
