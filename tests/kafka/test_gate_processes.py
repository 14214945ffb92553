"""Several processes of one gate on one port, killed one by one: every event is on the bus once and has its receipt, and marks wait."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
import pytest
from gate_events import event
from gate_lines import pids
from gate_process import GateProcess, mark, run_in

from assay.app.substrate import Server
from assay.testing import until

pytestmark = pytest.mark.tier2
BATCHES, SIZE = 40, 50


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    made = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace), options=("--processes", "3"))
    yield made
    made.stop()


def bodies(name: str) -> list[list[dict[str, Any]]]:
    return [[event(f"{name}-{n}-{i}") for i in range(SIZE)] for n in range(BATCHES)]


def posted(gate: GateProcess, body: list[dict[str, Any]]) -> Counter[str]:
    """Posted until the gate takes all of it."""

    def post() -> Counter[str]:
        try:
            status, answer = gate.batch(body)
        except OSError:
            return Counter()
        assert status in (200, 503), answer
        return Counter(answer["counts"]) if status == 200 else Counter()

    return until(post, 90, every_s=0.1)


def another(gate: GateProcess, number: int, before: int) -> bool:
    """Whether a process with another pid has this number now."""
    return pids(gate).get(number, before) != before


def metric(gate: GateProcess, name: str) -> dict[str, float]:
    """Process → value."""
    lines = re.findall(rf'^{name}{{(?:.*,)?process="(\d+)"(?:,.*)?}} (\S+)$', gate.get("/metrics")[1], re.MULTILINE)
    return {process: float(value) for process, value in lines}


def test_all_processes_admit_under_one_port_and_one_answer_has_the_metrics_of_all(gate: GateProcess) -> None:
    with ThreadPoolExecutor(6) as threads:
        counts = sum(threads.map(lambda body: posted(gate, body), bodies("e")), Counter[str]())
    assert counts == {"ADMIT": BATCHES * SIZE}
    taken = metric(gate, "assay_gate_decisions_total")
    assert sum(taken.values()) == BATCHES * SIZE
    assert len([value for value in taken.values() if value]) > 1, "calls go to several processes"
    assert metric(gate, "assay_gate_process_up") == {"0": 1, "1": 1, "2": 1}


def test_one_id_at_all_processes_at_once_is_admitted_once(gate: GateProcess) -> None:
    same = [event(f"same-{i}") for i in range(SIZE)]

    def post(_: int) -> Counter[str]:
        status, answer = gate.batch(same)
        assert status in (200, 503), answer
        return Counter(result["admission"] for result in answer["results"])

    with ThreadPoolExecutor(12) as threads:
        told = sum(threads.map(post, range(60)), Counter[str]())
    assert told["ADMIT"] == SIZE
    assert set(told) <= {"ADMIT", "DUPLICATE", "RETRY"}
    assert gate.event_ids() == Counter(e["event_id"] for e in same)
    assert posted(gate, same) == {"DUPLICATE": SIZE}


@pytest.mark.long
def test_killed_one_by_one_under_load_nothing_is_lost_and_nothing_comes_twice(gate: GateProcess) -> None:
    all_bodies = bodies("k")
    with ThreadPoolExecutor(6) as threads:
        first = [threads.submit(posted, gate, body) for body in all_bodies]
        for number in (0, 1, 2):
            before = pids(gate)
            os.kill(before[number], signal.SIGKILL)
            until(partial(another, gate, number, before[number]), 60)
            until(lambda: set(metric(gate, "assay_gate_process_up").values()) == {1.0}, 60)
            assert gate.resolve("--republish")[0] == 0
        for one in first:
            one.result()
    assert gate.event_ids() == Counter(e["event_id"] for body in all_bodies for e in body)
    assert gate.resolve()[0] == 0
    assert gate.stop() == 0
    receipts = [(receipt["decision"], receipt["event_id"], receipt["receipt_id"]) for receipt in gate.receipts()]
    admitted = {(event_id, receipt_id) for decision, event_id, receipt_id in receipts if decision == "ADMIT"}
    assert Counter(event_id for event_id, _ in admitted) == gate.event_ids(), "each has one receipt"


def test_a_mark_at_one_process_waits_for_what_another_has_on_its_way_and_holds_for_all(gate: GateProcess, kafka: Server) -> None:
    """Marks and events are posted at once: behind a mark on the bus no event of before it comes."""
    times = [f"2018-04-01T00:{minute:02d}:00.000000Z" for minute in range(1, 21)]

    def pay(number: int) -> Counter[str]:
        status, answer = gate.batch([event(f"m-{number}-{i}", ts_utc=times[number % len(times)]) for i in range(20)])
        assert status in (200, 503), answer
        return Counter(result["admission"] for result in answer["results"])

    def say(ts_utc: str) -> int:
        return gate.post("/v1/ingest/marks", mark(ts_utc, classes=["traffic"]))[0]

    with ThreadPoolExecutor(8) as threads:
        paid, said = list[Future[Counter[str]]](), list[Future[int]]()
        for number, ts_utc in enumerate(times):
            paid += [threads.submit(pay, 7 * number + at) for at in range(7)]
            said.append(threads.submit(say, ts_utc))
        told = sum((one.result() for one in paid), Counter[str]())
    assert {one.result() for one in said} <= {200, 409, 503}
    assert told["QUARANTINE"], "some came behind a mark"
    ordered = sorted(gate.on_bus("FP_BUS_TRAFFIC_FRAUD_V1"), key=lambda one: one[:2])
    for _, records in groupby(ordered, key=lambda one: one[0]):
        last_us = 0
        for _, _, name, record in records:
            if name == "mark":
                last_us = max(last_us, int(record["ts_utc"]))
            assert name == "mark" or int(record["ts_utc"]) >= last_us


def test_a_gate_of_processes_ends_as_one_and_says_what_it_cannot_do(gate: GateProcess, dsn: str) -> None:
    assert gate.batch([event("e-1")])[0] == 200
    with pytest.raises(AssertionError, match="GATE_ALREADY_RUNNING"):
        GateProcess(gate.run)
    assert gate.stop() == 0
    assert pids(gate) == {}
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT process, d.epoch IS NOT NULL FROM ig_epochs LEFT JOIN ig_ended d USING (epoch)").fetchall()
    assert rows, "whoever admitted has an epoch"
    assert all(ended for _, ended in rows)
    held = [json.loads(line) for line in _lines(gate)]
    assert [one["event_id"] for one in held] == ["e-1"]


def test_a_caller_has_one_limit_over_all_processes_and_a_killed_one_gives_nothing_back(
    tmp_path: Path, kafka: Server, dsn: str, namespace: str
) -> None:
    """Every call has a connection of its own, so each process gets some."""
    run, began_s = run_in(tmp_path / "run", kafka.address, dsn, namespace), time.monotonic()
    limit = {"ASSAY_GATE_RATE_PER_S": "1", "ASSAY_GATE_RATE_BURST": "60"}
    gate = GateProcess(run, options=("--processes", "3"), variables=limit)

    def post(number: int) -> int:
        status, answer = gate.batch([event(f"l-{number}-{i}") for i in range(3)])
        assert status in (200, 429), answer
        return status

    try:
        with ThreadPoolExecutor(6) as threads:
            first = Counter(threads.map(post, range(80)))
            assert first[429], "the limit was met"
            counts = [value for value in metric(gate, "assay_gate_decisions_total").values() if value]
            before = pids(gate)
            os.kill(before[1], signal.SIGKILL)
            until(lambda: another(gate, 1, before[1]), 60)
            until(lambda: metric(gate, "assay_gate_process_up").get("1") == 1.0, 60)
            second = Counter(threads.map(post, range(80, 160)))
        taken = 3 * (first[200] + second[200])
        assert 60 <= taken <= 60 + (time.monotonic() - began_s) + 1
        assert len(counts) > 1, "more than one process took some"
        assert sum(gate.event_ids().values()) == taken
    finally:
        gate.stop()


def test_no_process_outlives_the_one_that_started_it(gate: GateProcess) -> None:
    assert len(pids(gate)) == 3
    gate.kill()
    until(lambda: not pids(gate), 60)


def _lines(gate: GateProcess) -> Iterator[bytes]:
    for key in gate.run.store.keys("ig/receipts"):
        yield from gate.run.store.read(key).splitlines()
