"""The command that describes this installation: every number in it is the true one."""

import importlib.metadata
import platform

import pytest

from fastebm import _compile, tiles
from fastebm.cli import main


def lines(capsys):
    assert main(["info"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def test_versions(capsys):
    first = lines(capsys)[0]
    assert f"Python {platform.python_version()}" in first
    for name in ("fastebm", "numpy", "numba", "scipy"):
        assert f"{name} {importlib.metadata.version(name)}" in first


def test_machine_and_threads(capsys, monkeypatch):
    monkeypatch.setattr(tiles, "threads", lambda given: 7 if given is None else 0)
    assert lines(capsys)[1] == f"{platform.machine()}, {platform.system()}, 7 thread(s) by default"


@pytest.mark.parametrize("sizes", [None, [], [1_234_000, 2_000_000]], ids=["no folder", "empty", "two"])
def test_compiled_code(sizes, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "fastebm"
    if sizes is not None:
        folder.mkdir()
        (folder / "left_over.tmp").write_bytes(b"0" * 500_000)
    for i, size in enumerate(sizes or []):
        (folder / f"{i}.bin").write_bytes(b"0" * size)
    monkeypatch.setattr(_compile, "cache_folder", lambda: folder)
    seen = "2 function(s), 3.2 MB" if sizes else "0 function(s), 0.0 MB"
    assert lines(capsys)[2] == f"compiled code: {seen} in {folder}"
    assert folder.exists() == (sizes is not None)
