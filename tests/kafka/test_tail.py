"""A topic that is followed without an end, on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from control_bus_laws import message

from assay.app.bus.tail import TopicTail
from assay.app.bus.topic_reader import TopicRecord
from assay.app.bus.topics import create_topics
from assay.app.control_bus.kafka_bus import kafka_control_bus
from assay.app.substrate import Server
from assay.contracts.errors import AssayError
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason

Batches = AsyncGenerator[list[TopicRecord]]


def publish(kafka: Server, namespace: str, number: int) -> None:
    kafka_control_bus(kafka.address, namespace, None, lambda: 1_700_000_000_000_000).publish(message(number))


async def offsets(batches: Batches, wanted: int) -> list[int]:
    """Offsets of so many records."""
    found: list[int] = []
    async for batch in batches:
        found += [one.offset for one in batch]
        if len(found) >= wanted:
            return found
    return found


def followed(tail: TopicTail, wanted: int, meanwhile: Callable[[], object]) -> list[int]:
    """What a tail gives out, with something done once its first batch is there."""

    async def follow() -> list[int]:
        async with asyncio.timeout(30), aclosing(tail.batches()) as batches:
            assert await anext(batches) == []
            await asyncio.to_thread(meanwhile)
            return await offsets(batches, wanted)

    return asyncio.run(follow())


def test_a_tail_gives_out_what_is_there_and_what_comes(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    publish(kafka, namespace, 0)
    tail = TopicTail(kafka.address, CONTROL, namespace)
    assert not tail.has_caught_up
    assert followed(tail, 2, lambda: publish(kafka, namespace, 1)) == [0, 1]
    assert tail.has_caught_up


def test_a_tail_that_is_followed_again_goes_on_where_it_was(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    tail = TopicTail(kafka.address, CONTROL, namespace)
    assert followed(tail, 1, lambda: publish(kafka, namespace, 0)) == [0]
    publish(kafka, namespace, 1)
    assert followed(tail, 1, lambda: None) == [1]


def test_a_tail_at_the_end_gives_out_only_what_comes(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    publish(kafka, namespace, 0)
    assert followed(TopicTail(kafka.address, CONTROL, namespace, at_end=True), 1, lambda: publish(kafka, namespace, 1)) == [1]


def test_a_tail_waits_for_a_topic_that_is_not_there_and_tells_so(kafka: Server, namespace: str) -> None:
    told: list[AssayError] = []

    async def follow() -> None:
        async with asyncio.timeout(30), aclosing(TopicTail(kafka.address, CONTROL, namespace, noticed=told.append).batches()) as batches:
            first = asyncio.ensure_future(anext(batches))
            while not told:
                await asyncio.sleep(0)
            await asyncio.to_thread(create_topics, kafka.address, namespace)
            assert await first == []

    asyncio.run(follow())
    assert {one.reason for one in told} == {Reason.TOPIC_UNKNOWN}
