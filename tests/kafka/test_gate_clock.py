"""The clock of a gate moves an hour ahead and an hour back under load: every event has one end, and one receipt."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from gate_events import event, paid, raw
from gate_process import run_in

from assay.app.bus.topic_reader import read_records
from assay.app.gate.calls import Answer, IngestCall, MarkCall
from assay.app.gate.health import GateState
from assay.app.gate.process import Gate, build
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts import instants
from assay.contracts.caller import OF_RUN_KEY
from assay.testing import until

pytestmark = pytest.mark.tier2
HOUR_US = 3_600_000_000
TRAFFIC = "FP_BUS_TRAFFIC_FRAUD_V1"
#: by how much the clock is off, call by call
JUMPS_US = [0] * 8 + [HOUR_US] * 12 + [-HOUR_US] * 12 + [0] * 8


class Clock:
    """Wall time, and by how much it is off."""

    def __init__(self) -> None:
        self.off_us = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000 + self.off_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_in(tmp_path / "run", kafka.address, dsn, namespace)


@pytest.fixture
def gate(run: Run, clock: Clock) -> Iterator[Gate]:
    made = build(run, clock=clock)
    made.start()
    until(lambda: made.health.state is GateState.GREEN, 60)
    yield made
    if made.pipeline._threads[0].is_alive():
        made.stop()


def call(gate: Gate, items: Sequence[Any]) -> IngestCall:
    """Items on their way."""
    made = IngestCall([raw(one) for one in items], exceptions_only=False, caller=OF_RUN_KEY)
    gate.pipeline.submit(made)
    return made


def of_now(event_id: str) -> dict[str, Any]:
    """A payment of this moment, by a clock that is right."""
    return event(event_id, ts_utc=instants.text(time.time_ns() // 1_000))


def load(number: int) -> list[dict[str, Any]]:
    """New payments of long ago and of now, the first call's once more, with another amount, and one that is none."""
    fresh = [event(f"e-{number}-{i}") for i in range(10)] + [of_now(f"now-{number}-{i}") for i in range(3)]
    return [*fresh, event("e-0-0"), event("e-0-1"), event("e-0-2", payload=paid(amount_minor=7)), event(f"bad-{number}", "no_type")]


def ends(answers: Sequence[Answer]) -> Counter[str]:
    """How items ended; anomalies by themselves."""
    found: Counter[str] = Counter()
    for result in (one for answer in answers for one in answer.results):
        found["ANOMALY" if "PAYLOAD_HASH_MISMATCH" in result["reason_codes"] else result["admission"]] += 1
    return found


def on_bus(run: Run) -> Counter[str]:
    found = [unpack(one.value or b"") for one in read_records(run.bootstrap, TRAFFIC, run.namespace)]
    return Counter(record["event_id"] for name, record in found if name != "mark")


def receipts(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for key in run.store.keys("ig/receipts") for line in run.store.read(key).splitlines()]


def test_a_clock_that_moves_an_hour_ahead_and_back_under_load_loses_nothing_and_admits_nothing_twice(
    gate: Gate, run: Run, clock: Clock
) -> None:
    call(gate, load(0)).answer.result(60)
    calls, marks = [], []
    for number, clock.off_us in enumerate(JUMPS_US, start=1):
        calls.append(call(gate, load(number)))
        if number % 10 == 0:
            marks.append(MarkCall(("traffic",), instants.parse("2018-01-01T00:00:00.000000Z") + number, final=False))
            gate.pipeline.submit(marks[-1])
            calls[-1].answer.result(60)  # examined under this clock
    answers = [one.answer.result(60) for one in calls]
    assert len([one.answer.result(60) for one in marks]) == 4, "marks wait for nothing that a clock made late"
    told = ends(answers)
    assert set(told) == {"ADMIT", "DUPLICATE", "QUARANTINE", "ANOMALY"}
    assert sum(told.values()) == len(JUMPS_US) * len(load(0))
    refused = Counter(one["reason_codes"][0] for answer in answers for one in answer.results if one["admission"] == "QUARANTINE")
    assert refused["TIME_IN_FUTURE"] in range(3 * 8, 3 * 21), "of now, to a clock that is behind"
    assert set(refused) == {"TIME_IN_FUTURE", "PAYLOAD_HASH_MISMATCH", "EVENT_TYPE_UNKNOWN"}
    again = [of_now(one["event_id"]) for answer in answers for one in answer.results if one["reason_codes"][:1] == ["TIME_IN_FUTURE"]]
    assert call(gate, again).answer.result(60).counts["ADMIT"] == len(again), "sent again to a clock that is right"
    gate.stop()
    wanted = {
        f"{kind}-{number}-{i}" for number in range(len(JUMPS_US) + 1) for kind, count in (("e", 10), ("now", 3)) for i in range(count)
    }
    assert on_bus(run) == Counter(wanted)
    written = receipts(run)
    assert Counter(one["event_id"] for one in written if one["decision"] == "ADMIT") == Counter(wanted), "one receipt each"
    assert len(written) == (len(JUMPS_US) + 1) * len(load(0)) + len(again)


def test_no_clock_that_jumps_makes_a_living_batch_a_lost_one(gate: Gate, run: Run, clock: Clock, kafka: Server) -> None:
    """The batch waits for a broker that stands still. The gate looks for lost ones meanwhile, and its database is an hour ahead, too."""

    def looked() -> None:
        for _ in range(2):
            last = gate.resolving._last
            until(lambda last=last: gate.resolving._last is not last)  # type: ignore[misc]

    call(gate, [event("before")]).answer.result(60)
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        waiting = call(gate, [event("waits")])
        until(lambda: gate.pipeline.active)
        with psycopg.connect(run.dsn, autocommit=True) as connection:
            until(lambda: connection.execute("SELECT FROM ig_admissions WHERE state = 'IN_FLIGHT'").fetchall())
            clock.off_us = HOUR_US
            connection.execute("UPDATE ig_begun SET begun_at = begun_at - interval '1 hour'")
            looked()
            assert len(connection.execute("SELECT FROM ig_admissions WHERE state = 'IN_FLIGHT'").fetchall()) == 1
            assert not waiting.answer.done()
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert waiting.answer.result(60).counts == {"ADMIT": 1}
    clock.off_us = -HOUR_US
    assert call(gate, [event("waits")]).answer.result(60).counts == {"DUPLICATE": 1}
    gate.stop()
    assert on_bus(run) == Counter(["before", "waits"])
    decisions = [(one["event_id"], one["decision"]) for one in receipts(run)]
    assert decisions == [("before", "ADMIT"), ("waits", "ADMIT"), ("waits", "DUPLICATE")]
