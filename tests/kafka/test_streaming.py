"""Runner, streamer, delivery of labels, gate, Kafka and PostgreSQL as real processes: interrupted and killed, every row is on the bus once,
marks in order."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_process import resolve
from reasons_met import seen
from small_worlds import ROWS as SMALL
from small_worlds import small_world
from streaming_runs import NOW_US, Processes, ended, on_topic, streaming_run

from assay.app.governance import events
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.run.directory import Run
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.contracts.limits import ATTRIBUTE_CHARS_MAX
from assay.testing import until

ROWS = 6_000
#: of nine notes each: 18 MB of JSON
WIDE_ROWS = 2_000


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    """A generated world, sealed in the run's store."""
    generate("handbook", ROWS, 5, tmp_path / "in.parquet")
    return import_world(tmp_path / "in.parquet", load_mapping("handbook"), DirectoryStore(tmp_path / "store"), NOW_US)


@pytest.fixture
def wide_world(tmp_path: Path) -> SealedWorld:
    """Rows of which a batch of the usual size is more than the gate takes in one call."""
    columns = {name: [values[-1]] * WIDE_ROWS for name, values in SMALL.items()}
    names = [f"note_{number}" for number in range(9)]
    notes = {name: [f"{row} " + "x" * (ATTRIBUTE_CHARS_MAX - 10) for row in range(WIDE_ROWS)] for name in names}
    return small_world(tmp_path, {**columns, "id": list(range(WIDE_ROWS)), **notes}, attributes=names, truth=None)


@pytest.fixture
def run(world: SealedWorld, tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    """A READY run over the generated world; its gate has an address of its own."""
    return streaming_run(world, tmp_path, kafka, dsn, namespace)


@pytest.fixture
def wide_run(wide_world: SealedWorld, tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    """The same over the wide world."""
    return streaming_run(wide_world, tmp_path, kafka, dsn, namespace)


@pytest.fixture
def processes(run: Run) -> Iterator[Processes]:
    """Processes that end with the test."""
    yield from ended(Processes(run))


@pytest.fixture
def wide_processes(wide_run: Run) -> Iterator[Processes]:
    """The same over the wide world."""
    yield from ended(Processes(wide_run))


@pytest.mark.long
def test_interrupted_and_killed_the_stream_ends_with_every_row_once(run: Run, processes: Processes) -> None:
    gate = processes.gate()
    assert processes.streamer("--max-events", "300", "--metrics-port", "0", "--log-level", "info").wait(60) == 0
    log = (run.directory / "stream.log").read_text()
    assert "stopped at --max-events" in log and "metrics: http://127.0.0.1:" in log and "STREAM_STARTED" in log
    assert (processes.position(), list(run.store.keys("wsp/ready_runs"))) == (300, [])
    for position in (600, 1_500):
        streamer = processes.streamer()
        processes.reached(position)
        streamer.send_signal(signal.SIGINT)
        assert streamer.wait(60) == 130
        assert processes.position() >= position
    streamer = processes.streamer()
    processes.reached(2_400)
    gate.kill()
    gate.wait(30)
    gate = processes.gate()
    assert resolve(run, "--republish")[0] == 0
    processes.reached(3_600)
    streamer.kill()
    streamer.wait(30)
    assert processes.streamer().wait(120) == 0
    payments, finished = on_topic(run, "FP_BUS_TRAFFIC_FRAUD_V1")
    assert len(payments) == ROWS
    assert finished == {0, 1, 2}
    assert on_topic(run, "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1") == (Counter(), {0, 1, 2})
    assert on_topic(run, "FP_BUS_LABELS_EVENTS_V1") == (Counter(), set()), "labels are not the streamer's"
    assert "labels of this run come from `assay labels deliver`" in (run.directory / "stream.log").read_text()
    assert processes.streamer("--lanes", "3").wait(60) == 0, "READY is streamed once, by whatever number of lanes"
    assert "was streamed before; nothing is sent" in (run.directory / "stream.log").read_text()
    (ledger,) = run.store.keys("wsp/ready_runs")
    (row,) = map(json.loads, run.store.read(ledger).splitlines())
    assert (row["state"], row["rows"]) == ("STREAMED", {"handbook_transactions": ROWS})
    told = [event["event_family"] for event in events(run.store)]
    assert told == ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"], "four processes told them"


def test_labels_interrupted_and_killed_are_all_on_the_bus_once_and_marked_alone(run: Run, processes: Processes) -> None:
    summary = open_world(run.store, run.config.manifest_fingerprint).manifest.truth_summary
    assert summary is not None
    processes.gate()
    delivery = processes.labels()
    processes.reached(summary.emitted // 4, "labels")
    delivery.send_signal(signal.SIGINT)
    assert delivery.wait(60) == 130
    delivery = processes.labels()
    processes.reached(summary.emitted // 2, "labels")
    delivery.kill()
    delivery.wait(30)
    assert processes.position("labels") < summary.emitted
    assert processes.labels("--speedup", "0").wait(120) == 0
    labels, finished = on_topic(run, "FP_BUS_LABELS_EVENTS_V1")
    assert (len(labels), finished) == (summary.emitted, {0})
    for handle in ("FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1"):
        assert on_topic(run, handle) == (Counter(), set())


def test_a_wrong_key_stops_the_streamer_and_says_so(run: Run, processes: Processes) -> None:
    processes.gate()
    until(lambda: "listening" in (run.directory / "gate.log").read_text(), 60)
    stranger = run.directory.parent / "stranger"  # the gate reads the keys of its own directory again
    run.model_copy(update={"api_key": "wrong", "directory": stranger}).save()
    (stranger / "store").symlink_to(run.directory / "store")
    streamer = processes.streamer(directory=stranger)
    assert streamer.wait(60) == 70
    assert "GATE_REJECTED" in seen((run.directory / "stream.log").read_text())
    assert "401" in (run.directory / "stream.log").read_text()


def test_a_batch_of_wide_rows_goes_in_as_many_calls_as_the_gate_needs(wide_run: Run, wide_processes: Processes) -> None:
    wide_processes.gate()
    assert wide_processes.streamer("--batch", str(WIDE_ROWS)).wait(120) == 0
    payments, finished = on_topic(wide_run, "FP_BUS_TRAFFIC_FRAUD_V1")
    assert (len(payments), set(payments.values()), finished) == (WIDE_ROWS, {1}, {0, 1, 2})
    assert wide_processes.labels().wait(120) == 0
    assert "the world of this run has no labels" in (wide_run.directory / "labels.log").read_text()
    assert on_topic(wide_run, "FP_BUS_LABELS_EVENTS_V1") == (Counter(), {0}), "and the final mark says so"
