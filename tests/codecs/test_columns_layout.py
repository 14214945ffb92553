"""Layouts of blocks of columns: kept for the next block, bounded, and no shortcut past a check."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from assay.codecs import columns_bytes
from assay.codecs.columns import Columns, Ragged, Strings
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.codecs.columns_layout import HEAD, KEPT, KEPT_BYTES, layout_of
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

COLUMNS: Columns = {
    "flag": np.array([True, False]),
    "list": Ragged(np.array([0, 1, 3]), {"k": Strings.of(["a", "b", "c"]), "v": np.arange(3)}),
    "matrix": np.arange(6, dtype=np.int32).reshape(2, 3),
    "text": Strings.of(["x", None]),
}


def number_at(path: str) -> int:
    """Where a number stands in the bytes of COLUMNS: `column.which`."""
    order = [
        "flag.rows",
        "list.rows",
        "list.items",
        "k.rows",
        "k.bytes",
        "v.rows",
        "matrix.rows",
        "matrix.width",
        "text.rows",
        "text.bytes",
    ]
    return HEAD.size + int(layout_of(COLUMNS).numbers_at[order.index(path)])


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("flag.rows", 2**40, "an array is larger"),
        ("flag.rows", 2**63, "an array is larger"),
        ("matrix.width", 2**31 + 1, "an array is larger"),
        ("matrix.width", 2**63, "an array is larger"),
        ("matrix.width", 2**30, "an array is larger"),
        ("text.rows", 2**40, "an array is larger"),
        ("text.rows", 2**63, "an array is larger"),
        ("text.bytes", 2, "lengths of strings do not add up"),
        ("text.bytes", 2**63, "an array is larger"),
        ("list.rows", 2**40, "an array is larger"),
        ("list.items", 2, "a list's columns differ|lengths of lists"),
        ("list.items", 2**63, "an array is larger"),
        ("k.rows", 2, "a list's columns differ in length"),
        ("v.rows", 4, "a list's columns differ in length"),
    ],
)
@pytest.mark.parametrize("known", [False, True], ids=["a new layout", "a layout that was seen"])
def test_numbers_that_do_not_fit_the_bytes_are_refused(path: str, value: int, what: str, known: bool) -> None:
    data = bytearray(columns_to_bytes(COLUMNS))
    columns_bytes._seen.clear()
    if known:
        columns_from_bytes(bytes(data))
    struct.pack_into("<Q", data, number_at(path), value)
    with pytest.raises(Quarantine, match=what) as refused:
        columns_from_bytes(bytes(data))
    assert refused.value.reason is Reason.BYTES_GARBAGE


@pytest.mark.parametrize(
    ("columns", "before", "after", "what"),
    [
        ({"t": Strings.of(["ab", "c"])}, struct.pack("<ii", 2, 1), struct.pack("<ii", 4, -2), "lengths of strings"),
        ({"t": Strings.of(["ab", "c"])}, struct.pack("<ii", 2, 1), struct.pack("<ii", 2, 2), "lengths of strings"),
        ({"l": Ragged(np.array([0, 2, 3]), {"v": np.arange(3)})}, struct.pack("<qq", 2, 1), struct.pack("<qq", 4, -1), "lengths of lists"),
        ({"l": Ragged(np.array([0, 2, 3]), {"v": np.arange(3)})}, struct.pack("<qq", 2, 1), struct.pack("<qq", 2, 0), "lengths of lists"),
        ({"l": Ragged(np.array([0, 2, 3]), {"v": np.arange(3)})}, struct.pack("<qq", 2, 1), struct.pack("<qq", 3, 1), "lengths of lists"),
        ({"f": np.array([True, False])}, b"\1\0\0\0\0\0\0\0", b"\2\0\0\0\0\0\0\0", "a boolean"),
    ],
)
def test_lengths_counts_and_flags_are_checked(columns: Columns, before: bytes, after: bytes, what: str) -> None:
    data = columns_to_bytes(columns)
    assert data.count(before) == 1
    with pytest.raises(Quarantine, match=what):
        columns_from_bytes(data.replace(before, after))


def test_bytes_behind_the_last_column_are_refused() -> None:
    data = columns_to_bytes(COLUMNS) + bytes(8)
    with pytest.raises(Quarantine, match="left over"):
        columns_from_bytes(data)


def test_two_layouts_with_headers_of_one_length_are_told_apart() -> None:
    one: Columns = {"ab": np.arange(3), "t": Strings.of(["x", "y", "z"])}
    other: Columns = {"cd": np.arange(3), "t": Strings.of(["x", "y", "z"])}
    for _ in range(2):
        for columns in (one, other):
            assert list(columns_from_bytes(columns_to_bytes(columns))) == list(columns)


def test_a_block_of_a_known_layout_has_numbers_of_its_own() -> None:
    for n in (3, 0, 1, 200):
        columns: Columns = {"n": np.arange(n), "t": Strings.of([str(i) for i in range(n)])}
        back = columns_from_bytes(columns_to_bytes(columns))
        assert np.asarray(back["n"]).tolist() == list(range(n))
        text = back["t"]
        assert isinstance(text, Strings)
        assert text.text() == [str(i) for i in range(n)]


def test_no_more_than_a_bound_of_layouts_are_kept_whatever_comes() -> None:
    columns_bytes._seen.clear()
    for number in range(3 * KEPT):
        columns_from_bytes(columns_to_bytes({f"column{number}": np.arange(2)}))
        assert sum(map(len, columns_bytes._seen.values())) <= KEPT
    long: Columns = {"x" * 60_000: np.arange(2)}
    columns_from_bytes(columns_to_bytes(long))
    assert all(size <= KEPT_BYTES for size in columns_bytes._seen)


def test_a_layout_is_bound_once_per_set_of_columns() -> None:
    first = layout_of({"b": np.arange(3), "a": Strings.of(["x"] * 3)})
    assert layout_of({"b": np.arange(5), "a": Strings.of(["y"] * 5)}) is first
    assert layout_of({"b": np.arange(3, dtype=np.int32), "a": Strings.of(["x"] * 3)}) is not first
    assert [entry.name for entry in first.entries] == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "rows"),
    [({"n": np.arange(4)}, 5), ({"f": np.array([True] * 8)}, 9), ({"t": Strings.of(["a"])}, 5), ({"t": Strings.of(["abcdefgh"])}, 7)],
)
def test_rows_a_little_beyond_the_bytes_are_refused_before_they_are_read(columns: Columns, rows: int) -> None:
    data = bytearray(columns_to_bytes(columns))
    struct.pack_into("<Q", data, HEAD.size + int(layout_of(columns).numbers_at[0]), rows)
    with pytest.raises(Quarantine, match="an array is larger than the bytes"):
        columns_from_bytes(bytes(data))


def test_a_negative_count_that_a_later_one_makes_good_is_refused() -> None:
    data = columns_to_bytes({"l": Ragged(np.array([0, 2, 3]), {"v": np.arange(3)})})
    with pytest.raises(Quarantine, match="lengths of lists"):
        columns_from_bytes(data.replace(struct.pack("<qq", 2, 1), struct.pack("<qq", -1, 4)))


def test_a_row_outside_of_its_buffer_is_not_written() -> None:
    outside = Strings(np.zeros(3, np.uint8), np.array([1], np.int64), np.array([9], np.int32))
    with pytest.raises(Stop) as refused:
        columns_to_bytes({"t": outside})
    assert refused.value.reason is Reason.COLUMNS_MISMATCH
