"""From fetched bytes to lane columns: decode by schema, check the run's pins, refuse what is not for this lane.

Nothing is dropped: every offset ends as a row, a mark, a tombstone or a refusal with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from assay.agents.merge import END_OF_TIME, Watermark
from assay.agents.step import Chunk
from assay.codecs.avro_decode import REASONS, decode
from assay.codecs.column_match import pick_named, same_bytes
from assay.codecs.columns import I64, Columns, Ragged, Strings, concat, take
from assay.codecs.single_object import HEADER_BYTES, older_types, pins_body, plan_of, record_types, split, unpack
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT, POSTURE, RUN_READY

HEAD = {"event_id", "event_type", "ts_utc", "pins.platform_run_id", "payload_hash"}
READS = {
    "payment": (PAYMENT, HEAD | {"kind", "amount_minor", "currency", "entities"}),
    "context_fact": (CONTEXT, HEAD | {"entities"}),
    "label_assertion": (LABEL, HEAD | {"subject_event_id", "subject_ts_utc", "label"}),
}
#: rare records, read one by one; they travel through the lane as canonical JSON
DOCUMENTS = {"run_ready": RUN_READY, "posture": POSTURE}


class RefusedRecord(NamedTuple):
    """A record set aside, with its place and reason."""

    handle: str
    partition: int
    offset: int
    reason: Reason
    detail: str
    raw: bytes


@dataclass
class Taken:
    """What one chunk holds. `rows` are in offset order; `resolved` are offsets that need no order."""

    rows: Columns | None = None
    watermarks: list[Watermark] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)


class Intake:
    """Decoder of one lane's inputs. `accepts` names the record types of each topic."""

    def __init__(self, handles: Sequence[str], accepts: Mapping[str, Sequence[str]], pins: Pins, entities: Sequence[str]) -> None:
        self._number = {handle: number for number, handle in enumerate(handles)}
        self._accepts = accepts
        self._pins = pins
        self._pins_bytes = np.frombuffer(pins_body(pins.as_avro()), np.uint8)
        self._entities = list(entities)
        self._plans = {name: plan_of(name, frozenset(only)) for name, (_, only) in READS.items()}

    def take(self, chunk: Chunk, late_bound: int) -> Taken:
        """Decode a chunk; rows before `floor` (the partition's last mark) or a mark inside the chunk are late."""
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
        if name is None:
            self._refuse_unreadable(chunk, index, taken)
        elif name == "mark":
            self._take_watermarks(chunk, index, taken)
        elif name not in self._accepts[chunk.handle]:
            for i in index.tolist():
                self._refuse(chunk, i, Reason.RECORD_TYPE_UNEXPECTED, f"a {name} on {chunk.handle}", taken)
        elif name in DOCUMENTS:
            self._take_documents(name, chunk, index, taken, parts)
        else:
            self._take_columns(name, chunk, index, taken, parts)

    def _take_columns(self, name: str, chunk: Chunk, index: I64, taken: Taken, parts: list[Columns]) -> None:
        values = chunk.values if len(index) == len(chunk.offsets) else chunk.values.take(index)
        plan = self._plans[name]
        decoded = decode(plan, values.data, values.starts, values.lengths, HEADER_BYTES)
        good = decoded.verdict == 0
        for i in np.flatnonzero(~good).tolist():
            reason = REASONS[int(decoded.verdict[i])] or Reason.BYTES_GARBAGE
            self._refuse(chunk, int(index[i]), reason, f"a {name} that cannot be decoded", taken)
        run_id = decoded.columns["pins.platform_run_id"]
        assert isinstance(run_id, Strings)
        # the six pins are neighbours in the bytes: one comparison checks them all (the run id's length takes one byte)
        scope = same_bytes(run_id.data, run_id.starts - 1, self._pins_bytes)
        for i in np.flatnonzero(good & ~scope).tolist():
            self._refuse(chunk, int(index[i]), Reason.RUN_SCOPE_MISMATCH, f"a {name} of another run", taken)
        keep = np.flatnonzero(good & scope)
        if len(keep) == len(index):
            parts.append(self._lane_columns(name, chunk, index, decoded.columns))
        elif len(keep):
            parts.append(self._lane_columns(name, chunk, index[keep], take(decoded.columns, keep)))

    def _lane_columns(self, name: str, chunk: Chunk, index: I64, read: Columns) -> Columns:
        n = len(index)
        nothing = Strings.nulls(n)
        zeros = np.zeros(n, np.int64)
        columns: Columns = self._place_columns(chunk, index, READS[name][0])
        columns |= {"ts_us": read["ts_utc"], "event_id": read["event_id"], "event_type": read["event_type"]}
        columns |= {"payload_hash": read["payload_hash"]}
        columns |= {"amount_minor": read.get("amount_minor", zeros), "currency": read.get("currency", nothing)}
        columns |= {"payment_kind": read.get("kind", nothing)}
        entities = read.get("entities")
        for entity in self._entities:
            named = pick_named(entities, entity.encode()) if isinstance(entities, Ragged) else nothing
            columns[f"entity.{entity}"] = named
        columns["subject_event_id"] = read.get("subject_event_id", nothing)
        columns["subject_ts_us"] = read.get("subject_ts_utc", zeros)
        label = read.get("label")
        columns["label"] = _is_fraud(label) if isinstance(label, Strings) else np.full(n, -1, np.int8)
        columns["document"] = nothing
        return columns  # strings point into the fetched bytes; the journal record, or a join with other rows, copies them out

    def _take_documents(self, name: str, chunk: Chunk, index: I64, taken: Taken, parts: list[Columns]) -> None:
        for i in index.tolist():
            value = chunk.values.row(i) or b""
            try:
                _, record = unpack(value)
            except AssayError as error:
                self._refuse(chunk, i, error.reason, error.what, taken)
                continue
            if record["pins"] != self._pins.as_avro():
                self._refuse(chunk, i, Reason.RUN_SCOPE_MISMATCH, f"a {name} of another run", taken)
                continue
            parts.append(self._document_columns(name, chunk, np.array([i]), record))

    def _document_columns(self, name: str, chunk: Chunk, index: I64, record: Mapping[str, object]) -> Columns:
        nothing = Strings.of([None])
        zero = np.zeros(1, np.int64)
        text = json.dumps(record, sort_keys=True, default=lambda v: v.hex() if isinstance(v, bytes) else str(v))
        columns = self._place_columns(chunk, index, DOCUMENTS[name])
        columns |= {"ts_us": np.array([record["ts_utc"]], np.int64), "event_id": Strings.of([str(record["event_id"])])}
        columns |= {"event_type": Strings.of([name]), "payload_hash": np.zeros((1, 32), np.uint8)}
        columns |= {"amount_minor": zero, "currency": nothing, "payment_kind": nothing}
        columns |= {f"entity.{entity}": nothing for entity in self._entities}
        columns |= {"subject_event_id": nothing, "subject_ts_us": zero, "label": np.full(1, -1, np.int8)}
        columns["document"] = Strings.of([text])
        return columns

    def _place_columns(self, chunk: Chunk, index: I64, kind: int) -> Columns:
        n = len(index)
        return {
            "kind": np.full(n, kind, np.int8),
            "topic": np.full(n, self._number[chunk.handle], np.int16),
            "partition": np.full(n, chunk.partition, np.int32),
            "offset": chunk.offsets[index],
        }

    def _take_watermarks(self, chunk: Chunk, index: I64, taken: Taken) -> None:
        for i in index.tolist():
            try:
                _, record = unpack(chunk.values.row(i) or b"")
            except AssayError as error:
                self._refuse(chunk, i, error.reason, error.what, taken)
                continue
            if record["pins"] != self._pins.as_avro():
                self._refuse(chunk, i, Reason.RUN_SCOPE_MISMATCH, "a mark of another run", taken)
                continue
            taken.watermarks.append(Watermark(int(chunk.offsets[i]), END_OF_TIME if record["final"] else record["ts_utc"]))

    def _refuse_late(self, chunk: Chunk, columns: Columns, late_bound: int, taken: Taken) -> Columns | None:
        """Drop rows behind the last mark before their own offset."""
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
            self._refuse(chunk, position, Reason.LATE_BEYOND_WATERMARK, "its time lies behind the topic's mark", taken)
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


