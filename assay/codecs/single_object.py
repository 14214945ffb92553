"""Avro single-object encoding: which record type a value holds, by the fingerprint in front of its body.

A value is C3 01, the schema's CRC-64-AVRO fingerprint in 8 little-endian bytes, and the body (Avro 1.12, single-object encoding).
"""

from __future__ import annotations

import io
import json
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import fastavro
import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_decode import REASONS, decode
from assay.codecs.avro_plan import AvroPlan, compile_schema
from assay.codecs.columns import I64, Strings
from assay.codecs.kernel import frozen
from assay.codecs.words import gather
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

HEADER_BYTES = 10
MAGIC = b"\xc3\x01"


class RecordType(NamedTuple):
    """One record type of the bus: its name ("payment"), version ("v1"), schema and the ten bytes before its body."""

    name: str
    version: str
    schema: dict[str, Any]
    header: bytes
    parsed: Any


@cache
def record_types() -> tuple[RecordType, ...]:
    """Every released schema, ordered by name and version; the position is the type index `split` gives."""
    folder = resources.files("assay.contracts").joinpath("schemas", "avro")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".avsc")), key=lambda file: file.name)
    return tuple(_load(file.name, file.read_text("utf-8")) for file in files)


def type_index(name: str, version: str = "v1") -> int:
    """The type index of a record name. Raises Stop(SCHEMA_UNKNOWN)."""
    for index, known in enumerate(record_types()):
        if (known.name, known.version) == (name, version):
            return index
    raise Stop(Reason.SCHEMA_UNKNOWN, f"no schema {name}.{version} ships with this version")


def record_type(name: str, version: str = "v1") -> RecordType:
    """The record type of a name. Raises Stop(SCHEMA_UNKNOWN)."""
    return record_types()[type_index(name, version)]


@cache
def plan_of(name: str, only: frozenset[str] | None = None) -> AvroPlan:
    """The compiled schema of a record name, compiled once."""
    return compile_schema(record_type(name).schema, only)


@cache
def field_plan(name: str, field: str) -> AvroPlan:
    """The plan of one record field of a record, whose bytes are spliced into it as a column."""
    expanded: Any = fastavro.schema.expand_schema(record_type(name).schema)
    return compile_schema(next(part["type"] for part in expanded["fields"] if part["name"] == field))


def split(values: Strings) -> NDArray[np.int32]:
    """Type index per value: -1 where it is null, shorter than a header or of no released schema. Bodies start at +10."""
    index = np.full(len(values.lengths), -1, np.int32)
    fits = np.flatnonzero((values.lengths >= HEADER_BYTES) & (values.starts >= 0))
    fits = fits[values.starts[fits] + values.lengths[fits] <= len(values.data)]
    heads = values.data[values.starts[fits, None] + np.arange(HEADER_BYTES)]
    marked = (heads[:, 0] == MAGIC[0]) & (heads[:, 1] == MAGIC[1])
    prints = np.ascontiguousarray(heads[:, 2:]).view("<u8").reshape(-1)
    known, order = _fingerprints()
    at = np.minimum(np.searchsorted(known, prints), len(known) - 1)
    index[fits] = np.where(marked & (known[at] == prints), order[at], -1)
    return index


def frame(name: str, bodies: Strings) -> Strings:
    """Each body with its ten-byte header before it, in one new buffer."""
    n = len(bodies.lengths)
    lengths = np.maximum(bodies.lengths, 0).astype(np.int32)
    ends: I64 = np.cumsum(lengths.astype(np.int64) + HEADER_BYTES)
    starts: I64 = ends - lengths - HEADER_BYTES
    bodies.check()
    header = frozen(np.frombuffer(record_type(name).header, np.uint8), np.uint8)
    data = np.empty(int(ends[-1]) if n else 0, np.uint8)
    gather(data, starts, header, frozen(np.zeros(n), np.int64), frozen(np.full(n, HEADER_BYTES), np.int64))
    gather(data, starts + HEADER_BYTES, frozen(bodies.data, np.uint8), frozen(bodies.starts, np.int64), frozen(lengths, np.int64))
    return Strings(data, starts, lengths + np.int32(HEADER_BYTES))


def pack(name: str, record: dict[str, Any]) -> bytes:
    """One record as a value, for edges and commands; batches go through `encode` and `frame`."""
    known = record_type(name)
    body = io.BytesIO()
    body.write(known.header)
    fastavro.schemaless_writer(body, known.parsed, record)
    return body.getvalue()


def unpack(value: bytes) -> tuple[str, dict[str, Any]]:
    """(record name, record) of one value.

    Raises Quarantine: SCHEMA_UNKNOWN, BYTES_TRUNCATED, BYTES_OVERSIZED or BYTES_GARBAGE.
    """
    if len(value) < HEADER_BYTES:
        raise Quarantine(Reason.BYTES_TRUNCATED, f"a value of {len(value)} bytes has no header")
    for known in record_types():
        if value.startswith(known.header):
            return known.name, _body(known, value)
    raise Quarantine(Reason.SCHEMA_UNKNOWN, f"no released schema has the header {value[:HEADER_BYTES].hex()}")


def pins_body(pins: dict[str, Any]) -> bytes:
    """The Avro body of a pins record, as it stands inside every record of a run."""
    fields = {field["name"]: field["type"] for field in record_type("payment").parsed["fields"]}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fields["pins"], pins)
    return body.getvalue()


def _body(known: RecordType, value: bytes) -> dict[str, Any]:
    """The columns codec judges the bytes, so that one value and a batch are refused alike; then they are read."""
    whole = np.frombuffer(value, np.uint8)
    verdict = int(decode(plan_of(known.name), whole, np.zeros(1, np.int64), np.array([len(value)]), HEADER_BYTES).verdict[0])
    reason = REASONS[verdict]
    if reason is not None:
        raise Quarantine(reason, f"the body of a {known.name} cannot be read", remedy="Look at its producer.")
    record = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), known.parsed, None)
    assert isinstance(record, dict)
    return record


def _load(file: str, text: str) -> RecordType:
    name, version, _ = file.split(".")
    schema = json.loads(text)
    # times stay integers of microseconds, so that the end of time has a value too
    parsed = fastavro.parse_schema(_without_logical_types(schema))
    # fastavro gives the fingerprint as hex of its 8 bytes, the least significant first
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return RecordType(name, version, schema, MAGIC + fingerprint, parsed)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [_without_logical_types(item) for item in schema] if isinstance(schema, list) else schema


@cache
def _fingerprints() -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    prints = np.array([int.from_bytes(known.header[2:], "little") for known in record_types()], np.uint64)
    order = np.argsort(prints)
    return prints[order], order.astype(np.int32)
