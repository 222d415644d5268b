"""Files that are whole or not there: the one way in which the library writes, and its one format.

A saved object is a zip archive that NumPy reads as .npz: one .npy member for each array and the member `fastebm.json`
with the format's name and version, the object's kind and its header. The archive's comment is the SHA-256 of all of it,
so that damage which the zip's own checksums do not see is found too. Nothing in a file is ever executed.
"""

import hashlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PathLike = str | os.PathLike[str]
Arrays = dict[str, NDArray[Any]]

_FORMAT, _VERSION = "fastebm", 1
_DOCUMENT = "fastebm.json"
_ZIP_START = b"PK\x03\x04"


class FileFormatError(ValueError):
    """A file does not hold what it should; the message says where and what to do."""


class FileWriteError(OSError):
    """A file cannot be written; the message says why and what to do."""


@contextmanager
def replacing(path: PathLike, previous: PathLike | None = None) -> Iterator[Path]:
    """A new empty file to write to, which becomes `path` when the block ends without an exception.

    It stands in the folder of `path` and has its suffix. Whatever goes wrong, the file that was at `path` before is
    unchanged; where the new one replaces it, it goes on as `previous`, if that is a path. Only SIGKILL or a power cut
    can leave the new file behind, under a name that begins with `.fastebm-`.

    Raises
    ------
    FileWriteError : `path` cannot be written, or an OSError occurred inside the block, such as a full disk.
    """
    target = Path(os.path.realpath(path))  # through a link, to the file itself
    temporary = _beside(target, path)
    try:
        yield temporary
        with open(temporary, "r+b") as stream:
            os.fsync(stream.fileno())  # else a power cut could leave the new name with no content
        if target.exists():
            temporary.chmod(target.stat().st_mode)
            if previous is not None:
                _link(target, Path(previous))
        os.replace(temporary, target)
    except OSError as fault:
        raise _not_writable(path, fault.strerror or str(fault)) from fault
    finally:
        temporary.unlink(missing_ok=True)


def _link(target: Path, other: Path) -> None:
    """`other` becomes a second name of the file, or a copy where a folder has no such thing; it is never half there."""
    temporary = target.with_name(f".fastebm-{secrets.token_hex(8)}{target.suffix}")
    try:
        try:
            os.link(target, temporary)
        except OSError:
            shutil.copy2(target, temporary)
        os.replace(temporary, other)
    finally:
        temporary.unlink(missing_ok=True)  # which `replace` leaves where both are names of one file


def writable(path: PathLike, reads: Sequence[PathLike] = ()) -> Path:
    """`path`, after making sure that a file can be written there: to be asked before long work.

    Leaves nothing behind and does not touch a file that is there already; `reads` are files that it must not replace.
    """
    if any(os.path.realpath(path) == os.path.realpath(read) for read in reads):
        raise _not_writable(path, "it is what is read")
    _beside(Path(os.path.realpath(path)), path).unlink()
    return Path(path)


def _beside(target: Path, path: PathLike) -> Path:
    """An empty file made in the folder of `target`, once nothing speaks against replacing `target`."""
    exists = os.path.exists(target)
    if os.path.isdir(target):
        raise _not_writable(path, "it is a folder")
    if exists and not os.path.isfile(target):
        raise _not_writable(path, "it is not a regular file")
    if exists and not os.access(target, os.W_OK):
        raise _not_writable(path, "it is write-protected")
    if not os.path.isdir(target.parent):
        there = "is not a folder" if os.path.exists(target.parent) else "does not exist"
        raise _not_writable(path, f"its folder {target.parent} {there}")
    temporary = target.with_name(f".fastebm-{secrets.token_hex(8)}{target.suffix}")
    try:
        with suppress(FileNotFoundError):
            target.stat()  # finds a name that is too long, which the temporary one is not
        temporary.touch(exist_ok=False)
    except OSError as fault:
        raise _not_writable(path, fault.strerror or str(fault)) from fault
    return temporary


def _not_writable(path: PathLike, why: str) -> FileWriteError:
    return FileWriteError(
        f"{path} cannot be written: {why}; choose another path or remove the cause "
        "(a file that was there before is unchanged)."
    )


