"""Rows of a generated world as columns of their records, and their keys: a flow's by flow, an arrival's by merchant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from assay.app.gate.admission import Admissible
from assay.app.gate.row_payloads import Row
from assay.codecs.columns import Column, Columns, Strings
from assay.contracts.engine_events import ENGINE_EVENTS, ColumnKind, amount_minor, local_time_us
from assay.contracts.topics import topic

#: columns that the head of a record has already
_OF_HEAD = frozenset({"seed", "parameter_hash", "manifest_fingerprint", "scenario_id", "ts_utc"})
#: column of a row → field of its record, where the names differ
_FIELD = {"event_type": "flow_event_type", "amount": "amount_minor"}


def rows_of(items: Sequence[Admissible]) -> tuple[Columns, list[bytes]]:
    """Columns and keys of rows of one class."""
    event = ENGINE_EVENTS[items[0].envelope.event_type]
    columns: Columns = {}
    told = _by_name([item.payload for item in items])
    for name, kind, nullable in event.columns:
        if name in _OF_HEAD:
            continue
        values, field = told[name], _FIELD.get(name, name)
        if nullable:
            columns[f"{field}?"] = np.array([value is not None for value in values], np.int64)
            values = [value or 0 for value in values]
        columns[field] = _column(kind, values)
    rule = topic(event.handle).records[event.record]
    return columns, [str(value).encode() for value in told[rule]]


def _by_name(rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    names = rows[0].__struct_fields__
    return dict(zip(names, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True))


def _column(kind: ColumnKind, values: Sequence[Any]) -> Column:
    match kind:
        case "text":
            first = values[0]
            return Strings.repeat(first.encode(), len(values)) if values.count(first) == len(values) else Strings.of(values)
        case "bool":
            return np.array(values, np.int64)
        case "number":
            return np.array([float(value) for value in values])
        case "amount":
            return np.array([amount_minor(value) for value in values], np.int64)
        case "local_time":
            return np.array([local_time_us(value) for value in values], np.int64)
        case _:
            return np.array(values, np.int64)
