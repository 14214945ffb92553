"""The control bus on a real Kafka keeps the laws of control buses, beside the marks of the lanes and beside older writers."""

from __future__ import annotations

import itertools

import pytest
from control_bus_laws import LAWS, RUNS, Law, message
from oracles.examples import examples
from small_runs import pins

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.record_view import plain
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.control_bus.avro_payload import record_of
from assay.app.control_bus.kafka_bus import KafkaControlBus, kafka_control_bus
from assay.app.control_bus.port import ControlMessage
from assay.app.runner.signals import bus_record, final_mark, normal_posture
from assay.app.streamer.ready import await_ready
from assay.app.substrate import Server
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

TICKS = itertools.count(1_700_000_000_000_000)


def opened(kafka: Server, namespace: str) -> KafkaControlBus:
    return kafka_control_bus(kafka.address, namespace, None, lambda: next(TICKS))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_bus_on_kafka_keeps(law: Law, kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    law(lambda: opened(kafka, namespace))


def test_marks_are_no_messages_and_a_record_of_an_older_writer_is_one(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    name, record = record_of(message(0).payload)
    mark = final_mark(pins(), CONTROL, 0, 1)
    KafkaPublisher(kafka.address, namespace).publish(CONTROL, [bus_record(CONTROL, "mark", mark, 1), bus_record(CONTROL, name, record, 1)])
    (found,) = opened(kafka, namespace).read()
    assert found.message == message(0)._replace(attributes={})
    assert found.published_at_us > 1_700_000_000_000_000


def test_the_streamer_finds_a_ready_that_was_published_here(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    opened(kafka, namespace).publish(message(1))
    found = await_ready(WORLD_STREAMER, lambda first: read_records(kafka.address, CONTROL, namespace, first=first), pins(), bytes(32), 10.0)
    assert (found["event_id"], found["pins"]["platform_run_id"]) == (message(1).message_id, RUNS[0])


def test_the_streamer_hears_the_end_of_its_run_behind_the_ready_of_another(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    signal = next(one.value for one in examples("run_terminal_signal") if one.reason is None)
    bus, run = opened(kafka, namespace), Pins.of(signal["pins"])
    bus.publish(message(1, RUNS[1]))
    bus.publish(ControlMessage(signal["event_id"], signal["run_id"], signal, {"kind": "TERMINAL", "run_id": signal["run_id"]}))
    with pytest.raises(Stop, match="the run is FAILED by GATE_FAIL") as ended:
        await_ready(WORLD_STREAMER, lambda first: read_records(kafka.address, CONTROL, namespace, first=first), run, bytes(32), 60.0)
    assert ended.value.reason is Reason.GATE_FAIL


def test_a_record_that_the_runner_does_not_declare_is_refused(kafka: Server, namespace: str) -> None:
    with pytest.raises(Stop) as refused:
        opened(kafka, namespace).publish(message(0)._replace(payload=plain(normal_posture(pins(), 1))))
    assert refused.value.reason is Reason.PRODUCER_UNLISTED
