"""Tables read back exactly, whatever their dialect, and every fault is named with its place."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastebm import tables
from fastebm.files import FileFormatError, FileWriteError

X = np.array([[1.5, -2.0, 3e-300], [0.1, 1e22, -0.0]])
NAMES = ["a", "length (cm)", "c"]


def is_word(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == text.strip()
    return False


words = st.text("ab1.e-é\"'\n\r\t;, \0\u2028\ufeff😀", min_size=1, max_size=6).filter(is_word)
finite = st.floats(allow_nan=False, allow_infinity=False)
shapes = st.tuples(st.integers(1, 5), st.integers(1, 4))


@pytest.fixture
def table(tmp_path):
    """A function that writes a file and returns its path."""

    def make(content: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


class TestReading:
    @given(rows=shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=finite)), draw=st.data())
    def test_reading_gives_back_what_was_written(self, tmp_path_factory, rows, draw):
        names = draw.draw(st.lists(words, min_size=rows.shape[1], max_size=rows.shape[1]))
        path = tmp_path_factory.getbasetemp() / "any.csv"
        tables.write_csv(path, names, rows)
        got_names, got = tables.read_csv(path)
        assert got_names == names
        assert got.tobytes() == rows.tobytes()  # the sign of zero too

    @given(
        separator=st.sampled_from([",", ";", "\t", ", "]),
        end=st.sampled_from(["\n", "\r\n"]),
        blank=st.sampled_from(["", "\n", "\r\n\r\n", "  \n\n"]),
        mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
        quote=st.sampled_from(["", '"']),
        has_header=st.booleans(),
        is_compressed=st.booleans(),
    )
    def test_dialects_do_not_matter(
        self, tmp_path_factory, separator, end, blank, mark, quote, has_header, is_compressed
    ):
        quote = "" if separator == ", " else quote  # CSV has no quotes after a space
        rows = [[f"{quote}{field}{quote}" for field in row] for row in X.tolist()]
        header = [[f"{quote}{name}{quote}" for name in NAMES]] if has_header else []
        content = mark + (end.join(separator.join(row) for row in header + rows) + end + blank).encode()
        path = tmp_path_factory.getbasetemp() / "dialect.csv"
        path.write_bytes(gzip.compress(content) if is_compressed else content)
        names, got = tables.read_csv(path)
        assert names == (NAMES if has_header else ["x0", "x1", "x2"])
        assert got.tobytes() == X.tobytes()

    def test_a_last_line_may_lack_its_end(self, table):
        assert tables.read_csv(table("a,b\n1,2\n3,4"))[1].tolist() == [[1, 2], [3, 4]]

    def test_one_column(self, table):
        names, got = tables.read_csv(table("height\n1\n2\n"))
        assert (names, got.shape) == (["height"], (2, 1))

    def test_columns_are_chosen_by_name_in_the_order_asked_for(self, table):
        path = table("id;x;species;y\n7;1.0;setosa;2.0\n8;3.0;;4.0\n")
        names, got = tables.read_csv(path, ["y", "x"])
        assert names == ["y", "x"]
        np.testing.assert_array_equal(got, [[2, 1], [4, 3]])
        assert tables.read_csv(path, "y")[1].tolist() == [[2], [4]]

    def test_columns_of_a_file_without_a_header(self, table):
        assert tables.read_csv(table("1,2,3\n4,5,6\n"), ["x2"])[1].tolist() == [[3], [6]]

    def test_nameless_columns_are_called_by_their_position(self, table):
        assert tables.read_csv(table(",a\n0,5\n"))[0] == ["x0", "a"]

    def test_separators_in_quoted_names_do_not_count(self, table):
        assert tables.read_csv(table('"a;b",c\n1,2\n'))[0] == ["a;b", "c"]


class TestFaults:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("a,b\n1,2\n3,x\n", "line 3, column 2 ('b'): 'x' is not a number; write it like -1.5e3 or leave this"),
            ("a,b\n1,2\n,4\n", "line 3, column 1 ('a'): the value is missing; fill it in or remove the row."),
            ("1,2\n3, \n", "line 2, column 2 ('x1'): the value is missing"),
            (",2\n3,4\n", "line 1, column 1 ('x0'): the value is missing"),
            ("a,b\n1,nan\n", "line 2, column 2 ('b'): the value is nan; put a finite number or remove the row."),
            ("nan,2\n3,4\n", "line 1, column 1 ('x0'): the value is nan"),
            ("1,2\n3, -inf\n", "line 2, column 2 ('x1'): the value is -inf"),
            ("1,2\n3,1e999\n", "line 2, column 2 ('x1'): the value is 1e999"),
            ("a;b\n1,5;2\n", "line 2, column 1 ('a'): '1,5' is not a number"),
            ("a,b\n1,2\n3\n", "line 3, column 2: 'b' is missing, the line has 1 fields, but the first has 2; give"),
            ("a,b\n1,2,3\n", "line 2, column 3: nothing belongs there, the line has 3 fields, but the first has 2;"),
            ("a,b\n1,2\n\n3,4\n", "line 3: the line is blank; fill it in or remove it."),
            ("\na,b\n1,2\n", "line 1: the line is blank"),
            ("1,2x\n3,4\n", "line 1, column 2: '2x' is text beside numbers, so that the line is neither a header nor"),
            ('a,b\n1,"2\n3,4\n', "line 3, column 2 ('b'): '2\\n3,4\\n' is not a number"),
            ("a,b\r1,2\r", "line 1: this is no row of a CSV file ("),
            (b"a,b\n1,2\n\xff,4\n", "line 3: byte 0xff is not UTF-8 text; save the table as CSV in UTF-8."),
            ("a,b\n1,2\n".encode("utf-16"), "line 1: byte 0xff is not UTF-8 text"),
        ],
    )
    def test_the_place_is_named(self, table, content, message):
        path = table(content)
        with pytest.raises(FileFormatError, match=f"^{re.escape(f'{path}, {message}')}"):
            tables.read_csv(path)

    @given(draw=st.data(), shape=shapes, has_header=st.booleans(), fault=st.sampled_from(["NA", "", "inf", "1.2.3"]))
    def test_the_place_is_right_wherever_it_is(self, tmp_path_factory, draw, shape, has_header, fault):
        rows = [["1"] * shape[1] for _ in range(shape[0] + 1)]
        row, column = draw.draw(st.integers(1, shape[0])), draw.draw(st.integers(0, shape[1] - 1))
        rows[row][column] = fault
        header = [[f"c{i}" for i in range(shape[1])]] if has_header else []
        path = tmp_path_factory.getbasetemp() / "fault.csv"
        # the row of ones at the end keeps a missing value in a single column from being a blank end
        path.write_text("".join(",".join(fields) + "\n" for fields in [*header, *rows, ["1"] * shape[1]]))
        line = row + 1 + has_header
        with pytest.raises(FileFormatError) as caught:
            tables.read_csv(path)
        assert f", line {line}" in str(caught.value)
        assert f"column {column + 1} (" in str(caught.value) or (fault == "" and shape[1] == 1)

    @pytest.mark.parametrize("content", ["", "\n\n", " \n", "\ufeff"])
    def test_empty_files(self, table, content):
        with pytest.raises(FileFormatError, match=r"table\.csv is empty; pass a file with at least one row"):
            tables.read_csv(table(content))

    def test_a_header_alone(self, table):
        with pytest.raises(FileFormatError, match="has a header but no rows"):
            tables.read_csv(table("a,b\n\n"))

    def test_unknown_columns(self, table):
        path = table("a,b\n1,2\n")
        with pytest.raises(ValueError, match=r"has no column 'z'; its columns are 'a', 'b'\."):
            tables.read_csv(path, ["a", "z"])
        with pytest.raises(ValueError, match="columns is empty"):
            tables.read_csv(path, [])

    def test_ambiguous_columns(self, table):
        path = table("a,a,b\n1,2,3\n")
        assert tables.read_csv(path)[0] == ["a", "a", "b"]
        with pytest.raises(ValueError, match="has two columns of the name 'a'"):
            tables.read_csv(path, ["a"])

    def test_every_shortened_compressed_file_is_refused(self, table):
        whole = gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0)
        for length in range(len(whole)):
            with pytest.raises(FileFormatError, match=r"damaged|is empty"):
                tables.read_csv(table(whole[:length]))

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no\.csv cannot be read: No such file"):
            tables.read_csv(tmp_path / "no.csv")


class TestWriting:
    def test_numbers_that_are_not_finite_are_not_lost(self, tmp_path):
        tables.write_csv(tmp_path / "a.csv", ["a", "b"], [[np.nan, np.inf]])
        assert (tmp_path / "a.csv").read_text() == '"a","b"\nnan,inf\n'

    def test_a_refused_table_changes_nothing(self, table):
        path = table("old")
        with pytest.raises(ValueError, match=r"X has shape \(1, 2\), but there are 1 names"):
            tables.write_csv(path, ["a"], [[1.0, 2.0]])
        with pytest.raises(ValueError, match=r"X has shape \(2,\)"):
            tables.write_csv(path, ["a", "b"], [1.0, 2.0])
        for name in (" ", "1e3", "nan"):
            with pytest.raises(ValueError, match=f"'{name}' cannot be the name of a column"):
                tables.write_csv(path, ["a", name], [[1.0, 2.0]])
        assert path.read_text() == "old"

    def test_a_path_that_cannot_be_written(self, tmp_path):
        with pytest.raises(FileWriteError, match="it is a folder"):
            tables.write_csv(tmp_path, ["a"], [[1.0]])
