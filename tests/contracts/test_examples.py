"""Every example is a test case: of the JSON Schema, of the check at the border, and of the Avro record where there is one."""

from __future__ import annotations

from typing import Any

import pytest
from oracles.examples import Example, examples

from assay.codecs.single_object import pack, unpack
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.envelope import EVENT_TYPES, ROW_PINS, check, payload_hash
from assay.contracts.json_schema import fault_of, names
from assay.contracts.pins import Pins

ALL = list(examples())
PAYLOADS = {"payment": "transaction", "context_fact": "context_fact", "label_assertion": "label_assertion"}
PAYLOADS |= {event.record: event.output_id for event in ENGINE_EVENTS.values()}
ACCEPTED = {example.name: example.value for example in examples("envelope") if example.reason is None}
#: a good envelope for each payload
GOOD = {name: ACCEPTED["label_without_run_id" if name == "label_assertion" else "transaction"] for name in PAYLOADS}
#: what a pattern cannot see: days that no calendar has. The check finds them, the schema lets them pass
ONLY_PARSING = "_of_no_calendar"
#: what the envelope's schema leaves to the tables of event types and versions
ONLY_TABLES = {"event_type_unknown", "event_type_in_other_case", "schema_version_unknown", "run_id_missing"}
#: nor the codes that ISO 4217 has
ONLY_TABLES |= {"currency_of_no_country", "currency_of_tests"}
#: no schema compares two fields
ONLY_COMPARING = {"label_at_its_payment", "label_before_its_payment"}
ONLY_COMPARING |= {"seed_of_another_world", "scenario_of_another_world", "time_of_another_row", "lambda_not_the_shortest"}
ONLY_COMPARING |= {"lambda_without_fraction"}


def posted(example: Example) -> Any:
    """The example as a gate would see it: a payload in an envelope that is otherwise right."""
    if example.document not in PAYLOADS:
        return example.value
    return {**GOOD[example.document], "event_type": PAYLOADS[example.document], "payload": example.value}


@pytest.mark.parametrize("example", ALL, ids=str)
def test_the_schema_accepts_or_refuses_an_example_as_its_file_says(example: Example) -> None:
    """But for the refusals that no schema can see; those it accepts."""
    unseen = example.name.endswith(ONLY_PARSING) or example.name in ONLY_TABLES | ONLY_COMPARING
    fault = fault_of(f"{example.document}.{example.version}", example.value)
    assert (fault is None) == (example.reason is None or unseen), fault


@pytest.mark.parametrize("example", [e for e in ALL if e.document in (*PAYLOADS, "envelope")], ids=str)
def test_the_border_accepts_or_refuses_an_example_for_its_reason(example: Example) -> None:
    """The check of the closed envelope, payload included."""
    refusal = check(posted(example))
    assert (refusal[0] if refusal else None) == example.reason, refusal


@pytest.mark.parametrize("example", [e for e in ALL if e.document in (*PAYLOADS, "envelope") and e.reason is None], ids=str)
def test_an_accepted_event_goes_through_avro_unchanged(example: Example) -> None:
    """What the border takes, the bus can carry."""
    envelope = posted(example)
    name, record = unpack(pack(EVENT_TYPES[envelope["event_type"]].record, avro(envelope)))
    assert name == EVENT_TYPES[envelope["event_type"]].record
    assert record["pins"] == Pins.of(envelope).as_avro()
    assert (record["event_id"], record["event_type"]) == (envelope["event_id"], envelope["event_type"])
    if "entities" in record:
        present = {n: i for n, i in envelope["payload"]["entities"].items() if i is not None}
        assert {entity["name"]: entity["id"] for entity in record["entities"]} == present


def avro(envelope: dict[str, Any]) -> dict[str, Any]:
    """The Avro record of an accepted envelope, written without the gate's code."""
    payload = envelope["payload"]
    record = {
        name: payload[name] for name in ("kind", "amount_minor", "currency", "subject_event_id", "label", "source") if name in payload
    }
    if "entities" in payload:
        record["entities"] = [{"name": name, "id": value} for name, value in sorted(payload["entities"].items()) if value is not None]
        record["attributes"] = payload.get("attributes", {})
        record["run_id"] = bytes.fromhex(envelope["run_id"])
    if "seed" in payload:
        record |= row(payload) | {"run_id": bytes.fromhex(envelope["run_id"])}
    if "subject_ts_utc" in payload:
        record["subject_ts_utc"] = instants.parse(payload["subject_ts_utc"])
    return record | {
        "event_id": envelope["event_id"],
        "event_type": envelope["event_type"],
        "ts_utc": instants.parse(envelope["ts_utc"]),
        "pins": Pins.of(envelope).as_avro(),
        "producer": envelope.get("producer", ""),
        "payload_hash": payload_hash(envelope["event_type"], envelope["schema_version"], payload),
    }


def row(payload: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row of a generated world, without those that the head of a record has."""
    fields = {name: value for name, value in payload.items() if name not in (*ROW_PINS, "ts_utc", "event_type", "amount")}
    if "amount" in payload:
        fields["amount_minor"] = int(payload["amount"].replace(".", ""))
    if "event_type" in payload:
        fields["flow_event_type"] = payload["event_type"]
    if "ts_local_primary" in payload:
        fields["ts_local_primary"] = instants.parse(payload["ts_local_primary"] + "Z")
        fields["lambda_realised"] = float(payload["lambda_realised"])
    return fields


def test_every_schema_has_examples_of_both_kinds() -> None:
    """A document without a refused example proves nothing about its schema."""
    for name in names():
        document = name.split(".")[0]
        assert {example.reason is None for example in examples(document)} == {True, False}, document
