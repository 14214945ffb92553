"""What may not change once a schema is released.

A released record stays, its fields keep name and type, and a field that comes later brings a default. Two schemas with one
fingerprint must also agree in what the fingerprint cannot see: defaults and logical types. Documentation is free.

No library checks these rules: `avro.compatibility` sees neither defaults nor logical types (docs/decisions/0016).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from assay.contracts.avro_schemas import PRIMITIVES, Schema, fingerprint_hex
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_ABSENT: Final = object()
_REMEDY: Final = "Give the record a new name, or add a field with a default instead."


def check(current: Mapping[str, Schema], released: Mapping[str, Schema]) -> None:
    """Compare today's schemas (by record) with the released ones (by fingerprint).

    Raises Stop(SCHEMA_CHANGED) naming record and field, Stop(SCHEMA_UNRELEASED) for a schema without a released copy.
    """
    for fingerprint, before in released.items():
        if fingerprint_hex(before) != fingerprint:
            raise Stop(Reason.SCHEMA_CHANGED, f"released schema {fingerprint} was edited: it now is {fingerprint_hex(before)}")
        for problem in breaks(before, current):
            raise Stop(Reason.SCHEMA_CHANGED, problem, where=f"schemas/released/{fingerprint}.avsc", remedy=_REMEDY)
    for record, schema in current.items():
        if fingerprint_hex(schema) not in released:
            remedy = "Run `assay contracts release` when its form is final."
            raise Stop(Reason.SCHEMA_UNRELEASED, f"the schema of {record} is not among the released ones", remedy=remedy)


def breaks(before: Schema, current: Mapping[str, Schema]) -> Iterator[str]:
    """What readers of one released schema would lose under today's schemas, in words."""
    name = before["name"] if isinstance(before, dict) else str(before)
    if name not in current:
        yield f"record {name} is gone"
        return
    now = current[name]
    yield from _type_breaks(before, now, name, _definitions(before, {}), _definitions(now, {}))


def _type_breaks(before: Any, now: Any, path: str, olds: dict[str, Any], news: dict[str, Any]) -> Iterator[str]:
    before, now = _resolved(before, olds), _resolved(now, news)
    if _kind(before) != _kind(now):
        yield f"{path} was {_kind(before)} and is {_kind(now)}"
    elif isinstance(before, list):
        if len(before) != len(now):
            yield f"{path} was a union of {len(before)} and is one of {len(now)}"
        for branch, (old, new) in enumerate(zip(before, now, strict=False)):
            yield from _type_breaks(old, new, f"{path}|{branch}", olds, news)
    elif isinstance(before, dict):
        yield from _attribute_breaks(before, now, path)
        yield from _field_breaks(before, now, path, olds, news)
        for inner in ("items", "values"):
            if inner in before:
                yield from _type_breaks(before[inner], now[inner], f"{path}[]", olds, news)


def _attribute_breaks(before: dict[str, Any], now: dict[str, Any], path: str) -> Iterator[str]:
    for attribute in ("name", "size", "symbols", "logicalType", "precision", "scale"):
        if before.get(attribute) != now.get(attribute):
            yield f"{path} had {attribute} {before.get(attribute)} and has {now.get(attribute)}"


def _field_breaks(before: dict[str, Any], now: dict[str, Any], path: str, olds: dict[str, Any], news: dict[str, Any]) -> Iterator[str]:
    fields = {field["name"]: field for field in now.get("fields", [])}
    for field in before.get("fields", []):
        place = f"{path}.{field['name']}"
        found = fields.pop(field["name"], None)
        if found is None:
            yield f"{place} is gone"
            continue
        if field.get("default", _ABSENT) != found.get("default", _ABSENT):
            yield f"{place} has another default"
        yield from _type_breaks(field["type"], found["type"], place, olds, news)
    yield from (f"{path}.{name} is new and has no default" for name, field in fields.items() if "default" not in field)


def _kind(schema: Any) -> str:
    if isinstance(schema, list):
        return "union"
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """A definition for a name, a definition without wrapping for `{"type": {...}}`, `{"type": name}` for a primitive."""
    while isinstance(schema, dict) and isinstance(schema["type"], (dict, list)):
        schema = schema["type"]
    if isinstance(schema, str):
        return {"type": schema} if schema in PRIMITIVES else definitions[schema.rpartition(".")[2]]
    return schema


def _definitions(schema: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Named types of a schema by short name; short names are unique within one schema here."""
    if isinstance(schema, list):
        for branch in schema:
            _definitions(branch, found)
    elif isinstance(schema, dict):
        if "name" in schema:
            found[schema["name"].rpartition(".")[2]] = schema
        for inner in (schema.get("items"), schema.get("values"), schema["type"], *(f["type"] for f in schema.get("fields", []))):
            if isinstance(inner, (dict, list)):
                _definitions(inner, found)
    return found
