"""A lane's journal on Kafka: one partition, appended in order, read whole at the start of the lane."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import OffsetOutOfRangeError

from assay.agents.journal import missing_offset, out_of_reach
from assay.agents.read_position import consecutive
from assay.app.bus.consumer import consuming, fetches
from assay.app.bus.errors import lane_unreachable
from assay.app.bus.lane_producer import REQUEST_BYTES_MAX, LaneProducer

#: a journal record's largest value; the topic's `max.message.bytes` allows for the batch around it
JOURNAL_VALUE_BYTES_MAX = 16 * 1024 * 1024 - 1024
#: how often a standby looks up from a journal to which nothing is appended
FOLLOW_POLL_MS = 100


class _Reading(NamedTuple):
    """A consumer at the first offset wanted, and the offset at which the journal ended then."""

    consumer: AIOKafkaConsumer
    end: int


class KafkaJournal:
    """One journal partition. `properties` are librdkafka's (TLS, SASL).

    Reading raises Stop(JOURNAL_OUT_OF_REACH) when the journal does not hold the offset that is read next, also when it is truncated
    meanwhile; Stop(JOURNAL_SEQUENCE_GAP) when an offset in between is missing; Stop(BROKER_UNREACHABLE).
    """

    def __init__(self, bootstrap: str, topic: str, partition: int = 0, properties: Mapping[str, str] | None = None) -> None:
        self.tp = (topic, partition)
        self._bootstrap, self._properties = bootstrap, properties
        self._producer = LaneProducer(bootstrap, properties, topic, JOURNAL_VALUE_BYTES_MAX)
        self._gap = partial(missing_offset, topic)
        self._next = 0
        self.bytes_appended = 0

    def begin_at(self, offset: int) -> None:
        """Reading begins at this offset: a snapshot holds the records before it."""
        self._next = offset

    async def start(self) -> None:
        """Connect, once. Raises Stop(PRODUCE_FAILED) when the broker does not answer."""
        await self._producer.start()

    async def close(self) -> None:
        """Let go of the connection; appends under way are waited for."""
        await self._producer.close()

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        """Send one record; the awaitable gives the offset the broker acknowledged.

        Records reach the log in the order of the calls. Both the call and the awaitable raise Stop(PRODUCE_FAILED) when
        the record is not known to be in the log.
        """
        acknowledged = await self._producer.send(*self.tp, value, wall_ms)
        self.bytes_appended += len(value)
        return acknowledged

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        """Every record not read yet, up to the last the journal held at the call, as (offset, value)."""
        async with self._reading(self._next) as (consumer, end):
            async for records in fetches(consumer, ClientPartition(*self.tp), end, lane_unreachable):
                for record in records:
                    if self._next == end:
                        break
                    self._next = consecutive((record.offset,), self._next, self._gap)
                    yield record.offset, record.value
            if self._next < end:
                raise self._gap(self._next, end)

    async def read_between(self, first: int, end: int) -> list[bytes]:
        """The records at offsets `first` up to `end` (exclusive)."""
        found: list[tuple[int, bytes]] = []
        async with self._reading(first) as (consumer, _):
            async for records in fetches(consumer, ClientPartition(*self.tp), end, lane_unreachable):
                found += [(record.offset, record.value) for record in records if record.offset < end]
        if consecutive((offset for offset, _ in found), first, self._gap) < end:
            raise self._gap(first + len(found), end)
        return [value for _, value in found]

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Records not read yet as they come, without end; an empty list now and then while none come: the lane may be idle."""
        tp = ClientPartition(*self.tp)
        async with self._reading(self._next) as (consumer, _):
            while True:
                records = (await consumer.getmany(tp, timeout_ms=FOLLOW_POLL_MS)).get(tp, ())
                self._next = consecutive((record.offset for record in records), self._next, self._gap)
                yield [(record.offset, record.value) for record in records]

    @asynccontextmanager
    async def _reading(self, first: int) -> AsyncIterator[_Reading]:
        topic, tp = self.tp[0], ClientPartition(*self.tp)
        # without a reset policy, a journal that is truncated while it is read is an error; any policy would skip to other records
        options = {"max_partition_fetch_bytes": REQUEST_BYTES_MAX, "auto_offset_reset": "none"}
        async with consuming(self._bootstrap, self._properties, lane_unreachable, topic, **options) as consumer:
            consumer.assign([tp])
            beginning, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
            if not beginning <= first <= end:
                raise out_of_reach(topic, first, beginning, end)
            consumer.seek(tp, first)
            try:
                yield _Reading(consumer, end)
            except OffsetOutOfRangeError as error:
                beginning, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
                raise out_of_reach(topic, error.args[0][tp], beginning, end) from error