def as_it_came(refused: RefusedRecord, raw: bytes) -> RefusedRecord:
    """The refusal of a record that was read under today's schema, with its own bytes, and what is wrong with one of an older schema."""
    try:
        unpack(raw)
    except Quarantine as found:
        if raw[:HEADER_BYTES] in older_types():
            return refused._replace(raw=raw, reason=found.reason, detail=found.what)
    return refused._replace(raw=raw)


def fitting(refused: Sequence[RefusedRecord], bytes_max: int) -> int:
    """How many refusals from the first on hold at most this many bytes together; one at least."""
    ends = np.cumsum([len(r.raw) for r in refused])
    return max(int(np.searchsorted(ends, bytes_max, "right")), min(1, len(refused)))


def refused_columns(refused: Sequence[RefusedRecord], handles: Sequence[str]) -> Columns:
    """Refusals as they travel through a journal record."""
    return {
        "refused.topic": np.array([handles.index(r.handle) for r in refused], np.int16),
        "refused.partition": np.array([r.partition for r in refused], np.int32),
        "refused.offset": np.array([r.offset for r in refused], np.int64),
        "refused.reason": Strings.of([r.reason.value for r in refused]),
        "refused.detail": Strings.of([r.detail for r in refused]),
        "refused.raw": Strings.of([r.raw for r in refused]),
    }


def _is_fraud(label: Strings) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """1 for FRAUD, 0 for anything else the gate lets in (LEGIT)."""
    return same_bytes(label.data, label.starts, np.frombuffer(b"FRAUD", np.uint8)).astype(np.int8)
