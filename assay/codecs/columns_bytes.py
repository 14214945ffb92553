"""Columns as bytes: exact, self-describing, little-endian, at the speed of copying memory.

Layout: magic "ASC1", u32 bytes of header, u64 bytes of all; the header describes the columns in order of their names; then
the arrays, each padded to 8 bytes. A header entry is u16 length of the name, the name, u8 kind, then

* array: u8 dtype code, u8 dimensions, u64 per dimension;
* strings: u64 rows, u64 bytes (lengths as int32, -1 for null, then the bytes in row order);
* lists: u64 rows, u64 items, u16 child columns, their entries (lengths as int64, then the children's arrays).

Equal columns give equal bytes, however their buffers are laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from assay.codecs.column_block import Block
from assay.codecs.columns import I64, U8, Columns, Ragged, Strings, arrays_of, rows, take
from assay.codecs.columns_layout import DTYPES, HEAD, KEPT, KEPT_BYTES, MAGIC, Entry, Layout, garbage, layout_in, layout_of
from assay.codecs.columns_layout_kernel import (
    BOOLEAN_WRONG,
    CHILDREN_WRONG,
    LARGER,
    LEFT_OVER,
    LISTS,
    LISTS_WRONG,
    PLACED,
    STRINGS,
    STRINGS_WRONG,
    fill,
    held,
    match,
    measure,
    pack,
    place,
)
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

_PAD = [bytes(size) for size in range(8)]
#: texts that one kernel call packs
_TOGETHER = 4
_NOTHING = arrays_of(Strings.nulls(0))
_WRONG = {
    LARGER: "an array is larger than the bytes",
    STRINGS_WRONG: "lengths of strings do not add up",
    LISTS_WRONG: "lengths of lists do not add up",
    CHILDREN_WRONG: "a list's columns differ in length",
    BOOLEAN_WRONG: "a boolean is neither 0 nor 1",
    LEFT_OVER: "bytes are left over",
}
#: bytes of a header → the layouts seen with a header of this length
_seen: dict[int, tuple[Layout, ...]] = {}


def columns_to_bytes(columns: Columns) -> bytes:
    """The bytes of columns. Raises Stop(COLUMNS_MISMATCH) for a dtype or shape that has no code, or a row outside of its buffer."""
    layout = layout_of(columns)
    flat = list(_flat(layout.entries, columns))
    texts = _packed([column for entry, column in flat if entry.kind == STRINGS])
    numbers, parts, header = list[int](), list[Any](), layout.template.copy()
    for entry, column in flat:
        if entry.kind == STRINGS:
            size, part = next(texts)
            numbers += (len(column.lengths), size)
        elif entry.kind == LISTS:
            numbers += (len(column.offsets) - 1, int(column.offsets[-1] - column.offsets[0]))
            part = np.diff(column.offsets).astype("<i8", copy=False)
        else:
            numbers += column.shape
            part = np.ascontiguousarray(column, DTYPES[entry.code])
        parts += (part, _PAD[-part.nbytes % 8])
    fill(header, layout.numbers_at, np.array(numbers, np.uint64))
    start = HEAD.size + len(header)
    size = start + -start % 8 + sum(map(_bytes, parts))
    return b"".join((HEAD.pack(MAGIC, len(header), size), header.data, _PAD[-start % 8], *parts))


def block_of(columns: Columns) -> Block:
    """The block of columns. Raises Stop(COLUMNS_MISMATCH) as `columns_to_bytes` does."""
    return block_in(columns_to_bytes(columns))


def columns_from_bytes(data: bytes | U8) -> Columns:
    """The columns in these bytes, in order of their names, settled (see `columns.settled`); refusals as of `block_in`."""
    return block_in(data).columns()


def block_in(data: bytes | U8) -> Block:
    """The block in these bytes, over one private copy.

    Raises Quarantine: BYTES_TRUNCATED when there are too few bytes, BYTES_GARBAGE for anything else that is wrong.
    """
    whole = np.array(np.frombuffer(data, np.uint8))
    whole.flags.writeable = False
    if len(whole) < HEAD.size:
        raise Quarantine(Reason.BYTES_TRUNCATED, f"columns of {len(whole)} bytes have no header")
    magic, header, size = HEAD.unpack(whole[: HEAD.size].tobytes())
    if magic != MAGIC or size < HEAD.size + header:
        raise garbage("the head is not that of columns")
    if len(whole) < size:
        raise Quarantine(Reason.BYTES_TRUNCATED, f"columns have {len(whole)} of {size} bytes")
    layout, numbers = _layout(whole, header)
    return _placed(layout, whole, numbers)


def _flat(entries: Sequence[Entry], columns: Columns) -> Iterator[tuple[Entry, Any]]:
    """Columns in the order of the layout, lists before their children. A list's children are the items of its rows alone."""
    for entry in entries:
        column = columns[entry.name]
        yield entry, column
        if isinstance(column, Ragged):
            first, last = int(column.offsets[0]), int(column.offsets[-1])
            whole = first == 0 and last == rows(column.children)
            yield from _flat(entry.children, column.children if whole else take(column.children, np.arange(first, last)))


