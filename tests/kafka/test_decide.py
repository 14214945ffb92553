"""A payment whose poster waits is answered once, with its decision or with the fallback, and the answer is on the bus before it is told."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from deciding_runs import DEADLINE_S, answers, decide, deciding, payment, run_by_arrival, standby_of
from gate_process import GateProcess
from lane_worker import named

from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.handles import RTDL
from assay.testing import until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def run(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_by_arrival(tmp_path / "run", kafka.address, dsn, namespace)


@pytest.fixture
def gate(run: Run) -> Iterator[GateProcess]:
    process = GateProcess(run)
    until(lambda: process.get("/healthz")[0] == 200, DEADLINE_S)
    yield process
    process.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, kafka: Server, postgres: Server) -> Iterator[GateProcess]:
    """A gate with a worker that decides, for calls of which none meets another's payments."""
    schema = f"t{secrets.token_hex(5)}"
    joint = "&" if "?" in postgres.address else "?"
    with psycopg.connect(postgres.address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        dsn = f"{postgres.address}{joint}options={quote(f'-csearch_path={schema}')}"
        run = run_by_arrival(tmp_path_factory.mktemp("shared") / "run", kafka.address, dsn, f"{schema}.")
        worker, gate = deciding(run), GateProcess(run)
        until(lambda: decide(gate, payment(f"first-{secrets.token_hex(4)}"))[1]["answered"] == "DECISION", DEADLINE_S)
        yield gate
        gate.kill()
        worker.kill()
        connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def decided(gate: GateProcess, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a payment that a worker on a busy machine decides in time, under some id."""

    def answer() -> dict[str, Any] | None:
        status, told = decide(gate, {**body, "event_id": f"{body['event_id']}-{secrets.token_hex(4)}"})
        assert status == 200, told
        return told if told["answered"] == "DECISION" else None

    found = until(answer, DEADLINE_S)
    assert found is not None
    return found


def test_a_payment_is_answered_with_its_decision_in_words_and_ids(shared: GateProcess) -> None:
    told = decided(shared, payment("large"))
    assert (told["outcome"], told["score"], told["admission"], told["deadline_ms"]) == ("DECLINE", 90, "ADMIT", 300)
    assert told["reasons"][0] == {"code": "LARGE", "words": "amount: 250.00 EUR (at least 200.00 EUR)"}
    assert told["policy"] == {"policy_id": "waiting", "revision": "1"}
    (value,) = named(shared.run, RTDL, "decision_response")[told["event_id"]]
    assert unpack(value)[1]["decision_id"].hex() == told["decision_id"]


def test_the_answer_on_the_bus_is_the_one_that_was_told(shared: GateProcess) -> None:
    told = decided(shared, payment("kept"))
    (record,) = [one for one in answers(shared.run) if one["source_event_id"] == told["event_id"]]
    assert (record["answered"], record["outcome"], record["decision_id"]) == ("DECISION", told["outcome"], told["decision_id"])
    assert (record["receipt_id"], record["latency_us"] / 1_000) == (told["receipt_id"], told["latency_ms"])


@pytest.mark.parametrize(
    ("body", "deadline_ms", "status", "error", "where"),
    [
        (payment("refused-1", amount_minor=-1), "", 422, "AMOUNT_OUT_OF_RANGE", "$.amount_minor"),
        (payment("refused-2", currency="EUE"), "", 422, "CURRENCY_UNKNOWN", "$.currency"),
        ([payment("refused-3")], "", 400, "BODY_INVALID", "$"),
        (b"{", "", 400, "BODY_INVALID", "$"),
        (payment("refused-4"), "0", 400, "DEADLINE_INVALID", "X-Deadline-Ms"),
        (payment("refused-5"), "9", 400, "DEADLINE_INVALID", "X-Deadline-Ms"),
        (payment("refused-6"), "301", 400, "DEADLINE_INVALID", "X-Deadline-Ms"),
        (payment("refused-7"), "1e2", 400, "DEADLINE_INVALID", "X-Deadline-Ms"),
        (payment("refused-8"), "-50", 400, "DEADLINE_INVALID", "X-Deadline-Ms"),
    ],
)
def test_what_is_refused_gets_no_answer(shared: GateProcess, body: Any, deadline_ms: str, status: int, error: str, where: str) -> None:
    got, told = decide(shared, body, deadline_ms)
    assert (got, told["error"], told["where"]) == (status, error, where)
    if isinstance(body, dict):
        assert body["event_id"] not in {one["source_event_id"] for one in answers(shared.run)}


@pytest.mark.parametrize("deadline_ms", ["10", "300"])
def test_a_deadline_within_its_bounds_is_kept_in_the_answer(shared: GateProcess, deadline_ms: str) -> None:
    assert decide(shared, payment(f"bounds-{deadline_ms}"), deadline_ms)[1]["deadline_ms"] == int(deadline_ms)


def test_a_call_that_is_repeated_is_told_the_same_and_writes_no_second_answer(shared: GateProcess) -> None:
    first = decide(shared, payment("again"))[1]
    second = decide(shared, payment("again"))[1]
    assert (first.pop("admission"), second.pop("admission")) == ("ADMIT", "DUPLICATE")
    assert first == second
    assert len([one for one in answers(shared.run) if one["source_event_id"] == "again"]) == 1


def test_calls_at_the_same_time_with_one_id_are_told_the_same(shared: GateProcess) -> None:
    with ThreadPoolExecutor(8) as threads:
        told = [one[1] for one in threads.map(lambda _: decide(shared, payment("at once")), range(8))]
    assert sorted(one.pop("admission") for one in told) == ["ADMIT", *["DUPLICATE"] * 7]
    assert all(one == told[0] for one in told)
    assert len([one for one in answers(shared.run) if one["source_event_id"] == "at once"]) == 1


def test_another_payment_with_the_id_of_an_answered_one_is_refused(shared: GateProcess) -> None:
    decide(shared, payment("mine"))
    status, told = decide(shared, payment("mine", amount_minor=7))
    assert (status, told["error"]) == (422, "PAYLOAD_HASH_MISMATCH")


def test_a_payment_that_was_posted_before_without_waiting_is_answered_with_its_decision(shared: GateProcess) -> None:
    posted = payment("posted", ts_utc="2026-01-01T09:00:00Z")
    assert shared.post("/v1/payments", posted)[1]["admission"] == "ADMIT"
    until(lambda: len(named(shared.run, RTDL, "decision_response").get("posted", ())), DEADLINE_S)
    status, told = decide(shared, posted)
    assert (status, told["admission"], told["answered"]) == (200, "DUPLICATE", "DECISION")


def test_without_a_worker_the_answer_is_the_fallback_and_stays_it_when_the_decision_comes(gate: GateProcess, run: Run) -> None:
    status, told = decide(gate, payment("alone"), "50")
    assert (status, told["answered"], told["outcome"], told["admission"]) == (200, "FALLBACK", "QUEUE_REVIEW", "ADMIT")
    assert told["reasons"] == [{"code": "DEADLINE_PASSED", "words": "the deadline passed before the decision was there"}]
    assert told.keys() & {"score", "decision_id"} == set()
    worker = deciding(run)
    try:
        until(lambda: len(named(run, RTDL, "decision_response")) == 1, DEADLINE_S)
        again = decide(gate, payment("alone"))[1]
    finally:
        worker.kill()
    assert {**again, "admission": "ADMIT"} == told


@pytest.mark.parametrize("ending", ["stopped", "killed", "its index lost its rows"])
def test_a_gate_that_starts_again_tells_what_the_one_before_told(gate: GateProcess, run: Run, ending: str) -> None:
    first = decide(gate, payment("kept"), "10")[1]
    if ending == "killed":
        gate.kill()
    else:
        assert gate.stop() == 0
    if ending == "its index lost its rows":
        with psycopg.connect(run.dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM ig_answers")
    later = GateProcess(run)
    try:
        until(lambda: later.get("/healthz")[0] == 200, DEADLINE_S)
        other = decide(later, payment("other"), "10")[1]
        second = decide(later, payment("kept"), "300")[1]
    finally:
        later.kill()
    assert other["admission"] == "ADMIT"
    assert (second.pop("admission"), first.pop("admission")) == ("DUPLICATE", "ADMIT")
    assert second == first
    assert [one["source_event_id"] for one in answers(run)] == ["kept", "other"]


@pytest.mark.long
def test_while_a_standby_takes_over_every_call_is_answered(gate: GateProcess, run: Run) -> None:
    worker = deciding(run)
    standby = standby_of(run)
    try:
        until(lambda: standby.lanes() is not None, DEADLINE_S)
        decided(gate, payment("before"))
        worker.kill()
        statuses = {decide(gate, payment(f"over-{number}"), "20")[0] for number in range(20)}
        assert statuses == {200}
        decided(gate, payment("after"))
    finally:
        worker.kill()
        standby.kill()
    assert {"FALLBACK", "DECISION"} == {one["answered"] for one in answers(run)}


def test_an_answer_waits_for_the_broker_however_short_the_deadline(gate: GateProcess, run: Run, kafka: Server) -> None:
    decide(gate, payment("before"), "10")
    os.kill(kafka.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        try:
            slow = thread.submit(decide, gate, payment("slow"), "10")
            with pytest.raises(TimeoutError):
                slow.result(2)
        finally:
            os.kill(kafka.pid, signal.SIGCONT)
        status, told = slow.result(60)
    while status == 503:  # the bus was given up: nothing was told, and the same call gets its answer
        status, told = decide(gate, payment("slow"), "10")
    assert (status, told["answered"]) == (200, "FALLBACK")
    assert [one["source_event_id"] for one in answers(run)] == ["before", "slow"]


def test_a_run_by_event_time_refuses_to_wait(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> None:
    process = GateProcess(run_by_arrival(tmp_path / "run", kafka.address, dsn, namespace, "event_time"))
    try:
        until(lambda: process.get("/healthz")[0] == 200, DEADLINE_S)
        status, told = decide(process, payment("pay-1"))
        assert (status, told["error"], process.event_ids()) == (409, "ORDERING_NOT_ARRIVAL", {})
    finally:
        process.kill()
