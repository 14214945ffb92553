"""Avro single-object encoding: which record type a value holds, by the fingerprint in front of its body.

A value is C3 01, the schema's CRC-64-AVRO fingerprint in 8 little-endian bytes, and the body (Avro 1.12, single-object encoding).
Values are written under today's schema. Those of an older released one are read by Avro's schema resolution: one by one, since
they only stand on a topic while a change of schema is rolled out, or in what was kept from before it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import fastavro
import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_bind import Constant
from assay.codecs.avro_decode import REASONS, judge
from assay.codecs.avro_encode import Encoder
from assay.codecs.avro_plan import AvroPlan, compile_schema
from assay.codecs.column_match import header_numbers
from assay.codecs.columns import I64, Strings
from assay.codecs.kernel import frozen
from assay.contracts.avro_schemas import current, fingerprint, released
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

HEADER_BYTES = 10
MAGIC = b"\xc3\x01"


class RecordType(NamedTuple):
    """One record type of the bus under one schema: its name ("payment"), the schema, and the ten bytes before its body."""

    name: str
    schema: dict[str, Any]
    header: bytes
    parsed: Any


@cache
def record_types() -> tuple[RecordType, ...]:
    """Every record type under today's schema, ordered by name; the position is the type index `split` gives.

    Raises Stop(SCHEMA_UNSUPPORTED) for a schema that is not valid Avro, such as one with a default of another type than its field.
    """
    return tuple(_load(name, schema) for name, schema in current().items())


@cache
def older_types() -> Mapping[bytes, RecordType]:
    """Header → record type of every released schema that is not today's."""
    todays = {known.header for known in record_types()}
    loaded = (_load(str(schema["name"]), schema) for schema in released().values())
    return MappingProxyType({known.header: known for known in loaded if known.header not in todays})


def type_index(name: str) -> int:
    """The type index of a record name. Raises Stop(SCHEMA_UNKNOWN)."""
    for index, known in enumerate(record_types()):
        if known.name == name:
            return index
    raise Stop(Reason.SCHEMA_UNKNOWN, f"no schema of a {name} ships with this version")


@cache
def record_type(name: str) -> RecordType:
    """The record type of a name under today's schema. Raises Stop(SCHEMA_UNKNOWN)."""
    return record_types()[type_index(name)]


def writer_of(name: str, values: Strings) -> RecordType:
    """The record type under the schema that values of one writer were written under; today's if the first is of no older one."""
    first = values.row(0) if len(values.lengths) else None
    older = older_types().get((first or b"")[:HEADER_BYTES])
    return older if older is not None and older.name == name else record_type(name)


def written_as(known: RecordType, values: Strings) -> NDArray[np.bool_]:
    """Which values have this type's header."""
    return np.equal(header_numbers(values, MAGIC, _prints([known.header]))[0], 0)


@cache
def plan_of(name: str, only: frozenset[str] | None = None) -> AvroPlan:
    """The compiled schema of a record name, compiled once."""
    return compile_schema(record_type(name).schema, only)


@cache
def plan_under(header: bytes, only: frozenset[str] | None = None) -> AvroPlan:
    """The compiled schema that a header names, compiled once."""
    return compile_schema(_by_header()[header].schema, only)


def split(values: Strings) -> NDArray[np.int32]:
    """Type index per value: -1 where it is null, shorter than a header or not of today's schemas. Bodies start at +10."""
    return header_numbers(values, MAGIC, _fingerprints())[0]


def by_type(values: Strings) -> list[tuple[int, I64]]:
    """(type index, rows) of the types of values, the lowest index first; see `split`. All rows of a type are in one entry."""
    types, same = header_numbers(values, MAGIC, _fingerprints())
    if same:
        return [(int(types[0]), np.arange(len(types)))] if len(types) else []
    return [(number, np.flatnonzero(types == number)) for number in np.unique(types).tolist()]


def resolve(values: Strings) -> Strings:
    """Values of older released schemas as they are written under today's; all others, and those that cannot be read, as they are."""
    if not older_types():
        return values
    rows = np.flatnonzero(header_numbers(values, MAGIC, _fingerprints(older=True))[0] >= 0).tolist()
    if not rows:
        return values
    resolved = values.tolist()
    for row in rows:
        with suppress(Quarantine):
            resolved[row] = pack(*unpack(resolved[row] or b""))
    return Strings.of(resolved)


