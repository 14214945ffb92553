"""On real servers: who sent an item stands in its receipt and its quarantine record, and no credential is found anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from assay_command import assay
from gate_events import SCOPE, event, paid
from gate_process import KEY, GateProcess, run_in
from planted_secrets import files_with, told_with

from assay.app.gate.service_token import Principal, token_of
from assay.app.run.caller_keys import add
from assay.app.substrate import Server

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
