"""A payment that is asked about at two processes of a gate: both tell one answer, whichever of them dies."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from deciding_runs import DEADLINE_S, answers, deciding, payment, run_by_arrival
from gate_lines import Line, lines
from gate_process import GateProcess

from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.ids import dedupe_key
from assay.testing import until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def run(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_by_arrival(tmp_path / "run", kafka.address, dsn, namespace)


@pytest.fixture
def gate(run: Run) -> Iterator[GateProcess]:
    process = GateProcess(run, options=("--processes", "2"))
    until(lambda: process.get("/healthz")[0] == 200, DEADLINE_S)
    yield process
    process.stop()


def told(line: Line, body: dict[str, Any], deadline_ms: int = 300) -> dict[str, Any]:
    """The answer to a call that is sent until it has one."""

    def answer() -> dict[str, Any] | None:
        status, found = line.decide(body, deadline_ms)
        assert status == 200 or (status, found["error"]) in {(503, "ADMISSION_IN_FLIGHT"), (503, "ADMISSION_AMBIGUOUS")}, found
        return found if status == 200 else None

    found = until(answer, 90)
    assert found is not None
    return found


def both(pair: list[Line], body: dict[str, Any], deadlines_ms: tuple[int, int] = (300, 300)) -> list[dict[str, Any]]:
    """The answers to one payment that is asked about at both at once."""
    at_once = Barrier(2)

    def ask(number: int) -> dict[str, Any]:
        at_once.wait()
        return told(pair[number], body, deadlines_ms[number])

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(ask, range(2)))


def records(run: Run, event_id: str) -> list[dict[str, Any]]:
    return [one for one in answers(run) if one["source_event_id"] == event_id]


def state(run: Run, event_id: str) -> str:
    """How far its admission is; empty where nothing is known."""
    with psycopg.connect(run.dsn) as connection:
        key = dedupe_key(run.platform_run_id, TRAFFIC, event_id)
        row = connection.execute("SELECT state FROM ig_standing WHERE dedupe_key = %s", (key,)).fetchone()
    return str(row[0]) if row else ""


@pytest.mark.parametrize("with_worker", [True, False], ids=["decided", "fallback"])
def test_one_payment_at_both_processes_at_once_has_one_answer(gate: GateProcess, run: Run, with_worker: bool) -> None:
    """With deadlines that end together and with ones that do not."""
    worker = deciding(run) if with_worker else None
    pair = lines(gate)
    try:
        if worker:
            until(lambda: told(pair[0], payment(f"first-{secrets.token_hex(4)}"))["answered"] == "DECISION", DEADLINE_S)
        for number in range(12):
            name = f"both-{number}"
            first, second = both(pair, payment(name), ((300, 300), (300, 40), (40, 40))[number % 3] if not worker else (300, 300))
            assert sorted([first.pop("admission"), second.pop("admission")]) == ["ADMIT", "DUPLICATE"]
            assert first == second
            written = records(run, name)
            assert [one == written[0] for one in written] == [True] * len(written), "no two records differ"
            assert len(written) in (1, 2)
        assert gate.event_ids("FP_BUS_TRAFFIC_FRAUD_V1")["both-0"] == 1
    finally:
        if worker:
            worker.kill()


def test_a_call_that_meets_an_admission_in_the_other_process_waits_for_it(gate: GateProcess, run: Run) -> None:
    """Both get their answer at the first try, as if they had come to one process. A busy machine admits a few behind their deadline."""
    pair = lines(gate)
    at_once = Barrier(2)

    def ask(number: int, name: str) -> int:
        at_once.wait()
        return pair[number].decide(payment(name))[0]

    with ThreadPoolExecutor(2) as threads:
        found = [[one.result() for one in [threads.submit(ask, at, f"meet-{number}") for at in range(2)]] for number in range(20)]
    assert found.count([200, 200]) >= 15, found


def test_the_other_process_answers_when_the_first_was_killed_before_it_did(gate: GateProcess, run: Run) -> None:
    """The event is admitted, and its caller waits for a decision that nobody makes: then the process is gone."""
    first, second = lines(gate)

    def ask() -> None:
        with suppress(ConnectionError):
            first.decide(payment("left"), 300)

    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(ask)
        until(lambda: state(run, "left") == "ADMITTED", 60, every_s=0.001)
        os.kill(first.pid, signal.SIGKILL)
        asking.result()
    one = told(second, payment("left"))
    assert (one["answered"], one["admission"]) == ("FALLBACK", "DUPLICATE")
    assert told(second, payment("left")) == one
    assert {record["answered_at_utc"] for record in records(run, "left")} == {records(run, "left")[0]["answered_at_utc"]}


@pytest.mark.long
def test_the_other_process_answers_when_the_first_was_killed_while_it_admitted(gate: GateProcess, run: Run, kafka: Server) -> None:
    first, second = lines(gate)
    for number, line in enumerate((first, second)):
        told(line, payment(f"before-{number}"), 40)

    def ask() -> None:
        with suppress(ConnectionError):
            first.decide(payment("lost"), 300)

    with ThreadPoolExecutor(1) as threads:
        os.kill(kafka.pid, signal.SIGSTOP)
        try:
            asking = threads.submit(ask)
            until(lambda: state(run, "lost") == "IN_FLIGHT", 60)
            os.kill(first.pid, signal.SIGKILL)
            asking.result()
        finally:
            os.kill(kafka.pid, signal.SIGCONT)
    status, answer = second.decide(payment("lost"), 40)
    assert (status, answer["error"]) == (503, "ADMISSION_IN_FLIGHT")
    until(lambda: gate.resolve("--republish")[0] == 0, 120)
    one = told(second, payment("lost"), 40)
    assert (one["answered"], gate.event_ids()["lost"]) == ("FALLBACK", 1)
    assert told(second, payment("lost"), 40) | {"admission": ""} == one | {"admission": ""}
    assert len(records(run, "lost")) == 1
