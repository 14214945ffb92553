"""Fingerprints and canonical forms of Avro schemas."""

from __future__ import annotations

from typing import Any

import fastavro.schema
import pytest

from assay.codecs.single_object import record_type
from assay.contracts.avro_schemas import canonical_form, current, fingerprint, fingerprint_hex, released

ODD: list[Any] = [
    "int",
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "enum", "name": "e", "namespace": "a.b", "symbols": ["X", "Y"], "doc": "d"},
    {"type": "record", "name": "r", "fields": [{"name": "f", "type": ["null", {"type": "map", "values": "string"}], "default": None}]},
    {"type": "array", "items": {"type": "fixed", "name": "a.b.h", "size": 16, "aliases": ["x"]}},
]


@pytest.mark.parametrize("schema", [*current().values(), *ODD])
def test_form_and_fingerprint_equal_another_implementation(schema: Any) -> None:
    """fastavro's, which writes the fingerprint's bytes least significant first."""
    form = fastavro.schema.to_parsing_canonical_form(schema)
    assert canonical_form(schema) == form
    assert fingerprint(schema).to_bytes(8, "little").hex() == fastavro.schema.fingerprint(form, "CRC-64-AVRO")


@pytest.mark.parametrize("record", list(current()))
def test_the_header_on_the_bus_is_the_fingerprint_of_the_file(record: str) -> None:
    """C3 01, then the fingerprint least significant byte first."""
    assert record_type(record).header == b"\xc3\x01" + fingerprint(current()[record]).to_bytes(8, "little")


def test_every_released_file_is_named_by_its_content() -> None:
    """And every schema written today is among them."""
    assert all(fingerprint_hex(schema) == name for name, schema in released().items())
    assert {fingerprint_hex(schema) for schema in current().values()} <= set(released())
