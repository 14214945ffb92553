"""Runner, streamer, delivery of labels, gate, Kafka and PostgreSQL as real processes: interrupted and killed, every row is on the bus once,
marks in order."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from reasons_met import seen
from scenario_runs import run_scenario
from small_runs import config_of
from small_worlds import ROWS as SMALL
from small_worlds import small_world

from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.governance import events
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.run.directory import Run
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.limits import ATTRIBUTE_CHARS_MAX
from assay.testing import until

NOW_US = 1_893_456_000_000_000
ROWS = 6_000
#: nine weeks and the label delay in about eight seconds
SPEEDUP = "800000"
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
    return _ready(world, tmp_path, kafka, dsn, namespace)


@pytest.fixture
def wide_run(wide_world: SealedWorld, tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    """The same over the wide world."""
    return _ready(wide_world, tmp_path, kafka, dsn, namespace)


def _ready(world: SealedWorld, tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Run(
        directory=tmp_path,
        config=config_of(world.manifest),
        namespace=namespace,
        bootstrap=kafka.address,
        dsn=dsn,
        gate_url=f"http://127.0.0.1:{port}",
        api_key="k",
    )
    made.save()
    create_topics(kafka.address, namespace, 3)
    run_scenario(made.config, made.store, KafkaPublisher(kafka.address, namespace), NOW_US)
    return made


class Processes:
    """A gate, a streamer and a delivery of labels of one run, each in a process of its own."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.started: list[subprocess.Popen[bytes]] = []

    def gate(self) -> subprocess.Popen[bytes]:
        """Start the gate at the run's address."""
        return self._start("gate", "--port", self.run.gate_url.rsplit(":", 1)[1])

    def streamer(self, *options: str, directory: Path | None = None) -> subprocess.Popen[bytes]:
        """Start the streamer: small batches, slowly, unless told otherwise."""
        return self._start("stream", *(options or ("--batch", "150", "--speedup", SPEEDUP)), directory=directory)

    def labels(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the delivery of labels: a few at a time, slowly, unless told otherwise."""
        return self._start("labels", "deliver", *(options or ("--batch", "3", "--in-flight", "1", "--speedup", SPEEDUP)))

    def position(self, folder: str = "wsp") -> int:
        """Rows acknowledged, as the checkpoint says."""
        keys = list(self.run.store.keys(f"{folder}/checkpoints"))
        return int(json.loads(self.run.store.read(keys[0]))["position"]) if keys else 0

    def reached(self, position: int, folder: str = "wsp") -> None:
        """Wait until so many rows are acknowledged."""
        until(lambda: self.position(folder) >= position, 60)

    def _start(self, command: str, *options: str, directory: Path | None = None) -> subprocess.Popen[bytes]:
        log = (self.run.directory / f"{command}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "assay", command, *options, "--run", str(directory or self.run.directory)], stdout=log, stderr=log
        )
        self.started.append(process)
        return process


@pytest.fixture
def processes(run: Run) -> Iterator[Processes]:
    """Processes that end with the test."""
    yield from _ended(Processes(run))


@pytest.fixture
def wide_processes(wide_run: Run) -> Iterator[Processes]:
    """The same over the wide world."""
    yield from _ended(Processes(wide_run))


def _ended(made: Processes) -> Iterator[Processes]:
    yield made
    for process in made.started:
        process.kill()
        process.wait(30)


def _on_topic(run: Run, handle: str) -> tuple[Counter[str], set[int]]:
    """How often each event lies on a topic, and which partitions are final; a row behind its mark fails the test."""
    events: Counter[str] = Counter()
    floors: dict[int, int] = {}
    final: set[int] = set()
    for record in read_records(run.bootstrap, handle, run.namespace):
        name, fields = unpack(record.value or b"")
        floor = floors.get(record.partition, 0)
        if name == "mark":
            assert fields["ts_utc"] >= floor, "marks go forward"
            floors[record.partition] = fields["ts_utc"]
            final |= {record.partition} if fields["final"] else set()
        else:
            assert fields["ts_utc"] >= floor or fields["event_id"] in events, "a row behind its mark"
            events[fields["event_id"]] += 1
    return events, final


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
    processes.reached(3_600)
    streamer.kill()
    streamer.wait(30)
    assert processes.streamer().wait(120) == 0
    payments, finished = _on_topic(run, "FP_BUS_TRAFFIC_FRAUD_V1")
    assert len(payments) == ROWS
    assert finished == {0, 1, 2}
    assert _on_topic(run, "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1") == (Counter(), {0, 1, 2})
    assert _on_topic(run, "FP_BUS_LABELS_EVENTS_V1") == (Counter(), set()), "labels are not the streamer's"
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
    labels, finished = _on_topic(run, "FP_BUS_LABELS_EVENTS_V1")
    assert (len(labels), finished) == (summary.emitted, {0})
    for handle in ("FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1"):
        assert _on_topic(run, handle) == (Counter(), set())


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
    payments, finished = _on_topic(wide_run, "FP_BUS_TRAFFIC_FRAUD_V1")
    assert (len(payments), set(payments.values()), finished) == (WIDE_ROWS, {1}, {0, 1, 2})
    assert wide_processes.labels().wait(120) == 0
    assert "the world of this run has no labels" in (wide_run.directory / "labels.log").read_text()
    assert _on_topic(wide_run, "FP_BUS_LABELS_EVENTS_V1") == (Counter(), {0}), "and the final mark says so"
