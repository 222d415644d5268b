"""Whether the library's own files are still those that this process imports.

The package imports this module first of all: what is on disk afterwards may no longer be what runs.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent


def sources() -> list[Path]:
    """The library's source files, sorted."""
    folders = os.walk(FOLDER)
    return sorted(Path(folder, name) for folder, _, names in folders for name in names if name.endswith(".py"))


def _stamps() -> dict[Path, tuple[int, ...]]:
    """What tells an edit, by file: time stamps can be set back, but the time of that is a stamp too."""
    stats = ((path, path.stat()) for path in sources())
    return {path: (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino) for path, stat in stats}


_AT_IMPORT = _stamps()


def have_happened() -> bool:
    """Whether a source file was edited, replaced, added or removed since the import."""
    try:
        return _stamps() != _AT_IMPORT
    except OSError:  # a file vanished in between
        return True
