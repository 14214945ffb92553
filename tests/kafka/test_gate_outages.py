"""Bad times of the gate: a part is away, comes back, and nothing was lost or acknowledged falsely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gate_events import event
from gate_process import GateProcess, run_in

from assay.app.bus.topics import create_topics
from assay.app.settings import Settings
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.app.substrate.postgres import start_postgres
from assay.testing import until


@pytest.fixture
def own_kafka(tmp_path: Path, settings: Settings) -> Iterator[Server]:
    """A broker that only this test stops and starts."""
    server = start_kafka(tmp_path / "kafka", settings)
    yield server
    server.stop()


@pytest.fixture
def own_postgres(tmp_path: Path, settings: Settings) -> Iterator[Server]:
    """A database that only this test stops and starts."""
    server = start_postgres(tmp_path / "postgres", settings)
    yield server
    server.stop()


def events(first: int, count: int = 100) -> list[dict[str, Any]]:
    return [event(f"e-{i}") for i in range(first, first + count)]


def taken(gate: GateProcess, body: list[dict[str, Any]]) -> dict[str, int]:
    """Post until the gate takes it; the counts."""

    def post() -> dict[str, int]:
        status, answer = gate.batch(body)
        assert status in (200, 503), answer
        return dict(answer["counts"]) if status == 200 else {}

    return until(post, 60, every_s=0.2)


@pytest.mark.tier2
@pytest.mark.long
def test_a_broker_that_is_away_is_waited_for(tmp_path: Path, own_kafka: Server, dsn: str, namespace: str) -> None:
    gate = GateProcess(run_in(tmp_path / "run", own_kafka.address, dsn, namespace))
    try:
        assert taken(gate, events(0)) == {"ADMIT": 100}
        own_kafka.kill()
        status, answer = gate.batch(events(100))
        assert (status, answer["error"]) in {(503, "PUBLISH_AMBIGUOUS"), (503, "BUS_UNAVAILABLE")}
        until(lambda: gate.get("/healthz")[0] == 503)
        assert "BUS_UNAVAILABLE" in gate.get("/healthz")[1]["reasons"][0]
        assert gate.batch(events(100))[0] == 503
        own_kafka.restart()
        assert gate.resolve("--republish")[0] == 0
        assert set(taken(gate, events(100))) <= {"ADMIT", "DUPLICATE"}
        assert taken(gate, events(0)) == {"DUPLICATE": 100}
        assert set(gate.event_ids()) == {e["event_id"] for e in events(0, 200)}
        assert gate.stop() == 0
        admitted = Counter(receipt["event_id"] for receipt in gate.receipts() if receipt["decision"] == "ADMIT")
        assert set(admitted.values()) == {1}
        assert len(admitted) == 200
    finally:
        gate.kill()


@pytest.mark.long
@pytest.mark.tier2
def test_a_gate_that_starts_before_its_broker_is_red_until_it_comes(tmp_path: Path, own_kafka: Server, dsn: str, namespace: str) -> None:
    own_kafka.stop()
    gate = GateProcess(run_in(tmp_path / "run", own_kafka.address, dsn, namespace, topics=False))
    try:
        status, answer = gate.batch(events(0))
        assert (status, answer["error"]) == (503, "BUS_UNAVAILABLE")
        assert own_kafka.address in answer["where"]
        own_kafka.restart()
        create_topics(own_kafka.address, namespace, 3)
        assert taken(gate, events(0)) == {"ADMIT": 100}
    finally:
        gate.kill()


@pytest.mark.tier2
def test_a_database_that_is_away_is_waited_for(tmp_path: Path, kafka: Server, own_postgres: Server, namespace: str) -> None:
    gate = GateProcess(run_in(tmp_path / "run", kafka.address, own_postgres.address, namespace))
    try:
        assert taken(gate, events(0)) == {"ADMIT": 100}
        own_postgres.kill()
        status, answer = gate.batch(events(50))
        assert (status, answer["error"]) == (503, "INDEX_UNAVAILABLE")
        until(lambda: gate.get("/healthz")[1]["state"] == "RED")
        own_postgres.restart()
        assert taken(gate, events(50)) == {"ADMIT": 50, "DUPLICATE": 50}
        assert set(gate.event_ids().values()) == {1}
    finally:
        gate.kill()


@pytest.mark.tier2
def test_a_frozen_database_turns_the_gate_red(tmp_path: Path, kafka: Server, own_postgres: Server, namespace: str) -> None:
    gate = GateProcess(run_in(tmp_path / "run", kafka.address, own_postgres.address, namespace))
    try:
        own_postgres.pause()
        until(lambda: gate.get("/healthz")[0] == 503)
        assert gate.batch(events(0))[1]["error"] == "INDEX_UNAVAILABLE"
        own_postgres.resume()
        assert taken(gate, events(0)) == {"ADMIT": 100}
    finally:
        gate.kill()


@pytest.mark.long
def test_what_cannot_be_made_durable_is_not_acknowledged(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> None:
    run = run_in(tmp_path / "run", kafka.address, dsn, namespace)
    gate = GateProcess(run, file_bytes_max=200_000)
    try:
        assert taken(gate, events(0)) == {"ADMIT": 100}
        status, answer = gate.batch(events(100, 1_000))
        assert (status, answer["error"]) == (503, "STORE_FULL")
        assert gate.stop() == 0
    finally:
        gate.kill()
    roomy = GateProcess(run)
    try:
        assert taken(roomy, events(100, 1_000)) == {"DUPLICATE": 1_000}, "they were found on the bus"
        assert taken(roomy, events(0, 1_100)) == {"DUPLICATE": 1_100}
        assert roomy.stop() == 0
        admitted = Counter(receipt["event_id"] for receipt in roomy.receipts() if receipt["decision"] == "ADMIT")
        assert admitted == {f"e-{i}": 1 for i in range(1_100)}
    finally:
        roomy.kill()
