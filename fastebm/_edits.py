"""Whether the library's own files are still those that this process imports.

The package imports this module first of all: what is on disk afterwards may no longer be what runs.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent


def sources() -> list[Path]:
    """The library's source files, sorted."""
    return sorted(map(Path, _stamps()))


def _stamps() -> dict[str, tuple[int, ...]]:
    """What tells an edit, by file: time stamps can be set back, but the time of that is a stamp too."""
    stamps: dict[str, tuple[int, ...]] = {}
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)  # not Path, which takes longer than the question to the system
                stat = os.stat(path)
                stamps[path] = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
    return stamps


_AT_IMPORT = _stamps()


def have_happened() -> bool:
    """Whether a source file was edited, replaced, added or removed since the import."""
    try:
        return _stamps() != _AT_IMPORT
    except OSError:  # a file vanished in between
        return True
