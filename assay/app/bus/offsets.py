"""Where topics begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition

from assay.agents.step import TopicPartition
from assay.app.bus.admin import Bounds, KafkaAdmin
from assay.app.bus.consumer import SILENCE_MAX_S, consuming
from assay.app.bus.errors import lane_unreachable
from assay.contracts.topics import topic

#: every read begins with this question: a command says soon that there is no broker
ANSWER_MAX_S = 10.0
_POLL_MS = 100


def log_bounds(bootstrap: str, name: str, properties: Mapping[str, str] | None = None) -> Bounds:
    """The offsets that a topic, by its real name, holds now. Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN)."""
    return KafkaAdmin(bootstrap, properties, ANSWER_MAX_S).bounds(name)


def bounds_of(bootstrap: str, handle: str, namespace: str, properties: Mapping[str, str] | None = None) -> Bounds:
    """The same for one of our topics."""
    return log_bounds(bootstrap, topic(handle).name(namespace), properties)


async def end_offsets(bootstrap: str, topics: Mapping[str, str], properties: Mapping[str, str] | None = None) -> dict[TopicPartition, int]:
    """Offset after the last record of every partition of these topics (real name → handle); 0 where there is none.

    The log may end later: the end of a transaction and an aborted record take offsets and are never read.
    Raises Stop(BROKER_UNREACHABLE).
    """
    where, options = ", ".join(topics), {"isolation_level": "read_committed"}
    async with consuming(bootstrap, properties, lane_unreachable, where, *topics, **options) as consumer:
        tps = [ClientPartition(name, p) for name in topics for p in consumer.partitions_for_topic(name) or ()]
        beginnings, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        return {(topics[tp.topic], tp.partition): await _after_last(consumer, tp, beginnings[tp], ends[tp]) for tp in tps}


async def _after_last(consumer: AIOKafkaConsumer, tp: ClientPartition, beginning: int, end: int) -> int:
    """Looks back from the end of the log, further each time, until there is a record."""
    back, first = 1, end
    while first > beginning:
        back, first = back * 2, max(beginning, end - back)
        consumer.seek(tp, first)
        last = -1
        async with asyncio.timeout(SILENCE_MAX_S):
            while await consumer.position(tp) < end:
                found = (await consumer.getmany(tp, timeout_ms=_POLL_MS)).get(tp)
                last = found[-1].offset if found else last
        if last >= 0:
            return last + 1
    return 0
