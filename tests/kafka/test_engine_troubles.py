"""What is known to go wrong in Faust, provoked on a real worker of ours on Kafka: it ends with a reason, or nothing is lost or done twice.

docs/engine.md lists the troubles; `make engine` does the same to small apps on stock Faust.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from gated_worlds import GatedWorld, config_over, gated, generated_world
from lane_worker import WorkerProcess, committed_of, filled_run, journal_position, named, values

from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.topics import topic
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.long, pytest.mark.timeout(300)]

ROWS = 200
RTDL, JOURNAL, FEATURES = "FP_BUS_RTDL_V1", "FP_JOURNAL_RTDL_V1", "FP_CHANGELOG_FEATURES_V1"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> GatedWorld:
    """The records of a run."""
    world = generated_world(tmp_path_factory.mktemp("world"), "handbook", ROWS, 23)
    return gated(world, config_over(world, "handbook"), partitions=1)


class Workers:
    """The decision lane's workers of one run; what is left of them ends with the test."""

    def __init__(self, run: Run) -> None:
        self.run, self.started = run, list[WorkerProcess]()

    def start(self) -> WorkerProcess:
        self.started.append(WorkerProcess(self.run, pack="rtdl_core"))
        return self.started[-1]

    def decided(self) -> int:
        return len(named(self.run, RTDL, "decision_response"))


@pytest.fixture
def workers(tmp_path: Path, kafka: Server, namespace: str, given: GatedWorld) -> Iterator[Workers]:
    made = Workers(filled_run(tmp_path, kafka.address, namespace, given))
    yield made
    for worker in made.started:
        worker.kill()


def append(run: Run, handle: str, value: bytes) -> None:
    """One record from outside."""
    producer = Producer({"bootstrap.servers": run.bootstrap, "log_level": 0})
    producer.produce(topic(handle).name(run.namespace), value, partition=0)
    assert producer.flush(20) == 0


def allow_bytes(run: Run, handle: str, largest: str) -> None:
    """Set how large a batch of a topic may be."""
    entry = ConfigEntry("max.message.bytes", largest, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic(handle).name(run.namespace), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": run.bootstrap, "log_level": 0})
    admin.incremental_alter_configs([resource])[resource].result(20)


def test_a_journal_record_that_cannot_be_read_ends_the_worker(workers: Workers) -> None:
    first = workers.start()
    until(lambda: workers.decided() == ROWS, 90)
    first.kill()
    append(workers.run, JOURNAL, b"{not a journal record")
    said = len(values(workers.run, RTDL))
    worker = workers.start()
    assert worker.process.wait(90) == 70
    assert "assay worker: JOURNAL_UNREADABLE" in worker.tail()
    assert len(values(workers.run, RTDL)) == said


def test_a_changelog_send_that_the_broker_refuses_ends_the_worker_and_its_rows_come_with_the_next(workers: Workers) -> None:
    allow_bytes(workers.run, FEATURES, "50")
    worker = workers.start()
    assert worker.process.wait(90) == 70
    assert "PRODUCE_FAILED" in worker.tail().splitlines()[-1]
    assert topic(FEATURES).name(workers.run.namespace) in worker.tail().splitlines()[-1]
    assert values(workers.run, FEATURES) == []
    position = journal_position(workers.run)
    assert all(position.get(place, 0) >= at for place, at in committed_of(workers.run, "rtdl").items())
    allow_bytes(workers.run, FEATURES, "1048576")
    workers.start()
    until(lambda: workers.decided() == ROWS and len(values(workers.run, FEATURES)) > 0, 90)
