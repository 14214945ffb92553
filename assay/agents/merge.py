"""Merge: the order in which the rows of several topics and partitions fold.

`event_time`: by (ts_us, rank of the topic, order in the source, event id). A row waits until the watermark of every other input has
passed it. So pacing, partition counts and delays change nothing. `arrival`: in the order in which rows come. A watermark W on a partition
promises that all rows before W are published there. The final watermark is the end of time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from assay.agents.coverage import Coverage, runs
from assay.agents.row_order import Ordering, WaitingRows
from assay.agents.step import TopicPartition
from assay.codecs.block_rows import Rows, joined
from assay.codecs.column_block import Block
from assay.codecs.column_survey import alike
from assay.codecs.columns import I64
from assay.codecs.journal_record import ROW

#: the last watermark of a partition
END_OF_TIME = int(np.iinfo(np.int64).max)
#: no watermark came yet
START_OF_TIME = int(np.iinfo(np.int64).min)

#: texts of the rows in one slice, so that its journal record stays below what a broker takes; longer ids mean fewer rows
TEXT_BYTES_MAX = 8 * 1024 * 1024

#: watermarks without rows are journaled when so many wait
WATERMARKS_WAITING_MAX = 512

#: (topic, partition, first, last)
Range = tuple[str, int, int, int]


class Watermark(NamedTuple):
    """A watermark at an offset of a partition."""

    offset: int
    ts_us: int


class Slice(NamedTuple):
    """What one journal record takes from the merge: rows in processing order, and what else is done with them."""

    rows: Block | None
    ranges: list[Range]
    watermarks: list[tuple[str, int, int]]


class _Input:
    """One partition: the next offset to read, the offsets in the journal, and the watermarks that wait for earlier rows."""

    def __init__(self, coverage: Coverage, watermark: int) -> None:
        self.coverage = coverage
        self.next_unseen = coverage.base
        self.watermark = watermark
        self.late_bound = watermark
        self.waiting: deque[Watermark] = deque()
        self.held = 0


class Merge:
    """Buffers rows until their order is certain. Holds nothing that a restart would miss."""

    def __init__(self, ranks: Mapping[str, int], tps: Sequence[TopicPartition], ordering: Ordering, hold_max: int = 50_000) -> None:
        self.handles, self.tps = list(ranks), list(tps)
        self._rank = np.array([ranks[handle] for handle in self.handles], np.int64)
        self._pending = WaitingRows(self._rank, ordering)
        self._ordering = ordering
        self._hold_max = hold_max
        self._inputs = {tp: _Input(Coverage(), START_OF_TIME) for tp in tps}
        #: the lowest watermark of all inputs, None while it is not known
        self._lowest: int | None = None
        self._ready: deque[Rows] = deque()
        self._done: dict[TopicPartition, list[I64]] = {}
        self._passed_over: list[Range] = []
        self._first: dict[TopicPartition, int] = {}

    def restore(self, coverage: Mapping[TopicPartition, Coverage], watermarks: Mapping[TopicPartition, int]) -> None:
        """Start where the journal ends."""
        for tp in self._inputs:
            self._inputs[tp] = _Input(coverage.get(tp, Coverage()).copy(), watermarks.get(tp, START_OF_TIME))
        self._lowest = None

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None:
        """Under `arrival`, what control and posture held when the lane started is read before anything else is fetched."""
        lowest = min(self._rank)
        of_first_rank = {handle for handle, rank in zip(self.handles, self._rank, strict=True) if rank == lowest}
        if self._ordering == "arrival" and len(of_first_rank) < len(self.handles):
            self._first = {tp: end for tp, end in ends.items() if tp[0] in of_first_rank}

    def next_unseen(self, tp: TopicPartition) -> int:
        """The offset expected next from this partition."""
        return self._inputs[tp].next_unseen

    def saw(self, tp: TopicPartition, next_offset: int) -> None:
        """All offsets below this one were received."""
        self._inputs[tp].next_unseen = next_offset

    def journaled(self, tp: TopicPartition, offsets: I64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of these offsets an earlier process has already journaled."""
        return self._inputs[tp].coverage.done(offsets)

    def untouched(self, tp: TopicPartition, first: int, last: int) -> bool:
        """Whether none of the offsets first..last (inclusive) is journaled."""
        return self._inputs[tp].coverage.untouched(first, last)

    def late_bound(self, tp: TopicPartition) -> int:
        """Rows of this partition with a time before this one are late."""
        return self._inputs[tp].late_bound

    def add(self, tp: TopicPartition, rows: Block | None, watermarks: Sequence[Watermark]) -> None:
        """Take rows of one partition, in offset order, and the watermarks between them."""
        state = self._inputs[tp]
        if rows is not None and rows.rows:
            state.held += rows.rows
            self._pending.add(rows)
        for watermark in watermarks:
            state.waiting.append(watermark)
            state.late_bound = max(state.late_bound, watermark.ts_us)
            state.watermark = max(state.watermark, watermark.ts_us)
            self._lowest = None

    def resolve(self, tp: TopicPartition, offsets: I64) -> None:
        """These offsets need no order (refused records, tombstones); they go into the next journal record."""
        if len(offsets):
            self._done.setdefault(tp, []).append(offsets)

    def pass_over(self, tp: TopicPartition, without_record: Sequence[tuple[int, int]]) -> None:
        """These runs of offsets hold no record. The next journal record covers those not journaled yet, so that the position moves on."""
        coverage = self._inputs[tp].coverage
        self._passed_over += [(*tp, first, last) for run in without_record for first, last in coverage.missing(*run)]

    def wants(self, tp: TopicPartition) -> bool:
        """A partition that others wait for is always wanted; one that is far ahead is not."""
        state = self._inputs[tp]
        self._first = {p: end for p, end in self._first.items() if self._inputs[p].next_unseen < end}
        if self._first and tp not in self._first:
            return False
        if state.held < self._hold_max:
            return True
        return self._ordering == "event_time" and not self._ready and state.watermark <= self._threshold()

    def waits_for(self) -> list[str]:
        """Handles of the topics whose watermarks hold back rows that are here; empty when no row waits."""
        if self._ordering == "arrival" or not self._pending or self._ready:
            return []
        return sorted({handle for (handle, _), state in self._inputs.items() if state.watermark <= self._threshold()})

    def finished(self) -> bool:
        """Every input has had its final watermark, and nothing waits."""
        return self._threshold() == END_OF_TIME and not self._pending and not self._ready

    def take(self, rows_max: int) -> Slice | None:
        """The next rows whose order is certain, or None. Offsets resolved so far travel along."""
        if not self._ready and self._pending:
            self._ready.extend(self._pending.certain(self._threshold()))
        rows = self._pop(rows_max)
        if rows is None and not (self._done or self._passed_over) and not self._watermarks_worth_recording():
            return None
        done, self._done = self._done, {}
        if rows is not None:
            self._account(rows, done)
        ranges = self._cover(done)
        return Slice(rows, *self._settle(ranges))

    def _threshold(self) -> int:
        if self._lowest is None:
            self._lowest = min((state.watermark for state in self._inputs.values()), default=END_OF_TIME)
        return self._lowest

    def _watermarks_worth_recording(self) -> bool:
        """Watermarks alone are journaled at the end of time, or when many wait, so that an idle topic's position moves.

        Only watermarks with nothing unjournaled before them count: a record for the others would hold nothing.
        """
        settled = sum(_next_watermarks(state) for state in self._inputs.values())
        return settled >= WATERMARKS_WAITING_MAX or (settled > 0 and not self._pending and self._threshold() == END_OF_TIME)

    def _pop(self, rows_max: int) -> Block | None:
        parts: list[Rows] = []
        room = TEXT_BYTES_MAX
        while self._ready and rows_max > 0:
            ready = self._ready.popleft()
            head, _ = ready.cut(min(rows_max, ready.rows))
            n, size = head.fitting(room)
            n = n or int(not parts)
            if n < ready.rows:
                head, tail = ready.cut(n)
                self._ready.appendleft(tail)
            if not n:
                break
            parts.append(head)
            rows_max, room = rows_max - n, room - size
        return joined(parts) if parts else None

    def _account(self, rows: Block, done: dict[TopicPartition, list[I64]]) -> None:
        for tp, offsets in self._by_partition(rows):
            self._inputs[tp].held -= len(offsets)
            done.setdefault(tp, []).append(offsets)

    def _by_partition(self, rows: Block) -> Iterator[tuple[TopicPartition, I64]]:
        """The offsets of the rows of each partition, by topic and partition."""
        columns = rows.within(ROW)  # the fold asks for them, too
        topic, partition, offset = (np.asarray(columns[name]) for name in ("topic", "partition", "offset"))
        if alike(topic, partition):
            yield (self.handles[topic[0]], int(partition[0])), offset
            return
        order = np.lexsort((partition, topic))
        topic, partition, offset = topic[order], partition[order], offset[order]
        cuts = (np.flatnonzero(np.diff(topic) | np.diff(partition)) + 1).tolist()
        for first, stop in pairwise([0, *cuts, len(order)]):
            yield (self.handles[topic[first]], int(partition[first])), offset[first:stop]

    def _cover(self, done: Mapping[TopicPartition, list[I64]]) -> list[Range]:
        ranges, self._passed_over = self._passed_over, []
        for (handle, partition), parts in done.items():
            offsets = parts[0] if len(parts) == 1 else np.concatenate(parts)
            ranges += [(handle, partition, first, last) for first, last in runs(offsets)]
        for handle, partition, first, last in ranges:
            self._inputs[(handle, partition)].coverage.add(first, last)
        return ranges

    def _settle(self, ranges: list[Range]) -> tuple[list[Range], list[tuple[str, int, int]]]:
        """Watermarks with nothing unjournaled before them are done too; later ones are read again after a restart."""
        watermarks: list[tuple[str, int, int]] = []
        for (handle, partition), state in self._inputs.items():
            if not state.waiting:
                continue
            settled = START_OF_TIME
            while state.waiting and state.waiting[0].offset <= state.coverage.base:
                watermark = state.waiting.popleft()
                state.coverage.add(watermark.offset, watermark.offset)
                ranges.append((handle, partition, watermark.offset, watermark.offset))
                settled = max(settled, watermark.ts_us)
            if settled != START_OF_TIME:
                watermarks.append((handle, partition, settled))
        return ranges, watermarks


def _next_watermarks(state: _Input) -> int:
    """How many waiting watermarks follow what is journaled without a row between."""
    base, count = state.coverage.base, 0
    for watermark in state.waiting:
        if watermark.offset > base:
            break
        base, count = max(base, watermark.offset + 1), count + 1
    return count
