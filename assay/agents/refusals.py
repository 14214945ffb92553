"""Refused records: as columns of a journal record and as dead letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.batch import RefusedRow
from assay.agents.step import Emission
from assay.agents.taken import RefusedRecord
from assay.codecs.columns import Columns, Strings
from assay.codecs.quarantine import quarantine_value
from assay.codecs.single_object import HEADER_BYTES, older_types, unpack
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def as_it_came(refused: RefusedRecord, raw: bytes) -> RefusedRecord:
    """The refusal with the bytes that came; for a record of an older schema with the reason that its own schema gives."""
    try:
        unpack(raw)
    except Quarantine as found:
        if raw[:HEADER_BYTES] in older_types():
            return refused._replace(raw=raw, reason=found.reason, detail=found.what)
    return refused._replace(raw=raw)


def fitting(refused: Sequence[RefusedRecord], bytes_max: int) -> int:
    """How many refusals, from the first on, hold at most this many bytes together; one at least."""
    ends = np.cumsum([len(r.raw) for r in refused])
    return max(int(np.searchsorted(ends, bytes_max, "right")), min(1, len(refused)))


def refused_columns(refused: Sequence[RefusedRecord], handles: Sequence[str]) -> Columns:
    """Refusals as columns."""
    return {
        "topic": np.array([handles.index(r.handle) for r in refused], np.int16),
        "partition": np.array([r.partition for r in refused], np.int32),
        "offset": np.array([r.offset for r in refused], np.int64),
        "reason": Strings.of([r.reason.value for r in refused]),
        "detail": Strings.of([r.detail for r in refused]),
        "raw": Strings.of([r.raw for r in refused]),
    }


def refused_records(columns: Columns, handles: Sequence[str]) -> list[RefusedRecord]:
    """The inverse of `refused_columns`."""
    if not columns:
        return []
    numbers = [np.asarray(columns[name]).tolist() for name in ("topic", "partition", "offset")]
    texts = [columns[name] for name in ("reason", "detail", "raw")]
    reason, detail, raw = (column.tolist() for column in texts if isinstance(column, Strings))
    return [
        RefusedRecord(handles[t], p, o, Reason((why or b"").decode()), (text or b"").decode(), value or b"")
        for t, p, o, why, text, value in zip(*numbers, reason, detail, raw, strict=True)
    ]


def refused_rows(rows: Sequence[RefusedRow], origin: Columns, handles: Sequence[str]) -> list[RefusedRecord]:
    """Rows that a step refused, as refused records without their bytes; `origin` are the columns of their batch."""
    topic, partition, offset = (np.asarray(origin[name]) for name in ("topic", "partition", "offset"))
    return [
        RefusedRecord(handles[int(topic[row])], int(partition[row]), int(offset[row]), reason, detail, b"")
        for row, reason, detail in sorted(rows)
    ]


def dead_letters(handle: str, refused: Sequence[RefusedRecord], wall_us: int) -> list[Emission]:
    """One quarantine record per refusal for a topic, keyed by the place of the refused record; nothing for no refusal."""
    if not refused:
        return []
    keys = Strings.of([f"{r.handle}:{r.partition}:{r.offset}" for r in refused])
    values = Strings.of([quarantine_value(r.handle, r.partition, r.offset, r.reason, r.detail, wall_us, r.raw) for r in refused])
    return [Emission(handle, np.zeros(len(refused), np.int32), keys, values)]
