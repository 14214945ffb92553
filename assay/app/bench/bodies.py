"""Bodies of the gate's batch call in each of its formats, made of envelopes in JSON's terms: for benches and tests."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import fastavro
import msgspec
import pyarrow as pa

from assay.contracts import instants
from assay.contracts.ingest_schemas import ENVELOPE_FIELDS, PAIRS, FieldKind, ingest_schema, payload_fields

#: name of a format → its media type
MEDIA_TYPES: Final = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "avro": "application/avro",
    "arrow": "application/vnd.apache.arrow.stream",
}
_ARROW: Final[Mapping[FieldKind, Any]] = {
    "text": pa.utf8(),
    "whole": pa.int64(),
    "bool": pa.bool_(),
    "instant": pa.timestamp("us", "UTC"),
}


def body_of(form: str, record: str, events: Sequence[Mapping[str, Any]]) -> bytes:
    """One body. All events have a payload of this record type; their times are instants, and no field has another type than its own."""
    match form:
        case "json":
            return msgspec.json.encode(list(events))
        case "ndjson":
            return b"".join(msgspec.json.encode(event) + b"\n" for event in events)
        case "avro":
            return avro_body(record, events)
        case _:
            return arrow_body(record, events)


def avro_body(record: str, events: Sequence[Mapping[str, Any]], codec: str = "null", sync_interval: int = 1 << 20) -> bytes:
    """An Avro object container, in blocks of about `sync_interval` bytes."""
    written = io.BytesIO()
    rows = [{**_typed(event, ENVELOPE_FIELDS), "payload": _paired(_typed(event["payload"], payload_fields(record)))} for event in events]
    fastavro.writer(written, dict(ingest_schema(record)), rows, codec=codec, sync_interval=sync_interval)
    return written.getvalue()


def arrow_body(record: str, events: Sequence[Mapping[str, Any]], rows_per_batch: int | None = None) -> bytes:
    """An Arrow stream. Entities and attributes have a column for each name that occurs."""
    fields = payload_fields(record)
    rows = [{**_typed(event, ENVELOPE_FIELDS), "payload": _typed(event["payload"], fields)} for event in events]
    below = [pa.field(name, _arrow_type(name, kind, rows)) for name, (kind, _) in fields.items()]
    above = [pa.field(name, _ARROW[kind]) for name, (kind, _) in ENVELOPE_FIELDS.items()]
    table = pa.Table.from_pylist(rows, pa.schema([*above, pa.field("payload", pa.struct(below))]))
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table, rows_per_batch)
    return bytes(written.getvalue())


def _arrow_type(name: str, kind: FieldKind, rows: Sequence[Mapping[str, Any]]) -> Any:
    if kind != "named":
        return _ARROW[kind]
    names = sorted({key for row in rows for key in row["payload"].get(name) or ()})
    return pa.struct([pa.field(key, pa.utf8()) for key in names])


def _typed(values: Mapping[str, Any], fields: Mapping[str, tuple[FieldKind, bool]]) -> dict[str, Any]:
    """Values with times in microseconds."""
    return {
        name: instants.parse(values[name]) if kind == "instant" and values[name] is not None else values[name]
        for name, (kind, _) in fields.items()
        if name in values
    }


def _paired(payload: dict[str, Any]) -> dict[str, Any]:
    """Entities and attributes as pairs, those without a value left out."""
    for name, (_, first, second) in PAIRS.items():
        if payload.get(name) is not None:
            payload[name] = [{first: key, second: value} for key, value in payload[name].items() if value is not None]
    return payload
