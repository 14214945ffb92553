"""A fetch as one run of values instead of an object per record: aiokafka's fetcher with two of its names replaced, and paced.

Only the fetcher given is touched. What `read_batches` does not read (compressed, transactional, old formats) goes the stock
way and arrives as aiokafka's records. A contract test stands on the stock coroutine and on the class below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from assay.agents.step import Chunk, TopicPartition
from assay.codecs.columns import Strings
from assay.codecs.record_batch_read import Fetched, holds_batch, read_batches
from assay.contracts.errors import Quarantine

#: while records come, a fetch of a lane waits for so many bytes, for as long as its worker is told
BUSY_BYTES = 64 * 1024
#: when none come, the first one ends it
IDLE_WAIT_MS = 50


class RawBatches:
    """Stands in for `MemoryRecords` where the fetcher asks whether there is anything."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def has_next(self) -> bool:
        """Whether a whole batch came; the broker sends at least one unless there is nothing."""
        return holds_batch(self.raw)

    def size_in_bytes(self) -> int:
        return len(self.raw)


class RunOfRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types for it
    """Iterates over one `Fetched`, or over aiokafka's records where the batches are of another kind."""

    _tp: Any
    _records: Any
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        raw = self._records.raw
        try:
            fetched = read_batches(raw, self.next_fetch_offset)
        except Quarantine as error:
            raise CorruptRecordException(f"{self._tp}: {error.what}") from error
        if fetched is None:
            self._records = MemoryRecords(raw)
            yield from super()._unpack_records()
            return
        self.next_fetch_offset = fetched.next_offset
        if len(fetched.offsets):
            yield fetched


def fetch_runs(fetcher: Fetcher) -> None:
    """Let this fetcher hand out `Fetched` runs."""
    stock = Fetcher._proc_fetch_request
    names = {**stock.__globals__, "MemoryRecords": RawBatches, "PartitionRecords": RunOfRecords}
    fetcher._proc_fetch_request = MethodType(FunctionType(stock.__code__, names, stock.__name__, stock.__defaults__), fetcher)


class AnsweredAtOnce(set[Any]):
    """The nodes with a fetch under way. When one is over, the fetcher is woken.

    Stock takes a node out a moment after its fetch is over. A fetcher that looks in that moment, because records were just taken,
    finds the node still there and sends nothing. Nothing wakes it then: a lane would stand for 200 ms beside a full topic.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        super().__init__(fetcher._in_flight)
        self._fetcher = fetcher

    def discard(self, node_id: Any) -> None:
        """The fetch from this node is over."""
        super().discard(node_id)
        self._fetcher._notify(self._fetcher._wait_consume_future)


def wake_when_answered(fetcher: Fetcher) -> None:
    """Let this fetcher look for the next fetch after the end of each one."""
    fetcher._in_flight = AnsweredAtOnce(fetcher)


def pace_fetches(fetcher: Fetcher, busy_wait_ms: int) -> None:
    """Let each fetch of this fetcher wait for as long and as much as `fetch_wait` says."""
    stock, before = fetcher._get_actions_per_node, dict[Any, int]()

    def actions(assignment: Any) -> Any:
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        positions = {tp: state.position for tp, state in states.items() if state.has_valid_position}
        moved = any(before.get(tp) != position for tp, position in positions.items())
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = fetch_wait(busy_wait_ms, moved=moved, partly=bool(fetcher._records))
        before.update(positions)
        return stock(assignment)

    fetcher._get_actions_per_node = actions


def fetch_wait(busy_wait_ms: int, *, moved: bool, partly: bool) -> tuple[int, int]:
    """(longest wait in ms, bytes that end it) of the next fetch.

    `moved`: the last one brought something, so more is coming: rows that come within a few ms share the costs of a fetch.
    `partly`: partitions are left out, not taken yet or of a full lane, and will have to wait until this fetch is back.
    """
    if moved:
        return busy_wait_ms, BUSY_BYTES
    return (busy_wait_ms if partly else IDLE_WAIT_MS), 1


def to_chunk(place: TopicPartition, records: list[Any]) -> Chunk:
    """What was fetched of one partition as a chunk: one run, or aiokafka's records where batches were not plain."""
    if isinstance(records[0], Fetched):
        return Chunk(*place, records[0].offsets, records[0].values, newest_ms=records[0].newest_ms)
    values = [record.value for record in records]
    newest_ms = max(0, *(record.timestamp for record in records))
    offsets = np.array([record.offset for record in records], np.int64)
    if None in values:
        return Chunk(*place, offsets, Strings.of(values), newest_ms=newest_ms)
    lengths = np.array([len(value) for value in values], np.int32)
    ends = np.cumsum(lengths, dtype=np.int64)
    return Chunk(*place, offsets, Strings(np.frombuffer(b"".join(values), np.uint8), ends - lengths, lengths), newest_ms=newest_ms)


__all__ = ["Fetched", "fetch_runs", "pace_fetches", "to_chunk", "wake_when_answered"]
