"""A decoder goes from chunk to chunk: what it keeps never shows in what it gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.avro_decode import GROWTH_KEPT, ITEMS, ITEMS_MORE, Decoder, decode, size_class
from assay.codecs.avro_decode_kernel import decode_rows
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import AvroPlan, Places, compile_schema
from assay.codecs.columns import Column, Columns, Ragged, Strings
from assay.codecs.columns_bytes import columns_to_bytes
from assay.codecs.intrinsics import cells
from assay.codecs.kernel import frozen

ITEM = {"type": "record", "name": "i", "fields": [{"name": "k", "type": ["null", "string"]}, {"name": "v", "type": "long"}]}
KINDS: dict[str, Any] = {
    "text": "string",
    "number": "long",
    "flag": "boolean",
    "half": "float",
    "maybe": ["null", "double"],
    "list": {"type": "array", "items": ITEM},
    "longs": {"type": "array", "items": {"type": "array", "items": "long"}},
    "fixed": {"type": "fixed", "name": "f", "size": 5},
    "choice": {"type": "enum", "name": "e", "symbols": ["A", "B"]},
}
SCHEMA = {"type": "record", "name": "all", "fields": [{"name": name, "type": kind} for name, kind in KINDS.items()]}


def bodies(n: int, items: int = 2) -> Strings:
    """Records of every kind; those of even rows have lists of so many items."""
    even = np.arange(n) % 2 == 0
    offsets = np.concatenate(([0], np.cumsum(np.where(even, items, 0))))
    total = int(offsets[-1])
    inner = Ragged(np.arange(total + 1), {"item": np.arange(total)})
    columns: Columns = {
        "text": Strings.of([f"t{i}" for i in range(n)]),
        "number": np.arange(n),
        "flag": even.astype(np.int8),
        "half": np.full(n, 0.5),
        "maybe": np.arange(n) / 2,
        "maybe?": even.astype(np.int8),
        "list": Ragged(offsets, {"k": Strings.of([None, "key"] * (total // 2)), "v": np.arange(total)}),
        "longs": Ragged(offsets, {"item": inner}),
        "fixed": np.arange(n * 5, dtype=np.uint8).reshape(n, 5),
        "choice": even.astype(np.int32),
    }
    return encode(compile_schema(SCHEMA), columns)


def damaged(values: Strings, which: list[int]) -> Strings:
    """The same records, some of them one byte short or long."""
    whole = [value or b"" for value in values.tolist()]
    for at, row in enumerate(which):
        if row < len(whole):
            whole[row] = whole[row][:-1] if at % 2 else whole[row] + b"\0"
    return Strings.of(whole)


@settings(max_examples=drawn(25), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0, 2, 40]), st.lists(st.integers(0, 40), max_size=4)), min_size=1, max_size=4)
)
def test_every_chunk_is_decoded_as_by_a_decoder_that_met_none_before(chunks: list[tuple[int, int, list[int]]]) -> None:
    decoder = Decoder(compile_schema(SCHEMA))
    found = []
    for n, items, which in chunks:
        values = damaged(bodies(n, items), which)
        expected = decode(compile_schema(SCHEMA), *values)
        read = decoder.read(*values)
        found.append((read, columns_to_bytes(expected.columns)))
        assert read.verdict.tolist() == expected.verdict.tolist()
        assert read.columns().keys() == expected.columns.keys()
    # the first chunks have not been changed by the last
    assert [columns_to_bytes(read.columns()) for read, _ in found] == [written for _, written in found]


def arrays(column: Column) -> list[np.ndarray[Any, Any]]:
    """The arrays of a column, without the bytes that its texts share."""
    if isinstance(column, Strings):
        return [column.starts, column.lengths]
    if isinstance(column, Ragged):
        return [column.offsets, *(array for child in column.children.values() for array in arrays(child))]
    return [column]


def test_columns_are_contiguous_and_read_only() -> None:
    read = Decoder(compile_schema(SCHEMA)).read(*bodies(3))
    found = [array for column in read.columns().values() for array in arrays(column)]
    assert len(found) > len(KINDS)
    assert all(array.flags.c_contiguous and not array.flags.writeable for array in found)


def test_what_the_buffers_held_before_does_not_show() -> None:
    """Good records and refused ones write every cell of their columns."""
    plan = compile_schema(SCHEMA)
    values = damaged(bodies(30), [0, 3, 4, 7, 29])
    assert filled(plan, values, 0) == filled(plan, values, 0x5A)


def filled(plan: AvroPlan, values: Strings, byte: int) -> bytes:
    """The bytes of the columns, decoded into buffers that are full of one byte."""
    capacity = np.full(plan.levels, 200, np.int64)
    places = Places.of(plan, capacity)
    wide, narrow, small = (
        np.full(size * width, byte, np.uint8).view(kind)
        for size, width, kind in zip(places.sizes, (8, 4, 1), ("<i8", "<i4", "u1"), strict=True)
    )
    counts, n = np.zeros(plan.levels, np.int64), len(values.lengths)
    done = decode_rows(
        frozen(values.data, np.uint8), frozen(values.starts, np.int64), frozen(values.lengths, np.int32), 0, 0, places.code,
        np.zeros(plan.depth + 1, np.int64), places.capacity, counts, np.zeros(plan.levels, np.int64), wide, narrow, small,
        np.zeros(n, np.int8), cells(),
    )  # fmt: skip
    assert done == (n, 0)
    read = Decoder(plan).read(*values)
    counts[0] = n
    return columns_to_bytes(read._replace(counts=counts.tolist(), places=places, wide=wide, narrow=narrow, small=small).columns())


@pytest.mark.parametrize("n", [0, 1, 16, 17, 255, 256, 257, 4_999, 5_000, 100_000])
def test_room_is_made_for_a_chunk_and_little_more(n: int) -> None:
    assert n <= size_class(n) <= max(n + n // 8, (n > 0) * 16, n + 15)
    assert all(size_class(n) == size_class(other) for other in range(n, size_class(n)))


def test_more_room_for_items_is_kept_also_if_the_items_of_another_list_are_skipped() -> None:
    plan = compile_schema(SCHEMA, only={"list"})
    assert plan.room.free
    more = 2 * (ITEMS * size_class(1) + ITEMS_MORE)
    Decoder(plan).read(*bodies(1, more))
    assert int(plan.places[size_class(1)].capacity[1]) >= more


def test_room_for_a_flood_of_items_is_not_kept() -> None:
    """One strange record would make every later chunk take that much memory."""
    plan = compile_schema(SCHEMA)
    decoder = Decoder(plan)
    first = ITEMS * size_class(1) + ITEMS_MORE
    for items in (first * 2, first * 50, first * 3):
        assert decoder.read(*bodies(1, items)).counts[1] == items
        assert first <= max(int(plan.places[size_class(1)].capacity[level]) for level in range(1, plan.levels)) <= first * GROWTH_KEPT
