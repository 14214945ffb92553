"""Avro bodies to columns: every record gets a verdict, none an exception."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_decode_kernel import decode_rows
from assay.codecs.avro_plan import SLOT, AvroPlan, widths
from assay.codecs.avro_schema import Op
from assay.codecs.columns import I64, U8, Columns, Ragged, Strings
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
    data = frozen(data, np.uint8)
    buffers, verdict = _read(plan, data, starts, lengths, skip)
    return Decoded(buffers.columns(0, data), verdict)


def judge(plan: AvroPlan, data: U8, starts: I64, lengths: NDArray[Any], skip: int = 0) -> NDArray[np.int8]:
    """The verdicts of `decode`, without columns."""
    return _read(plan, frozen(data, np.uint8), starts, lengths, skip)[1]


def _read(plan: AvroPlan, data: U8, starts: I64, lengths: NDArray[Any], skip: int) -> tuple[_Buffers, NDArray[np.int8]]:
    starts, lengths = frozen(starts, np.int64), frozen(lengths, np.int64)
    n = len(starts)
    buffers = _Buffers(plan, n)
    frames, saved = np.zeros(plan.depth + 1, np.int64), np.zeros(plan.levels, np.int64)
    verdict = np.zeros(n, np.int8)
    row, scratch = 0, cells()
    while row < n:
        row, level = decode_rows(
            data, starts, lengths, skip, row, buffers.code(), frames, buffers.capacity, buffers.counts, saved,
            buffers.wide, buffers.narrow, buffers.small, verdict, scratch,
        )  # fmt: skip
        if row < n:
            buffers.grow(level, row, n)
    buffers.counts[0] = n
    return buffers, verdict


class _Buffers:
    """Three buffers that hold all columns one after another; `base[slot]` is where a column begins in each."""

    def __init__(self, plan: AvroPlan, rows: int) -> None:
        self.plan = plan
        self.counts = np.zeros(plan.levels, np.int64)
        self.capacity = np.full(plan.levels, 4 * rows + 64, np.int64)
        self.capacity[0] = rows
        for level in plan.room.free:
            self.capacity[level] = np.iinfo(np.int64).max
        self._place()

    def _place(self) -> None:
        self.base = self.plan.room.place(self.capacity)
        wide, narrow, small = self.base[-1].tolist()
        self.base[-1] = 0  # of instructions that keep nothing
        self.wide, self.narrow, self.small = np.zeros(wide, np.int64), np.zeros(narrow, np.int32), np.zeros(small, np.uint8)

    def code(self) -> I64:
        """The plan's instructions, each with the places of its column beside it."""
        code = np.empty((len(self.plan.code), self.plan.code.shape[1] + 3), np.int64)
        code[:, :-3] = self.plan.code
        code[:, -3:] = self.base[self.plan.code[:, SLOT]]
        code.flags.writeable = False
        return code

    def grow(self, level: int, row: int, rows: int) -> None:
        """Make room for more items of one list level, guessing from the records decoded so far."""
        base, old = self.base, (self.wide, self.narrow, self.small)
        expected = int(self.capacity[level]) * rows // max(row, 1)
        self.capacity[level] = max(2 * int(self.capacity[level]), min(expected, 8 * int(self.capacity[level])))
        self._place()
        self.counts[0] = row
        for index, slot in enumerate(self.plan.slots):
            for buffer, width in widths(slot):
                kept = int(self.counts[slot.level]) * width
                a, b = int(base[index, buffer]), int(self.base[index, buffer])
                (self.wide, self.narrow, self.small)[buffer][b : b + kept] = old[buffer][a : a + kept]

    def columns(self, level: int, data: U8) -> Columns:
        """Views of the columns of one level, with the levels below inside their lists."""
        return self._columns(level, data, self.base.tolist(), self.counts.tolist())

    def _columns(self, level: int, data: U8, base: list[list[int]], counts: list[int]) -> Columns:
        found: Columns = {}
        for slot, (wide, narrow, small) in zip(self.plan.slots, base, strict=False):
            if slot.level != level:
                continue
            op, rows = slot.op, counts[level]
            if op in _TEXTS:
                found[slot.path] = Strings(data, self.wide[wide : wide + rows], self.narrow[narrow : narrow + rows])
            elif op is Op.ARRAY:
                found[slot.path] = Ragged(self.wide[wide - 1 : wide + rows], self._columns(slot.child, data, base, counts))
            elif op is Op.ENUM:
                found[slot.path] = self.narrow[narrow : narrow + rows]
            elif op is Op.FIXED:
                found[slot.path] = self.small[small : small + rows * slot.size].reshape(rows, slot.size)
            elif op in _FLAGS:
                found[slot.path] = self.small[small : small + rows].view(np.int8)
            else:
                numbers = self.wide[wide : wide + rows]
                found[slot.path] = numbers.view(np.float64) if op in _REALS else numbers
        return found


_TEXTS, _FLAGS, _REALS = (Op.STRING, Op.BYTES), (Op.BOOLEAN, Op.OPTION), (Op.DOUBLE, Op.FLOAT)
