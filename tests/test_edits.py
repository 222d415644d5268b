"""Edits of the library while a process runs are noticed, and machine code of before is not taken for that of after."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastebm
from fastebm import _edits


@pytest.fixture
def library(tmp_path):
    """A copy of the library."""
    copy = tmp_path / "copy" / "fastebm"
    shutil.copytree(Path(fastebm.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def edited_unseen(path):
    """The same size and time stamp as before."""
    before = path.stat()
    path.write_text(path.read_text().replace("a", "b", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path):
    shutil.copy2(path, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


@pytest.mark.parametrize("edit", [
    edited_unseen, replaced, os.utime, os.unlink, lambda path: path.write_text(""),
    lambda path: (path.parent / "new.py").write_text(""), lambda path: shutil.rmtree(path.parent),
], ids=["unseen", "replaced", "touched", "removed", "emptied", "added", "folder removed"])
def test_every_edit_is_noticed(library, monkeypatch, edit):
    monkeypatch.setattr(_edits, "FOLDER", library)
    monkeypatch.setattr(_edits, "_AT_IMPORT", _edits._stamps())
    assert not _edits.have_happened()
    edit(library / "lanes" / "vectors.py")
    assert _edits.have_happened()


def test_no_module_is_imported_before(library):
    """A module that was read before the first look could have changed in between."""
    order = run(library, "import fastebm, sys; print(*[name for name in sys.modules if 'fastebm.' in name])").stdout
    assert order.split()[0] == "fastebm._edits"


def run(library, script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False, cwd=library.parent,
        env={**os.environ, "PYTHONPATH": str(library.parent), **environment},
    )


SLOPE = "store(g, i, l, slope)"  # of dual numbers, which a function without a source is left with
DEFINE = """
import logging, os, sys
from pathlib import Path
import fastebm as eb
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
path = Path(eb.__file__).parent / "energies" / "lane_code.py"
before, times = path.read_text(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
FIRST
for x in (5.0, 4.0):
    print(eb.energy(1)(eval("lambda x: x[0]" " ** 2")).grad([x])[0])
THEN
"""
EDIT = f"path.write_text(before.replace({SLOPE!r}, {SLOPE.replace('slope', '2.0 * slope')!r}))"


@pytest.mark.parametrize(("first", "then", "slopes", "later"), [
    (f"import fastebm.energies.lane_code; {EDIT}; os.utime(path, ns=times)", "", [10.0, 8.0], [20.0, 16.0]),
    (f"from fastebm import _compile; _compile._environment(); {EDIT}", "path.write_text(before)",
     [20.0, 16.0], [10.0, 8.0]),
], ids=["after the import", "before the import and back"])
def test_code_of_other_sources_is_not_kept(library, tmp_path, first, then, slopes, later):
    """A process whose sources are edited runs what it imported; later ones must not find its code for theirs."""
    assert (library / "energies" / "lane_code.py").read_text().count(SLOPE) == 1
    cache = tmp_path / "cache"

    def lines(first="", then=""):
        script = DEFINE.replace("FIRST", first).replace("THEN", then)
        ran = run(library, script, NUMBA_CACHE_DIR=str(cache), PYTHONDONTWRITEBYTECODE="1")
        assert not ran.returncode, ran.stderr
        said = ran.stdout.splitlines()
        return [float(line) for line in said if "compiling" not in line], said.count("compiling grad of <lambda>")

    assert lines(first, then) == (slopes, 1)
    assert not any("grad" in path.name for path in cache.rglob("*"))
    assert lines() == (later, 1)
    assert any("grad" in path.name for path in cache.rglob("*"))
    assert lines() == (later, 0)
