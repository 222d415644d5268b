"""Files are whole or not there, and never silently wrong."""

import errno
import json
import os
import resource
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastebm import files
from fastebm.files import FileFormatError, FileWriteError

HEADER = {"name": "ring", "hidden": [64, 64], "scale": 0.1, "data": None}
ARRAYS = {"theta": np.array([1.5, -0.0, np.nan]), "domain": np.array([[-np.inf, 2.0]]), "file": np.array([3, 4])}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('a1é"\\\n\0\u2028😀'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=6,
)
numbers = st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)


def assert_same(got: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """Equal names in equal order, dtypes, shapes and bits."""
    assert list(got) == list(wanted)
    for name, values in wanted.items():
        assert (got[name].dtype, got[name].shape) == (values.dtype, values.shape)
        assert got[name].tobytes() == values.tobytes()


def saved(folder: Path, name: str = "model.npz") -> Path:
    path = folder / name
    files.write(path, "energy", HEADER, ARRAYS)
    return path


class TestFormat:
    @given(
        header=st.dictionaries(st.text("abc"), json_values, max_size=3),
        arrays=st.dictionaries(st.text("abc_.1", min_size=1), numbers, max_size=3),
    )
    def test_reading_gives_back_what_was_written(self, tmp_path_factory, header, arrays):
        path = tmp_path_factory.getbasetemp() / "any.npz"
        files.write(path, "run", header, arrays)
        kind, got_header, got_arrays = files.read(path, ["energy", "run"])
        assert (kind, got_header) == ("run", header)
        assert_same(got_arrays, arrays)

    def test_views_and_fortran_order_are_saved_by_value(self, tmp_path):
        grid = np.arange(12.0).reshape(3, 4)
        files.write(tmp_path / "a", "run", {}, {"t": grid.T, "step": grid[:, ::2]})
        _, _, arrays = files.read(tmp_path / "a", ["run"])
        assert_same(arrays, {"t": np.ascontiguousarray(grid.T), "step": np.ascontiguousarray(grid[:, ::2])})

    def test_numpy_scalars_become_plain_numbers(self, tmp_path):
        files.write(tmp_path / "a", "run", {"n": np.int64(3), "x": np.float32(0.5), "pair": (1, 2)}, {})
        assert files.read(tmp_path / "a", ["run"])[1] == {"n": 3, "x": 0.5, "pair": [1, 2]}

    def test_equal_content_gives_equal_bytes(self, tmp_path):
        assert saved(tmp_path, "a").read_bytes() == saved(tmp_path, "b").read_bytes()

    def test_numpy_reads_the_arrays(self, tmp_path):
        with np.load(saved(tmp_path)) as archive:
            assert_same({name: archive[name] for name in ARRAYS}, ARRAYS)

    def test_objects_are_refused(self, tmp_path):
        with pytest.raises(TypeError, match="'a' has dtype object; save booleans or real numbers"):
            files.write(tmp_path / "a", "run", {}, {"a": np.array([{}])})
        assert list(tmp_path.iterdir()) == []


class TestDamage:
    def test_every_shorter_file_is_refused(self, tmp_path):
        path = saved(tmp_path)
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(FileFormatError, match="cut short or damaged" if length else "not a file that fastebm"):
                files.read(path, ["energy"])

    def assert_never_wrong(self, path: Path) -> None:
        try:
            kind, header, arrays = files.read(path, ["energy"])
        except FileFormatError:
            return
        assert (kind, header) == ("energy", HEADER)
        assert_same(arrays, ARRAYS)

    def test_no_changed_byte_changes_what_is_read(self, tmp_path):
        path = saved(tmp_path)
        whole = path.read_bytes()
        for place in range(len(whole)):
            for mask in (0x01, 0x20, 0xFF):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
                self.assert_never_wrong(path)

    @given(damage=st.data())
    def test_no_changed_stretch_changes_what_is_read(self, tmp_path_factory, damage):
        path = saved(tmp_path_factory.getbasetemp())
        whole = path.read_bytes()
        place = damage.draw(st.integers(0, len(whole) - 1))
        path.write_bytes(
            whole[:place] + damage.draw(st.binary(max_size=8)) + whole[place + damage.draw(st.integers(0, 8)) :]
        )
        self.assert_never_wrong(path)

    def test_a_damaged_shape_does_not_ask_for_memory(self, tmp_path):
        path = tmp_path / "run.npz"
        files.write(path, "run", {}, {"draws": np.ones(4444)})  # too long for zipfile to check it at the first glance
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"(4444,), }" + 10 * b" ", b"(4444444444444444,)}"))
        assert path.read_bytes() != whole
        with pytest.raises(FileFormatError, match="cut short or damaged"):
            files.read(path, ["run"])

    @pytest.mark.parametrize(
        ("member", "old", "new"),
        [
            ("fastebm.json", b"ring", b"king"),
            ("theta.npy", b"\xf8?", b"\xf0?"),
            ("theta.npy", b"(3,), }", b"(3,1),}"),
            ("file.npy", b"<i8", b"<u8"),
        ],
    )
    def test_content_that_the_zip_vouches_for_is_still_checked(self, tmp_path, member, old, new):
        """The mutant: another tool rewrote a member, so that every checksum of the zip is right."""
        path = saved(tmp_path)

        def change(name: str, content: bytes) -> bytes:
            return content.replace(old, new) if name == member else content

        rewrite(path, change)
        with pytest.raises(FileFormatError, match="cut short or damaged"):
            files.read(path, ["energy"])

    def test_pickles_are_never_loaded(self, tmp_path):
        path = saved(tmp_path)

        def pickled(name: str, content: bytes) -> bytes:
            if name != "theta.npy":
                return content
            np.save(tmp_path / "trap.npy", np.array([Trap()]), allow_pickle=True)
            return (tmp_path / "trap.npy").read_bytes()

        rewrite(path, pickled)
        with pytest.raises(FileFormatError, match="cut short or damaged"):
            files.read(path, ["energy"])


