"""One world through gate, streamer, Kafka and worker at two paces and two numbers of partitions: one decision digest."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from demo_process import Demo, World, seal
from file_modes import open_to_others
from lane_worker import record_times_ms, values
from planted_secrets import files_with, planted, told_with
from run_layout import layout_faults

from assay.app.report.evidence import RunEvidence, read_decisions
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.topics import topics_of
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(300)]

ROWS = 2_000
YEAR_MS = 365 * 86_400_000
#: topics without a record in a run in which all goes well
UNUSED = {"FP_BUS_QUARANTINE_V1", "FP_BUS_ANSWERS_V1", "FP_BUS_GATE_PREFLIGHT_V1"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A generated file and the digest it has to come to."""
    return seal(tmp_path_factory.mktemp("world"), seed=51, rows=ROWS)


def assert_stamped_by_the_wall_clock(run: Run, began_ms: int) -> None:
    """Every record on every topic: with the time of an event of 2018, Kafka would delete it on arrival."""
    times = record_times_ms(run)
    assert times.keys() == topics_of("").keys() - UNUSED, "nothing was refused, nobody waited, and every other topic has records"
    assert len(times["FP_BUS_TRAFFIC_FRAUD_V1"]) > ROWS
    ended_ms = time.time_ns() // 1_000_000
    assert {handle: (min(found), max(found)) for handle, found in times.items() if min(found) < began_ms or max(found) > ended_ms} == {}
    latest_event_us = max(unpack(value)[1]["ts_utc"] for value in values(run, "FP_BUS_TRAFFIC_FRAUD_V1"))
    assert latest_event_us // 1_000 < began_ms - YEAR_MS, "events of today could not tell event time from wall time"


@pytest.mark.long
@pytest.mark.parametrize(("speedup", "partitions"), [("0", 3), ("800000", 1)])
def test_pace_and_partitions_do_not_change_a_decision(
    speedup: str, partitions: int, tmp_path: Path, world: World, kafka: Server, dsn: str
) -> None:
    secrets = planted(tmp_path, dsn)
    demo = Demo(tmp_path, world, kafka.address, secrets.dsn, speedup, ASSAY_PARTITIONS=str(partitions), **secrets.variables)
    began_ms = time.time_ns() // 1_000_000
    try:
        demo.finish()
    finally:
        demo.stop()
    demo.assert_as_undisturbed(ROWS)
    run = Run.load(demo.directory)
    assert layout_faults(demo.directory) == []
    assert_stamped_by_the_wall_clock(run, began_ms)
    evidence, decisions = RunEvidence.read(run.store), read_decisions(run.store)
    assert evidence is not None
    assert evidence.quarantined == {}
    assert decisions is not None
    assert decisions["event_id"].n_unique() == len(decisions) == ROWS
    assert (demo.directory / "report.html").stat().st_size > 10_000
    assert [one for one in open_to_others(demo.directory) if not one.startswith(". ")] == [], "the directory itself is the test's"
    assert (run.api_key.encode() in secrets.words, run.dsn) == (True, secrets.dsn)
    assert files_with([demo.directory, demo.log], secrets.words) == {"secrets.json"}, "of files, artefacts, logs and the report"
    assert told_with(run, secrets.words) == []


@pytest.mark.long
def test_a_resume_with_nothing_left_keeps_the_latency_of_the_session_that_decided(
    tmp_path: Path, world: World, kafka: Server, dsn: str
) -> None:
    demo = Demo(tmp_path, world, kafka.address, dsn)
    process = demo.start()
    try:
        until(lambda: "replay in a fresh process" in demo.text() or demo.ended(), 120)  # everything is decided, nothing proven
        process.send_signal(signal.SIGINT)
        assert process.wait(90) in (130, 0), demo.text()
        store = Run.load(demo.directory).store
        first = RunEvidence.read(store)
        demo.finish()
    finally:
        demo.stop()
    last = RunEvidence.read(store)
    assert first is not None
    assert last is not None
    assert first.latency_ms
    assert last.started_utc > first.started_utc
    assert (last.latency_ms, last.latency_utc) == (first.latency_ms, first.started_utc)
    assert "in the session of" in (demo.directory / "report.html").read_text()
