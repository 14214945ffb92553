"""What a body of events looks like in Avro and in columns: the fields of the envelope beside each other, the payload as a record.

One schema per record type. A field of the envelope that JSON may leave out is null where it is left out. Times are instants in
microseconds. Entities and attributes are lists of two texts in Avro, so that a name that is there twice is seen; in columns each name is
a column. A value that a payload has as text in JSON (`amount` of a row) is text here too: every format says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal

from assay.contracts.engine_events import ENGINE_EVENTS, EventColumn
from assay.contracts.envelope import EVENT_TYPES

FieldKind = Literal["text", "whole", "bool", "instant", "named"]

#: field of the envelope → (kind, whether it may be left out), without the payload
ENVELOPE_FIELDS: Final[Mapping[str, tuple[FieldKind, bool]]] = MappingProxyType(
    {
        "event_id": ("text", False),
        "event_type": ("text", False),
        "ts_utc": ("instant", False),
        "schema_version": ("text", True),
        "platform_run_id": ("text", True),
        "scenario_run_id": ("text", True),
        "manifest_fingerprint": ("text", True),
        "parameter_hash": ("text", True),
        "scenario_id": ("text", True),
        "seed": ("whole", True),
        "run_id": ("text", True),
        "source_order": ("whole", True),
        "producer": ("text", True),
        "emitted_at_utc": ("instant", True),
        "trace_id": ("text", True),
        "span_id": ("text", True),
        "parent_event_id": ("text", True),
    }
)
#: fields of a payload that are left out where they are null; the null of any other field is a value
LEFT_OUT: Final = frozenset({"entities", "attributes"})
_FACTS: Final[Mapping[str, tuple[FieldKind, bool]]] = {"entities": ("named", False), "attributes": ("named", True)}
_OWN: Final[Mapping[str, Mapping[str, tuple[FieldKind, bool]]]] = {
    "payment": {"kind": ("text", False), "amount_minor": ("whole", False), "currency": ("text", False), **_FACTS},
    "context_fact": _FACTS,
    "label_assertion": {
        "subject_event_id": ("text", False),
        "subject_ts_utc": ("instant", False),
        "label": ("text", False),
        "source": ("text", False),
    },
}
_AVRO: Final[Mapping[FieldKind, Any]] = {
    "text": "string",
    "whole": "long",
    "bool": "boolean",
    "instant": {"type": "long", "logicalType": "timestamp-micros"},
}
#: what a pair of names is called in Avro: field → (name of the record, first, second)
PAIRS: Final = {"entities": ("entity", "name", "id"), "attributes": ("attribute", "key", "value")}


@cache
def payload_fields(record: str) -> Mapping[str, tuple[FieldKind, bool]]:
    """Field of a payload of this record type → (kind, whether it may be null)."""
    found = _OWN.get(record)
    if found is None:
        event = next(event for event in ENGINE_EVENTS.values() if event.record == record)
        found = {column.name: (_kind(column), column.nullable) for column in event.columns}
    return MappingProxyType(dict(found))


@cache
def ingest_schema(record: str) -> Mapping[str, Any]:
    """The Avro schema of an event with this payload, as it stands in the header of a container."""
    payload = {"type": "record", "name": record, "fields": [_field(name, *of) for name, of in payload_fields(record).items()]}
    fields = [_field(name, *of) for name, of in ENVELOPE_FIELDS.items()]
    return {
        "type": "record",
        "name": f"{record}_event",
        "namespace": "assay.ingest",
        "fields": [*fields, {"name": "payload", "type": payload}],
    }


def records() -> tuple[str, ...]:
    """Record types of payloads, each once."""
    return tuple(dict.fromkeys(meaning.record for meaning in EVENT_TYPES.values()))


def _kind(column: EventColumn) -> FieldKind:
    match column.kind:
        case "whole" | "bool":
            return column.kind
        case "time":
            return "instant"
        case _:
            return "text"


def _field(name: str, kind: FieldKind, optional: bool) -> dict[str, Any]:  # noqa: FBT001 - a pair of a table
    form = _pairs(name) if kind == "named" else _AVRO[kind]
    return {"name": name, "type": ["null", form], "default": None} if optional else {"name": name, "type": form}


def _pairs(name: str) -> dict[str, Any]:
    record, first, second = PAIRS[name]
    fields = [{"name": first, "type": "string"}, {"name": second, "type": "string"}]
    return {"type": "array", "items": {"type": "record", "name": record, "fields": fields}}
