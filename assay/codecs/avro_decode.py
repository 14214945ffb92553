"""Avro bodies to columns: every record gets a verdict, none an exception."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_decode_kernel import decode_rows
from assay.codecs.avro_plan import NARROW, SLOT, SMALL, WIDE, AvroPlan, Slot
from assay.codecs.avro_schema import Op
from assay.codecs.columns import I64, U8, Column, Columns, Ragged, Strings
from assay.codecs.intrinsics import cells
from assay.codecs.kernel import frozen
from assay.contracts.reasons import Reason

#: What a verdict means; None is a good record.
#: TRUNCATED: its bytes end inside a value. OVERSIZED: bytes are left over. GARBAGE: a value outside of its type.
REASONS: tuple[Reason | None, ...] = (None, Reason.BYTES_TRUNCATED, Reason.BYTES_OVERSIZED, Reason.BYTES_GARBAGE)


class Decoded(NamedTuple):
    """Columns of n rows and, per row, an int8 index into `REASONS`. A refused row holds zeros, nulls and empty lists."""

    columns: Columns
    verdict: NDArray[np.int8]


def decode(plan: AvroPlan, data: U8, starts: I64, lengths: NDArray[Any], skip: int = 0) -> Decoded:
    """Decode n records; record i is `data[starts[i] + skip : starts[i] + lengths[i]]`. Strings share `data`."""
    data, starts = frozen(data, np.uint8), frozen(starts, np.int64)
    lengths = frozen(lengths, np.int64)
    buffers = _Buffers(plan, len(starts))
    frames, saved = np.zeros(plan.depth + 1, np.int64), np.zeros(plan.levels, np.int64)
    verdict = np.zeros(len(starts), np.int8)
    row, scratch = 0, cells()
    while row < len(starts):
        row, level = decode_rows(
            data, starts, lengths, skip, row, buffers.code(), frames, buffers.capacity, buffers.counts, saved,
            buffers.wide, buffers.narrow, buffers.small, verdict, scratch,
        )  # fmt: skip
        if row < len(starts):
            buffers.grow(level, row, len(starts))
    buffers.counts[0] = len(starts)
    return Decoded(buffers.columns(0, data), verdict)


class _Buffers:
    """Three buffers that hold all columns one after another; `base[slot]` is where a column begins in each."""

    def __init__(self, plan: AvroPlan, rows: int) -> None:
        self.plan = plan
        self.counts = np.zeros(plan.levels, np.int64)
        self.capacity = np.full(plan.levels, 4 * rows + 64, np.int64)
        self.capacity[0] = rows
        for level in set(range(1, plan.levels)) - {slot.level for slot in plan.slots}:
            self.capacity[level] = np.iinfo(np.int64).max
        self._place()

    def _place(self) -> None:
        self.base = np.zeros((len(self.plan.slots) + 1, 3), np.int64)
        ends = [0, 0, 0]
        for index, slot in enumerate(self.plan.slots):
            rows = int(self.capacity[slot.level])
            for buffer, width in _widths(slot):
                lead = 1 if slot.op is Op.ARRAY else 0
                self.base[index, buffer] = ends[buffer] + lead
                ends[buffer] += rows * width + lead
        self.wide = np.zeros(ends[WIDE], np.int64)
        self.narrow = np.zeros(ends[NARROW], np.int32)
        self.small = np.zeros(ends[SMALL], np.uint8)

    def code(self) -> I64:
        """The plan's instructions, each with the places of its column beside it."""
        return frozen(np.hstack((self.plan.code, self.base[self.plan.code[:, SLOT]])), np.int64)

    def grow(self, level: int, row: int, rows: int) -> None:
        """Make room for more items of one list level, guessing from the records decoded so far."""
        base, old = self.base, (self.wide, self.narrow, self.small)
        expected = int(self.capacity[level]) * rows // max(row, 1)
        self.capacity[level] = max(2 * int(self.capacity[level]), min(expected, 8 * int(self.capacity[level])))
        self._place()
        self.counts[0] = row
        for index, slot in enumerate(self.plan.slots):
            for buffer, width in _widths(slot):
                kept = int(self.counts[slot.level]) * width
                a, b = int(base[index, buffer]), int(self.base[index, buffer])
                (self.wide, self.narrow, self.small)[buffer][b : b + kept] = old[buffer][a : a + kept]

    def columns(self, level: int, data: U8) -> Columns:
        """Views of the columns of one level, with the levels below inside their lists."""
        return {slot.path: self._column(index, slot, data) for index, slot in enumerate(self.plan.slots) if slot.level == level}

    def _column(self, index: int, slot: Slot, data: U8) -> Column:
        rows = int(self.counts[slot.level])
        wide, narrow, small = (int(at) for at in self.base[index])
        cells = self.wide[wide : wide + rows]
        if slot.op is Op.ARRAY:
            return Ragged(self.wide[wide - 1 : wide + rows], self.columns(slot.child, data))
        if slot.op in (Op.STRING, Op.BYTES):
            return Strings(data, cells, self.narrow[narrow : narrow + rows])
        if slot.op is Op.ENUM:
            return self.narrow[narrow : narrow + rows]
        if slot.op is Op.FIXED:
            return self.small[small : small + rows * slot.size].reshape(rows, slot.size)
        if slot.op in (Op.BOOLEAN, Op.OPTION):
            return self.small[small : small + rows].view(np.int8)
        return cells.view(np.float64) if slot.op in (Op.DOUBLE, Op.FLOAT) else cells


def _widths(slot: Slot) -> tuple[tuple[int, int], ...]:
    """(buffer, cells per row) of a column."""
    if slot.op in (Op.STRING, Op.BYTES):
        return ((WIDE, 1), (NARROW, 1))
    if slot.op is Op.ENUM:
        return ((NARROW, 1),)
    if slot.op in (Op.BOOLEAN, Op.OPTION, Op.FIXED):
        return ((SMALL, slot.size if slot.op is Op.FIXED else 1),)
    return ((WIDE, 1),)
