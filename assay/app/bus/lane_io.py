"""The two ways a lane writes to Kafka, and the one way it reads its journal back.

Both writers have a producer of their own (acks=all, idempotent, no linger): Faust's swallows failed sends. A write
returns when the broker has every record of it, or the lane stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import KafkaError

from assay.agents.step import Emission, TopicPartition
from assay.app.bus.finished_batch import FinishedBatch, lots_of
from assay.app.lane.ports import SMALL_ROWS
from assay.codecs.record_batch import RecordBatch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: a journal record's largest value; the topic's `max.message.bytes` allows for the batch around it
JOURNAL_VALUE_BYTES_MAX = 16 * 1024 * 1024 - 1024
OUTPUT_BATCH_BYTES_MAX = 1_000_000
_REQUEST_BYTES_MAX = 16 * 1024 * 1024
#: a broker that gives nothing of what it has for this long is away
SILENCE_MAX_S = 30.0
#: how often a standby looks up from a journal in which nothing comes
FOLLOW_POLL_MS = 100


class KafkaJournal:
    """A lane's journal topic: one partition, appended in order, read whole at start.

    `client` are further aiokafka arguments (TLS, SASL).
    """

    def __init__(self, bootstrap: str, topic: str, partition: int = 0, client: Mapping[str, Any] | None = None) -> None:
        self._client: dict[str, Any] = {**(client or {}), "bootstrap_servers": bootstrap}
        self._topic = topic
        self._partition = partition
        self.tp = (topic, partition)
        self._producer: AIOKafkaProducer | None = None
        self._next = 0

    def begin_at(self, offset: int) -> None:
        """Reading begins at this offset: what is before it is in a snapshot."""
        self._next = offset

    async def start(self) -> None:
        """Connect, once. Raises Stop(PRODUCE_FAILED) when the broker does not answer."""
        if self._producer is None:
            self._producer = await _producer(self._client, self._topic, JOURNAL_VALUE_BYTES_MAX)

    async def close(self) -> None:
        """Let go of the connection; appends under way are waited for."""
        if self._producer is not None:
            await self._producer.stop()

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        """Send one record; the awaitable gives the offset the broker acknowledged.

        Records reach the log in the order of the calls. Both the call and the awaitable raise Stop(PRODUCE_FAILED) when
        the record is not known to be in the log.
        """
        try:
            sent = await _started(self._producer).send(self._topic, value, partition=self._partition, timestamp_ms=wall_ms)
        except KafkaError as error:
            raise _failed(self._topic, error) from error
        return asyncio.ensure_future(self._acknowledged(sent))

    async def _acknowledged(self, sent: Awaitable[Any]) -> int:
        try:
            return int((await sent).offset)
        except KafkaError as error:
            raise _failed(self._topic, error) from error

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        """Every record not read yet, up to the last the topic held at the call, as (offset, value).

        Raises Stop(JOURNAL_SEQUENCE_GAP) when an offset is missing in between, Stop(BROKER_UNREACHABLE) when nothing comes for
        `SILENCE_MAX_S`: a lane is not started on half of its journal.
        """
        tp = ClientPartition(self._topic, self._partition)
        async with _reading(self._client, self._topic, max_partition_fetch_bytes=_REQUEST_BYTES_MAX) as consumer:
            await self._seek(consumer, tp)
            end = (await consumer.end_offsets([tp]))[tp]
            while self._next < end:
                for record in await _next_records(consumer, tp, self._next, end):
                    if self._next == end:
                        break
                    yield self._taken(record)

    async def read_between(self, first: int, end: int) -> list[bytes]:
        """The records at offsets `first` up to `end` (exclusive). Raises as `read_all` does."""
        tp = ClientPartition(self._topic, self._partition)
        values: list[bytes] = []
        async with _reading(self._client, self._topic, max_partition_fetch_bytes=_REQUEST_BYTES_MAX) as consumer:
            consumer.assign([tp])
            consumer.seek(tp, first)
            while len(values) < end - first:
                values += [record.value for record in await _next_records(consumer, tp, first + len(values), end)]
        return values[: end - first]

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Records not read yet as they come, without end; an empty list now and then while none come.

        Raises as `read_all` does, but for silence, which may be an idle lane.
        """
        tp = ClientPartition(self._topic, self._partition)
        async with _reading(self._client, self._topic, max_partition_fetch_bytes=_REQUEST_BYTES_MAX) as consumer:
            await self._seek(consumer, tp)
            while True:
                records = await consumer.getmany(tp, timeout_ms=FOLLOW_POLL_MS)
                yield [self._taken(record) for record in records.get(tp, ())]

    async def _seek(self, consumer: AIOKafkaConsumer, tp: ClientPartition) -> None:
        consumer.assign([tp])
        first, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
        if not first <= self._next <= end:
            raise out_of_reach(self._topic, self._next, first, end)
        consumer.seek(tp, self._next)

    def _taken(self, record: ConsumerRecord) -> tuple[int, bytes]:
        if record.offset != self._next:
            raise _gap(self._topic, self._next, record.offset)
        self._next += 1
        return record.offset, record.value


