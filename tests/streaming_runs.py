"""A run whose gate, streamer and delivery of labels are processes of their own, and what they leave on its topics."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from assay_command import environment
from scenario_runs import run_scenario
from small_runs import config_of

from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.testing import until

NOW_US = 1_893_456_000_000_000
#: nine weeks and the label delay in about eight seconds
SPEEDUP = "800000"


def streaming_run(world: SealedWorld, tmp_path: Path, kafka: Server, dsn: str, namespace: str, **changes: Any) -> Run:
    """A READY run over a world; its gate has an address of its own."""
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
    ).model_copy(update=changes)
    made.save()
    create_topics(kafka.address, namespace, 3)
    run_scenario(made.config, made.store, KafkaPublisher(kafka.address, namespace), NOW_US)
    return made


class Processes:
    """A gate, a streamer and a delivery of labels of one run, each in a process of its own."""

    def __init__(self, run: Run, **variables: str) -> None:
        self.run, self._environment = run, environment(variables)
        self.started: list[subprocess.Popen[bytes]] = []

    def gate(self) -> subprocess.Popen[bytes]:
        """Start the gate at the run's address."""
        return self._start("gate", "serve", "--port", self.run.gate_url.rsplit(":", 1)[1])

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
        called = [sys.executable, "-m", "assay", command, *options, "--run", str(directory or self.run.directory)]
        process = subprocess.Popen(called, stdout=log, stderr=log, env=self._environment)
        self.started.append(process)
        return process


def ended(made: Processes) -> Iterator[Processes]:
    """Processes that end with the test."""
    yield made
    for process in made.started:
        process.kill()
        process.wait(30)


def on_topic(run: Run, handle: str) -> tuple[Counter[str], set[int]]:
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
