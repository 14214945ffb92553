"""A topic of somebody else's, read partition by partition from given offsets: committed records only, nothing is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from assay.app.bus.admin import Bounds, KafkaAdmin
from assay.app.bus.consumer import consuming
from assay.app.bus.errors import unreachable
from assay.app.bus.offsets import ANSWER_MAX_S
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: a fetch behind the last record waits so long; until it is back, no other partition of its broker is fetched
END_WAIT_MS: Final = 50


class Look(NamedTuple):
    """A topic as it is now: the id that its Kafka gave it, and the offsets that each partition holds."""

    topic_id: str
    bounds: Bounds


class Fetched(NamedTuple):
    """(offset, value) of records of one partition, and the offset that follows them: an offset without a record counts as read."""

    records: list[tuple[int, bytes | None]]
    following: int


class OutOfRange(Exception):
    """The partition does not hold the offset that is wanted."""


class ForeignTopic:
    """One topic by its real name. `properties` are librdkafka's (TLS, SASL)."""

    def __init__(self, bootstrap: str, name: str, properties: Mapping[str, str] | None = None) -> None:
        self._bootstrap, self.name, self._properties = bootstrap, name, properties
        self._admin = KafkaAdmin(bootstrap, properties, ANSWER_MAX_S)

    def look(self) -> Look:
        """Ask the broker. Raises Retry(BROKER_UNREACHABLE), Stop(BUS_USER_REFUSED), Stop(TOPIC_UNKNOWN)."""
        try:
            bounds = self._admin.bounds(self.name)
        except Stop as refusal:
            if refusal.reason is not Reason.TOPIC_UNKNOWN:
                raise
            remedy = "Check the name and --bootstrap. If the topic was deleted, its records that were not read are gone."
            raise Stop(Reason.TOPIC_UNKNOWN, refusal.what, where=refusal.where, remedy=remedy) from None
        return Look(self._admin.topic_ids([self.name])[self.name], bounds)

    @asynccontextmanager
    async def reading(self, starts: Mapping[int, int]) -> AsyncIterator[Reading]:
        """Read these partitions, each from its offset. Raises Retry(BROKER_UNREACHABLE), Stop(BUS_USER_REFUSED)."""
        options = {"auto_offset_reset": "none", "isolation_level": "read_committed", "fetch_max_wait_ms": END_WAIT_MS}
        async with consuming(self._bootstrap, self._properties, unreachable, f"{self.name} on {self._bootstrap}", **options) as consumer:
            places = {partition: TopicPartition(self.name, partition) for partition in starts}
            consumer.assign(list(places.values()))
            for partition, offset in starts.items():
                consumer.seek(places[partition], offset)
            yield Reading(consumer, places)


class Reading:
    """Partitions that are read. Each has one reader, and they do not wait for each other."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Mapping[int, TopicPartition]) -> None:
        self._consumer, self._places = consumer, places

    async def next(self, partition: int, records_max: int, wait_s: float) -> Fetched:
        """What comes next of a partition within so long, which may be nothing.

        Raises OutOfRange, and what `ForeignTopic.reading` makes of errors of the client.
        """
        place = self._places[partition]
        try:
            found = await self._consumer.getmany(place, timeout_ms=int(wait_s * 1_000), max_records=records_max)
        except OffsetOutOfRangeError:
            raise OutOfRange from None
        records = [(record.offset, record.value) for record in found.get(place, ())]
        async with asyncio.timeout(ANSWER_MAX_S):
            following = await self._consumer.position(place)
        return Fetched(records, following)
