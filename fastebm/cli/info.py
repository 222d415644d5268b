"""Versions, processors and where compiled code is kept."""

import argparse
import importlib.metadata
import platform

from fastebm import _compile, tiles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(chosen: argparse.Namespace) -> int:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "numba", "scipy"))
    folder = _compile.cache_folder()
    kept = list(folder.glob("*.bin")) if folder.is_dir() else []
    size = sum(path.stat().st_size for path in kept) / 1e6
    print(f"fastebm {importlib.metadata.version('fastebm')}, Python {platform.python_version()}, {versions}")
    print(f"{platform.machine()}, {platform.system()}, {tiles.threads(None)} thread(s) by default")
    print(f"compiled code: {len(kept)} function(s), {size:.1f} MB in {folder}")
    return 0
