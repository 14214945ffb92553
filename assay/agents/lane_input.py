"""The input side of a lane: fetched chunks become rows in processing order; refused records wait for the next journal record."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assay.agents.coverage import Coverage
from assay.agents.merge import Merge, Slice
from assay.agents.read_position import unread
from assay.agents.refusals import as_it_came, fitting
from assay.agents.step import Chunk, TopicPartition
from assay.agents.taken import Reader, RefusedRecord
from assay.codecs.single_object import resolve
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: the dead-letter path has a limit: this many refusals in a row stop the lane instead of draining its input
REFUSALS_IN_A_ROW_MAX = 10_000
#: refused records travel whole through the journal; this many bytes of them fit one record beside its rows
REFUSED_BYTES_MAX = 4 * 1024 * 1024


class LaneInput:
    """Reader and merge of one lane. Holds nothing that a restart would miss: the journal says where reading begins."""

    def __init__(self, lane: str, merge: Merge, reader: Reader) -> None:
        self.handles, self.tps = merge.handles, merge.tps
        self._lane = lane
        self._merge = merge
        self._reader = reader
        self._refused: list[RefusedRecord] = []
        self._refused_in_a_row = 0
        self._last_refused: RefusedRecord | None = None

    def restore(self, coverage: Mapping[TopicPartition, Coverage], watermarks: Mapping[TopicPartition, int]) -> None:
        """Begin where the journal ends."""
        self._merge.restore(coverage, watermarks)

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None:
        """Next offsets of the inputs at the start of the lane; see `Merge.bootstrap`."""
        self._merge.bootstrap(ends)

    def receive(self, chunk: Chunk) -> None:
        """Take fetched records. Offsets already journaled are skipped. Raises Stop(INPUT_GAP)."""
        tp = chunk.tp
        part = unread(self._lane, chunk, self._merge.next_unseen(tp))
        if part is None:
            return
        self._merge.saw(tp, part.next_offset)
        if part.without_record:
            self._merge.pass_over(tp, part.without_record)
        rest = self._unjournaled(chunk, part.first)
        if len(rest.offsets):
            self._take(rest)

    def _unjournaled(self, chunk: Chunk, first: int) -> Chunk:
        """The chunk from its record `first` on, without those that an earlier process journaled."""
        offsets = chunk.offsets[first:]
        if not first and self._merge.untouched(chunk.tp, int(offsets[0]), int(offsets[-1])):
            return chunk
        index = first + np.flatnonzero(~self._merge.journaled(chunk.tp, offsets))
        return chunk._replace(offsets=chunk.offsets[index], values=chunk.values.take(index))

    def _take(self, chunk: Chunk) -> None:
        values = resolve(chunk.values)
        taken = self._reader.take(chunk if values is chunk.values else chunk._replace(values=values), self._merge.late_bound(chunk.tp))
        if values is not chunk.values:
            rows_of = np.searchsorted(chunk.offsets, [r.offset for r in taken.refused]).tolist()
            taken.refused = [as_it_came(r, chunk.values.row(row) or b"") for r, row in zip(taken.refused, rows_of, strict=True)]
        self._merge.add(chunk.tp, taken.rows, taken.watermarks)
        if taken.resolved:
            self._merge.resolve(chunk.tp, np.array(taken.resolved, np.int64))
        self._refused.extend(taken.refused)
        self._refused_in_a_row = 0 if taken.rows is not None else self._refused_in_a_row + len(taken.refused)
        self._last_refused = taken.refused[-1] if taken.refused else self._last_refused

    def wants(self, tp: TopicPartition) -> bool:
        """False while enough of this partition is buffered, and once too many records in a row were refused."""
        return self._refused_in_a_row <= REFUSALS_IN_A_ROW_MAX and self._merge.wants(tp)

    def waits_for(self) -> list[str]:
        """As of `Merge`."""
        return self._merge.waits_for()

    def finished(self) -> bool:
        """Every input ended and everything received is in the journal."""
        return self._merge.finished() and not self._refused

    def next(self, rows_max: int) -> tuple[list[RefusedRecord], Slice | None]:
        """Refused records and rows for the next journal record. Raises Stop(TOO_MANY_REFUSALS) once nothing is left to journal."""
        refused = self._next_refused()
        taken = self._merge.take(rows_max)
        if taken is None and self._refused_in_a_row > REFUSALS_IN_A_ROW_MAX:
            self._stop_draining()
        return refused, taken

    def _next_refused(self) -> list[RefusedRecord]:
        """The oldest refusals that fit one journal record; their offsets are covered by it."""
        if not self._refused:
            return []
        n = fitting(self._refused, REFUSED_BYTES_MAX)
        refused, self._refused = self._refused[:n], self._refused[n:]
        for r in refused:
            self._merge.resolve((r.handle, r.partition), np.array([r.offset], np.int64))
        return refused

    def _stop_draining(self) -> None:
        """Too many refusals in a row: they are journaled by now, so that a restart goes on behind them."""
        last = self._last_refused
        assert last is not None
        raise Stop(
            Reason.TOO_MANY_REFUSALS,
            f"lane {self._lane}: {self._refused_in_a_row} refusals in a row, last {last.reason.value}: {last.detail}",
            where=f"{last.handle}[{last.partition}]@{last.offset}",
            remedy="Find the producer of these records; the lane goes on behind them once it is restarted.",
        )
