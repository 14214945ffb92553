"""Rows of a generated world as events: table, schemas and catalogue of the engine say the same columns, and values have one text."""

from __future__ import annotations

import re
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.gate.row_payloads import ROWS
from assay.contracts.avro_schemas import current
from assay.contracts.engine_events import (
    AMOUNT,
    ENGINE_EVENTS,
    LOCAL_TIME,
    NUMBER,
    EngineEvent,
    amount_minor,
    amount_text,
    engine_events,
    local_time_us,
    number_of,
    number_text,
)
from assay.contracts.envelope import ROW_PINS
from assay.contracts.errors import Quarantine
from assay.contracts.handles import ARRIVALS, FLOWS_BASELINE, FLOWS_FRAUD, TRAFFIC_BASELINE
from assay.contracts.json_schema import schema
from assay.contracts.topics import topic, topics_of
from assay.contracts.traffic_modes import MODES, TrafficName
from assay.contracts.truth_names import gate_truth_names, plain_name
from assay.engine.graph import SEGMENTS
from assay.engine.interface import catalogue

CATALOGUE: dict[str, dict[str, Any]] = {entry["output_id"]: entry for entry in catalogue(SEGMENTS)["outputs"]}
EVENTS = list(ENGINE_EVENTS.values())
#: kind of a column in the catalogue → kinds that it may have in a payload
KINDS = {
    "id": {"whole"},
    "id64": {"whole"},
    "int": {"whole"},
    "number": {"amount", "number"},
    "bool": {"bool"},
    "text": {"text"},
    "time": {"time"},
    "local_time": {"local_time"},
}


def streamed(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Columns of an output's view beside those of its identity: those that tell the truth are dropped."""
    return {column["name"]: column for column in entry["columns"] if plain_name(column["name"]) not in gate_truth_names()}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.output_id)
def test_the_columns_of_a_payload_are_those_of_the_catalogue_without_the_truth(event: EngineEvent) -> None:
    entry = CATALOGUE[event.output_id]
    told = streamed(entry)
    assert [column.name for column in event.columns] == [*entry["identity_columns"], *told]
    assert event.primary_key == tuple(entry["primary_key"])
    assert event.time_column in told
    for name, kind, nullable in event.columns[len(entry["identity_columns"]) :]:
        assert kind in KINDS[told[name]["kind"]], name
        assert nullable == told[name]["nullable"], name


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.output_id)
def test_the_json_schema_and_the_typed_reader_have_the_columns_of_the_table(event: EngineEvent) -> None:
    document, names = schema(f"{event.record}.v1"), [column.name for column in event.columns]
    assert (list(document["properties"]), document["required"], document["additionalProperties"]) == (names, names, False)
    reader = ROWS[event.record]
    assert sorted(reader.__struct_fields__) == sorted(names)
    assert reader.__struct_defaults__ == ()
    assert reader.__struct_config__.forbid_unknown_fields
    for column in event.columns:
        assert (type(None) in get_args(get_type_hints(reader)[column.name])) == column.nullable
        if column.nullable:
            assert document["properties"][column.name]["type"] == ["integer", "null"]


def test_patterns_of_texts_stand_once_in_code_and_in_the_schemas_as_they_are() -> None:
    properties = schema("arrival_event.v1")["properties"]
    assert properties["lambda_realised"]["pattern"] == NUMBER
    assert properties["ts_local_primary"]["pattern"] == LOCAL_TIME
    assert {schema(f"{name}.v1")["properties"]["amount"]["pattern"] for name in ("flow_event", "flow_anchor")} == {AMOUNT}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.output_id)
def test_words_are_those_of_the_catalogue(event: EngineEvent) -> None:
    """But for time zones, which are those of a bank."""
    properties = schema(f"{event.record}.v1")["properties"]
    hints = get_type_hints(ROWS[event.record])
    for name, column in streamed(CATALOGUE[event.output_id]).items():
        if column["kind"] == "text" and name not in ("zone_representation", "tzid_primary"):
            assert tuple(properties[name]["enum"]) == tuple(column["words"]) == get_args(hints[name])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.output_id)
def test_a_record_has_the_columns_that_its_head_does_not_have(event: EngineEvent) -> None:
    other = {"event_type": "flow_event_type", "amount": "amount_minor"}
    rest = [other.get(column.name, column.name) for column in event.columns if column.name not in (*ROW_PINS, "ts_utc")]
    head = ("event_id", "event_type", "ts_utc", "pins", "run_id", "producer", "payload_hash", "source_order")
    fields = {field["name"]: field["type"] for field in current()[event.record]["fields"]}
    assert [name for name in fields if name not in head] == rest
    assert set(head) <= set(fields)
    assert {name for name, kind in fields.items() if kind == ["null", "long"]} == {c.name for c in event.columns if c.nullable}


def test_every_output_of_both_traffics_is_an_event_of_its_own_class_and_topic() -> None:
    for mode in MODES.values():
        rows = engine_events(mode.name)
        assert {event.output_id for event in rows} == {*mode[1:], "arrival_events_5B"}
        assert len({event.event_class for event in rows}) == len({event.handle for event in rows}) == len(rows)
        assert {event.handle for event in rows} <= set(topics_of(mode.name))
    assert {event.event_class for event in EVENTS} == {
        "traffic_baseline",
        "traffic_fraud",
        "context_arrival",
        "context_arrival_entities",
        "context_flow_baseline",
        "context_flow_fraud",
    }
    assert engine_events("") == ()


def test_flows_are_keyed_by_flow_and_arrivals_by_merchant() -> None:
    for event in EVENTS:
        rule = "flow_id" if "flow_id" in event.primary_key else "merchant_id"
        assert topic(event.handle).records[event.record] == rule
        assert topic(event.handle).key(event.record, {rule: 2**63 - 1}) == b"9223372036854775807"


def test_a_run_has_the_topics_of_its_own_traffic_and_a_run_of_payments_has_none_of_them() -> None:
    of_payments, of_both = set(topics_of("")), {mode.value: set(topics_of(mode)) for mode in TrafficName}
    added = {"baseline": {TRAFFIC_BASELINE, ARRIVALS, FLOWS_BASELINE}, "fraud": {ARRIVALS, FLOWS_FRAUD}}
    assert {mode: handles - of_payments for mode, handles in of_both.items()} == added
    assert all(of_payments < handles for handles in of_both.values())


@given(st.integers(0, 10**11 - 1))
def test_an_amount_has_one_text_with_two_digits(minor: int) -> None:
    text = amount_text(minor / 100)
    assert text == f"{minor // 100}.{minor % 100:02d}"
    assert (amount_minor(text), float(text)) == (minor, minor / 100)


@given(st.floats(0, allow_infinity=False))
def test_a_number_has_one_text_that_reads_back_equal(number: float) -> None:
    text = number_text(number)
    assert number_of(text) == number
    assert re.search(schema("arrival_event.v1")["properties"]["lambda_realised"]["pattern"], text)


@pytest.mark.parametrize("text", ["0", "0.50", "1e-5", "00.5", "0.1000000000000000055", "1e-999", "1e+999"])
def test_another_text_of_a_number_is_refused(text: str) -> None:
    with pytest.raises(Quarantine, match="SCHEMA_FAIL"):
        number_of(text)


def test_a_wall_clock_is_counted_as_if_it_were_utc() -> None:
    assert local_time_us("1970-01-01T00:00:01.000002") == 1_000_002
    with pytest.raises(Quarantine, match="TIME_INVALID"):
        local_time_us("2018-02-30T00:00:00.000000")
