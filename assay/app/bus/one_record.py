"""One record, written and acknowledged: whether a broker takes what a user writes, and where it lies."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, Message

from assay.app.bus.errors import not_written, topic_unknown
from assay.app.bus.producer import RecordProducer


def written(bootstrap: str, properties: Mapping[str, str], name: str, key: bytes, value: bytes, within_s: float) -> tuple[int, int]:
    """(partition, offset) of a record in partition 0 of a topic, by acks=all. `name` is that on the broker.

    Raises Retry(BROKER_UNREACHABLE), Stop(BUS_USER_REFUSED, TOPIC_UNKNOWN, PRODUCE_FAILED).
    """
    producer = RecordProducer(bootstrap, properties, {"linger.ms": 0, "delivery.timeout.ms": int(within_s * 1_000)})
    if not producer.partitions(within_s).get(name):
        raise topic_unknown(f"topic {name} is not on the broker", bootstrap)
    places: list[tuple[int, int]] = []
    faults: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            faults.append(error)
        else:
            places.append((int(message.partition() or 0), int(message.offset() or 0)))

    producer.offer(name, key, value, 0, delivered)
    deadline_s = time.monotonic() + within_s + 1
    while not places and not faults and time.monotonic() < deadline_s:
        producer.poll(0.1)
    if places:
        return places[0]
    cause = str(faults[0]) if faults else f"no answer within {within_s:g} s"
    raise producer.refusal(name, faults[0] if faults else None) or not_written(cause, name)