class Trap:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("a pickle was executed",)


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Change members of an archive and keep its comment."""
    with zipfile.ZipFile(path) as archive:
        members = {name: change(name, archive.read(name)) for name in archive.namelist()}
        comment = archive.comment
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment


class TestRefusals:
    def test_another_kind(self, tmp_path):
        with pytest.raises(FileFormatError, match="holds a saved energy, but a saved run or fit is needed here"):
            files.read(saved(tmp_path), ["run", "fit"])

    def test_a_newer_version(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(files, "_VERSION", 7)
            path = saved(tmp_path)
        with pytest.raises(FileFormatError, match="format version 7, but this fastebm reads versions up to 1; upgrade"):
            files.read(path, ["energy"])

    @pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"\x80\x04K\x01.", bytes(1000)])
    def test_other_files(self, tmp_path, content):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(FileFormatError, match="not a file that fastebm saved"):
            files.read(tmp_path / "a", ["energy"])

    def test_other_archives(self, tmp_path):
        np.savez(tmp_path / "a.npz", theta=np.ones(3))
        with pytest.raises(FileFormatError, match="not a file that fastebm saved"):
            files.read(tmp_path / "a.npz", ["energy"])
        with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
            archive.writestr("fastebm.json", json.dumps({"format": "other"}))
        with pytest.raises(FileFormatError, match="not a file that fastebm saved"):
            files.read(tmp_path / "b.npz", ["energy"])

    def test_nothing_to_read(self, tmp_path):
        with pytest.raises(
            FileNotFoundError, match=r"no\.npz cannot be read: No such file or directory; check the path\.$"
        ):
            files.read(tmp_path / "no.npz", ["energy"])
        with pytest.raises(IsADirectoryError, match="cannot be read: Is a directory"):
            files.read(tmp_path, ["energy"])


class TestReplacing:
    @pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
    def test_an_interrupted_block_changes_nothing(self, tmp_path, fault):
        path = tmp_path / "table.csv"
        path.write_text("old")

        def interrupted() -> None:
            with files.replacing(path) as temporary:
                temporary.write_text("half of the n")
                raise fault

        with pytest.raises(fault):
            interrupted()
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_old_file_stands_until_the_end(self, tmp_path):
        path = tmp_path / "picture.png"
        path.write_text("old")
        with files.replacing(path) as temporary:
            temporary.write_text("new")
            assert path.read_text() == "old"
            assert temporary.suffix == ".png"
        assert path.read_text() == "new"
        assert list(tmp_path.iterdir()) == [path]

    def test_two_writers_leave_one_whole_file(self, tmp_path):
        path = tmp_path / "a"
        with files.replacing(path) as first, files.replacing(path) as second:
            first.write_text("first")
            second.write_text("second")
        assert path.read_text() == "first"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_full_disk_keeps_the_old_file(self, tmp_path):
        path = saved(tmp_path)
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            with pytest.raises(FileWriteError, match=r"model\.npz cannot be written: File too large; choose") as caught:
                files.write(path, "run", {}, {"draws": np.ones(100_000)})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert str(caught.value).endswith("(a file that was there before is unchanged).")
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_a_disk_that_fails_late_keeps_the_old_file(self, tmp_path, monkeypatch):
        path = saved(tmp_path)
        before = path.read_bytes()

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(FileWriteError, match="cannot be written: No space left on device"):
            files.write(path, "run", {}, {})
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_a_link_keeps_pointing_to_its_file(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "file")
        with files.replacing(tmp_path / "link") as temporary:
            temporary.write_text("new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").read_text() == "new"

    def test_what_is_replaced_goes_on_at_its_own_path(self, tmp_path, monkeypatch):
        def unknown(*paths: Path) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        path, previous = tmp_path / "new.npz", tmp_path / "previous.npz"
        for turn in range(5):
            if turn == 3:  # a folder that knows no second names
                monkeypatch.setattr(os, "link", unknown)
            files.write(path, "thing", {"turn": turn}, {}, previous)
            assert files.read(path, ("thing",))[1] == {"turn": turn}
            if turn:
                assert files.read(previous, ("thing",))[1] == {"turn": turn - 1}
            assert len(os.listdir(tmp_path)) == 1 + bool(turn)

    def test_where_the_old_one_cannot_go_nothing_changes(self, tmp_path):
        path, previous = tmp_path / "new.npz", tmp_path / "folder"
        (previous / "full").mkdir(parents=True)
        files.write(path, "thing", {"turn": 0}, {}, previous)
        with pytest.raises(FileWriteError):
            files.write(path, "thing", {"turn": 1}, {}, previous)
        assert files.read(path, ("thing",))[1] == {"turn": 0}
        assert sorted(os.listdir(tmp_path)) == ["folder", "new.npz"]

    def test_permissions_are_those_of_any_new_file_or_of_the_old_one(self, tmp_path):
        (tmp_path / "ordinary").touch()
        with files.replacing(tmp_path / "new"):
            pass
        assert (tmp_path / "new").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
        (tmp_path / "new").chmod(0o640)
        with files.replacing(tmp_path / "new"):
            pass
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


class TestWritable:
    def test_leaves_nothing_behind(self, tmp_path):
        old = saved(tmp_path)
        before = old.read_bytes(), old.stat().st_mtime_ns
        assert files.writable(old) == old
        assert files.writable(str(tmp_path / "new.npz")) == tmp_path / "new.npz"
        assert (old.read_bytes(), old.stat().st_mtime_ns) == before
        assert list(tmp_path.iterdir()) == [old]

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            (".", "it is a folder"),
            ("", "it is a folder"),
            ("no/where/model.npz", "its folder .*where does not exist"),
            ("file/model.npz", "its folder .*file is not a folder"),
            (os.devnull, "it is not a regular file"),
            ("x" * 300, "File name too long"),
        ],
    )
    def test_names_what_is_wrong(self, tmp_path, path, why):
        (tmp_path / "file").touch()
        with pytest.raises(FileWriteError, match=rf" cannot be written: {why}; choose another path"):
            files.writable(tmp_path / path)

    def test_write_protection_is_respected(self, tmp_path, monkeypatch):
        path = saved(tmp_path)
        monkeypatch.setattr(os, "access", lambda *_: False)  # what root never sees from the operating system
        with pytest.raises(FileWriteError, match="it is write-protected"):
            files.writable(path)

    def test_what_is_read_is_not_replaced(self, tmp_path):
        path = saved(tmp_path)
        with pytest.raises(FileWriteError, match="it is what is read"):
            files.writable(tmp_path / "." / path.name, reads=[tmp_path / "other", path])

    def test_a_folder_without_permission(self, tmp_path, monkeypatch):
        def denied(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "touch", denied)
        with pytest.raises(FileWriteError, match="cannot be written: Permission denied"):
            files.writable(tmp_path / "model.npz")
