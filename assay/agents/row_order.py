"""Rows that wait until their order is certain, and the order itself: by (ts_us, rank of the topic, order in the source, event id), or
as they came."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from assay.codecs.block_rows import Rows, chosen, joined
from assay.codecs.column_block import Block
from assay.codecs.column_survey import FALLING, RISING, span
from assay.codecs.columns import I64, Strings
from assay.codecs.journal_record import ROW

Ordering = Literal["event_time", "arrival"]
#: columns of a block by which rows are ordered
TS_US, TOPIC, SOURCE_ORDER, EVENT_ID, PAYLOAD_HASH = (ROW + name for name in ("ts_us", "topic", "source_order", "event_id", "payload_hash"))


class _Waiting(NamedTuple):
    """Rows by time, and the times between which they lie."""

    rows: Rows
    low_us: int
    high_us: int


class WaitingRows:
    """Rows of blocks under one ordering; `rank` int64[topics] orders topics at equal times."""

    def __init__(self, rank: I64, ordering: Ordering) -> None:
        self._rank = rank
        self._ordering = ordering
        self._waiting: list[_Waiting] = []

    def __bool__(self) -> bool:
        """Whether a row waits."""
        return bool(self._waiting)

    def add(self, block: Block) -> None:
        """Take the rows of a block, one at least."""
        if self._ordering == "arrival":
            self._waiting.append(_Waiting(Rows.of(block), 0, 0))
            return
        ts = np.asarray(block.column(TS_US))
        low, high, order = span(ts)
        if order == FALLING:
            block = chosen(block, np.argsort(ts, kind="stable"))
        self._waiting.append(_Waiting(Rows.of(block), low, high))

    def certain(self, threshold_us: int) -> list[Rows]:
        """Give away the rows before a time, in their order; under `arrival` all rows."""
        if self._ordering == "arrival":
            given, self._waiting = self._waiting, []
            return [each.rows for each in given]
        before: list[Rows] = []
        waiting: list[_Waiting] = []
        for each in self._waiting:
            if each.high_us < threshold_us:
                before.append(each.rows)
            elif each.low_us >= threshold_us:
                waiting.append(each)
            else:
                head, tail = _halves(each, threshold_us)
                before.append(head)
                waiting.append(tail)
        self._waiting = waiting
        return [self._ordered(before)] if before else []

    def _ordered(self, parts: list[Rows]) -> Rows:
        """The rows in their order, in which rows of rising times are already."""
        if len(parts) == 1 and span(parts[0].numbers(TS_US)).order == RISING:
            return parts[0]
        block = joined(parts)
        rising = span(np.asarray(block.column(TS_US))).order == RISING
        return Rows.of(block if rising else chosen(block, self._order(block)))

    def _order(self, block: Block) -> I64:
        """Positions of rows by (ts, rank, order in the source, event id)."""
        keys = np.asarray(block.column(SOURCE_ORDER)), self._rank[np.asarray(block.column(TOPIC))], np.asarray(block.column(TS_US))
        order = np.lexsort(keys)
        tied = np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys])
        if tied.any():
            _order_ties(order, tied, block)
        return order


def _halves(waiting: _Waiting, threshold_us: int) -> tuple[Rows, _Waiting]:
    """The rows before a time, and those that wait on. Neither is empty."""
    ts = waiting.rows.numbers(TS_US)
    at = int(np.searchsorted(ts, threshold_us))
    head, tail = waiting.rows.cut(at)
    return head, _Waiting(tail, int(ts[at]), waiting.high_us)


def _order_ties(order: I64, tied: np.ndarray[tuple[int], np.dtype[np.bool_]], block: Block) -> None:
    """Sort each run of equal (ts, rank, order in the source) by event id, in place; two payloads under one id by the payload's hash."""
    ids, hashes = block.column(EVENT_ID), np.asarray(block.column(PAYLOAD_HASH))
    assert isinstance(ids, Strings)
    starts = np.flatnonzero(tied & ~np.concatenate(([False], tied[:-1])))
    ends = np.flatnonzero(tied & ~np.concatenate((tied[1:], [False]))) + 2
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        order[start:end] = sorted(order[start:end].tolist(), key=lambda row: (ids.row(row) or b"", hashes[row].tobytes()))
