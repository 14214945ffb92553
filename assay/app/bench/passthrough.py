"""The floor of an object per record: fetch with aiokafka and write the same bytes again, with no work in between.

`python -m assay.app.bench.passthrough BOOTSTRAP GROUP INPUT OUTPUT`. It says `copying` when it begins, and commits what the
broker has acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

RECORDS_MAX = 5_000
BATCH_BYTES = 1_000_000


async def passthrough(bootstrap: str, group: str, source: str, target: str) -> None:
    """Copy until cancelled."""
    consumer = AIOKafkaConsumer(
        source, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * BATCH_BYTES,
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=BATCH_BYTES,
        max_request_size=16 * BATCH_BYTES,
    )  # fmt: skip
    await producer.start()
    await consumer.start()
    print("copying", flush=True)
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=500, max_records=RECORDS_MAX)
            for place, records in fetched.items():
                await _copy(producer, records, target)
                await consumer.commit({TopicPartition(*place): records[-1].offset + 1})
    finally:
        await consumer.stop()
        await producer.stop()


async def _copy(producer: AIOKafkaProducer, records: list[Any], target: str) -> None:
    acknowledged = []
    batch = producer.create_batch()
    for record in records:
        if batch.append(key=record.key, value=record.value, timestamp=record.timestamp) is None:
            acknowledged.append(await producer.send_batch(batch, target, partition=0))
            batch = producer.create_batch()
            batch.append(key=record.key, value=record.value, timestamp=record.timestamp)
    batch.close()
    acknowledged.append(await producer.send_batch(batch, target, partition=0))
    await asyncio.gather(*acknowledged)


if __name__ == "__main__":
    asyncio.run(passthrough(*sys.argv[1:5]))