def encoder_of(name: str, constants: Mapping[str, Constant] = MappingProxyType({})) -> Encoder:
    """An encoder of values of this record type: bodies with their header before them. `constants` are equal in all records."""
    return Encoder(_framed_plan(name), {"header": record_type(name).header, **constants})


@cache
def _framed_plan(name: str) -> AvroPlan:
    """The plan of a record with its header as a first field, so that framing costs no second pass."""
    schema = record_type(name).schema
    header = {"name": "header", "type": {"type": "fixed", "name": "header", "size": HEADER_BYTES}}
    return compile_schema({**schema, "fields": [header, *schema["fields"]]})


def pack(name: str, record: dict[str, Any]) -> bytes:
    """One record as a value, for edges and commands; batches go through `encoder_of`."""
    known = record_type(name)
    body = io.BytesIO()
    body.write(known.header)
    fastavro.schemaless_writer(body, known.parsed, record)
    return body.getvalue()


def unpack(value: bytes) -> tuple[str, dict[str, Any]]:
    """(record name, record) of one value, in the form of today's schema whichever released one it was written under.

    Raises Quarantine: SCHEMA_UNKNOWN, BYTES_TRUNCATED, BYTES_OVERSIZED or BYTES_GARBAGE.
    """
    if len(value) < HEADER_BYTES:
        raise Quarantine(Reason.BYTES_TRUNCATED, f"a value of {len(value)} bytes has no header")
    known = _by_header().get(value[:HEADER_BYTES])
    if known is None:
        raise Quarantine(Reason.SCHEMA_UNKNOWN, f"no released schema has the header {value[:HEADER_BYTES].hex()}")
    return known.name, _body(known, value)


def pins_body(pins: dict[str, Any]) -> bytes:
    """The Avro body of a pins record, as it stands inside every record of a run."""
    return field_body("payment", "pins", pins)


def field_body(name: str, field: str, record: dict[str, Any]) -> bytes:
    """The Avro body of one record field of a record, to be spliced into many."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, _parsed_fields(name)[field], record)
    return body.getvalue()


@cache
def _parsed_fields(name: str) -> Mapping[str, Any]:
    """Parsed type of every field; one may use names that an earlier one defines."""
    schema, names = _without_logical_types(record_type(name).schema), dict[str, Any]()
    return {part["name"]: fastavro.parse_schema(part["type"], names) for part in schema["fields"]}


def _body(known: RecordType, value: bytes) -> dict[str, Any]:
    """The columns codec judges the bytes, so that one value and a batch are refused alike; then they are read."""
    whole = np.frombuffer(value, np.uint8)
    verdict = int(judge(plan_under(known.header), whole, np.zeros(1, np.int64), np.array([len(value)]), HEADER_BYTES)[0])
    reason = REASONS[verdict]
    if reason is not None:
        raise Quarantine(reason, f"the body of a {known.name} cannot be read", remedy="Look at its producer.")
    reader = record_type(known.name)
    record = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), known.parsed, None if reader is known else reader.parsed)
    assert isinstance(record, dict)
    return record


@cache
def _by_header() -> Mapping[bytes, RecordType]:
    return MappingProxyType({known.header: known for known in record_types()} | dict(older_types()))


def _load(name: str, schema: dict[str, Any]) -> RecordType:
    # times stay integers of microseconds, so that the end of time has a value too
    try:
        parsed = fastavro.parse_schema(_without_logical_types(schema))
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType) as error:
        what, remedy = f"the schema of record {name} is not valid Avro: {error}", "Correct the .avsc file."
        raise Stop(Reason.SCHEMA_UNSUPPORTED, what, where=name, remedy=remedy) from None
    return RecordType(name, schema, MAGIC + fingerprint(schema).to_bytes(8, "little"), parsed)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [_without_logical_types(item) for item in schema] if isinstance(schema, list) else schema


@cache
def _fingerprints(*, older: bool = False) -> NDArray[np.uint64]:
    """Fingerprints of today's or of the older types, in their order."""
    types = older_types().values() if older else record_types()
    return _prints(known.header for known in types)


def _prints(headers: Iterable[bytes]) -> NDArray[np.uint64]:
    return frozen(np.array([int.from_bytes(header[len(MAGIC) :], "little") for header in headers], np.uint64), np.uint64)
