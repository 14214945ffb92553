"""What may not change once released: each break is planted and seen refused."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import fastavro
import fastavro.utils
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.codecs import single_object
from assay.contracts.avro_schemas import current, fingerprint_hex, released
from assay.contracts.compatibility import breaks, check
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Change = Callable[[dict[str, Any]], object]


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """One field of a record schema."""
    return next(found for found in schema["fields"] if found["name"] == name)


def changed(record: str, change: Change) -> dict[str, Any]:
    """Today's schemas with one of them changed."""
    schemas: dict[str, Any] = copy.deepcopy(dict(current()))
    change(schemas[record])
    return schemas


def test_todays_schemas_hold_against_the_released_ones() -> None:
    """The check that runs in CI."""
    check(current(), released())


@pytest.mark.parametrize(
    ("record", "change", "what"),
    [
        ("payment", lambda s: s["fields"].remove(field(s, "currency")), "payment.currency is gone"),
        ("payment", lambda s: field(s, "amount_minor").update(name="amount"), "payment.amount_minor is gone"),
        ("payment", lambda s: field(s, "amount_minor").update(type="double"), "payment.amount_minor was long and is double"),
        ("payment", lambda s: field(s, "ts_utc").update(type="long"), "payment.ts_utc had logicalType timestamp-micros and has None"),
        ("payment", lambda s: field(s, "ts_utc")["type"].update(logicalType="timestamp-millis"), "has timestamp-millis"),
        ("payment", lambda s: field(s, "kind").update(default="card"), "payment.kind has another default"),
        ("payment", lambda s: s["fields"].append({"name": "mcc", "type": "string"}), "payment.mcc is new and has no default"),
        ("payment", lambda s: field(s, "run_id").update(type="hash32"), "payment.run_id had name hash16 and has hash32"),
        ("payment", lambda s: field(s, "pins")["type"]["fields"].pop(), "payment.pins.seed is gone"),
        ("payment", lambda s: field(s, "entities")["type"]["items"]["fields"].pop(), "payment.entities[].id is gone"),
        ("payment", lambda s: field(s, "attributes")["type"].update(values="long"), "payment.attributes[] was string and is long"),
        ("posture", lambda s: field(s, "reason").update(type=["null", "string"]), "posture.reason was string and is union"),
    ],
)
def test_a_planted_break_is_refused_by_name(record: str, change: Change, what: str) -> None:
    """Removal, renaming, retyping, and what the fingerprint cannot see."""
    with pytest.raises(Stop) as refused:
        check(changed(record, change), released())
    assert refused.value.reason is Reason.SCHEMA_CHANGED
    assert what in refused.value.what
    assert refused.value.where in {f"schemas/released/{stem}.avsc" for stem, schema in released().items() if schema["name"] == record}


def test_a_record_that_is_gone_is_refused() -> None:
    """Old bytes would have no reader."""
    with pytest.raises(Stop, match="record mark is gone"):
        check({name: schema for name, schema in current().items() if name != "mark"}, released())


def test_an_edited_released_file_is_refused() -> None:
    """The name no longer is the fingerprint."""
    name, schema = next(iter(released().items()))
    edited = copy.deepcopy(schema)
    edited["fields"].pop()
    with pytest.raises(Stop, match=f"released schema {name} was edited"):
        check(current(), {**released(), name: edited})


def test_documentation_is_free() -> None:
    """Words may change."""
    check(changed("payment", lambda s: field(s, "kind").update(doc="another word")), released())


def test_a_new_field_with_a_default_is_allowed_and_must_be_released() -> None:
    """First refused as unreleased, then held."""
    schemas = changed("payment", lambda s: s["fields"].append({"name": "mcc", "type": "string", "default": ""}))
    with pytest.raises(Stop) as refused:
        check(schemas, released())
    assert refused.value.reason is Reason.SCHEMA_UNRELEASED
    check(schemas, {**released(), fingerprint_hex(schemas["payment"]): schemas["payment"]})


#: what may be added to a record, with defaults that fit; and what may not
ADDED: list[dict[str, Any]] = [
    {"type": "string", "default": ""},
    {"type": ["null", "string"], "default": None},
    {"type": {"type": "map", "values": "long"}, "default": {}},
    {"type": {"type": "array", "items": "string"}, "default": []},
    {"type": "string"},
]
RETYPED: list[Any] = ["string", "long", "double", ["null", "string"], {"type": "array", "items": "string"}]


def changes(draw: st.DrawFn, fields: list[dict[str, Any]]) -> None:
    """One change of a record's fields: an addition, a removal, another order, another name or type."""
    at = draw(st.integers(0, len(fields) - 1))
    match draw(st.sampled_from(["add", "add", "add", "order", "doc", "remove", "rename", "retype"])):
        case "add":
            fields.insert(at, {"name": f"added{len(fields)}", **draw(st.sampled_from(ADDED))})
        case "order":
            fields.insert(0, fields.pop(at))
        case "doc":
            fields[at]["doc"] = "other words"
        case "remove":
            fields.pop(at)
        case "rename":
            fields[at]["name"] += "_now"
        case _:
            fields[at]["type"] = draw(st.sampled_from(RETYPED))


@st.composite
def evolved(draw: st.DrawFn) -> tuple[Any, Any]:
    """A record schema of today, without logical types, and the same after some changes."""
    name = draw(st.sampled_from(sorted(current())))
    before = single_object._without_logical_types(current()[name])
    now = copy.deepcopy(before)
    for _ in range(draw(st.integers(1, 3))):
        changes(draw, now["fields"])
    return before, now


@given(evolved())
def test_a_record_crosses_every_change_that_is_allowed(pair: tuple[Any, Any]) -> None:
    """fastavro, which knows nothing of our rules, reads old records under the new schema and new records under the old one."""
    before, now = pair
    try:
        old, new = fastavro.parse_schema(before), fastavro.parse_schema(now)
    except (fastavro.schema.UnknownType, fastavro.schema.SchemaParseException):
        return  # not valid Avro: a type without its definition, or a default of another type; `assay contracts check` refuses both
    if list(breaks(before, {before["name"]: now})):
        return
    for writer, reader in ((old, new), (new, old)):
        body = io.BytesIO()
        written = fastavro.utils.generate_one(writer)
        fastavro.schemaless_writer(body, writer, written)
        read = fastavro.schemaless_reader(io.BytesIO(body.getvalue()), writer, reader)
        assert isinstance(written, dict)
        assert isinstance(read, dict)
        for kept in before["fields"]:
            assert str(read[kept["name"]]) == str(written[kept["name"]])


def test_a_union_keeps_its_branches() -> None:
    """A branch taken away or retyped is refused, however the union is written."""
    before = {"type": "record", "name": "r", "fields": [{"name": "f", "type": ["null", "string"]}]}
    for branches in (["null"], ["null", "long"]):
        after = {"type": "record", "name": "r", "fields": [{"name": "f", "type": branches}]}
        with pytest.raises(Stop, match=r"r\.f"):
            check({"r": after}, {fingerprint_hex(before): before})
