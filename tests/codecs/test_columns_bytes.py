"""The bytes of columns: exact both ways, equal for equal content, and refused by reason when damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Column, Columns, Ragged, Strings, take
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def same(a: Column, b: Column) -> bool:
    """Equal kind, dtype, shape and bytes; strings and lists row by row."""
    if isinstance(a, Strings) and isinstance(b, Strings):
        return a.tolist() == b.tolist()
    if isinstance(a, Ragged) and isinstance(b, Ragged):
        alike = np.array_equal(np.diff(a.offsets), np.diff(b.offsets)) and a.children.keys() == b.children.keys()
        return alike and all(same(child, b.children[name]) for name, child in a.children.items())
    assert isinstance(a, np.ndarray)
    assert isinstance(b, np.ndarray)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@st.composite
def column(draw: st.DrawFn, n: int, depth: int = 1) -> Column:
    """Any column of n rows."""
    kind = draw(st.sampled_from(["array", "strings", *(["lists"] if depth else [])]))
    if kind == "strings":
        return Strings.of(draw(st.lists(st.none() | st.binary(max_size=9), min_size=n, max_size=n)))
    if kind == "lists":
        counts = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
        children = draw(st.dictionaries(st.text(max_size=3), column(sum(counts), depth - 1), min_size=1, max_size=2))
        return Ragged(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), children)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    width = draw(st.sampled_from([None, 0, 1, 5]))
    shape = (n,) if width is None else (n, width)
    raw = np.frombuffer(draw(st.randoms(use_true_random=False)).randbytes(n * (width or 1) * dtype.itemsize + 8), np.uint8)
    if dtype == np.bool_:
        raw = np.bitwise_and(raw, np.uint8(1))
    return raw[: int(np.prod(shape)) * dtype.itemsize].copy().view(dtype).reshape(shape)


def groups() -> st.SearchStrategy[Columns]:
    """Columns of the same number of rows."""
    return st.integers(0, 6).flatmap(lambda n: st.dictionaries(st.text(max_size=6), column(n), max_size=5))


@given(groups())
@settings(deadline=None, max_examples=drawn(100))
def test_columns_come_back_exactly(columns: Columns) -> None:
    data = columns_to_bytes(columns)
    back = columns_from_bytes(data)
    assert list(back) == sorted(columns)
    assert all(same(back[name], value) for name, value in columns.items())
    assert columns_to_bytes(back) == data


def test_equal_content_gives_equal_bytes_whatever_the_buffers_look_like() -> None:
    columns: Columns = {
        "b": Strings.of(["x", None, "yy", "x"]),
        "a": Ragged(np.array([0, 2, 2, 3, 4]), {"k": Strings.of(["p", "q", "r", "s"]), "v": np.arange(4.0)}),
        "n": np.array([7, 7, 7, 7]),
    }
    turned = take(take(columns, np.array([3, 2, 1, 0])), np.array([3, 2, 1, 0]))
    turned["n"] = np.broadcast_to(np.int64(7), (4,))
    assert columns_to_bytes(dict(reversed(turned.items()))) == columns_to_bytes(columns)
    part = Ragged(np.array([2, 2, 3, 4]), columns["a"].children)  # type: ignore[union-attr]
    assert columns_to_bytes({"a": part}) == columns_to_bytes(take({"a": columns["a"]}, np.array([1, 2, 3])))


def test_what_is_read_is_settled_and_aligned() -> None:
    back = columns_from_bytes(columns_to_bytes({"a": np.arange(3), "Z": Strings.of(["abc"])}))
    array = back["a"]
    assert isinstance(array, np.ndarray)
    assert not array.flags.writeable
    assert array.flags.aligned


SAMPLE: Columns = {
    "b": np.arange(5),
    "flag": np.array([True, False, True, False, True]),
    "a": Strings.of(["x", None, "", "yyy", "z"]),
    "r": Ragged(np.array([0, 1, 1, 3, 3, 4]), {"k": Strings.of(list("abcd")), "v": np.arange(4.0)}),
}


def test_bytes_cut_anywhere_are_truncated() -> None:
    data = columns_to_bytes(SAMPLE)
    for size in range(len(data)):
        with pytest.raises(Quarantine) as refusal:
            columns_from_bytes(data[:size])
        assert refusal.value.reason is Reason.BYTES_TRUNCATED


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.binary(max_size=3))
@settings(deadline=None, max_examples=drawn(500))
def test_damaged_bytes_are_columns_or_quarantined(changes: list[tuple[int, int]], more: bytes) -> None:
    data = bytearray(columns_to_bytes(SAMPLE))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        back = columns_from_bytes(bytes(data) + more)
    except Quarantine as refusal:
        assert refusal.reason in (Reason.BYTES_TRUNCATED, Reason.BYTES_GARBAGE)
    else:
        columns_to_bytes(back)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"a": Ragged(np.array([0, 2**40]), {})}, id="lists of a million million nothings"),
        pytest.param({"a": np.zeros((2**31, 0), np.uint8)}, id="two thousand million rows without a width"),
    ],
)
def test_rows_that_no_bytes_stand_for_are_refused(columns: Columns) -> None:
    """Whoever works on them would make room for each."""
    column = columns["a"]
    if isinstance(column, Ragged):  # the writer would count the items out; the counts are the last 8 bytes
        data = bytearray(columns_to_bytes({"a": Ragged(np.array([0, 0]), {})}))
        data[-8:] = data[16 + 2 + 3 + 1 + 8 : 16 + 2 + 3 + 1 + 16] = int(column.offsets[-1]).to_bytes(8, "little")
    else:
        data = bytearray(columns_to_bytes(columns))
    with pytest.raises(Quarantine) as refusal:
        columns_from_bytes(bytes(data))
    assert refusal.value.reason is Reason.BYTES_GARBAGE


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=drawn(100))
def test_any_header_is_columns_or_quarantined(header: bytes) -> None:
    size = 16 + len(header)
    data = b"ASC1" + len(header).to_bytes(4, "little") + (size + -size % 8).to_bytes(8, "little") + header + bytes(-size % 8)
    try:
        columns_from_bytes(data)
    except Quarantine as refusal:
        assert refusal.reason is Reason.BYTES_GARBAGE


@pytest.mark.parametrize("array", [np.zeros(1, "M8[us]"), np.zeros((1, 1, 1)), np.array(["x"]), np.zeros(1, np.complex128)])
def test_an_array_without_a_code_is_refused(array: Any) -> None:
    with pytest.raises(Stop) as refusal:
        columns_to_bytes({"a": array})
    assert refusal.value.reason is Reason.COLUMNS_MISMATCH
