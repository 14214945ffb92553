"""What the column codec does at its edges: other block forms, values outside of their type, columns that do not fit."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import numpy as np
import pytest

from assay.codecs.avro_decode import REASONS, decode
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Columns, Ragged, Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def of(*kinds: Any) -> dict[str, Any]:
    """A record with one field per type: f0, f1 and so on."""
    return {"type": "record", "name": "r", "fields": [{"name": f"f{i}", "type": kind} for i, kind in enumerate(kinds)]}


LONGS = {"type": "array", "items": "long"}
ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "x", "size": 4}


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("long", b"\xff" * 9 + b"\x02", Reason.BYTES_GARBAGE),
        ("long", b"\xff" * 10 + b"\x01", Reason.BYTES_GARBAGE),
        ("long", b"\xff" * 9, Reason.BYTES_TRUNCATED),
        ("int", b"\x80\x80\x80\x80\x10", Reason.BYTES_GARBAGE),
        ("boolean", b"\x02", Reason.BYTES_GARBAGE),
        ("double", b"\0" * 7, Reason.BYTES_TRUNCATED),
        ("float", b"\0" * 5, Reason.BYTES_OVERSIZED),
        ("string", b"\x01", Reason.BYTES_GARBAGE),
        ("string", b"\x02\xff", Reason.BYTES_GARBAGE),
        ("string", b"\x06\xed\xa0\x80", Reason.BYTES_GARBAGE),
        ("string", b"\x04\xc0\x80", Reason.BYTES_GARBAGE),
        ("string", b"\x08\xf4\x90\x80\x80", Reason.BYTES_GARBAGE),
        ("string", b"\x14abcdefgh\xe2\x82", Reason.BYTES_GARBAGE),
        ("string", b"\x06ab", Reason.BYTES_TRUNCATED),
        ("bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", Reason.BYTES_TRUNCATED),
        (FIXED, b"abc", Reason.BYTES_TRUNCATED),
        (ENUM, b"\x04", Reason.BYTES_GARBAGE),
        (ENUM, b"\x01", Reason.BYTES_GARBAGE),
        (["null", "long"], b"\x04", Reason.BYTES_GARBAGE),
        (LONGS, b"\x04\x02\x02", Reason.BYTES_TRUNCATED),
        (LONGS, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", Reason.BYTES_TRUNCATED),
        (LONGS, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x02", Reason.BYTES_GARBAGE),
        (LONGS, b"\x01\x01\x02\x00", Reason.BYTES_GARBAGE),
        (LONGS, b"\x01\x10\x02\x00", Reason.BYTES_TRUNCATED),
        (LONGS, b"\x00\x00", Reason.BYTES_OVERSIZED),
    ],
)
def test_a_value_outside_of_its_type_is_refused_with_its_reason(kind: Any, body: bytes, reason: Reason) -> None:
    decoded = decode(compile_schema(of(kind)), *Strings.of([body]))
    assert REASONS[decoded.verdict[0]] is reason


@pytest.mark.parametrize(
    ("start", "length", "skip"), [(-1, 2, 0), (0, -1, 0), (0, 1, 2), (4, 1, 0), (2**62, 1, 0), (0, 2**31 - 1, 0), (3, 2, 0)]
)
def test_a_row_outside_of_the_buffer_is_truncated(start: int, length: int, skip: int) -> None:
    data = np.zeros(4, np.uint8)
    decoded = decode(compile_schema(of("long")), data, np.array([start]), np.array([length]), skip)
    assert REASONS[decoded.verdict[0]] is Reason.BYTES_TRUNCATED


def test_blocks_with_their_size_in_bytes_and_several_blocks_are_read() -> None:
    body = b"\x03\x06\x02\x80\x01" + b"\x02\x08" + b"\x00"
    decoded = decode(compile_schema(of(LONGS)), *Strings.of([body, b"\x00"]))
    assert decoded.verdict.tolist() == [0, 0]
    column = decoded.columns["f0"]
    assert isinstance(column, Ragged)
    assert column.offsets.tolist() == [0, 3, 3]
    assert column.children["item"].tolist() == [1, 64, 4]


def test_lists_far_longer_than_expected_are_read_whole() -> None:
    schema = of(
        {
            "type": "array",
            "items": {"type": "record", "name": "i", "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": LONGS}]},
        }
    )
    values = [{"f0": [{"a": "x" * (i % 5), "b": list(range(i % 7))} for i in range(count)]} for count in (0, 500, 3, 2000, 1)]
    bodies = []
    for value in values:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(schema), value)
        bodies.append(body.getvalue())
    plan = compile_schema(schema)
    decoded = decode(plan, *Strings.of(bodies))
    assert encode(plan, decoded.columns).tolist() == bodies


def test_text_that_is_skipped_and_no_text_at_all_is_not_judged() -> None:
    schema = of("string", "long")
    assert decode(compile_schema(schema, only={"f1"}), *Strings.of([b"\x02\xff\x02"])).verdict.tolist() == [0]
    assert decode(compile_schema(of("bytes", "long")), *Strings.of([b"\x02\xff\x02"])).verdict.tolist() == [0]


def test_a_path_below_a_list_chooses_one_child_column() -> None:
    item = {"type": "record", "name": "i", "fields": [{"name": "name", "type": "string"}, {"name": "id", "type": "string"}]}
    schema = of("long", {"type": "array", "items": item})
    decoded = decode(compile_schema(schema, only={"f1.id"}), *Strings.of([b"\x02\x02\x02a\x02b\x00"]))
    column = decoded.columns["f1"]
    assert set(decoded.columns) == {"f1"}
    assert isinstance(column, Ragged)
    assert list(column.children) == ["id"]
    assert column.children["id"].tolist() == [b"b"]


def test_ready_bytes_are_spliced_where_the_schema_has_a_record_or_a_list() -> None:
    inner = of("string", "long")
    schema = {
        "type": "record",
        "name": "o",
        "fields": [{"name": "a", "type": inner}, {"name": "b", "type": LONGS}, {"name": "c", "type": "long"}],
    }
    bodies = Strings.of([b"\x02x\x02", b"\x00\x04"])
    columns: Columns = {"a": bodies, "b": Strings.repeat(b"\x02\x02\x00", 2), "c": np.array([1, 2])}
    assert encode(compile_schema(schema), columns).tolist() == [b"\x02x\x02\x02\x02\x00\x02", b"\x00\x04\x02\x02\x00\x04"]


def test_lists_may_begin_inside_their_items_and_share_one_number() -> None:
    tail = Ragged(np.array([1, 1, 3]), {"item": np.array([9, 1, 2])})
    assert encode(compile_schema(of(LONGS)), {"f0": tail}).tolist() == [b"\x00", b"\x04\x02\x04\x00"]
    shared = Ragged(np.array([0, 2, 3]), {"item": np.broadcast_to(np.int64(5), (3,))})
    assert encode(compile_schema(of(LONGS)), {"f0": shared}).tolist() == [b"\x04\x0a\x0a\x00", b"\x02\x0a\x00"]


def test_a_namespace_reaches_the_names_inside_it() -> None:
    inner = {"type": "fixed", "name": "x", "size": 1}
    schema = {**of(inner, "x", "space.x"), "namespace": "space"}
    assert encode(compile_schema(schema), {f"f{i}": np.full((1, 1), i, np.uint8) for i in range(3)}).tolist() == [b"\x00\x01\x02"]


def test_no_rows_encode_and_decode_to_no_rows() -> None:
    plan = compile_schema(of("long", LONGS, "string"))
    decoded = decode(plan, *Strings.of([]))
    assert len(decoded.verdict) == 0
    assert encode(plan, decoded.columns).tolist() == []


@pytest.mark.parametrize(
    "schema",
    [
        "long",
        of("null"),
        of(["string", "long"]),
        of(["null", "long", "string"]),
        of("unheard_of"),
        of({"type": "array", "items": {"type": "record", "name": "empty", "fields": []}}),
        of({"type": "array", "items": ["null", {"type": "record", "name": "i", "fields": [{"name": "a", "type": "long"}]}]}),
        {"type": "record", "name": "r", "fields": [{"name": "again", "type": {"type": "array", "items": "r"}}]},
    ],
)
def test_a_schema_outside_of_the_subset_is_refused(schema: Any) -> None:
    with pytest.raises(Stop) as refusal:
        compile_schema(schema)
    assert refusal.value.reason is Reason.SCHEMA_UNSUPPORTED


def test_choosing_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Stop, match="f9") as refusal:
        compile_schema(of("long"), only={"f9"})
    assert refusal.value.reason is Reason.SCHEMA_UNSUPPORTED


ONE: Columns = {"f1": np.zeros(1, np.int64)}


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("long", ONE),
        ("long", {"f0": np.zeros(1), **ONE}),
        ("long", {"f0": np.zeros(2, np.int64), "f1": np.zeros(1, np.int64)}),
        ("double", {"f0": np.zeros(1, np.int64), **ONE}),
        ("int", {"f0": np.array([2**31]), **ONE}),
        ("string", {"f0": np.zeros(1, np.int64), **ONE}),
        ("string", {"f0": Strings.of([None]), **ONE}),
        ("string", {"f0": Strings(np.zeros(2, np.uint8), np.array([1]), np.array([2], np.int32)), **ONE}),
        (FIXED, {"f0": np.zeros((1, 3), np.uint8), **ONE}),
        (ENUM, {"f0": np.array([2]), **ONE}),
        (LONGS, {"f0": np.zeros(1, np.int64), **ONE}),
        (LONGS, {"f0": Ragged(np.array([0, 2]), {"item": np.zeros(1, np.int64)}), **ONE}),
        (["null", "long"], {"f0": np.zeros(1, np.int64), **ONE}),
        (["null", "string"], ONE),
    ],
)
def test_columns_that_do_not_fit_the_schema_stop_the_encoder(kind: Any, columns: Columns) -> None:
    with pytest.raises(Stop) as refusal:
        encode(compile_schema(of(kind, "long")), columns)
    assert refusal.value.reason is Reason.COLUMNS_MISMATCH
