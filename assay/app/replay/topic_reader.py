"""A topic as chunks, from its first records to an end that is fixed beforehand."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing

import numpy as np
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from assay.agents.step import Chunk
from assay.codecs.columns import Strings
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

RECORDS_MAX = 10_000
#: a fetch waits until it has all it asked for or this long
FETCH_S = 0.2
SILENCE_MAX_S = 20.0
METADATA_S = 10.0

#: partition → (first offset, next offset)
Bounds = Mapping[int, tuple[int, int]]


def bounds_of(bootstrap: str, handle: str, namespace: str, properties: Mapping[str, str] | None = None) -> Bounds:
    """What a topic holds now. Raises Retry(BROKER_UNREACHABLE)."""
    name = topic(handle).name(namespace)
    with closing(_consumer(bootstrap, properties)) as consumer:
        try:
            numbers = sorted(consumer.list_topics(name, timeout=METADATA_S).topics[name].partitions)
            return {number: consumer.get_watermark_offsets(TopicPartition(name, number), timeout=METADATA_S) for number in numbers}
        except KafkaException as error:
            raise _absent(error.args[0].str(), name) from None


def read_topic(
    bootstrap: str, handle: str, namespace: str, properties: Mapping[str, str] | None = None, bounds: Bounds | None = None
) -> Iterator[Chunk]:
    """Chunks of every partition, each partition in offset order, up to `bounds` (what the topic holds at the call if None).

    `properties` are librdkafka's (TLS, SASL). Raises Retry(BROKER_UNREACHABLE).
    """
    name = topic(handle).name(namespace)
    limits = bounds_of(bootstrap, handle, namespace, properties) if bounds is None else bounds
    with closing(_consumer(bootstrap, properties)) as consumer:
        for partition, (first, end) in sorted(limits.items()):
            yield from _partition(consumer, handle, TopicPartition(name, partition, first), end)


def _partition(consumer: Consumer, handle: str, start: TopicPartition, end: int) -> Iterator[Chunk]:
    at = start.offset
    if at < end:
        consumer.assign([start])
    while at < end:
        messages = _fetch(consumer, start, at, end)
        first, last = _offset(messages[0]), _offset(messages[-1])
        if last >= end or last - first + 1 != len(messages):  # an end inside, or offsets without a record
            messages = [message for message in messages if _offset(message) < end]
            offsets = np.array([_offset(message) for message in messages], np.int64)
        else:
            offsets = np.arange(first, last + 1, dtype=np.int64)
        if messages:
            yield Chunk(handle, start.partition, offsets, Strings.of([message.value() for message in messages]))
        at = last + 1


def _fetch(consumer: Consumer, start: TopicPartition, at: int, end: int) -> list[Message]:
    """The next records; never asks for more than there are, because a fetch waits for all it asked for."""
    deadline = time.monotonic() + SILENCE_MAX_S
    last = "nothing came"
    while time.monotonic() < deadline:
        messages = consumer.consume(min(RECORDS_MAX, end - at), timeout=FETCH_S)
        errors = [error for message in messages if (error := message.error()) is not None]
        if errors:
            last = errors[-1].str()
            messages = [message for message in messages if message.error() is None]
        if messages:
            return messages
    raise _absent(f"no record after offset {at} of {end} within {SILENCE_MAX_S:g} s: {last}", f"{start.topic}[{start.partition}]")


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset


def _consumer(bootstrap: str, properties: Mapping[str, str] | None) -> Consumer:
    ours = {"group.id": "assay.reader", "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 0}
    return Consumer({**(properties or {}), **ours, "bootstrap.servers": bootstrap})


def _absent(why: str, where: str) -> Retry:
    return Retry(Reason.BROKER_UNREACHABLE, why, where=where, remedy="A run's servers are started again by `assay substrate up --dir RUN`.")
