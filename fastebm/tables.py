"""Tables of numbers as CSV files: read with the place of every fault named, written so that they read back exactly.

A table is UTF-8 text, one row a line, its fields separated by commas, semicolons or tabs and possibly quoted. A first
line without any number is a header. A file compressed by gzip is read like a plain one.
"""

import csv
import gzip
import itertools
import math
import re
import reprlib
import zlib
from array import array
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import TextIO

import numpy as np
from numpy.typing import ArrayLike

from fastebm import _checks
from fastebm.files import FileFormatError, PathLike, opened, replacing

_Record = tuple[int, list[str]]  # number of the line in the file, fields

_GZIP_START = b"\x1f\x8b"
_QUOTED = re.compile(r'"[^"]*("|$)')


def read_csv(path: PathLike, columns: Sequence[str] | None = None) -> tuple[list[str], _checks.FloatArray]:
    """The names and the numbers, an array (n, dim), of a table's columns.

    Every field that is read must be a finite number; columns that are not asked for may hold anything. Blank lines at
    the end are allowed.

    Parameters
    ----------
    path : a CSV file. Fields are separated by tabs if the first line has one, else by semicolons, else by commas.
    columns : names of the wanted columns, in the wanted order; None for all. The columns of a file without a header,
        and columns without a name, are called x0, x1 and so on by their position.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError : nothing at `path` can be read.
    FileFormatError : the file is not such a table; the message names file, line and column of the first fault.
    ValueError : a wanted column does not exist, or two have its name.
    """
    with opened(path) as stream:
        records = _records(path, _lines(path, stream))
        head = next(records, None)
        if head is None:
            raise FileFormatError(f"{path} is empty; pass a file with at least one row of numbers.")
        names = _header(path, *head)
        if names is None:
            names = [f"x{i}" for i in range(len(head[1]))]
            records = itertools.chain([head], records)
        wanted = list(range(len(names))) if columns is None else _positions(path, names, columns)
        values = array("d")
        for line, fields in records:
            if len(fields) != len(names):
                raise _ragged(path, line, names, len(fields))
            try:
                row = [float(fields[i]) for i in wanted]
            except ValueError:
                row = [math.nan]
            if not all(map(math.isfinite, row)):
                raise _not_numbers(path, line, names, fields, wanted)
            values.extend(row)
    if not values:
        raise FileFormatError(f"{path} has a header but no rows; pass a file with at least one row of numbers.")
    return [names[i] for i in wanted], np.array(values).reshape(-1, len(wanted))


def write_csv(path: PathLike, names: Sequence[str], X: ArrayLike) -> None:
    """Save the array X (n, dim) with the names of its columns as a CSV file, whole or not at all.

    Numbers have as many digits as bring back the same float64. Numbers that are not finite are written too, as nan and
    inf, but `read_csv` refuses them.

    Raises
    ------
    ValueError : X is not (n, dim) with dim = len(names), or a name is empty or a number, hence not a header's.
    FileWriteError : the file cannot be written; what was there is unchanged.
    """
    rows = _checks.array(X, "X")
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ValueError(f"X has shape {rows.shape}, but there are {len(names)} names; pass one name for each column.")
    for name in names:
        if not name.strip() or _is_number(name):
            raise ValueError(f"{name!r} cannot be the name of a column; pass names that are not empty and not numbers.")
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        print_csv(stream, names, rows)


def print_csv(stream: TextIO, names: Sequence[str], X: _checks.FloatArray) -> None:
    """Write the array X (n, dim) with the names of its columns to an open text stream, in the form of `write_csv`."""
    # quoted names, so that separators and line breaks in them are read back too
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(row.tolist() for row in X)


def _lines(path: PathLike, stream: BufferedReader) -> Iterator[str]:
    is_compressed = stream.peek(2).startswith(_GZIP_START)
    try:
        for number, line in enumerate(gzip.GzipFile(fileobj=stream) if is_compressed else stream, 1):
            try:
                # utf-8-sig drops the byte order mark that some programs put first
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as fault:
                raise FileFormatError(
                    f"{path}, line {number}: byte 0x{line[fault.start]:02x} is not UTF-8 text; "
                    "save the table as CSV in UTF-8."
                ) from fault
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise FileFormatError(f"{path} is compressed by gzip and damaged ({fault}); take a copy.") from fault


def _records(path: PathLike, lines: Iterator[str]) -> Iterator[_Record]:
    """Rows with their line numbers; blank lines are dropped at the end and refused elsewhere."""
    first = next(lines, "")
    unquoted = _QUOTED.sub("", first)
    separator = next((mark for mark in "\t;" if mark in unquoted), ",")
    reader = csv.reader(itertools.chain([first], lines), delimiter=separator)
    blank = 0
    try:
        for fields in reader:
            if len(fields) <= 1 and not "".join(fields).strip():
                blank = blank or reader.line_num
            elif blank:
                raise FileFormatError(f"{path}, line {blank}: the line is blank; fill it in or remove it.")
            else:
                yield reader.line_num, fields
    except csv.Error as fault:
        raise FileFormatError(
            f"{path}, line {reader.line_num}: this is no row of a CSV file ({fault}); "
            "close every quote and end every line with a line feed."
        ) from fault


def _header(path: PathLike, line: int, fields: list[str]) -> list[str] | None:
    """The names in a file's first row; None if it is a row of data, empty fields and nan included."""
    texts = [i for i, field in enumerate(fields) if field.strip() and not _is_number(field)]
    if not texts:
        return None
    if any(map(_is_number, fields)):
        # taken for a header, a row with one typing error would be lost without a word
        raise FileFormatError(
            f"{path}, line {line}, column {texts[0] + 1}: {reprlib.repr(fields[texts[0]])} is text beside numbers, so "
            "that the line is neither a header nor data; name every column by a word, or correct the field."
        )
    return [field.strip() or f"x{i}" for i, field in enumerate(fields)]


def _positions(path: PathLike, names: list[str], columns: Sequence[str]) -> list[int]:
    wanted = [columns] if isinstance(columns, str) else list(columns)
    if not wanted:
        raise ValueError("columns is empty; pass at least one name, or None for all columns.")
    for name in wanted:
        if names.count(name) != 1:
            fault = "has two columns of the name" if name in names else "has no column"
            raise ValueError(f"{path} {fault} {name!r}; its columns are {', '.join(map(repr, names))}.")
    return [names.index(name) for name in wanted]


def _ragged(path: PathLike, line: int, names: list[str], width: int) -> FileFormatError:
    column = min(width, len(names)) + 1
    fault = f"{names[width]!r} is missing" if width < len(names) else "nothing belongs there"
    return FileFormatError(
        f"{path}, line {line}, column {column}: {fault}, the line has {width} fields, but the first has {len(names)}; "
        "give every line as many fields."
    )


def _not_numbers(
    path: PathLike, line: int, names: list[str], fields: list[str], wanted: Sequence[int]
) -> FileFormatError:
    """The error for the first wanted field that is not a finite number."""
    i = next(i for i in wanted if not _is_number(fields[i]) or not math.isfinite(float(fields[i])))
    if not fields[i].strip():
        fault = "the value is missing; fill it in or remove the row"
    elif _is_number(fields[i]):
        fault = f"the value is {fields[i].strip()}; put a finite number or remove the row"
    else:
        fault = f"{reprlib.repr(fields[i])} is not a number; write it like -1.5e3 or leave this column out"
    return FileFormatError(f"{path}, line {line}, column {i + 1} ({names[i]!r}): {fault}.")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
