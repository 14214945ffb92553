"""Rows that wait until their order is certain, and the order itself: by (ts_us, rank of the topic, event id), or as they came."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from assay.codecs.column_survey import FALLING, RISING, span
from assay.codecs.columns import I64, Columns, Strings, concat, cut, take

Ordering = Literal["event_time", "arrival"]


class _Block(NamedTuple):
    """Rows by time, and the times between which they lie."""

    columns: Columns
    low_us: int
    high_us: int


class WaitingRows:
    """Blocks of rows under one ordering; `rank` int64[topics] orders topics at equal times."""

    def __init__(self, rank: I64, ordering: Ordering) -> None:
        self._rank = rank
        self._ordering = ordering
        self._blocks: list[_Block] = []

    def __bool__(self) -> bool:
        """Whether a row waits."""
        return bool(self._blocks)

    def add(self, columns: Columns) -> None:
        """Take rows, one at least."""
        if self._ordering == "arrival":
            self._blocks.append(_Block(columns, 0, 0))
            return
        ts = np.asarray(columns["ts_us"])
        low, high, order = span(ts)
        if order == FALLING:
            columns = take(columns, np.argsort(ts, kind="stable"))
        self._blocks.append(_Block(columns, low, high))

    def certain(self, threshold_us: int) -> list[Columns]:
        """Give away the rows before a time, in their order; under `arrival` all rows."""
        if self._ordering == "arrival":
            blocks, self._blocks = self._blocks, []
            return [block.columns for block in blocks]
        before: list[Columns] = []
        waiting: list[_Block] = []
        for block in self._blocks:
            if block.high_us < threshold_us:
                before.append(block.columns)
            elif block.low_us >= threshold_us:
                waiting.append(block)
            else:
                head, tail = _halves(block, threshold_us)
                before.append(head)
                waiting.append(tail)
        self._blocks = waiting
        return [self._ordered(concat(before))] if before else []

    def _ordered(self, columns: Columns) -> Columns:
        """The rows in their order, in which rows of rising times are already."""
        return columns if span(np.asarray(columns["ts_us"])).order == RISING else take(columns, self._order(columns))

    def _order(self, columns: Columns) -> I64:
        """Positions of rows by (ts, rank, event id)."""
        ts = np.asarray(columns["ts_us"])
        rank = self._rank[np.asarray(columns["topic"])]
        order = np.lexsort((rank, ts))
        tied = (np.diff(ts[order]) == 0) & (np.diff(rank[order]) == 0)
        if tied.any():
            _order_ties(order, tied, columns)
        return order


def _halves(block: _Block, threshold_us: int) -> tuple[Columns, _Block]:
    """The rows before a time, and those that wait on. Neither is empty."""
    columns, ts = block.columns, np.asarray(block.columns["ts_us"])
    at = int(np.searchsorted(ts, threshold_us))
    return cut(columns, 0, at), _Block(cut(columns, at, len(ts)), int(ts[at]), block.high_us)


def _order_ties(order: I64, tied: np.ndarray[tuple[int], np.dtype[np.bool_]], columns: Columns) -> None:
    """Sort each run of equal (ts, rank) by event id, in place; two payloads under one id by the payload's hash."""
    ids, hashes = columns["event_id"], np.asarray(columns["payload_hash"])
    assert isinstance(ids, Strings)
    starts = np.flatnonzero(tied & ~np.concatenate(([False], tied[:-1])))
    ends = np.flatnonzero(tied & ~np.concatenate((tied[1:], [False]))) + 2
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        order[start:end] = sorted(order[start:end].tolist(), key=lambda row: (ids.row(row) or b"", hashes[row].tobytes()))
