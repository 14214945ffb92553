"""Avro bodies to columns: every record gets a verdict, none an exception."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_decode_kernel import decode_rows
from assay.codecs.avro_plan import AvroPlan, Places, widths
from assay.codecs.avro_reading import Reading
from assay.codecs.columns import I32, I64, U8, Columns
from assay.codecs.intrinsics import cells
from assay.codecs.kernel import frozen
from assay.contracts.reasons import Reason

#: What a verdict means; None is a good record.
#: TRUNCATED: its bytes end inside a value. OVERSIZED: bytes are left over. GARBAGE: a value outside of its type.
REASONS: tuple[Reason | None, ...] = (None, Reason.BYTES_TRUNCATED, Reason.BYTES_OVERSIZED, Reason.BYTES_GARBAGE)

#: list items that have room from the start: so many per record, and so many more
ITEMS, ITEMS_MORE = 4, 64
#: room for more items than this many times the first room is not made for the next chunk before it needs it
GROWTH_KEPT = 4

#: the buffers of a decode: 8-byte cells, 4-byte cells, bytes
Buffers: TypeAlias = tuple[I64, I32, U8]


class Decoded(NamedTuple):
    """Columns of n rows and, per row, an int8 index into `REASONS`. A refused row holds zeros, nulls and empty lists."""

    columns: Columns
    verdict: NDArray[np.int8]


def decode(plan: AvroPlan, data: U8, starts: I64, lengths: NDArray[Any], skip: int = 0) -> Decoded:
    """Decode n records; see `Decoder.read`, which costs less for many small chunks."""
    read = Decoder(plan).read(data, starts, lengths, skip)
    return Decoded(read.columns(), read.verdict)


def judge(plan: AvroPlan, data: U8, starts: I64, lengths: NDArray[Any], skip: int = 0) -> NDArray[np.int8]:
    """The verdicts of `decode`, without columns."""
    return Decoder(plan).read(data, starts, lengths, skip).verdict


class Decoder:
    """The decoder of one schema for chunk after chunk. It keeps scratch, so its owner uses it in one thread at a time."""

    def __init__(self, plan: AvroPlan) -> None:
        self._plan = plan
        self._counts, self._saved = np.zeros(plan.levels, np.int64), np.zeros(plan.levels, np.int64)
        self._frames, self._cells = np.zeros(plan.depth + 1, np.int64), cells()

    def read(self, data: U8, starts: I64, lengths: NDArray[Any], skip: int = 0) -> Reading:
        """Decode n records; record i is `data[starts[i] + skip : starts[i] + lengths[i]]`. Strings share `data`."""
        data, starts, lengths = frozen(data, np.uint8), frozen(starts, np.int64), frozen(lengths, np.int32)
        n = len(starts)
        places = _places(self._plan, n)
        buffers = _buffers(places)
        verdict = np.empty(n, np.int8)
        self._counts.fill(0)
        row = 0
        while row < n:
            row, level = decode_rows(
                data, starts, lengths, skip, row, places.code, self._frames, places.capacity, self._counts, self._saved,
                *buffers, verdict, self._cells,
            )  # fmt: skip
            if row < n:
                places, buffers = self._grown(places, buffers, level, row, n)
        self._counts[0] = n
        for buffer in buffers:
            buffer.flags.writeable = False
        return Reading(verdict, self._counts.tolist(), places, data, *buffers)

    def _grown(self, places: Places, buffers: Buffers, level: int, row: int, n: int) -> tuple[Places, Buffers]:
        """More room for the items of one list level, guessing from the records decoded so far, and what is decoded moved there."""
        capacity = places.capacity.copy()
        held = int(capacity[level])
        capacity[level] = max(2 * held, min(held * n // max(row, 1), 8 * held))
        wider = Places.of(self._plan, capacity)
        into = _buffers(wider)
        self._counts[0] = row
        for index, slot in enumerate(self._plan.slots):
            for buffer, width in widths(slot):
                kept = int(self._counts[slot.level]) * width
                a, b = int(places.base[index, buffer]), int(wider.base[index, buffer])
                into[buffer][b : b + kept] = buffers[buffer][a : a + kept]
        size = size_class(n)
        if all(room <= GROWTH_KEPT * _items(size) or at in self._plan.room.free for at, room in enumerate(capacity.tolist())):
            self._plan.places[size] = wider
        return wider, into


def size_class(n: int) -> int:
    """The room that is made for n records: n or up to an eighth more, 16 at least; 0 for none."""
    step = 1 << max(n.bit_length() - 4, 4)
    return -(-n // step) * step


def _places(plan: AvroPlan, n: int) -> Places:
    size = size_class(n)
    found = plan.places.get(size)
    if found is None:
        capacity = np.full(plan.levels, _items(size), np.int64)
        capacity[0] = size
        for level in plan.room.free:
            capacity[level] = np.iinfo(np.int64).max
        found = plan.places[size] = Places.of(plan, capacity)
    return found


def _items(size: int) -> int:
    return ITEMS * size + ITEMS_MORE


def _buffers(places: Places) -> Buffers:
    wide, narrow, small = places.sizes
    return np.empty(wide, np.int64), np.empty(narrow, np.int32), np.empty(small, np.uint8)
