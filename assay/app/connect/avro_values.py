"""Avro values as records: plain binary of one schema, or with the header of a schema registry in front."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import fastavro
from fastavro.schema import SchemaParseException

from assay.app.connect.values import unreadable
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: the first byte of a value of a registry's; four bytes of the schema's id follow, the highest first
_MAGIC: Final = 0
_HEADER: Final = 5

#: reads one value; raises Quarantine(RECORD_UNREADABLE)
Reader = Callable[[bytes], dict[str, Any]]


class AvroSchemas:
    """The schemas of a topic: one for all values, or by the ids that the registry gave them. Made by `read_schemas`."""

    def __init__(self, by_id: Mapping[int | None, Any]) -> None:
        self._by_id = by_id

    def columns(self) -> frozenset[str]:
        """Fields that every schema has."""
        return frozenset.intersection(*(frozenset(field["name"] for field in schema["fields"]) for schema in self._by_id.values()))

    def record(self, value: bytes) -> dict[str, Any]:
        """The record in a value. Raises Quarantine(RECORD_UNREADABLE)."""
        if None in self._by_id:
            return _decoded(value, self._by_id[None])
        if len(value) < _HEADER or value[0] != _MAGIC:
            remedy = "Give --schema FILE without an id for values without the header of a registry."
            raise unreadable("the value does not begin with the header of a schema registry", remedy)
        number = int.from_bytes(value[1:_HEADER], "big")
        if number not in self._by_id:
            known = ", ".join(map(str, self._by_id))
            remedy = f"Add --schema {number}=FILE with that schema of the registry."
            raise unreadable(f"the value is of the schema {number}, and {known} are given", remedy)
        return _decoded(value[_HEADER:], self._by_id[number])


def read_schemas(given: Iterable[str]) -> AvroSchemas:
    """Schemas of `--schema FILE`, or of `--schema ID=FILE` once for each id.

    Raises Stop(INPUT_FILE_MISSING), Stop(AVRO_SCHEMA_INVALID) for a file without a record's schema, or for files with and without id.
    """
    found: dict[int | None, Any] = {}
    for one in given:
        number, path = _split(one)
        if number in found or (found and (None in found or number is None)):
            remedy = "Give one --schema FILE, or --schema ID=FILE once for each id of the registry."
            raise Stop(Reason.AVRO_SCHEMA_INVALID, "several schemas, and nothing tells which value is of which", where=one, remedy=remedy)
        found[number] = _read(path)
    return AvroSchemas(found)


def _split(given: str) -> tuple[int | None, Path]:
    number, equals, path = given.partition("=")
    return (int(number), Path(path)) if equals and number.isascii() and number.isdigit() else (None, Path(given))


def _read(path: Path) -> Any:
    if not path.is_file():
        raise Stop(Reason.INPUT_FILE_MISSING, "there is no such schema", where=str(path), remedy="Give a file with an Avro schema.")
    try:
        schema = fastavro.parse_schema(json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise ValueError("the schema is of no record")
    except (OSError, ValueError, TypeError, KeyError, RecursionError, SchemaParseException, fastavro.schema.UnknownType) as error:
        what = f"the Avro schema cannot be read: {type(error).__name__}: {error}"
        raise Stop(Reason.AVRO_SCHEMA_INVALID, what, where=str(path), remedy="Give the schema of a record, as JSON.") from None
    return schema


def _decoded(body: bytes, schema: Any) -> dict[str, Any]:
    stream = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(stream, schema, None)
    except Exception as error:  # noqa: BLE001 - foreign bytes make the reader raise anything
        raise unreadable(f"the value is no Avro of the schema: {type(error).__name__}: {error}", _REMEDY) from None
    if stream.tell() != len(body):
        raise unreadable(f"{len(body) - stream.tell()} bytes follow the record", _REMEDY)
    assert isinstance(record, dict)
    return record


_REMEDY: Final = "Give the schema that the values were written with; values of a registry need --schema ID=FILE."