def _packed(texts: Sequence[Strings]) -> Iterator[tuple[int, U8]]:
    """Of each text the bytes of its rows, and the text as it stands in a block. Raises Stop(COLUMNS_MISMATCH)."""
    for first in range(0, len(texts), _TOGETHER):
        group = [arrays_of(text) for text in texts[first : first + _TOGETHER]]
        one, two, three, four = group + [_NOTHING] * (_TOGETHER - len(group))
        size = held(one, two, three, four)
        if size < 0:
            texts[first - 1 - size].check()
        into, bounds, start = np.zeros(size, np.uint8), np.empty((_TOGETHER, 2), np.int64), 0
        pack(into, into.view(np.int32), bounds, one, two, three, four)
        for bytes_of_rows, end in bounds.tolist()[: len(group)]:
            yield bytes_of_rows, into[start:end]
            start = end


def _bytes(part: U8 | bytes) -> int:
    return part.nbytes if isinstance(part, np.ndarray) else len(part)


def _layout(whole: U8, header: int) -> tuple[Layout, I64]:
    """The layout of a block and the numbers of its header: one that was seen before, or a new one."""
    for layout in _seen.get(header, ()):
        numbers = _numbers(whole, layout)
        if numbers is not None:
            return layout, numbers
    layout = layout_in(whole[HEAD.size : HEAD.size + header].tobytes())
    numbers = _numbers(whole, layout)
    if numbers is None:
        raise garbage("the header is not written as its columns are")
    if header <= KEPT_BYTES:
        if sum(map(len, _seen.values())) >= KEPT:
            _seen.clear()
        _seen[header] = (layout, *_seen.get(header, ()))
    return layout, numbers


def _numbers(whole: U8, layout: Layout) -> I64 | None:
    """The numbers of a header of this length, None if it is not that of the layout."""
    numbers = np.empty(len(layout.numbers_at), np.uint64)
    found = match(whole, HEAD.size, layout.template, layout.is_number, layout.numbers_at, numbers)
    return numbers.view(np.int64) if found else None


def _placed(layout: Layout, whole: U8, numbers: I64) -> Block:
    """The block of checked bytes. Raises Quarantine(BYTES_GARBAGE) when numbers and bytes do not agree."""
    room = np.empty(2, np.int64)
    # a block ends on a multiple of eight bytes, so that kernels may read it as words
    if len(whole) % 8 or not measure(layout.plan, numbers, len(whole), room):
        raise garbage(_WRONG[LEFT_OVER if len(whole) % 8 else LARGER])
    strings, lists = room.tolist()
    starts, offsets = np.empty(strings, np.int64), np.empty(lists, np.int64)
    places, words, longs = np.empty((len(layout.plan), 3), np.int64), whole.view(np.int32), whole.view(np.int64)
    found = place(whole, words, longs, layout.body, layout.plan, numbers, places, starts, offsets)
    if found != PLACED:
        raise garbage(_WRONG[found])
    return Block(layout, whole, numbers, places, starts, offsets)
