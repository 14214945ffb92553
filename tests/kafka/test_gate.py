"""The gate over HTTP on real Kafka and PostgreSQL: every call's every item ends once, with a receipt."""

from __future__ import annotations

import json
import secrets
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from gate_events import event, paid, raw
from gate_process import KEY, GateProcess, mark, run_in

from assay.app.substrate import Server
from assay.contracts import instants
from assay.contracts.keys import entity_key, partition_for
from assay.contracts.limits import BODY_TIMEOUT_S

TRAFFIC, CONTEXT, LABELS = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1", "FP_BUS_LABELS_EVENTS_V1"
GOOD_MARK = mark("2018-04-01T00:00:00.000000Z")


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    process = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    yield process
    process.kill()


@pytest.fixture(scope="module")
def shared_gate(tmp_path_factory: pytest.TempPathFactory, kafka: Server, postgres: Server) -> Iterator[GateProcess]:
    """For calls of which none meets another's events: one gate serves all of them."""
    schema = f"t{secrets.token_hex(5)}"
    joint = "&" if "?" in postgres.address else "?"
    with psycopg.connect(postgres.address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        dsn = f"{postgres.address}{joint}options={quote(f'-csearch_path={schema}')}"
        process = GateProcess(run_in(tmp_path_factory.mktemp("shared") / "run", kafka.address, dsn, f"{schema}."))
        assert process.post("/v1/ingest/marks", GOOD_MARK)[0] == 200
        yield process
        process.kill()
        connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def decisions(answer: Any) -> list[str]:
    return [result["admission"] for result in answer["results"]]


def test_a_batch_ends_item_by_item_and_the_bus_holds_what_was_admitted(gate: GateProcess) -> None:
    posted = [event(f"e-{i}", payload=paid(amount_minor=i, entities={"customer": str(i), "terminal": None})) for i in range(20)]
    posted += [event("c-1", "context_fact"), event("l-1", "label_assertion", run_id=None)]
    broken = [7, event("bad", ts_utc="yesterday")]
    status, answer = gate.batch([*posted, *broken])
    assert status == 200
    assert answer["counts"] == {"ADMIT": 22, "QUARANTINE": 2}
    assert decisions(answer) == ["ADMIT"] * 22 + ["QUARANTINE"] * 2
    told = {r["event_id"]: (r["eb_ref"]["partition"], int(r["eb_ref"]["offset"])) for r in answer["results"][:20]}
    lying = {record["event_id"]: (partition, offset, record) for partition, offset, _, record in gate.on_bus(TRAFFIC)}
    assert told == {event_id: place[:2] for event_id, place in lying.items()}
    for i in range(20):
        partition, _, record = lying[f"e-{i}"]
        assert partition == partition_for(entity_key({"customer": str(i)}, f"e-{i}"), 3)
        assert (record["amount_minor"], record["entities"]) == (i, [{"name": "customer", "id": str(i)}])
    assert gate.event_ids(CONTEXT) == {"c-1": 1}
    assert gate.event_ids(LABELS) == {"l-1": 1}
    assert gate.stop() == 0
    assert Counter(receipt["decision"] for receipt in gate.receipts()) == {"ADMIT": 22, "QUARANTINE": 2}
    assert {record["reason_codes"][0] for record in gate.receipts("quarantine")} == {"ENVELOPE_INVALID"}


def test_an_event_sent_again_is_a_duplicate_and_another_payload_is_set_aside(gate: GateProcess) -> None:
    first = gate.post("/v1/ingest/push", event("e-1"))[1]
    again = gate.post("/v1/ingest/push", event("e-1", producer="somebody else"))[1]
    other = gate.post("/v1/ingest/push", event("e-1", payload=paid(amount_minor=9)))[1]
    assert (first["admission"], again["admission"], again["eb_ref"]) == ("ADMIT", "DUPLICATE", first["eb_ref"])
    assert (other["admission"], other["reason_codes"]) == ("QUARANTINE", ["PAYLOAD_HASH_MISMATCH"])
    assert gate.event_ids() == {"e-1": 1}
    assert 'assay_gate_reasons_total{reason="PAYLOAD_HASH_MISMATCH"} 1.0' in gate.get("/metrics")[1]


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/v1/ingest/push", event("e-1"), 202, None),
        ("/v1/payments", {"amount_minor": 1, "currency": "EUR", "entities": {"customer": "7"}}, 202, None),
        ("/v1/ingest/push", event("c-1", "context_fact"), 201, None),
        ("/v1/ingest/push", event("e-2", payload=paid(amount_minor=-1)), 422, ("AMOUNT_OUT_OF_RANGE", "$.payload.amount_minor")),
        ("/v1/ingest/push", event("e-3", payload=paid(currency="XQZ")), 422, ("CURRENCY_UNKNOWN", "$.payload.currency")),
        ("/v1/ingest/push", event("e-4\0"), 422, ("CONTROL_CHARACTER", "$.event_id")),
        ("/v1/ingest/push", raw(event("e-5"))[:-1] + b',"seed":7}', 422, ("KEY_DUPLICATE", "$.seed")),
        ("/v1/payments", {"amount_minor": 1, "currency": "EUE", "entities": {}}, 422, ("CURRENCY_UNKNOWN", "$.currency")),
        ("/v1/labels", {"payment": "nobody's", "label": "FRAUD"}, 422, ("LABEL_SUBJECT_UNKNOWN", "$.payment")),
    ],
)
def test_an_item_by_itself_has_a_status_of_its_own_and_a_refusal_its_place(
    shared_gate: GateProcess, path: str, body: Any, status: int, told: tuple[str, str] | None
) -> None:
    got, answer = shared_gate.post(path, body)
    assert got == status, answer
    assert (answer["admission"] == "ADMIT") == (told is None)
    assert told is None or (answer["error"], answer["where"]) == told
    assert told is None or (answer["remedy"] and answer["detail"])


