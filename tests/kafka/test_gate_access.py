"""On real servers: who sent an item stands in its receipt and its quarantine record, and no credential is found anywhere."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import psycopg
import pytest
from assay_command import assay
from gate_events import SCOPE, event, paid
from gate_process import KEY, GateProcess, run_in
from planted_secrets import files_with, told_with

from assay.app.gate.ops import HEALTH_HEADER
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.service_token import Principal, token_of
from assay.app.governance import events
from assay.app.run.caller_keys import add
from assay.app.substrate import Server
from assay.contracts.handles import GATE_PREFLIGHT
from assay.testing import until

SIGNS = "planted-secret-of-tokens-0000000000"
LIMIT = {"ASSAY_GATE_RATE_PER_S": "0.5", "ASSAY_GATE_RATE_BURST": "8"}


class Room(NamedTuple):
    """A gate, the id of a key with a name, the key, and a token."""

    gate: GateProcess
    key_id: str
    key: str
    token: str


@pytest.fixture
def room(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[Room]:
    run = run_in(tmp_path / "run", kafka.address, dsn, namespace)
    made, key = add(run.directory, "ana", "HUMAN", "2026-01-01T00:00:00.000000Z")
    token = token_of(Principal("switch-1", str(SCOPE["platform_run_id"]), 2**40), SIGNS)
    process = GateProcess(run, variables={"IG_SERVICE_TOKEN_SECRETS": SIGNS, **LIMIT})
    yield Room(process, made.key_id, key, token)
    process.kill()


def actor(actor_id: str, mode: str, principal: str) -> dict[str, str]:
    return {"actor_id": actor_id, "source_type": actor_id.partition("::")[0], "auth_mode": mode, "principal": principal}


def test_the_actor_of_each_call_is_in_its_lines_and_comes_from_its_credential(room: Room) -> None:
    gate = room.gate
    good, bad = event("e-{}"), event("q-{}", payload=paid(amount_minor=-1))

    def post(name: str, headers: dict[str, str]) -> None:
        for form in (good, bad, good):
            body: Any = {**form, "event_id": form["event_id"].format(name)}
            assert gate.call("/v1/ingest/push", headers, body)[0] in (202, 422, 200)

    post("run", {"X-IG-Api-Key": KEY})
    post("ana", {"Authorization": f"Bearer {room.key}"})
    post("switch", {"X-IG-Service-Token": room.token})
    claimed = {**event("e-claim"), "actor": actor("SYSTEM::boss", "mtls", "boss")}
    assert gate.call("/v1/ingest/push", {"X-IG-Api-Key": KEY}, claimed)[1]["error"] == "ENVELOPE_INVALID"
    shown = assay("receipt", "show", "e-ana", "--run", gate.run.directory)
    assert f"sent by        HUMAN::ana (api_key, {room.key_id})" in shown.out
    assert gate.stop() == 0
    expected = {
        "run": actor("SYSTEM::run_key", "api_key", "run_key"),
        "ana": actor("HUMAN::ana", "api_key", room.key_id),
        "switch": actor("SYSTEM::switch-1", "service_token", "switch-1"),
        "claim": actor("SYSTEM::run_key", "api_key", "run_key"),
    }
    receipts = [(one["event_id"].partition("-")[2], one["decision"], one["actor"]) for one in gate.receipts()]
    decisions = ("ADMIT", "QUARANTINE", "DUPLICATE")
    assert receipts == [
        *((name, decision, expected[name]) for name in ("run", "ana", "switch") for decision in decisions),
        ("claim", "QUARANTINE", expected["claim"]),
    ]
    set_aside = [(one["event_id"].partition("-")[2], one["actor"]) for one in gate.receipts("quarantine")]
    assert set_aside == [(name, expected[name]) for name in ("run", "ana", "switch", "claim")]
    _nowhere(room)


def _nowhere(room: Room) -> None:
    """A key with a name, the secret of tokens and a token are in no file of the run, on no topic and in no table, and not in the log."""
    words = [word.encode() for word in (room.key, SIGNS, room.token, room.token.split(".")[3])]
    assert files_with([room.gate.run.directory], words) == set()
    assert told_with(room.gate.run, words) == []
    log = room.gate.rest().encode()
    assert not any(word in log for word in words)


def test_an_actor_that_sends_too_fast_is_told_when_to_send_again_and_others_are_not_held_up(room: Room) -> None:
    def post(key: str, count: int, name: str) -> tuple[int, Any]:
        return room.gate.call("/v1/ingest/batch", {"X-IG-Api-Key": key}, [event(f"{name}-{i}") for i in range(count)])

    assert post(KEY, 8, "first")[0] == 200
    status, answer = post(KEY, 8, "second")
    assert (status, answer["error"]) == (429, "RATE_LIMITED")
    assert "SYSTEM::run_key sends faster than 0.5 items a second" in answer["detail"]
    assert post(room.key, 8, "third")[0] == 200
    assert room.gate.post("/v1/payments", [])[0] == 200, "a call without items takes nothing"
    assert set(room.gate.event_ids()) == {f"{name}-{i}" for name in ("first", "third") for i in range(8)}
    assert json.dumps(answer).count("16 s") == 1 or "15 s" in answer["remedy"]


@pytest.fixture
def plain(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    process = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    yield process
    process.kill()


def test_an_event_is_found_by_each_of_its_ids_and_a_refused_one_too(plain: GateProcess) -> None:
    posted = plain.post("/v1/ingest/push", event("e-1"))[1]
    plain.post("/v1/ingest/push", event("e-1"))
    refused = plain.post("/v1/ingest/push", event("q-1", payload=paid(amount_minor=-1)))[1]
    plain.post("/v1/ingest/push", event("e-1", "context_fact"))

    def look(name: str, value: str) -> tuple[int, Any]:
        return plain.get(f"/v1/ops/lookup?{name}={quote(value)}", KEY)

    status, by_event = look("event_id", "e-1")
    assert (status, [one["decision"] for one in by_event["receipts"]]) == (200, ["ADMIT", "DUPLICATE", "ADMIT"])
    rows = {row["event_class"]: row for row in by_event["admissions"]}
    assert (set(rows), rows["traffic"]["state"], rows["traffic"]["eb_ref"]) == ({"traffic", "context"}, "ADMITTED", posted["eb_ref"])
    assert {one["actor"]["actor_id"] for one in by_event["receipts"]} == {"SYSTEM::run_key"}
    by_receipt = look("receipt_id", posted["receipt_id"])[1]
    assert {one["receipt_id"] for one in by_receipt["receipts"]} == {posted["receipt_id"]}
    assert by_receipt["admissions"][0]["event_id"] == "e-1"
    by_key = look("dedupe_key", rows["traffic"]["dedupe_key"])[1]
    assert by_key == {"admissions": [rows["traffic"]], "receipts": by_event["receipts"][:2]}
    _, aside = look("event_id", "q-1")
    assert (aside["admissions"], aside["receipts"][0]["receipt_id"]) == ([], refused["receipt_id"])
    for name, value in (("event_id", "nobody's"), ("receipt_id", "e-1"), ("dedupe_key", "0" * 64)):
        assert (look(name, value)[0], look(name, value)[1]["error"]) == (404, "RECEIPT_NOT_FOUND")


def test_an_event_of_a_sealed_segment_is_found_by_its_row_of_the_index(plain: GateProcess) -> None:
    for name in ("e-0", "e-1"):
        posted = plain.post("/v1/ingest/push", event(name))[1]
    assert "segment" not in plain.get("/v1/ops/lookup?event_id=e-1", KEY)[1]["receipts"][0], "it is not sealed yet"
    assert plain.stop() == 0
    (key,) = plain.run.store.keys(RECEIPTS)
    with psycopg.connect(plain.run.dsn) as connection:
        assert connection.execute("SELECT key, lines FROM ig_segments").fetchall() == [(key, 2)]
    again = GateProcess(plain.run)
    try:
        (found,) = again.get("/v1/ops/lookup?event_id=e-1", KEY)[1]["receipts"]
    finally:
        again.kill()
    assert (found["receipt_id"], found["segment"], found["row"]) == (posted["receipt_id"], key, 1)
    shown = assay("receipt", "show", "e-1", "--run", plain.run.directory)
    assert f"{key}, row 1" in shown.out


def test_many_refused_items_make_the_gate_amber_and_are_one_fact_of_the_run(plain: GateProcess) -> None:
    until(lambda: plain.get("/healthz")[1]["state"] == "GREEN", 30)
    assert HEALTH_HEADER not in headers_of(plain, event("e-1"))
    for part in range(2):
        assert plain.batch([event(f"q-{part}-{i}", payload=paid(amount_minor=-1)) for i in range(25)])[0] == 200
    assert headers_of(plain, event("e-2"))[HEALTH_HEADER] == "AMBER"
    status, told = plain.get("/v1/ops/health", KEY)
    assert (status, told["state"], [one.partition(":")[0] for one in told["reasons"]]) == (200, "AMBER", ["QUARANTINE_SPIKE"])
    assert plain.get("/healthz")[0] == 200, "it admits"
    assert plain.stop() == 0
    facts = [fact for fact in events(plain.run.store) if fact["event_family"] == "QUARANTINE_SPIKE"]
    assert [(fact["details"]["quarantine_count"], fact["details"]["window_seconds"]) for fact in facts] == [(25, 60)]
    assert facts[0]["actor"]["actor_id"] == "SYSTEM::ingestion_gate"


def headers_of(gate: GateProcess, body: Any) -> Message:
    """The headers of the answer to an envelope that is admitted."""
    call = urllib.request.Request(f"{gate.url}/v1/ingest/push", json.dumps(body).encode(), {"X-IG-Api-Key": KEY})
    with urllib.request.urlopen(call, timeout=60) as answer:
        found: Message = answer.headers
        return found


def test_a_preflight_of_a_ready_gate_leaves_its_evidence_and_touches_no_other_topic(plain: GateProcess) -> None:
    until(lambda: plain.get("/healthz")[1]["state"] == "GREEN", 30)
    at = ("--run", plain.run.directory, "--url", plain.url, "--json")
    ended = [assay("gate", "preflight", *at) for _ in range(2)]
    assert [one.code for one in ended] == [0, 0], ended
    first, second = (json.loads(one.out) for one in ended)
    assert [(row["name"], row["passed"]) for row in second["rows"]] == [
        (name, True) for name in ("unauthenticated", "authenticated", "publish", "store")
    ]
    assert [told["rows"][2]["facts"]["offset"] for told in (first, second)] == ["0", "1"]
    assert json.loads(plain.run.store.read("ig/ig_ready.json")) == second
    written = plain.on_bus(GATE_PREFLIGHT)
    assert [(offset, record["preflight_id"]) for _, offset, _, record in written] == [
        (0, first["preflight_id"]),
        (1, second["preflight_id"]),
    ]
    assert plain.event_ids() == {}


def test_a_topic_that_is_not_there_fails_the_row_of_publishing(tmp_path: Path, kafka: Server, namespace: str) -> None:
    run = run_in(tmp_path, kafka.address, "postgresql://nobody@127.0.0.1:1/none", namespace, topics=False)
    ended = assay("gate", "preflight", "--run", run.directory, "--url", "http://127.0.0.1:1", "--json")
    told = {row["name"]: row["fault"] for row in json.loads(ended.out)["rows"]}
    assert (ended.code, "assay topic create" in told["publish"], "ClientConnectorError" in told["authenticated"]) == (75, True, True)
