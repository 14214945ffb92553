"""A full disk ends the broker, as it does in the field; started again with space, it has every acknowledged record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from assay.app.settings import load_settings
from assay.app.substrate.kafka import start_kafka
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's")]

LIMIT_BYTES = 16 * 1024 * 1024  # above an index file, which is laid out with 10 MB
RECORD = b"x" * 200_000
TOPIC = "filler"


def fill(address: str) -> list[int]:
    """Produce more than fits; the offsets that were acknowledged."""
    acknowledged: list[int] = []

    def delivered(error: Any, message: Any) -> None:
        if error is None:
            acknowledged.append(message.offset())

    producer = Producer({"bootstrap.servers": address, "acks": "all", "message.timeout.ms": 3000, "log_level": 0})
    for _ in range(120):
        producer.produce(TOPIC, RECORD, on_delivery=delivered)
        producer.poll(0)
    producer.flush(10)
    return acknowledged


@pytest.mark.long
def test_kafka_on_a_full_disk_stops_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    with start_kafka(tmp_path / "kafka", load_settings(), file_size_limit_bytes=LIMIT_BYTES) as server:
        admin = AdminClient({"bootstrap.servers": server.address, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10)
        acknowledged = fill(server.address)
        until(lambda: not server.alive)
        assert 0 < len(acknowledged) < 120
        server.restart()
        consumer = Consumer({"bootstrap.servers": server.address, "group.id": TOPIC})
        _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=10)
        consumer.close()
        assert end > max(acknowledged)
