"""A topic as chunks, from its first records to an end that is fixed beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import closing
from typing import Any

import confluent_kafka
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, KafkaException

from assay.agents.faust_shell.fetching import fetch_runs, to_chunk
from assay.agents.step import Chunk
from assay.app.bus.lane_io import let_go
from assay.app.bus.prefetch import prefetched
from assay.app.bus.properties import aiokafka_arguments
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

FETCH_BYTES_MAX = 4 * 1024 * 1024
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
            return {
                number: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(name, number), timeout=METADATA_S)
                for number in numbers
            }
        except KafkaException as error:
            raise _absent(error.args[0].str(), name) from None


def read_topic(
    bootstrap: str, handle: str, namespace: str, properties: Mapping[str, str] | None = None, bounds: Bounds | None = None
) -> Iterator[Chunk]:
    """Chunks of every partition, each partition in offset order, up to `bounds` (what the topic holds at the call if None).

    `properties` are librdkafka's (TLS, SASL). Raises Retry(BROKER_UNREACHABLE).
    """
    limits = bounds_of(bootstrap, handle, namespace, properties) if bounds is None else bounds
    client = {**aiokafka_arguments(dict(properties or {})), "bootstrap_servers": bootstrap}
    with closing(prefetched(_chunks(client, handle, topic(handle).name(namespace), limits))) as chunks:
        yield from chunks


def _chunks(client: Mapping[str, Any], handle: str, name: str, limits: Bounds) -> Iterator[Chunk]:
    """Made in a thread that has no other event loop."""
    with asyncio.Runner() as runner:
        fetching = _fetched(client, handle, name, limits)
        try:
            while True:
                try:
                    yield runner.run(_next(fetching))
                except StopAsyncIteration:
                    return
                except (KafkaError, OSError) as error:
                    raise _absent(f"{type(error).__name__}: {error}", name) from error
        finally:
            runner.run(fetching.aclose())


async def _next(chunks: AsyncGenerator[Chunk]) -> Chunk:
    return await anext(chunks)


async def _fetched(client: Mapping[str, Any], handle: str, name: str, limits: Bounds) -> AsyncGenerator[Chunk]:
    consumer = AIOKafkaConsumer(
        **client, enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
    )  # fmt: skip
    try:
        await consumer.start()
        fetch_runs(consumer._fetcher)  # noqa: SLF001 - as the worker's transport does
        for partition, (first, end) in sorted(limits.items()):
            if first >= end:
                continue
            place = TopicPartition(name, partition)
            consumer.assign([place])
            consumer.seek(place, first)
            async for records in _records(consumer, place, end):
                chunk = to_chunk((handle, partition), records)
                kept = int(np.searchsorted(chunk.offsets, end))
                if kept:
                    yield Chunk(handle, partition, chunk.offsets[:kept], chunk.values.take(np.arange(kept)))
    finally:
        await let_go(consumer)


async def _records(consumer: AIOKafkaConsumer, place: TopicPartition, end: int) -> AsyncGenerator[list[Any]]:
    """What each fetch gives, until the position is behind the end; offsets without a record count as read."""
    while (at := await consumer.position(place)) < end:
        records = (await consumer.getmany(place, timeout_ms=int(SILENCE_MAX_S * 1_000))).get(place)
        if records:
            yield records
        elif await consumer.position(place) == at:
            raise _absent(f"no record after offset {at} of {end} within {SILENCE_MAX_S:g} s", f"{place.topic}[{place.partition}]")


def _consumer(bootstrap: str, properties: Mapping[str, str] | None) -> Consumer:
    ours = {"group.id": "assay.reader", "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 0}
    return Consumer({**(properties or {}), **ours, "bootstrap.servers": bootstrap})


def _absent(why: str, where: str) -> Retry:
    return Retry(Reason.BROKER_UNREACHABLE, why, where=where, remedy="A run's servers are started again by `assay substrate up --dir RUN`.")
