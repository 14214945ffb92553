"""The producer of a lane: acks=all, idempotent, no linger. Faust's own swallows sends that failed.

A write returns when the broker has every record of it, or the lane stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from assay.app.bus.client import aiokafka_settings
from assay.app.bus.errors import cause_of, lane_not_written
from assay.app.bus.finished_batch import FinishedBatch
from assay.codecs.record_batch import RecordBatch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

REQUEST_BYTES_MAX = 16 * 1024 * 1024


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
            raise lane_not_written(cause_of(error), self._where) from error
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
            raise lane_not_written(cause_of(error), topic) from error
        return asyncio.ensure_future(self._acknowledged(topic, sent))

    async def _acknowledged(self, topic: str, sent: Awaitable[Any]) -> int:
        try:
            return int((await sent).offset)
        except KafkaError as error:
            raise lane_not_written(cause_of(error), topic) from error

    async def write(self, topic: str, partition: int, batches: Sequence[RecordBatch]) -> None:
        """Write finished batches to one partition, in their order; return when all are acknowledged."""
        producer = self._started()
        try:
            sent = [await producer.send_batch(FinishedBatch(batch), topic, partition=partition) for batch in batches]
            await asyncio.gather(*sent)
        except (KafkaError, AssertionError) as error:  # aiokafka asserts that the partition exists
            raise lane_not_written(cause_of(error), topic) from error

    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise Stop(Reason.PRODUCE_FAILED, "the producer was not started", where=self._where, remedy="Call start() first.")
        return self._producer
