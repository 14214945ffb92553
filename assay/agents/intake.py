"""From fetched bytes to the rows of a lane: decode by schema, compare the pins of the run, refuse records that are not for this lane.

The reader is built from declarations: the record types of each input topic and the columns that the steps read. Nothing is dropped:
every offset ends as a row, a watermark, a resolved offset (tombstone, record without a row) or a refusal with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.agents.merge import END_OF_TIME, START_OF_TIME, Watermark
from assay.agents.record_fill import rows_layout
from assay.agents.record_plan import record_plan
from assay.agents.record_reader import OTHER_CURRENCY, OTHER_RUN, RecordReader
from assay.agents.specs import WATERMARK, InputSpec, RecordSpec
from assay.agents.step import Chunk
from assay.agents.taken import RefusedRecord, Taken
from assay.codecs.avro_decode import REASONS
from assay.codecs.avro_reading import Reading
from assay.codecs.block_rows import Rows, chosen, joined
from assay.codecs.column_block import Block
from assay.codecs.column_survey import behind
from assay.codecs.columns import I64, Strings, settled_strings
from assay.codecs.journal_record import ROW
from assay.codecs.kernel import frozen
from assay.codecs.single_object import by_type, pins_body, record_types, unpack
from assay.contracts.errors import AssayError
from assay.contracts.handles import CONTROL
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

NO_MARKS = frozen(np.empty((0, 2)), np.int64)


class Intake:
    """The reader of one lane. `columns` are the lane columns that records fill, `currencies` the codes of payments, none for all."""

    def __init__(self, inputs: Mapping[str, InputSpec], columns: Sequence[str], pins: Pins, currencies: Sequence[str] = ()) -> None:
        layout = rows_layout(columns)
        pins_bytes = frozen(np.frombuffer(pins_body(pins.as_avro()), np.uint8), np.uint8)
        self._readers = {
            handle: {
                spec.record: RecordReader(record_plan(spec, columns), layout, number, pins_bytes, currencies) for spec in given.records
            }
            for number, (handle, given) in enumerate(inputs.items())
        }
        self._never_late = {spec.record for given in inputs.values() for spec in given.records if spec.never_late}
        self._with_watermarks = {handle for handle in inputs if WATERMARK in topic(handle).records}
        self._pins, self._currencies = pins, currencies

    def take(self, chunk: Chunk, late_bound: int) -> Taken:
        """Decode a chunk; rows before `late_bound` (the last watermark of the partition) or a watermark in the chunk are late."""
        chunk = Chunk(chunk.handle, chunk.partition, chunk.offsets, settled_strings(chunk.values))
        taken = Taken()
        parts: list[Block] = []
        never_late: list[Block] = []
        for number, index in by_type(chunk.values):
            name = record_types()[number].name if number >= 0 else None
            self._take_type(name, chunk, index, taken, never_late if name in self._never_late else parts)
        if parts:
            taken.rows = self._refuse_late(chunk, _by_offset(parts), late_bound, taken)
        if never_late:
            taken.rows = _by_offset(never_late if taken.rows is None else [taken.rows, *never_late])
        taken.watermarks.sort()
        return taken

    def _take_type(self, name: str | None, chunk: Chunk, index: I64, taken: Taken, parts: list[Block]) -> None:
        reader = self._readers[chunk.handle].get(name or "")
        if name is None:
            self._refuse_unreadable(chunk, index, taken)
        elif name == WATERMARK and chunk.handle in self._with_watermarks:
            self._take_watermarks(chunk, index, taken)
        elif reader is None:
            for i in index.tolist():
                self._refuse(chunk, i, Reason.RECORD_TYPE_UNEXPECTED, f"a {name} on {chunk.handle}", taken)
        elif reader.is_document:
            self._take_documents(reader, chunk, index, taken, parts)
        else:
            self._take_columns(reader, chunk, index, taken, parts)

    def _take_columns(self, reader: RecordReader, chunk: Chunk, index: I64, taken: Taken, parts: list[Block]) -> None:
        offsets, values = chunk.offsets, chunk.values
        if len(index) < len(offsets):
            offsets, values = offsets[index], values.take(index)
        read = reader.read(values)
        if np.count_nonzero(read.verdict):
            self._refuse_records(reader.spec, read, chunk, index, taken)
        if not reader.spec.rows:
            taken.resolved += offsets[read.verdict == 0].tolist()
            return
        block = reader.rows(read, values, offsets, chunk.partition)
        if block is not None:
            parts.append(block)

    def _refuse_records(self, spec: RecordSpec, read: Reading, chunk: Chunk, index: I64, taken: Taken) -> None:
        """Refuse those that cannot be decoded, then those of another run, then those of a currency that the policy does not know."""
        name, verdict = spec.record, read.verdict
        for i in np.flatnonzero((verdict != 0) & (verdict < OTHER_RUN)).tolist():
            reason = REASONS[int(verdict[i])] or Reason.BYTES_GARBAGE
            self._refuse(chunk, int(index[i]), reason, f"a {name} that cannot be decoded", taken)
        for i in np.flatnonzero(verdict == OTHER_RUN).tolist():
            self._refuse(chunk, int(index[i]), Reason.RUN_SCOPE_MISMATCH, f"a {name} of another run", taken)
        others = np.flatnonzero(verdict == OTHER_CURRENCY).tolist()
        codes = read.column(spec.currency) if others and spec.currency else None
        for i in others:
            assert isinstance(codes, Strings)
            code, known = (codes.row(i) or b"").decode(), ", ".join(self._currencies)
            what = f"a {name} in {code}; `currencies` of the feature document are {known}: add it there and begin a new run"
            self._refuse(chunk, int(index[i]), Reason.CURRENCY_NOT_OF_POLICY, what, taken)

    def _take_documents(self, reader: RecordReader, chunk: Chunk, index: I64, taken: Taken, parts: list[Block]) -> None:
        for i in index.tolist():
            record = self._unpacked(reader.spec.record, chunk, i, taken)
            if record is not None:
                parts.append(reader.document(record, int(chunk.offsets[i]), chunk.partition))

    def _take_watermarks(self, chunk: Chunk, index: I64, taken: Taken) -> None:
        for i in index.tolist():
            record = self._unpacked(WATERMARK, chunk, i, taken)
            if record is not None:
                taken.watermarks.append(Watermark(int(chunk.offsets[i]), END_OF_TIME if record["final"] else record["ts_utc"]))

    def _unpacked(self, name: str, chunk: Chunk, i: int, taken: Taken) -> Mapping[str, Any] | None:
        """A rare record, read by itself; None if it is refused."""
        try:
            _, record = unpack(chunk.values.row(i) or b"")
        except AssayError as error:
            self._refuse(chunk, i, error.reason, error.what, taken)
            return None
        if record["pins"] != self._pins.as_avro():
            self._refuse(chunk, i, Reason.RUN_SCOPE_MISMATCH, f"a {name} of another run", taken)
            return None
        return record

    def _refuse_late(self, chunk: Chunk, block: Block, late_bound: int, taken: Taken) -> Block | None:
        """Drop rows behind the last watermark before their own offset."""
        if chunk.handle not in self._with_watermarks or (late_bound == START_OF_TIME and not taken.watermarks):
            return block
        offsets = np.asarray(block.column(ROW + "offset"))
        marks = np.array(taken.watermarks, np.int64) if taken.watermarks else NO_MARKS
        late = behind(np.asarray(block.column(ROW + "ts_us")), offsets, late_bound, marks)
        if late is None:
            return block
        for offset in offsets[late].tolist():
            if chunk.handle == CONTROL:  # READY that is said again: the first one counted, and nothing is decided by it
                taken.resolved.append(int(offset))
                continue
            position = int(np.searchsorted(chunk.offsets, offset))
            self._refuse(chunk, position, Reason.LATE_BEYOND_WATERMARK, "its time lies behind the watermark of its partition", taken)
        keep = np.flatnonzero(~late)
        return chosen(block, keep) if len(keep) else None

    def _refuse_unreadable(self, chunk: Chunk, index: I64, taken: Taken) -> None:
        for i in index.tolist():
            if chunk.values.lengths[i] < 0:
                taken.resolved.append(int(chunk.offsets[i]))
            else:
                self._refuse(chunk, i, Reason.SCHEMA_UNKNOWN, "no schema of this fingerprint is known", taken)

    def _refuse(self, chunk: Chunk, i: int, reason: Reason, detail: str, taken: Taken) -> None:
        raw = chunk.values.row(i) or b""
        taken.refused.append(RefusedRecord(chunk.handle, chunk.partition, int(chunk.offsets[i]), reason, detail, raw))


def _by_offset(parts: Sequence[Block]) -> Block:
    """The rows of all parts in the order of their offsets, as the rows of each part are."""
    if len(parts) == 1:
        return parts[0]
    together = joined([Rows.of(part) for part in parts])
    return chosen(together, np.argsort(np.asarray(together.column(ROW + "offset")), kind="stable"))