def test_of_events_with_one_id_at_the_same_time_one_is_admitted(gate: GateProcess) -> None:
    def post(body: list[dict[str, Any]]) -> list[str]:
        return decisions(gate.batch(body)[1])

    bodies = [[event(f"e-{i}") for i in range(n, n + 20)] for n in range(0, 100, 10) for _ in range(3)]
    with ThreadPoolExecutor(8) as threads:
        ended = Counter(decision for answer in threads.map(post, bodies) for decision in answer)
    assert ended == {"ADMIT": 110, "DUPLICATE": len(bodies) * 20 - 110}
    assert set(gate.event_ids().values()) == {1}


def test_results_can_be_limited_to_what_was_not_admitted(gate: GateProcess) -> None:
    gate.batch([event("e-1")])
    answer = gate.post("/v1/ingest/batch?results=exceptions", [event("e-1"), event("e-2")])[1]
    assert answer["counts"] == {"ADMIT": 1, "DUPLICATE": 1}
    assert [(r["event_id"], r["admission"]) for r in answer["results"]] == [("e-1", "DUPLICATE")]


def test_a_payment_posted_by_hand_becomes_an_auth_request_of_this_run(gate: GateProcess) -> None:
    body = {"amount_minor": 1999, "currency": "EUR", "entities": {"customer": "7"}}
    one, two = gate.post("/v1/payments", body)[1], gate.post("/v1/payments", body)[1]
    assert (one["admission"], two["admission"]) == ("ADMIT", "ADMIT")
    named = [gate.post("/v1/payments", {**body, "event_id": "mine"})[1]["admission"] for _ in range(2)]
    assert named == ["ADMIT", "DUPLICATE"]
    records = {record["event_id"]: record for _, _, _, record in gate.on_bus(TRAFFIC)}
    assert set(records) == {one["event_id"], two["event_id"], "mine"}
    assert {record["event_type"] for record in records.values()} == {"AUTH_REQUEST"}
    assert gate.post("/v1/payments", {"currency": "EUR"})[1]["error"] == "BODY_INVALID"


def test_a_mark_is_on_every_partition_behind_what_was_admitted_before(gate: GateProcess) -> None:
    gate.batch([event(f"e-{i}", payload=paid(entities={"customer": str(i)})) for i in range(50)])
    status, answer = gate.post("/v1/ingest/marks", mark("2018-04-02T00:00:00.000000Z"))
    assert (status, answer["partitions"]) == (200, {"traffic": 3, "context": 3, "label": 1})
    for handle, partitions in ((TRAFFIC, 3), (CONTEXT, 3), (LABELS, 1)):
        last = {partition: (name, record) for partition, _, name, record in gate.on_bus(handle)}
        assert {name for name, _ in last.values()} == {"mark"}
        assert {partition: record["partition"] for partition, (_, record) in last.items()} == {p: p for p in range(partitions)}
    assert {record["ts_utc"] for _, record in last.values()} == {instants.parse("2018-04-02T00:00:00.000000Z")}
    late = gate.post("/v1/ingest/push", event("late"))
    assert (late[0], late[1]["error"], late[1]["where"]) == (422, "LATE_BEYOND_WATERMARK", "$.ts_utc")
    assert gate.post("/v1/ingest/push", event("e-1", payload=paid(entities={"customer": "1"})))[1]["admission"] == "DUPLICATE"


def test_a_mark_may_be_sent_again(shared_gate: GateProcess) -> None:
    assert shared_gate.post("/v1/ingest/marks", GOOD_MARK)[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (mark("2018-03-31T00:00:00.000000Z"), 409, "MARK_BACKWARDS"),
        (mark("2999-01-01T00:00:00.000000Z"), 400, "TIME_IN_FUTURE"),
        (mark("2018-04-01"), 400, "MARK_INVALID"),
        (mark("2018-04-03T00:00:00.000000Z", classes=["audit"]), 400, "MARK_INVALID"),
        (mark("2018-04-03T00:00:00.000000Z", seed=8), 400, "RUN_SCOPE_MISMATCH"),
    ],
)
def test_a_mark_that_cannot_be_kept_is_refused(shared_gate: GateProcess, body: dict[str, Any], status: int, error: str) -> None:
    got, answer = shared_gate.post("/v1/ingest/marks", body)
    assert (got, answer["error"]) == (status, error)


