"""The bus is away when READY is to be said: the run is committed, and who asks again when the bus is back says READY once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scenario_runs import request_for, runner_over, sealed
from small_runs import config_of
from small_worlds import NOW_US, small_world

from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.runner.record import Record
from assay.app.settings import Settings
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.codecs.single_object import unpack
from assay.contracts.errors import AssayError
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason

pytestmark = [pytest.mark.tier2, pytest.mark.long]


@pytest.fixture
def own_kafka(tmp_path: Path, settings: Settings) -> Iterator[Server]:
    """A broker that only this test stops and starts."""
    server = start_kafka(tmp_path / "kafka", settings)
    yield server
    server.stop()


def test_a_bus_that_is_away_at_ready_is_told_and_one_ready_follows(tmp_path: Path, own_kafka: Server, namespace: str) -> None:
    world = small_world(tmp_path)
    config = config_of(world.manifest)
    create_topics(own_kafka.address, namespace, 1)
    own_kafka.kill()

    def asked() -> str:
        publisher = KafkaPublisher(own_kafka.address, namespace, delivery_timeout_ms=5_000)
        return runner_over(config, sealed(world), publisher, NOW_US).submit(request_for(config)).message_id

    with pytest.raises(AssayError) as refused:
        asked()
    assert refused.value.reason is Reason.PRODUCE_FAILED
    own_kafka.restart()
    message_id = asked()
    assert asked() == message_id
    found = [unpack(record.value or b"") for record in read_records(own_kafka.address, CONTROL, namespace)]
    assert [record["event_id"] for name, record in found if name == "run_ready"] == [message_id]
    kinds = [event["event_kind"] for event in Record(world.store, config.scenario_run_id).read_on().events]
    assert [kinds.count(kind) for kind in ("READY_COMMITTED", "READY_PUBLISHED", "MARKS_PUBLISHED")] == [1, 1, 1]