def opened(path: PathLike) -> BufferedReader:
    """The file at `path`, open for reading bytes; the exception has the class of the operating system's own."""
    try:
        return open(path, "rb")
    except OSError as fault:
        raise type(fault)(f"{path} cannot be read: {fault.strerror or fault}; check the path.") from fault


def write(
    path: PathLike, kind: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]],
    previous: PathLike | None = None,
) -> None:
    """Save an object of this kind at `path`, whole or not at all.

    The same content always gives the same bytes.

    Parameters
    ----------
    path : written exactly as given, no suffix is added.
    kind : one word that `read` will ask for, such as "energy".
    header : what JSON can hold; NumPy's scalars become plain numbers, tuples become lists.
    arrays : name to array of booleans or real numbers, any shape; other dtypes raise TypeError.
    previous : the path at which the file that is replaced is kept.

    Raises
    ------
    FileWriteError : the file cannot be written; what was there is unchanged.
    """
    ordered = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    for name, values in ordered.items():
        if values.dtype.kind not in "biuf":
            raise TypeError(f"array {name!r} has dtype {values.dtype}; save booleans or real numbers.")
    fields = {"format": _FORMAT, "version": _VERSION, "kind": kind, "header": dict(header)}
    document = json.dumps(fields, indent=1, default=np.generic.item).encode()
    with replacing(path, previous) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        # ZipInfo's fixed date, not today's, makes files comparable
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), document)
        for name, values in ordered.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        archive.comment = _digest(document, ordered)


def read(path: PathLike, kinds: Sequence[str]) -> tuple[str, dict[str, Any], Arrays]:
    """The kind, header and arrays of the saved object at `path`, which must be of one of these kinds.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError : nothing at `path` can be read.
    FileFormatError : the file is of another format or kind, from a newer version, cut short or damaged.
    """
    with opened(path) as stream:
        start = stream.read(len(_ZIP_START))
        try:
            with zipfile.ZipFile(stream) as archive:
                return _contents(archive, path, kinds)
        except (FileFormatError, MemoryError):
            raise
        except Exception as fault:  # zipfile, json and NumPy answer damaged bytes with a dozen kinds of exception
            if not start or not _ZIP_START.startswith(start):
                raise _foreign(path) from fault
            raise _damaged(path) from fault


def _contents(archive: zipfile.ZipFile, path: PathLike, kinds: Sequence[str]) -> tuple[str, dict[str, Any], Arrays]:
    """What `read` returns. The document comes first: a newer version may have changed everything else."""
    if _DOCUMENT not in archive.namelist():
        raise _foreign(path)
    document = archive.read(_DOCUMENT)
    fields = json.loads(document)
    if fields["format"] != _FORMAT:
        raise _foreign(path)
    if fields["version"] > _VERSION:
        raise FileFormatError(
            f"{path} has format version {fields['version']}, but this fastebm reads versions up to {_VERSION}; "
            "upgrade with pip install --upgrade fastebm."
        )
    if archive.testzip() is not None:  # before NumPy believes a damaged shape and asks for all the memory
        raise _damaged(path)
    arrays: Arrays = {}
    for name in archive.namelist():
        if name != _DOCUMENT:
            with archive.open(name) as member:
                arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
    if archive.comment != _digest(document, arrays):
        raise _damaged(path)
    if fields["kind"] not in kinds:
        raise FileFormatError(
            f"{path} holds a saved {fields['kind']}, but a saved {' or '.join(kinds)} is needed here; "
            "pass the path of one."
        )
    return fields["kind"], fields["header"], arrays


def _digest(document: bytes, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """SHA-256 of the document, and of name, dtype, shape and content of every array, in hexadecimal."""
    digest = hashlib.sha256(document)
    for name, values in arrays.items():
        digest.update(repr((name, values.dtype.str, values.shape)).encode())
        digest.update(values.data)
    return digest.hexdigest().encode()


def _foreign(path: PathLike) -> FileFormatError:
    return FileFormatError(f"{path} is not a file that fastebm saved; pass the path of one that is.")


def _damaged(path: PathLike) -> FileFormatError:
    return FileFormatError(f"{path} is cut short or damaged; take a copy, or make and save it again.")
