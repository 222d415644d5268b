"""What the figures were measured on."""

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fastebm
from benchmarks import reference


def describe() -> dict[str, str]:
    """Processor, processors this process may use, and the versions of what takes part; "none" for what is missing."""
    return {
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "python": platform.python_version(),
        "fastebm": fastebm.__version__,
        **{package: package_version(package) for package in ("numpy", "numba")},
        "gcc": reference.compiler_version(),
    }


@contextlib.contextmanager
def one_processor() -> Iterator[None]:
    """Keep this thread, and processes that it starts, on one processor, for figures of one thread.

    fastebm counts the processors that it may use. Where a system does not say which these are, nothing changes.
    """
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def package_version(package: str) -> str:
    """The installed version of a distribution, "none" if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
