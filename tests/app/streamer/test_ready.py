"""Nothing is streamed without a READY of this run, world and configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from scenario_runs import run_scenario
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.agents.components import LABEL_DELIVERY, WORLD_STREAMER
from assay.app.bus.topic_reader import TopicRecord
from assay.app.run.directory import RunConfig
from assay.app.streamer.ready import await_ready
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason


class ControlTopic:
    """What READY records of some runs leave on the control topic, between other bytes."""

    def __init__(self, folder: Path, *configs: RunConfig) -> None:
        bus = KeptRecords()
        for number, config in enumerate(configs):
            run_scenario(config, small_world(folder / str(number)).store, bus, NOW_US)
        values = [b"", b"garbage", *(record.value for handle, record in bus.published if handle == "FP_BUS_CONTROL_V1")]
        self.records = [TopicRecord(0, offset, None, value) for offset, value in enumerate(values)]

    def read(self, first: int) -> Iterator[TopicRecord]:
        yield from self.records[first:]


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return config_of(small_world(tmp_path / "0").manifest)


def test_ready_of_this_run_is_found_among_others(tmp_path: Path, config: RunConfig) -> None:
    other = config.model_copy(update={"platform_run_id": "platform_20250101T000000Z"})
    topic = ControlTopic(tmp_path, other, config)
    for reader in (WORLD_STREAMER, LABEL_DELIVERY):
        assert await_ready(reader, topic.read, config.pins, config.digest, 0.0)["pins"] == config.pins.as_avro()


def test_without_ready_nothing_starts(tmp_path: Path, config: RunConfig) -> None:
    other = config.model_copy(update={"platform_run_id": "platform_20250101T000000Z"})
    with pytest.raises(Stop, match=r"RUN_NOT_READY.*assay sr submit"):
        await_ready(WORLD_STREAMER, ControlTopic(tmp_path, other).read, config.pins, config.digest, 0.0)


def test_ready_of_another_configuration_is_refused(tmp_path: Path, config: RunConfig) -> None:
    with pytest.raises(Stop, match="RUN_SCOPE_MISMATCH"):
        await_ready(WORLD_STREAMER, ControlTopic(tmp_path, config).read, config.pins, b"\0" * 32, 0.0)


def test_a_broker_that_stays_away_is_named(config: RunConfig) -> None:
    def away(first: int) -> Iterator[TopicRecord]:
        raise Retry(Reason.BROKER_UNREACHABLE, "Kafka does not answer")

    with pytest.raises(Retry, match="BROKER_UNREACHABLE"):
        await_ready(WORLD_STREAMER, away, config.pins, config.digest, 0.0)


def test_a_streamer_that_does_not_declare_ready_reads_nothing(config: RunConfig) -> None:
    asked: list[int] = []

    def read(first: int) -> list[TopicRecord]:
        asked.append(first)
        return []

    with pytest.raises(Stop, match="CONSUMER_UNLISTED: world_streamer may not read a run_ready from FP_BUS_CONTROL_V1"):
        await_ready(replace(WORLD_STREAMER, consumes={}), read, config.pins, config.digest, 0.0)
    assert asked == []
