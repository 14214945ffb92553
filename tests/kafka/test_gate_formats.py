"""Every format of a batch on real Kafka and PostgreSQL: what is admitted in one format is a duplicate in all others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from gate_events import event, paid
from gate_process import KEY, GateProcess, run_in

from assay.app.bench.bodies import MEDIA_TYPES, body_of
from assay.app.substrate import Server
from assay.contracts.envelope import payload_hash
from assay.testing import until


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    process = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    yield process
    process.kill()


def posted(gate: GateProcess, body: bytes, **headers: str) -> tuple[int, Any]:
    """(status, answer) of a batch call with these headers, `_` for `-`. A gate that waits for its servers is asked again."""
    answers: list[tuple[int, Any]] = []

    def is_answered() -> bool:
        answers.append(_posted(gate, body, headers))
        return answers[-1][0] != 503

    until(is_answered, 60)
    return answers[-1]


def _posted(gate: GateProcess, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(gate.url + "/v1/ingest/batch", body, {"X-IG-Api-Key": KEY, **named})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_an_event_that_was_admitted_in_one_format_is_a_duplicate_in_all_others(gate: GateProcess) -> None:
    by_format = {
        form: [event(f"{form}-{i}", payload=paid(amount_minor=i, attributes={"n": str(i)})) for i in range(5)] for form in MEDIA_TYPES
    }
    everything = [one for events in by_format.values() for one in events]
    for form, events in by_format.items():
        status, answer = posted(gate, body_of(form, "payment", events), Content_Type=MEDIA_TYPES[form])
        assert (status, answer["counts"]) == (200, {"ADMIT": 5})
        assert [result["event_id"] for result in answer["results"]] == [one["event_id"] for one in events]
    for form in MEDIA_TYPES:
        packed = zstd.compress(body_of(form, "payment", everything))
        status, answer = posted(gate, packed, Content_Type=MEDIA_TYPES[form], Content_Encoding="zstd")
        assert (status, answer["counts"]) == (200, {"DUPLICATE": 20})
    records = {record["event_id"]: record for _, _, name, record in gate.on_bus("FP_BUS_TRAFFIC_FRAUD_V1") if name == "payment"}
    assert {name: record["payload_hash"] for name, record in records.items()} == {
        one["event_id"]: payload_hash("transaction", "v1", one["payload"]) for one in everything
    }


def test_items_of_every_format_end_by_themselves_and_a_container_that_cannot_be_read_takes_nothing(gate: GateProcess) -> None:
    for form, media in MEDIA_TYPES.items():
        events = [event(f"{form}-1"), event(f"{form}-2", payload=paid(currency="XQZ")), event(f"{form}-3")]
        body = body_of(form, "payment", events)
        cut = posted(gate, body[:-9], Content_Type=media)
        assert cut[1].get("error", "BODY_INVALID") == "BODY_INVALID"
        assert cut[0] == (200 if form == "ndjson" else 400)
        status, answer = posted(gate, body, Content_Type=media)
        assert (status, answer["counts"]["QUARANTINE"]) == (200, 1)
        assert [result.get("error") for result in answer["results"]] == [None, "CURRENCY_UNKNOWN", None]
    assert posted(gate, b"a,b\n", Content_Type="text/csv")[1]["error"] == "MEDIA_TYPE_UNSUPPORTED"
    gate.stop()
    held = {one["event_id"] for one in gate.receipts("quarantine") if one["reason_codes"] == ["CURRENCY_UNKNOWN"]}
    assert held == {f"{form}-2" for form in MEDIA_TYPES}