async def end_offsets(client: Mapping[str, Any], topics: Mapping[str, str]) -> dict[TopicPartition, int]:
    """Offset after the last record of every partition of these topics (real name → handle), by place; 0 where there is none.

    The log may end later: what closes a transaction or was given up takes offsets and is never read. Raises Stop(BROKER_UNREACHABLE).
    """
    async with _reading(client, ", ".join(topics), *topics, isolation_level="read_committed") as consumer:
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
                found = (await consumer.getmany(tp, timeout_ms=FOLLOW_POLL_MS)).get(tp)
                last = found[-1].offset if found else last
        if last >= 0:
            return last + 1
    return 0


@asynccontextmanager
async def _reading(client: Mapping[str, Any], where: str, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that commits nothing. Raises Stop(BROKER_UNREACHABLE) for whatever the broker does not answer in time."""
    patience_ms = int(SILENCE_MAX_S * 1_000)
    consumer = AIOKafkaConsumer(*topics, **client, **options, enable_auto_commit=False, request_timeout_ms=patience_ms)
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError) as error:
        raise _away(f"{type(error).__name__}: {error}", where) from error
    finally:
        await let_go(consumer)


async def let_go(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer that commits nothing, whatever it is at."""
    # while a fetch waits for a broker that is away, `stop` ends in the cancellation of that fetch and leaves the connections open
    ends: list[object] = await asyncio.gather(consumer.stop(), return_exceptions=True)
    if ends != [None]:
        await consumer._client.close()  # noqa: SLF001 - what `stop` does next


async def _next_records(consumer: AIOKafkaConsumer, tp: ClientPartition, expected: int, end: int) -> Sequence[ConsumerRecord]:
    """What comes next, waited for; the client itself looks for a broker that is away without end."""
    records = (await consumer.getmany(tp, timeout_ms=int(SILENCE_MAX_S * 1_000))).get(tp)
    if not records:
        raise _away(f"no record after offset {expected} of {end} came within {SILENCE_MAX_S:g} s", tp.topic)
    return list(records)


class KafkaOutputs:
    """Where a lane's emissions go. `topics` maps handles to real topic names, `client` are further aiokafka arguments."""

    def __init__(self, bootstrap: str, topics: Mapping[str, str], client: Mapping[str, Any] | None = None) -> None:
        self._client: dict[str, Any] = {**(client or {}), "bootstrap_servers": bootstrap}
        self._topics = dict(topics)
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect, once. Raises Stop(PRODUCE_FAILED) when the broker does not answer."""
        if self._producer is None:
            self._producer = await _producer(self._client, ", ".join(self._topics.values()), OUTPUT_BATCH_BYTES_MAX)

    async def close(self) -> None:
        """Let go of the connection; batches under way are waited for."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        """Write all records, in order within each partition; return when the broker has acknowledged every one.

        Raises Stop(PRODUCE_FAILED) when one is not known to be written; some of the others may be.
        """
        framed = partial(lots_of, emissions, wall_ms, OUTPUT_BATCH_BYTES_MAX)
        lots = framed() if sum(len(e.partitions) for e in emissions) < SMALL_ROWS else await asyncio.to_thread(framed)
        tps: dict[tuple[str, int], list[RecordBatch]] = {}
        for lot in lots:
            tps.setdefault((self._topics[lot.handle], lot.partition), []).extend(lot.batches)
        await asyncio.gather(*(self._write(topic, partition, batches) for (topic, partition), batches in tps.items()))

    async def _write(self, topic: str, partition: int, batches: Sequence[RecordBatch]) -> None:
        producer = _started(self._producer)
        try:
            sent = [await producer.send_batch(FinishedBatch(batch), topic, partition=partition) for batch in batches]
            await asyncio.gather(*sent)
        except (KafkaError, AssertionError) as error:  # aiokafka asserts that the partition exists
            raise _failed(topic, error) from error


async def _producer(client: Mapping[str, Any], what: str, batch_bytes: int) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **client,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=batch_bytes,
        max_request_size=_REQUEST_BYTES_MAX,
    )
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await producer.stop()
        raise _failed(what, error) from error
    return producer


def _started(producer: AIOKafkaProducer | None) -> AIOKafkaProducer:
    if producer is None:
        raise Stop(Reason.PRODUCE_FAILED, "the producer was not started", remedy="Call start() first.")
    return producer


def _failed(topic: str, error: BaseException) -> Stop:
    return Stop(
        Reason.PRODUCE_FAILED,
        f"a record is not known to be written: {type(error).__name__}: {error}",
        where=topic,
        remedy="The lane stops before it emits more; start the worker again once the broker answers.",
    )


def _away(why: str, where: str) -> Stop:
    return Stop(
        Reason.BROKER_UNREACHABLE,
        f"what the lane starts from cannot be read: {why}",
        where=where,
        remedy="Nothing was changed; start the worker again once the broker answers, it reads its journal from the beginning.",
    )


def out_of_reach(topic: str, needed: int, first: int, end: int) -> Stop:
    """A journal that does not hold what a lane must fold next."""
    return Stop(
        Reason.JOURNAL_OUT_OF_REACH,
        f"the journal is needed from offset {needed} on and holds {first} to {end}",
        where=topic,
        remedy="It was truncated beyond every usable snapshot, or the topic was made anew: restore a snapshot or the topic.",
    )


def _gap(topic: str, expected: int, found: int) -> Stop:
    return Stop(
        Reason.JOURNAL_SEQUENCE_GAP,
        f"offset {expected} is missing, the next record is {found}",
        where=topic,
        remedy="A journal is never compacted and only truncated to a snapshot; restore the topic.",
    )
