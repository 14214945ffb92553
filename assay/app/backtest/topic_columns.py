"""Columns of journaled rows that the journal does not hold, read from the records that the rows were made of.

A row names the topic, partition and offset of its record. Partitions are read forward beside the journal. What was read is kept until
the journal has passed it, so memory holds the rows that wait for their order and no others.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import numpy as np

from assay.agents.lane_columns import absent_column
from assay.agents.record_fill import rows_layout
from assay.agents.record_plan import record_plan, supplies
from assay.agents.record_reader import RecordReader
from assay.agents.specs import InputSpec, LaneSpec
from assay.agents.step import Chunk, TopicPartition
from assay.app.backtest.refusals import NotJournaled
from assay.app.backtest.sources import Sources
from assay.codecs.columns import I64, Columns, concat, cut, take
from assay.codecs.journal_record import ROW
from assay.codecs.kernel import frozen
from assay.codecs.single_object import by_type, pins_body, record_types, resolve
from assay.contracts.pins import Pins

ORIGIN = "the topic"


def supplying(lane: LaneSpec, names: Sequence[str]) -> list[str]:
    """Handles of the inputs of a lane whose records fill one of these columns."""
    return [handle for handle, given in lane.inputs.items() if any(supplies(spec, name) for spec in given.records for name in names)]


class TopicColumns:
    """The columns `names` of rows of a lane. Raises Stop(COLUMN_NOT_JOURNALED) for a row whose record the topic does not hold."""

    def __init__(self, lane: LaneSpec, names: Sequence[str], pins: Pins, sources: Sources, refusal: NotJournaled) -> None:
        self._names, self._sources, self._refusal = tuple(names), sources, refusal
        self._handles = list(lane.inputs)
        self._read = {handle: _Reader(lane.inputs[handle], names, pins) for handle in supplying(lane, names)}
        self._windows: dict[TopicPartition, _Window] = {}

    def of(self, rows: Columns) -> Columns:
        """The columns of these rows, null where a record has no such field."""
        topic, partition, offset = (np.asarray(rows[name]) for name in ("topic", "partition", "offset"))
        places: list[I64] = []
        parts: list[Columns] = []
        for number, p in sorted(set(zip(topic.tolist(), partition.tolist(), strict=True))):
            index = np.flatnonzero((topic == number) & (partition == p))
            places.append(index)
            parts.append(self._part(self._handles[number], p, offset[index]))
        return take(concat(parts), np.argsort(np.concatenate(places)))

    def settle(self, position: Mapping[TopicPartition, int], watermark_us: int) -> None:
        """The journal has passed these offsets: no later row is before them."""
        for tp, window in self._windows.items():
            window.settle(position.get(tp, 0))

    def close(self) -> None:
        """Read no further."""
        for window in self._windows.values():
            window.close()

    def _part(self, handle: str, partition: int, offsets: I64) -> Columns:
        reader = self._read.get(handle)
        if reader is None:
            return {name: absent_column(name, len(offsets)) for name in self._names}
        window = self._windows.get((handle, partition))
        if window is None:
            window = self._windows[handle, partition] = _Window(reader, self._sources.chunks(handle, partition), self._names)
        found = window.at(offsets)
        if found is None:
            raise self._refusal(f"{handle}[{partition}] does not hold every record from offset {int(offsets.min())} on")
        return found


class _Window:
    """The rows of one partition between the position of the journal and the records read so far."""

    def __init__(self, reader: _Reader, chunks: Generator[Chunk], names: Sequence[str]) -> None:
        self._reader, self._chunks = reader, chunks
        self._offsets = np.empty(0, np.int64)
        self._columns: Columns = {name: absent_column(name, 0) for name in names}
        self._read_to = -1

    def at(self, offsets: I64) -> Columns | None:
        """The columns of the rows at these offsets, None if one of them is not there."""
        while self._read_to < int(offsets.max()):
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._add(chunk)
        at = np.searchsorted(self._offsets, offsets)
        inside = at < len(self._offsets)
        if not inside.all() or not np.array_equal(self._offsets[at], offsets):
            return None
        return take(self._columns, at)

    def settle(self, below: int) -> None:
        first, end = int(np.searchsorted(self._offsets, below)), len(self._offsets)
        if first:
            self._offsets, self._columns = self._offsets[first:], cut(self._columns, first, end)

    def close(self) -> None:
        self._chunks.close()

    def _add(self, chunk: Chunk) -> None:
        self._read_to = int(chunk.offsets[-1])
        offsets, columns = self._reader.read(chunk)
        if len(offsets):
            self._columns = concat([self._columns, columns]) if len(self._offsets) else columns
            self._offsets = np.concatenate([self._offsets, offsets])


class _Reader:
    """The record readers of one input topic for the wanted columns."""

    def __init__(self, given: InputSpec, names: Sequence[str], pins: Pins) -> None:
        layout, body = rows_layout(names), frozen(np.frombuffer(pins_body(pins.as_avro()), np.uint8), np.uint8)
        self._names = tuple(names)
        self._readers = {spec.record: RecordReader(record_plan(spec, names), layout, 0, body) for spec in given.records}

    def read(self, chunk: Chunk) -> tuple[I64, Columns]:
        """Offsets of the readable records of a chunk, rising, and their columns."""
        values = resolve(chunk.values)
        found: list[Columns] = []
        for number, index in by_type(values):
            reader = self._readers.get(record_types()[number].name) if number >= 0 else None
            if reader is None:
                continue
            chosen = values.take(index)
            block = reader.rows(reader.read(chosen), chosen, chunk.offsets[index], chunk.partition)
            if block is not None:
                found.append(block.within(ROW))
        if not found:
            return np.empty(0, np.int64), {}
        columns = concat(found)
        order = np.argsort(np.asarray(columns["offset"]), kind="stable")
        return np.asarray(columns["offset"])[order], take({name: columns[name] for name in self._names}, order)
