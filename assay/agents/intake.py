"""From fetched bytes to the columns of a lane: decode by schema, compare the pins of the run, refuse records that are not for this lane.

The reader is built from declarations: the record types of each input topic and the columns that the steps read. Nothing is dropped:
every offset ends as a row, a watermark, a resolved offset (tombstone, record without a row) or a refusal with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.agents.merge import END_OF_TIME, Watermark
from assay.agents.record_plan import RecordPlan, record_plan
from assay.agents.specs import WATERMARK, InputSpec
from assay.agents.step import Chunk
from assay.agents.taken import RefusedRecord, Taken
from assay.codecs.avro_decode import REASONS, Decoded, decode
from assay.codecs.column_match import same_bytes
from assay.codecs.columns import I64, Columns, Strings, concat, take
from assay.codecs.single_object import HEADER_BYTES, pins_body, record_types, split, unpack
from assay.contracts.errors import AssayError
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic


class Intake:
    """The reader of one lane. `columns` are the lane columns that records fill, `entities` those of the policy."""

    def __init__(self, inputs: Mapping[str, InputSpec], columns: Sequence[str], pins: Pins) -> None:
        self._number = {handle: number for number, handle in enumerate(inputs)}
        self._plans = {handle: {spec.record: record_plan(spec, columns) for spec in given.records} for handle, given in inputs.items()}
        self._with_watermarks = {handle for handle in inputs if WATERMARK in topic(handle).records}
        self._pins = pins
        self._pins_bytes = np.frombuffer(pins_body(pins.as_avro()), np.uint8)

    def take(self, chunk: Chunk, late_bound: int) -> Taken:
        """Decode a chunk; rows before `late_bound` (the last watermark of the partition) or a watermark in the chunk are late."""
        taken = Taken()
        types = split(chunk.values)
        parts: list[Columns] = []
        for number in np.unique(types).tolist():
            index = np.flatnonzero(types == number)
            name = record_types()[number].name if number >= 0 else None
            self._take_type(name, chunk, index, taken, parts)
        if parts:
            together = concat(parts)
            if len(parts) > 1:
                together = take(together, np.argsort(np.asarray(together["offset"]), kind="stable"))
            taken.rows = self._refuse_late(chunk, together, late_bound, taken)
        taken.watermarks.sort()
        return taken

    def _take_type(self, name: str | None, chunk: Chunk, index: I64, taken: Taken, parts: list[Columns]) -> None:
        plan = self._plans[chunk.handle].get(name or "")
        if name is None:
            self._refuse_unreadable(chunk, index, taken)
        elif name == WATERMARK and chunk.handle in self._with_watermarks:
            self._take_watermarks(chunk, index, taken)
        elif plan is None:
            for i in index.tolist():
                self._refuse(chunk, i, Reason.RECORD_TYPE_UNEXPECTED, f"a {name} on {chunk.handle}", taken)
        elif plan.spec.is_document:
            self._take_documents(plan, chunk, index, taken, parts)
        else:
            self._take_columns(plan, chunk, index, taken, parts)

    def _take_columns(self, plan: RecordPlan, chunk: Chunk, index: I64, taken: Taken, parts: list[Columns]) -> None:
        values = chunk.values if len(index) == len(chunk.offsets) else chunk.values.take(index)
        decoded = decode(plan.avro, values.data, values.starts, values.lengths, HEADER_BYTES)
        good = decoded.verdict == 0
        for i in np.flatnonzero(~good).tolist():
            reason = REASONS[int(decoded.verdict[i])] or Reason.BYTES_GARBAGE
            self._refuse(chunk, int(index[i]), reason, f"a {plan.spec.record} that cannot be decoded", taken)
        if plan.spec.of_run:
            good &= self._of_run(plan, decoded, good, chunk, index, taken)
        keep = np.flatnonzero(good)
        if not plan.spec.rows:
            taken.resolved += chunk.offsets[index[keep]].tolist()
        elif len(keep) == len(index):
            parts.append(self._lane_columns(plan, chunk, index, values, decoded.columns))
        elif len(keep):
            parts.append(self._lane_columns(plan, chunk, index[keep], values.take(keep), take(decoded.columns, keep)))

    def _of_run(
        self, plan: RecordPlan, decoded: Decoded, good: np.ndarray[tuple[int], np.dtype[np.bool_]], chunk: Chunk, index: I64, taken: Taken
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Rows of this run; the others are refused."""
        run_id = decoded.columns["pins.platform_run_id"]
        assert isinstance(run_id, Strings)
        # the six pins are neighbours in the bytes: one comparison checks them all (the length of the run id takes one byte)
        ours = same_bytes(run_id.data, run_id.starts - 1, self._pins_bytes)
        for i in np.flatnonzero(good & ~ours).tolist():
            self._refuse(chunk, int(index[i]), Reason.RUN_SCOPE_MISMATCH, f"a {plan.spec.record} of another run", taken)
        return ours

    def _lane_columns(self, plan: RecordPlan, chunk: Chunk, index: I64, values: Strings, read: Columns) -> Columns:
        # texts point into the fetched bytes; the journal record, or a join with other rows, copies them out
        return self._origin(plan, chunk, index) | {column.name: column.fill(read, values) for column in plan.columns}

    def _origin(self, plan: RecordPlan, chunk: Chunk, index: I64) -> Columns:
        n = len(index)
        columns: Columns = {"kind": np.full(n, plan.spec.kind, np.int8)} if plan.with_kind else {}
        return columns | {
            "topic": np.full(n, self._number[chunk.handle], np.int16),
            "partition": np.full(n, chunk.partition, np.int32),
            "offset": chunk.offsets[index],
        }

    def _take_documents(self, plan: RecordPlan, chunk: Chunk, index: I64, taken: Taken, parts: list[Columns]) -> None:
        for i in index.tolist():
            record = self._unpacked(plan.spec.record, chunk, i, taken)
            if record is not None:
                parts.append(self._origin(plan, chunk, np.array([i])) | {column.name: column.of_record(record) for column in plan.columns})

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

    def _refuse_late(self, chunk: Chunk, columns: Columns, late_bound: int, taken: Taken) -> Columns | None:
        """Drop rows behind the last watermark before their own offset."""
        if chunk.handle not in self._with_watermarks:
            return columns
        offsets = np.asarray(columns["offset"])
        late_bounds = np.full(len(offsets), late_bound, np.int64)
        for watermark in taken.watermarks:
            after = offsets > watermark.offset
            late_bounds[after] = np.maximum(late_bounds[after], watermark.ts_us)
        late = np.asarray(columns["ts_us"]) < late_bounds
        if not late.any():
            return columns
        for offset in offsets[late].tolist():
            position = int(np.searchsorted(chunk.offsets, offset))
            self._refuse(chunk, position, Reason.LATE_BEYOND_WATERMARK, "its time lies behind the watermark of its partition", taken)
        keep = np.flatnonzero(~late)
        return take(columns, keep) if len(keep) else None

    def _refuse_unreadable(self, chunk: Chunk, index: I64, taken: Taken) -> None:
        for i in index.tolist():
            if chunk.values.lengths[i] < 0:
                taken.resolved.append(int(chunk.offsets[i]))
            else:
                self._refuse(chunk, i, Reason.SCHEMA_UNKNOWN, "no schema of this fingerprint is known", taken)

    def _refuse(self, chunk: Chunk, i: int, reason: Reason, detail: str, taken: Taken) -> None:
        raw = chunk.values.row(i) or b""
        taken.refused.append(RefusedRecord(chunk.handle, chunk.partition, int(chunk.offsets[i]), reason, detail, raw))
