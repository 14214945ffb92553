"""A payload of the control bus (JSON) as the Avro record that the lanes read: the inverse of `record_view.plain` for ids and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.contracts import instants
from assay.contracts.avro_schemas import current
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason


def record_of(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(record name, record) of a payload whose `event_type` names the record.

    Raises Stop(SCHEMA_UNKNOWN) for a name without a schema, Stop(VALUE_NOT_CANONICAL) for a field that is missing or of another kind.
    """
    name = str(payload.get("event_type", ""))
    schema = current().get(name)
    if schema is None:
        what = f"no schema has the name {name!r} that the payload gives as its event_type"
        raise Stop(Reason.SCHEMA_UNKNOWN, what, where="control bus", remedy=f"Kafka carries records of a schema: {', '.join(current())}.")
    try:
        return name, _value(schema, dict(payload), {})
    except (ValueError, TypeError, KeyError, Quarantine) as error:
        what = f"the payload is no {name}: {type(error).__name__} {error}"
        raise Stop(Reason.VALUE_NOT_CANONICAL, what, where="control bus", remedy="Give every field of the schema, in its kind.") from None


def _value(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    """A value as Avro has it. `named` are the types that were defined so far."""
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = schema
    if kind == "record":
        unknown = set(value) - {field["name"] for field in schema["fields"]}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        return {field["name"]: _value(field["type"], value[field["name"]], named) for field in schema["fields"]}
    if kind in ("fixed", "bytes"):
        return bytes.fromhex(value)
    if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-micros" and isinstance(value, str):
        return instants.parse(value)
    return value
