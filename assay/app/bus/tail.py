"""One of our topics followed without an end: its records as they come, from the first one or from those to come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from assay.app.bus.consumer import consuming
from assay.app.bus.errors import unreachable
from assay.app.bus.offsets import log_bounds
from assay.app.bus.topic_reader import TopicRecord
from assay.app.progress import unseen
from assay.contracts.errors import AssayError
from assay.contracts.topics import topic

#: a batch without records comes so often
IDLE_MS: Final = 500
#: the pause before a broker that was away is asked again
AGAIN_AFTER_S: Final = 0.5


class TopicTail:
    """Follows all partitions of a topic, for one task. It belongs to no group and commits nothing.

    `at_end`: only what is written after the first batch was given out. `noticed` is told of each failure to reach the broker;
    the tail then tries again without end, and goes on where it was. `properties` are librdkafka's (TLS, SASL).
    """

    def __init__(
        self,
        bootstrap: str,
        handle: str,
        namespace: str,
        properties: Mapping[str, str] | None = None,
        *,
        at_end: bool = False,
        noticed: Callable[[AssayError], object] = unseen,
    ) -> None:
        self._bootstrap, self._name, self._properties = bootstrap, topic(handle).name(namespace), properties
        self._at_end, self._noticed = at_end, noticed
        self._next: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def batches(self) -> AsyncGenerator[list[TopicRecord]]:
        """Records of one fetch, each partition in offset order; an empty batch when nothing came for `IDLE_MS`.

        The first batch is empty: from then on nothing that is written is missed.
        """
        options = {"isolation_level": "read_committed", "fetch_max_wait_ms": IDLE_MS, "auto_offset_reset": "earliest"}
        while True:
            try:
                async with consuming(self._bootstrap, self._properties, unreachable, self._name, **options) as consumer:
                    await self._place(consumer)
                    yield []
                    while True:
                        yield await self._fetched(consumer)
            except AssayError as away:
                self._noticed(away)
                await asyncio.sleep(AGAIN_AFTER_S)

    @property
    def has_caught_up(self) -> bool:
        """Whether everything that the topic held when the tail first reached it was given out."""
        return bool(self._ends) and all(self._next[partition] >= end for partition, end in self._ends.items())

    @property
    def positions(self) -> dict[int, int]:
        """Partition → offset of the next record to be given out, empty before the first batch."""
        return {partition.partition: offset for partition, offset in self._next.items()}

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        if not self._ends:
            bounds = await asyncio.to_thread(log_bounds, self._bootstrap, self._name, self._properties)
            self._ends = {TopicPartition(self._name, number): end for number, (_, end) in sorted(bounds.items())}
            begins = {TopicPartition(self._name, number): first for number, (first, _) in sorted(bounds.items())}
            self._next = dict(self._ends if self._at_end else begins)
        consumer.assign(list(self._next))
        for partition, offset in self._next.items():
            consumer.seek(partition, offset)

    async def _fetched(self, consumer: AIOKafkaConsumer) -> list[TopicRecord]:
        found = await consumer.getmany(timeout_ms=IDLE_MS)
        for partition in self._next:
            self._next[partition] = await consumer.position(partition)
        return [
            TopicRecord(partition.partition, one.offset, one.key, one.value, one.timestamp, tuple(one.headers))
            for partition, records in found.items()
            for one in records
        ]
