"""Short forms and decisions over HTTP on real Kafka and PostgreSQL, and the gate's own examples, taken by the gate itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from assay_command import assay
from gate_process import KEY, GateProcess, run_in
from jsonschema import Draft202012Validator
from records import label

from assay.agents.refusals import dead_letters
from assay.agents.taken import RefusedRecord
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topic_reader import read_records
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts import instants
from assay.contracts.reasons import Reason
from assay.testing_substrate import until

TRAFFIC, LABELS, QUARANTINE = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_LABELS_EVENTS_V1", "FP_BUS_QUARANTINE_V1"


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    process = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    process.run.model_copy(update={"gate_url": process.url}).save()
    yield process
    process.kill()


def test_payments_and_labels_are_posted_in_arrays_and_end_item_by_item(gate: GateProcess) -> None:
    body = {"amount_minor": 1999, "currency": "EUR", "entities": {"customer": "7"}, "ts_utc": "2018-04-01T02:00:31.5+02:00"}
    payments = [{**body, "event_id": f"pay-{n}"} for n in range(3)]
    status, answer = gate.post("/v1/payments", [*payments, {**payments[0], "ts_utc": "2018-04-01T00:00:31.50Z"}, body, body, {"kind": "x"}])
    assert (status, answer["counts"]) == (200, {"ADMIT": 5, "DUPLICATE": 1, "QUARANTINE": 1})
    assert {result["ts_utc"] for result in answer["results"][:6]} == {"2018-04-01T00:00:31.500000Z"}
    assert (answer["results"][6]["error"], answer["results"][6]["where"]) == ("SCHEMA_FAIL", "$.amount_minor")
    assert gate.post("/v1/payments?results=exceptions", payments[:1])[1]["results"][0]["admission"] == "DUPLICATE"
    assert {record["ts_utc"] for _, _, _, record in gate.on_bus(TRAFFIC)} == {instants.parse("2018-04-01T00:00:31.500000Z")}

    known = {"label": "FRAUD", "known_at": "2018-04-09T00:00:00Z"}
    labels = [{"payment": f"pay-{n}", **known} for n in range(3)]
    status, answer = gate.post("/v1/labels", [*labels, labels[0], {"payment": "pay-9", **known}])
    assert (status, answer["counts"]) == (200, {"ADMIT": 3, "DUPLICATE": 1, "QUARANTINE": 1})
    status, answer = gate.post("/v1/labels", {"payment": "pay-1", "label": "LEGIT", "known_at": "2018-04-10T00:00:00Z"})
    assert (status, answer["admission"], answer["effect"].split(";")[0]) == (201, "ADMIT", "kept for reports")
    records = [record for _, _, _, record in gate.on_bus(LABELS)]
    assert [(r["subject_event_id"], r["label"]) for r in records] == [
        ("pay-0", "FRAUD"),
        ("pay-1", "FRAUD"),
        ("pay-2", "FRAUD"),
        ("pay-1", "LEGIT"),
    ]
    assert {record["subject_ts_utc"] for record in records} == {instants.parse("2018-04-01T00:00:31.500000Z")}


PAID = {"amount_minor": 1, "currency": "EUR", "entities": {"customer": "7"}}


def test_a_payment_without_a_decision_is_told_why(gate: GateProcess) -> None:
    for event_id, body, error, told in (
        ("admitted", PAID, "DECISION_PENDING", "not decided yet"),
        ("..", PAID, "DECISION_PENDING", "not decided yet"),
        ("{a} {b", PAID, "DECISION_PENDING", "not decided yet"),
        ("a/b ü?", PAID, "DECISION_PENDING", "not decided yet"),
        ("refused", {**PAID, "amount_minor": -1}, "EVENT_QUARANTINED", "AMOUNT_OUT_OF_RANGE: amount_minor is -1"),
        ("never posted", None, "DECISION_NOT_FOUND", "no payment with the event_id 'never posted'"),
    ):
        url = f"/v1/decisions/{quote(event_id, safe='')}"
        if body is not None:
            answer = gate.post("/v1/payments", {**body, "event_id": event_id})[1]
            url = answer.get("decision_url", url).removeprefix(gate.url)
        status, found = gate.get(url, KEY)
        assert (status, found["error"]) == (404, error), found
        assert told in found["detail"]
        assert set(found) == {"error", "detail", "where", "remedy"}
    for path in ("/v1/decisions/..", "/v1/decisions/%2E%2E", "/v1/decisions/%2e.", "/v1/decisions?event_id=.."):
        assert gate.get(path, KEY)[1]["error"] == "DECISION_PENDING", path
    assert gate.get("/v1/decisions/.", KEY)[1]["detail"] == "no payment with the event_id '.' was posted to this run"


def test_a_payment_that_a_lane_set_aside_is_told_why(gate: GateProcess) -> None:
    """Its dead letter is written as a lane writes it, and lies behind others: of a label with the same id, and of another payment."""
    gate.post("/v1/payments", [{**PAID, "event_id": name} for name in ("other", "late", "waits")])
    found_on = [(record, record.value) for record in read_records(gate.run.bootstrap, TRAFFIC, gate.run.namespace)]
    raws = {unpack(value)[1]["event_id"]: (record, value) for record, value in found_on if value is not None}
    why = Reason.LATE_BEYOND_WATERMARK
    at, _ = raws["late"]
    refused = [
        RefusedRecord(LABELS, 0, 0, Reason.LABEL_SUBJECT_UNKNOWN, "of a label", label("waits", 2, "waits", 1)),
        *(
            RefusedRecord(TRAFFIC, record.partition, record.offset, why, f"of {name}", value)
            for name, (record, value) in raws.items()
            if name in ("other", "late")
        ),
    ]
    letters = [
        OutboundRecord(key, value, 0)
        for sent in dead_letters(QUARANTINE, refused, 5)
        for key, value in zip(sent.keys.tolist(), sent.values.tolist(), strict=True)
        if key is not None and value is not None
    ]
    KafkaPublisher(gate.run.bootstrap, gate.run.namespace).publish(QUARANTINE, letters)
    found = until(lambda: told if (told := gate.get("/v1/decisions/late", KEY)[1])["error"] != "DECISION_PENDING" else None, every_s=0.2)
    assert found is not None
    assert (found["error"], found["where"]) == ("EVENT_QUARANTINED", f"{TRAFFIC}[{at.partition}]@{at.offset}")
    assert found["detail"].endswith("so there is no decision: LATE_BEYOND_WATERMARK: of late")
    assert gate.get("/v1/decisions/waits", KEY)[1]["error"] == "DECISION_PENDING"


def test_the_gate_takes_every_example_of_its_own_specification_and_answers_as_it_says(gate: GateProcess) -> None:
    status, spec = gate.get("/openapi.json")
    assert status == 200
    for path, methods in spec["paths"].items():
        for example in (
            methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}).values()
        ):
            status, answer = gate.post(path, example["value"])
            if path == "/v1/decide":  # of a run that is ordered by arrival
                assert (status, answer["error"]) == (409, "ORDERING_NOT_ARRIVAL")
            else:
                assert status < 300, (path, answer)
            assert set(answer.get("counts", {"ADMIT": 1})) == {"ADMIT"}, answer
            schema = methods["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
            Draft202012Validator({**schema, "components": spec["components"]}).validate(answer)
    assert "X-IG-Api-Key" in gate.get("/docs")[1]


def test_a_file_of_disputes_is_posted_and_may_be_posted_again(gate: GateProcess, tmp_path: Path) -> None:
    for number in range(2):
        gate.post("/v1/payments", {**PAID, "event_id": f"pay-{number}", "ts_utc": "2018-04-01T00:00:00Z"})
    (tmp_path / "m.yaml").write_text("event_id: payment\ntime: {column: told, unit: s}\nlabel: {column: status, fraud: [lost]}\n")
    rows = tmp_path / "d.csv"
    arguments = ("labels", "import", rows, "--mapping", tmp_path / "m.yaml", "--run", gate.run.directory)
    rows.write_text("payment,told,status\npay-0,4102444800,lost\n")
    early = assay(*arguments)
    assert (early.code, "TIME_IN_FUTURE" in early.err) == (65, True), early.text
    rows.write_text("payment,told,status\npay-0,1530000000,lost\npay-9,1530000000,lost\npay-1,1530000000,\npay-1,1530000000,lost\n")
    first, second, third = assay(*arguments), assay(*arguments), assay(*arguments, "--json")
    assert first.out.splitlines()[0] == "3 labels: 2 new, 0 there already, 1 refused", first.text
    assert first.out.splitlines()[1].startswith("  row 2, payment 'pay-9': LABEL_SUBJECT_UNKNOWN: no payment with the event_id 'pay-9'")
    assert second.out.startswith("3 labels: 0 new, 2 there already, 1 refused")
    facts = json.loads(third.out)
    assert (facts["counts"], [row["row"] for row in facts["refused"]]) == ({"DUPLICATE": 2, "QUARANTINE": 1}, [2])
    assert [ended.code for ended in (first, second, third)] == [1, 1, 1]
    assert [(record["subject_event_id"], record["label"]) for _, _, _, record in gate.on_bus(LABELS)] == [
        ("pay-0", "FRAUD"),
        ("pay-1", "FRAUD"),
    ]


def test_a_decision_cannot_be_asked_for_while_the_worker_is_away(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> None:
    run = run_in(tmp_path / "run", kafka.address, dsn, namespace).model_copy(update={"worker_url": "http://127.0.0.1:1"})
    run.save()
    gate = GateProcess(run)
    try:
        gate.post("/v1/payments", {**PAID, "event_id": "mine"})
        status, found = gate.get("/v1/decisions/mine", KEY)
    finally:
        gate.kill()
    assert (status, found["error"]) == (503, "WORKER_UNAVAILABLE")
