"""Rows are counted by the bytes of a CSV, as Python's own reader counts them, and what parsers read differently is found with its row."""

from __future__ import annotations

import csv
import io

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.oracle.csv_survey import Dialect, Fault, Survey, survey

PLAIN = Dialect(ord(","), ord('"'), False, False)
ESCAPED = PLAIN._replace(escape_declared=True)
MULTILINE = PLAIN._replace(multiline=True)
UNQUOTED = PLAIN._replace(quote=None)
FIELD = st.text(st.sampled_from('ab,"\n;ü'), max_size=4)
TABLES = st.integers(2, 3).flatmap(lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), min_size=1, max_size=6))


@pytest.mark.parametrize(
    ("text", "dialect", "rows"),
    [
        ("a,b", PLAIN, 0),
        ("a,b\n1,2\n3,4", PLAIN, 2),
        ("a,b\r\n1,2\r\n3,4", PLAIN, 2),
        ('a,b\n"1","2"\n"",', PLAIN, 2),
        ('a,b\n"x,""y""",2', PLAIN, 1),
        ('a,b\n"x\ny",2', MULTILINE, 1),
        ('a,b\n"x\\",2', ESCAPED, 1),
        ('a,b\n5" pipe,6" pipe', UNQUOTED, 1),
    ],
)
def test_rows_are_counted(text: str, dialect: Dialect, rows: int) -> None:
    assert survey(text.encode(), dialect) == Survey(rows, text.find("\n") if "\n" in text else len(text))


@pytest.mark.parametrize(
    ("text", "dialect", "row", "what"),
    [
        ('a,b\n1,2\n"x\\"",4', PLAIN, 2, "a backslash before a quotation mark"),
        ('a,b\n1,2\n5" pipe,4', PLAIN, 2, "a quotation mark in the middle of a field"),
        ('a,b\n1,2\n"5"" pipe"s,4', PLAIN, 2, "a quotation mark in the middle of a field"),
        ('a,b\n1,2\n"x\ny",4\n5,6', PLAIN, 2, "a line break within a quoted field"),
        ('a,b\n1,2\n"x,4\n5,6', PLAIN, 2, "a quotation mark that is never closed"),
        ('a,b\n1,2\n"x,4\n5,6', MULTILINE, 2, "a quotation mark that is never closed"),
        ("a,b\n1,2\n3,4,5\n6,7", PLAIN, 2, "3 fields, the header has 2"),
        ("a,b\n1,2\n3\n6,7", PLAIN, 2, "1 field, the header has 2"),
        ("a,b\n1,2\n3", PLAIN, 2, "1 field, the header has 2: the file ends in the middle of a row"),
        ("a,b\n1,2\n\n3,4", PLAIN, 2, "an empty line"),
        ("a,b\r\n1,2\r\n\r\n3,4", PLAIN, 2, "an empty line"),
        ("a,b\r1,2\r3,4", PLAIN, 0, "a carriage return that ends no line"),
        ('a,"b\n1,2', PLAIN, 0, "a quotation mark that is never closed"),
    ],
)
def test_the_first_fault_is_found_with_its_row(text: str, dialect: Dialect, row: int, what: str) -> None:
    for block_bytes in (1 << 20, 1):
        found = survey(text.encode(), dialect, block_bytes)
        assert isinstance(found, Fault)
        assert (found.row, found.what) == (row, what)
        assert found.remedy


@settings(deadline=None, max_examples=drawn(300))
@given(table=TABLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), block_bytes=st.integers(1, 64))
def test_what_pythons_writer_writes_is_counted_in_blocks_of_any_size(table: list[list[str]], quoting: int, block_bytes: int) -> None:
    held = io.StringIO(newline="")
    csv.writer(held, quoting=quoting, lineterminator="\n").writerows(table)  # type: ignore[arg-type]  # both are constants of the module
    found = survey(held.getvalue().removesuffix("\n").encode(), MULTILINE, block_bytes)
    assert isinstance(found, Survey)
    assert found.rows == len(table) - 1


@settings(deadline=None, max_examples=drawn(1_000))
@given(text=st.text(st.sampled_from('a,"\n'), max_size=24), block_bytes=st.integers(1, 8))
def test_a_text_without_a_fault_is_what_pythons_reader_reads(text: str, block_bytes: int) -> None:
    text = text.strip("\n")
    found = survey(text.encode(), MULTILINE, block_bytes)
    assert found == survey(text.encode(), MULTILINE), "blocks change nothing"
    if isinstance(found, Survey) and text:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert found.rows == len(rows) - 1
        assert {len(row) for row in rows} == {len(rows[0])}