@pytest.mark.parametrize(
    ("body", "key", "status", "error"),
    [
        ([], None, 401, "UNAUTHORISED"),
        ([], "wrong", 401, "UNAUTHORISED"),
        (b'[{"event_id": "e-1"}, oops]', "right", 400, "BODY_INVALID"),
        (b'[{"event_id": "e-1"}', "right", 400, "BODY_INVALID"),
        (b"{}", "right", 400, "BODY_INVALID"),
        ([1] * 5_001, "right", 413, "BODY_OVER_LIMIT"),
        (b" " * (17 << 20), "right", 413, "BODY_OVER_LIMIT"),
    ],
)
def test_a_call_that_cannot_be_read_takes_nothing(shared_gate: GateProcess, body: Any, key: str | None, status: int, error: str) -> None:
    right = key == "right"
    got, answer = shared_gate.post("/v1/ingest/batch", body) if right else shared_gate.post("/v1/ingest/batch", body, key)
    assert (got, answer["error"]) == (status, error)
    if error == "BODY_INVALID":
        assert "byte" in answer["detail"] or "array" in answer["detail"]


def test_a_body_that_is_not_packed_as_its_headers_say_takes_nothing(shared_gate: GateProcess) -> None:
    headers = {"X-IG-Api-Key": KEY, "Content-Encoding": "gzip"}
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(urllib.request.Request(shared_gate.url + "/v1/ingest/batch", b"[]", headers), timeout=60)
    assert (refusal.value.code, json.loads(refusal.value.read())["error"]) == (400, "BODY_INVALID")


def test_a_body_that_does_not_arrive_in_the_time_set_takes_nothing(
    tmp_path: Path, kafka: Server, dsn: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_GATE_BODY_TIMEOUT_S", "0.2")
    gate = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    host, port = gate.url.removeprefix("http://").split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=BODY_TIMEOUT_S / 2) as client:
            client.sendall(f"POST /v1/ingest/push HTTP/1.1\r\nHost: {host}\r\nX-IG-Api-Key: {KEY}\r\nContent-Length: 9\r\n\r\n{{".encode())
            assert client.recv(65_536).startswith(b"HTTP/1.1 408 ")
        assert 'assay_gate_refused_calls_total{reason="BODY_TOO_SLOW"} 1.0' in gate.get("/metrics")[1]
        assert gate.post("/v1/ingest/push", event("e-1"))[1]["admission"] == "ADMIT"
    finally:
        gate.kill()


@pytest.mark.long
def test_of_a_killed_gate_the_bus_tells_what_it_admitted_and_an_operator_lets_the_rest_be_sent_again(gate: GateProcess) -> None:
    bodies = [[event(f"e-{n}-{i}") for i in range(200)] for n in range(30)]

    def post(body: list[dict[str, Any]]) -> bool:
        try:
            return gate.batch(body)[0] == 200
        except OSError:
            return False

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(post, bodies)
        assert next(answers)
        gate.kill()
        list(answers)
    later = GateProcess(gate.run)
    try:
        first = Counter(decision for body in bodies for decision in decisions(later.batch(body)[1]))
        assert set(first) <= {"ADMIT", "DUPLICATE", "RETRY"}, "nothing is published again by itself"
        code, told = later.resolve("--republish")
        assert code == 0, told
        ended = Counter(decision for body in bodies for decision in decisions(later.batch(body)[1]))
        assert set(ended) <= {"ADMIT", "DUPLICATE"}
        assert later.event_ids() == Counter(e["event_id"] for body in bodies for e in body), "each lies on the bus once"
        assert later.resolve()[0] == 0
        assert later.stop() == 0
    finally:
        later.kill()
    admitted = {receipt["event_id"] for receipt in later.receipts() if receipt["decision"] == "ADMIT"}
    assert admitted == set(later.event_ids())


def test_sigterm_finishes_what_was_taken(gate: GateProcess) -> None:
    bodies = [[event(f"e-{n}-{i}") for i in range(500)] for n in range(12)]

    def post(body: list[dict[str, Any]]) -> tuple[int, Any]:
        try:
            return gate.batch(body)
        except OSError:
            return 0, {}

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(post, bodies)
        assert next(answers)[0] == 200
        assert gate.stop() == 0
        told = [answer for status, answer in answers if status == 200]
    receipts = Counter(receipt["event_id"] for receipt in gate.receipts())
    assert receipts == gate.event_ids()
    assert {result["event_id"] for answer in told for result in answer["results"]} <= set(receipts)


def test_a_second_gate_for_the_run_is_refused(shared_gate: GateProcess) -> None:
    with pytest.raises(AssertionError, match="GATE_ALREADY_RUNNING"):
        GateProcess(shared_gate.run)


def test_unknown_paths_and_health_answer_plainly(shared_gate: GateProcess) -> None:
    assert shared_gate.get("/v1/nothing")[0] == 404
    assert shared_gate.get("/healthz") == (200, {"state": "GREEN", "reasons": []})
    assert shared_gate.get("/metrics")[1].count("# HELP") >= 5
