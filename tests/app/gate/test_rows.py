"""Rows of a generated world at the gate: of the run's traffic, world and time, without the truth; on the bus they are what was posted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_events import LABEL, NOW_US, SCOPE, event, examined, raw, row
from gate_process import mark, run_in
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.openapi import specification
from assay.app.gate.policy import RECORD_OF_CLASS, shipped_admission_policy
from assay.app.gate.process import build
from assay.app.gate.records import RecordFramer
from assay.app.gate.requests import mark_of
from assay.app.gate.row_examples import row_examples
from assay.app.gate.warming import warm
from assay.codecs.single_object import unpack
from assay.contracts import envelope, instants
from assay.contracts.engine_events import ENGINE_EVENTS, engine_events
from assay.contracts.errors import Quarantine
from assay.contracts.ids import dedupe_key
from assay.contracts.keys import partition_for
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.contracts.traffic_modes import BASELINE, FRAUD, MODES

PINS, RUN_ID = Pins.of(SCOPE), str(SCOPE["run_id"])
ARRIVALS = "arrival_events_5B"
EVERY = [(mode, one.output_id) for mode in MODES for one in engine_events(mode)]
LATER = instants.text(NOW_US)


def admitted(document: dict[str, Any], traffic: str) -> Admissible:
    item = examined(document, traffic=traffic)
    assert isinstance(item, Admissible), item
    return item


@pytest.mark.parametrize(("traffic", "output_id"), EVERY)
def test_a_row_is_admitted_under_the_class_of_its_output(traffic: str, output_id: str) -> None:
    document = row(output_id) | {"producer": "svc:world_stream_producer", "trace_id": "ab" * 32, "span_id": "1.0.0", "source_order": 7}
    item = admitted(document, traffic)
    assert item.event_class == ENGINE_EVENTS[output_id].event_class
    assert item.payload_hash == envelope.payload_hash(output_id, "v1", document["payload"])
    assert item.dedupe_key == dedupe_key(PINS.platform_run_id, item.event_class, document["event_id"])
    assert (item.source_order, envelope.check(document)) == (7, None)


REFUSED: list[tuple[str, str, Any, Reason, str]] = [
    ("the other traffic", "fraud", row(BASELINE.events), Reason.TRAFFIC_MODES_MIXED, "$.event_type"),
    ("the other traffic's flows", "baseline", row(FRAUD.flow_anchors), Reason.TRAFFIC_MODES_MIXED, "$.event_type"),
    ("the other traffic's entities", "fraud", row(BASELINE.arrival_entities), Reason.TRAFFIC_MODES_MIXED, "$.event_type"),
    ("traffic in a run of payments", "", row(FRAUD.events), Reason.EVENT_TYPE_UNKNOWN, "$.event_type"),
    ("context in a run of payments", "", row(ARRIVALS), Reason.EVENT_TYPE_UNKNOWN, "$.event_type"),
    ("a payment in a run of a world", "fraud", event(), Reason.EVENT_TYPE_UNKNOWN, "$.event_type"),
    ("a fact in a run of a world", "baseline", event("c", "context_fact"), Reason.EVENT_TYPE_UNKNOWN, "$.event_type"),
    ("an output that does not stream", "fraud", {**row(FRAUD.events), "event_type": "s1_session_index_6B"}, Reason.EVENT_TYPE_UNKNOWN,
     "$.event_type"),
    ("the truth", "fraud", row(FRAUD.events, fraud_flag=False), Reason.TRUTH_COLUMN_IN_LIVE_ROW, "$.payload.fraud_flag"),
    ("the truth without a value", "fraud", row(FRAUD.flow_anchors, campaign_id=None), Reason.TRUTH_COLUMN_IN_LIVE_ROW,
     "$.payload.campaign_id"),
    ("the truth beside another fault", "fraud", row(FRAUD.events, seed="x", FraudFlag=1), Reason.TRUTH_COLUMN_IN_LIVE_ROW,
     "$.payload.FraudFlag"),
    ("an unknown column", "fraud", row(FRAUD.events, colour="red"), Reason.SCHEMA_FAIL, "$.payload.colour"),
    ("an amount as a number", "fraud", row(FRAUD.events, amount=69.99), Reason.SCHEMA_FAIL, "$.payload.amount"),
    ("an amount of one digit", "baseline", row(BASELINE.events, amount="69.9"), Reason.SCHEMA_FAIL, "$.payload.amount"),
    ("an id with a fraction", "fraud", row(FRAUD.events, flow_id=7.0), Reason.SCHEMA_FAIL, "$.payload.flow_id"),
    ("an id beyond 63 bits", "fraud", row(FRAUD.events, flow_id=2**63), Reason.SCHEMA_FAIL, "$.payload.flow_id"),
    ("another event of a flow", "fraud", row(FRAUD.events, event_type="REFUND"), Reason.SCHEMA_FAIL, "$.payload.event_type"),
    ("another channel", "fraud", row(ARRIVALS, channel_group="MAIL"), Reason.SCHEMA_FAIL, "$.payload.channel_group"),
    ("a number that is not shortest", "fraud", row(ARRIVALS, lambda_realised="0.50"), Reason.SCHEMA_FAIL, "$.payload.lambda_realised"),
    ("a wall clock of no calendar", "fraud", row(ARRIVALS, ts_local_primary="2018-02-30T00:00:00.000000"), Reason.SCHEMA_FAIL,
     "$.payload.ts_local_primary"),
    ("a row of another seed", "fraud", row(FRAUD.events, seed=8), Reason.RUN_SCOPE_MISMATCH, "$.payload.seed"),
    ("a row of another world", "fraud", row(ARRIVALS, manifest_fingerprint="00" * 32), Reason.RUN_SCOPE_MISMATCH,
     "$.payload.manifest_fingerprint"),
    ("a row of other parameters", "fraud", row(ARRIVALS, parameter_hash="00" * 32), Reason.RUN_SCOPE_MISMATCH, "$.payload.parameter_hash"),
    ("a row of another scenario", "fraud", row(FRAUD.flow_anchors, scenario_id="x"), Reason.RUN_SCOPE_MISMATCH, "$.payload.scenario_id"),
    ("another row's time", "fraud", row(FRAUD.events, ts_utc=LATER), Reason.SCHEMA_FAIL, "$.payload.ts_utc"),
    ("two flows", "fraud", raw(row(FRAUD.events)).replace(b'"event_seq"', b'"flow_id":1,"event_seq"'), Reason.KEY_DUPLICATE,
     "$.payload.flow_id"),
    ("a zone with a tab", "fraud", row(ARRIVALS, tzid_primary="Africa\tLagos"), Reason.CONTROL_CHARACTER, "$.payload.tzid_primary"),
    ("a row without run_id", "fraud", {k: v for k, v in row(FRAUD.events).items() if k != "run_id"}, Reason.PINS_MISSING, "$.run_id"),
]  # fmt: skip


@pytest.mark.parametrize(("traffic", "document", "reason", "where"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_a_row_is_refused_for_its_first_fault(traffic: str, document: Any, reason: Reason, where: str) -> None:
    item = examined(document, traffic=traffic)
    assert isinstance(item, RefusedEvent)
    assert (item.reason, item.where) == (reason, where)
    assert item.remedy.endswith(".")


@pytest.mark.parametrize(
    ("document", "remedy"),
    [
        (row(FRAUD.events, event_type="REFUND"), "Send AUTH_REQUEST or AUTH_RESPONSE, in capitals."),
        (row(ARRIVALS, channel_group="MAIL"), "Send ECOM or POS or ATM or BANK_RAIL or HYBRID, in capitals."),
        (row(BASELINE.events), "Stream one traffic in a run: a mixture would tell what was overlaid. Begin another run for the other."),
    ],
)
def test_a_refusal_tells_what_may_stand_there(document: Any, remedy: str) -> None:
    item = examined(document, traffic="fraud")
    assert isinstance(item, RefusedEvent)
    assert item.remedy == remedy


@pytest.mark.parametrize(("traffic", "output_id"), EVERY)
def test_on_the_bus_a_row_is_what_was_posted_under_the_key_of_its_topic(traffic: str, output_id: str) -> None:
    known = ENGINE_EVENTS[output_id]
    nulls = {column.name: None for column in known.columns if column.nullable}
    given = [row(output_id), row(output_id, **nulls)]
    given[1]["event_id"] = "another"
    if "event_type" in given[1]["payload"]:
        given[1]["payload"]["event_type"] = "AUTH_RESPONSE"
    made = RecordFramer(PINS, RUN_ID).framed(known.event_class, [admitted(one, traffic) for one in given], 3)
    assert made.record == RECORD_OF_CLASS[known.event_class] == known.record
    for document, key, value, partition in zip(given, made.keys, made.values, made.partitions, strict=True):
        name, record = unpack(value)
        told = document["payload"]
        assert (name, record["event_id"], record["event_type"]) == (known.record, document["event_id"], output_id)
        assert (record["pins"], record["ts_utc"]) == (PINS.as_avro(), instants.parse(document["ts_utc"]))
        for column in known.columns:
            if column.name in record and column.name not in ("ts_utc", "event_type", "ts_local_primary", "lambda_realised"):
                assert record[column.name] == told[column.name]
        if "amount" in told:
            assert record["amount_minor"] == 6999
        if "event_type" in told:
            assert record["flow_event_type"] == told["event_type"]
        if "lambda_realised" in told:
            assert repr(record["lambda_realised"]) == told["lambda_realised"]
            assert record["ts_local_primary"] == instants.parse(told["ts_local_primary"] + "Z")
        assert key == topic(known.handle).key(known.record, record)
        assert partition == partition_for(key, 3)


WHOLES = st.integers(0, 2**63 - 1)


@given(WHOLES, WHOLES, st.integers(0, 10**11 - 1), st.none() | WHOLES)
def test_every_flow_goes_through_unchanged(flow_id: int, party_id: int, minor: int, counterparty: int | None) -> None:
    amount = f"{minor // 100}.{minor % 100:02d}"
    document = row(FRAUD.flow_anchors, flow_id=flow_id, party_id=party_id, amount=amount, counterparty_account_id=counterparty)
    item = admitted(document, "fraud")
    assert item.payload_hash == envelope.payload_hash(FRAUD.flow_anchors, "v1", document["payload"])
    _, record = unpack(RecordFramer(PINS, RUN_ID).framed(item.event_class, [item], 1).values[0])
    told = record["flow_id"], record["party_id"], record["amount_minor"], record["counterparty_account_id"]
    assert told == (flow_id, party_id, minor, counterparty)


@pytest.mark.parametrize("traffic", list(MODES))
def test_every_class_of_a_run_has_one_topic_and_every_topic_one_class(traffic: str) -> None:
    """A mark of a topic speaks of one class: two on one topic would contradict each other."""
    for policy in (shipped_admission_policy(), shipped_admission_policy(traffic)):
        assert len(set(policy.topics.values())) == len(policy.topics)
    assert set(policy.topics) == {one.event_class for one in engine_events(traffic)} | {"label"}
    assert policy.labelled in policy.topics


@pytest.mark.parametrize("traffic", list(MODES))
def test_a_mark_speaks_of_all_classes_of_its_run_or_of_those_that_it_names(traffic: str) -> None:
    of_run = list(shipped_admission_policy(traffic).topics)
    assert list(mark_of(raw(mark(LATER)), SCOPE, of_run).classes) == of_run
    assert mark_of(raw(mark(LATER, classes=["context_arrival"])), SCOPE, of_run).classes == ("context_arrival",)
    for other in ("traffic", "context", "nobody"):
        with pytest.raises(Quarantine, match=f"MARK_INVALID.*{other}"):
            mark_of(raw(mark(LATER, classes=["label", other])), SCOPE, of_run)


@pytest.mark.parametrize("traffic", list(MODES))
def test_the_examples_of_a_run_of_a_world_are_of_their_schema_and_are_taken_once_before_its_first_row(traffic: str) -> None:
    examples = row_examples(SCOPE, traffic, NOW_US)
    examiner = Examiner(shipped_admission_policy(traffic), SCOPE)
    assert warm(examples, examiner, (PINS, RUN_ID), NOW_US) == len(examiner.policy.topics)
    found = [examiner.examine(raw(body), NOW_US, 0) for name, body in examples.items() if name.startswith("envelope of")]
    assert {item.event_class for item in found if isinstance(item, Admissible)} == set(examiner.policy.topics)
    described = specification("1", examples)
    push = described["paths"]["/v1/ingest/push"]["post"]["requestBody"]["content"]["application/json"]
    shown = {one["value"]["event_type"] for one in push["examples"].values()}
    assert shown == {one.output_id for one in engine_events(traffic)} | {"label_assertion"}
    schema = {**push["schema"], "components": described["components"]}
    for one in push["examples"].values():
        Draft202012Validator(schema).validate(one["value"])


def test_a_gate_is_wired_for_the_traffic_of_its_run(tmp_path: Path) -> None:
    run = run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False, traffic="baseline")
    gate = build(run)
    assert set(gate.reach.publisher.names) == set(shipped_admission_policy("baseline").topics.values())
    gate.warm()
    for log in gate.reach.logs:
        log.close()


def test_a_label_in_an_envelope_is_admitted_in_a_run_of_a_world() -> None:
    assert admitted(event("l-1", "label_assertion", LABEL), "fraud").event_class == "label"
