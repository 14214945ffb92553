"""The producer of a lane: acks=all, idempotent, no linger. Faust's own swallows sends that failed.

A write returns when the broker has every record of it, or the lane stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from assay.app.bus.client import aiokafka_settings
from assay.app.bus.errors import lane_not_written
from assay.app.bus.finished_batch import FinishedBatch
from assay.codecs.record_batch import RecordBatch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

REQUEST_BYTES_MAX = 16 * 1024 * 1024


class _Acknowledgement:
    """Awaited, it gives the offset of a record, or raises Stop(PRODUCE_FAILED). Without a task of its own: a small record has many."""

    def __init__(self, topic: str, sent: asyncio.Future[Any]) -> None:
        self._topic, self._sent = topic, sent

    def __await__(self) -> Generator[Any, None, int]:
        try:
            record = yield from self._sent.__await__()
        except KafkaError as error:
            raise lane_not_written(error, self._topic) from error
        return int(record.offset)

    def ignore(self) -> None:
        """Nobody waits for this one any more: its error, if one comes, is no news."""
        self._sent.add_done_callback(lambda sent: sent.cancelled() or sent.exception())


class LaneProducer:
    """Every method raises Stop(PRODUCE_FAILED) when a record is not known to be written. `where` names the topics in it."""

    def __init__(self, bootstrap: str, properties: Mapping[str, str] | None, where: str, batch_bytes_max: int) -> None:
        self._settings = aiokafka_settings(bootstrap, properties)
        self._where, self._batch_bytes_max = where, batch_bytes_max
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect, once."""
        if self._producer is not None:
            return
        producer = AIOKafkaProducer(
            **self._settings,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=self._batch_bytes_max,
            max_request_size=REQUEST_BYTES_MAX,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise lane_not_written(error, self._where) from error
        self._producer = producer

    async def close(self) -> None:
        """Let go of the connection; records under way are waited for."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, topic: str, partition: int, value: bytes, wall_ms: int) -> Awaitable[int]:
        """Send one record; the awaitable gives the offset that the broker acknowledged. Records are written in the order of the calls."""
        try:
            sent = await self._started().send(topic, value, partition=partition, timestamp_ms=wall_ms)
        except KafkaError as error:
            raise lane_not_written(error, topic) from error
        return _Acknowledgement(topic, sent)

    async def write(self, lots: Mapping[tuple[str, int], Sequence[RecordBatch]]) -> None:
        """Write finished batches, in their order within each partition; return when all are acknowledged."""
        sent: list[_Acknowledgement] = []
        try:
            # a second batch of a partition waits until the first one has left: the first ones of all partitions leave together
            for batches in zip_longest(*lots.values()):
                for (topic, partition), batch in zip(lots, batches, strict=True):
                    if batch is not None:
                        sent.append(await self._sent(topic, partition, batch))
            for acknowledgement in sent:
                await acknowledgement
        except BaseException:
            for acknowledgement in sent:
                acknowledgement.ignore()
            raise

    async def _sent(self, topic: str, partition: int, batch: RecordBatch) -> _Acknowledgement:
        try:
            return _Acknowledgement(topic, await self._started().send_batch(FinishedBatch(batch), topic, partition=partition))
        except (KafkaError, AssertionError) as error:  # aiokafka asserts that the partition exists
            raise lane_not_written(error, topic) from error

    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise Stop(Reason.PRODUCE_FAILED, "the producer was not started", where=self._where, remedy="Call start() first.")
        return self._producer
