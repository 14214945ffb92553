"""Publishing outside a lane: acknowledged and in order on a real broker, or an error that names topic and cause."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scenario_runs import run_scenario
from small_runs import config_of, pins
from small_worlds import NOW_US, small_world

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.streamer.ready import await_ready
from assay.app.substrate import Server
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason


def test_records_are_on_the_topic_in_order(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace, 3)
    publisher = KafkaPublisher(kafka.address, namespace)
    publisher.publish(CONTROL, [OutboundRecord(b"k", bytes([value]), 0) for value in range(50)])
    publisher.publish(CONTROL, [OutboundRecord(b"k", b"last", 0)])
    assert [found.value for found in read_records(kafka.address, CONTROL, namespace)] == [*(bytes([value]) for value in range(50)), b"last"]


def test_a_record_too_large_for_its_topic_is_an_error(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace, 3)
    with pytest.raises(Stop) as refusal:
        KafkaPublisher(kafka.address, namespace).publish(CONTROL, [OutboundRecord(b"k", bytes(2_000_000), 0)])
    assert refusal.value.reason is Reason.PRODUCE_FAILED
    assert namespace in refusal.value.where


def test_a_broker_that_is_not_there_is_an_error() -> None:
    publisher = KafkaPublisher("127.0.0.1:1", delivery_timeout_ms=1_000)
    with pytest.raises(Stop, match="PRODUCE_FAILED"):
        publisher.publish(CONTROL, [OutboundRecord(b"k", b"v", 0)])


def test_ready_of_the_scenario_runner_is_what_the_streamer_finds(kafka: Server, namespace: str, tmp_path: Path) -> None:
    create_topics(kafka.address, namespace, 3)
    world = small_world(tmp_path)
    config = config_of(world.manifest)
    ready = run_scenario(config, world.store, KafkaPublisher(kafka.address, namespace), NOW_US)
    found = await_ready(
        WORLD_STREAMER, lambda first: read_records(kafka.address, CONTROL, namespace, first=first), config.pins, config.digest, 10.0
    )
    assert found["event_id"] == ready.message_id
    with pytest.raises(Stop, match="RUN_NOT_READY"):
        await_ready(
            WORLD_STREAMER,
            lambda first: read_records(kafka.address, CONTROL, namespace, first=first),
            replace(pins(), platform_run_id="platform_20200101T000000Z"),
            config.digest,
            0.0,
        )
