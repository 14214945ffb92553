"""Avro values are read with the schema they were written with, and nothing else is taken for one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.connect.avro_values import AvroSchemas, read_schemas
from assay.app.connect.values import texts
from assay.contracts.errors import AssayError, Quarantine

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Payment",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "who", "type": {"type": "record", "name": "Who", "fields": [{"name": "customer", "type": ["null", "string"]}]}},
    ],
}
LATER = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "channel", "type": "string"}]}


def written(record: dict[str, Any], schema: dict[str, Any] = SCHEMA, number: int | None = None) -> bytes:
    out = io.BytesIO(b"" if number is None else b"\0" + number.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def payment(**changes: Any) -> dict[str, Any]:
    import datetime as dt
    from decimal import Decimal

    at = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
    return {"id": "p1", "at": at, "amount": Decimal("12.50"), "who": {"customer": "c1"}, **changes}


def schemas(folder: Path, **named: dict[str, Any]) -> AvroSchemas:
    given = []
    for name, schema in named.items():
        path = folder / f"{name}.avsc"
        path.write_text(json.dumps(schema))
        given.append(str(path) if name == "plain" else f"{name.removeprefix('of')}={path}")
    return read_schemas(given)


def test_a_plain_value_is_read_whole(tmp_path: Path) -> None:
    record = schemas(tmp_path, plain=SCHEMA).record(written(payment()))
    assert texts(record, ["id", "at", "amount", "who.customer"]) == ["p1", "2025-03-01T12:00:00+00:00", "12.5", "c1"]


def test_values_of_a_registry_are_read_by_the_schema_that_each_names(tmp_path: Path) -> None:
    held = schemas(tmp_path, of7=SCHEMA, of300=LATER)
    assert held.record(written(payment(), number=7))["id"] == "p1"
    assert held.record(written(payment(channel="web"), LATER, 300))["channel"] == "web"
    assert held.columns() == {"id", "at", "amount", "who"}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (written(payment(), number=8), "of the schema 8, and 7, 300 are given"),
        (written(payment()), "does not begin with the header"),
        (b"\0\0\0", "does not begin with the header"),
        (written(payment(), number=7)[:-1], "no Avro of the schema"),
        (written(payment(), number=7) + b"x", "1 bytes follow"),
        (b"\0\0\0\0\7", "no Avro of the schema"),
    ],
)
def test_another_value_is_refused(tmp_path: Path, value: bytes, fault: str) -> None:
    with pytest.raises(Quarantine, match=fault) as refused:
        schemas(tmp_path, of7=SCHEMA, of300=LATER).record(value)
    assert refused.value.reason.value == "RECORD_UNREADABLE"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    held = AvroSchemas({None: fastavro.parse_schema(SCHEMA)})
    try:
        record = held.record(value)
    except Quarantine as refusal:
        assert refusal.reason.value == "RECORD_UNREADABLE"
    else:
        assert set(record) == {"id", "at", "amount", "who"}


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (None, ["{}"], "INPUT_FILE_MISSING"),
        ("{", ["{}"], "AVRO_SCHEMA_INVALID"),
        ('"string"', ["{}"], "AVRO_SCHEMA_INVALID"),
        ('{"type": "enum", "name": "a", "symbols": ["b"]}', ["{}"], "AVRO_SCHEMA_INVALID"),
        ('{"type": "record", "name": "a", "fields": [{"name": "b", "type": "Unknown"}]}', ["{}"], "AVRO_SCHEMA_INVALID"),
        ('{"type": "record", "fields": []}', ["{}"], "AVRO_SCHEMA_INVALID"),
        (json.dumps(SCHEMA), ["{}", "{}"], "AVRO_SCHEMA_INVALID"),
        (json.dumps(SCHEMA), ["7={}", "7={}"], "AVRO_SCHEMA_INVALID"),
        (json.dumps(SCHEMA), ["7={}", "{}"], "AVRO_SCHEMA_INVALID"),
        (json.dumps(SCHEMA), ["{}", "7={}"], "AVRO_SCHEMA_INVALID"),
    ],
)
def test_schemas_that_do_not_fit_are_refused(tmp_path: Path, text: str | None, arguments: list[str], code: str) -> None:
    path = tmp_path / "s.avsc"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AssayError) as refused:
        read_schemas([one.format(path) for one in arguments])
    assert refused.value.reason.value == code
