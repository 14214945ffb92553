"""One reader of topics: from their first records to an end that is fixed beforehand, as chunks for programs or as records for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from aiokafka import TopicPartition

from assay.agents.faust_shell.fetching import fetch_runs, to_chunk
from assay.agents.step import Chunk
from assay.app.bus.admin import Bounds
from assay.app.bus.consumer import consuming, fetches
from assay.app.bus.errors import topic_unknown, unreachable
from assay.app.bus.offsets import log_bounds
from assay.app.bus.prefetch import prefetched
from assay.contracts.topics import topic

FETCH_BYTES_MAX = 4 * 1024 * 1024
#: a fetch behind the last record waits so long; until it is back, no other partition of its broker is fetched
END_WAIT_MS = 20


class TopicRecord(NamedTuple):
    """One record as it lies on the broker; `value` None is a tombstone. `wall_ms` is its timestamp."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    wall_ms: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


class TopicReader:
    """Reads a topic by its real name; chunks carry `handle`. `properties` are librdkafka's (TLS, SASL)."""

    def __init__(self, bootstrap: str, name: str, properties: Mapping[str, str] | None = None, handle: str = "") -> None:
        self._bootstrap, self._name, self._properties = bootstrap, name, properties
        self._handle = handle or name

    def bounds(self) -> Bounds:
        """The offsets that the topic holds now. Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN)."""
        return log_bounds(self._bootstrap, self._name, self._properties)

    def chunks(self, bounds: Bounds | None = None) -> Generator[Chunk]:
        """Chunks of every partition within `bounds`, each partition in offset order; all that the topic holds at the call if None.

        Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN).
        """
        limits = self.bounds() if bounds is None else bounds
        with closing(self._fetched(limits, as_runs=True)) as fetched:
            for partition, records in fetched:
                chunk = to_chunk((self._handle, partition), records)
                kept = int(np.searchsorted(chunk.offsets, limits[partition][1]))
                if kept:
                    yield Chunk(self._handle, partition, chunk.offsets[:kept], chunk.values.take(np.arange(kept)))

    def records(self, bounds: Bounds | None = None) -> Generator[TopicRecord]:
        """The same with an object for each record, which has its key and timestamp too. Raises as `chunks` does."""
        limits = self.bounds() if bounds is None else bounds
        with closing(self._fetched(limits, as_runs=False)) as fetched:
            for partition, records in fetched:
                for one in records:
                    if one.offset < limits[partition][1]:
                        yield TopicRecord(partition, one.offset, one.key, one.value, one.timestamp, tuple(one.headers))

    def _fetched(self, limits: Bounds, *, as_runs: bool) -> Generator[tuple[int, list[Any]]]:
        """(partition, records of one fetch), read ahead in a thread. `as_runs`: a fetch is one run of values, see `fetch_runs`."""
        return prefetched(self._fetches(limits, as_runs=as_runs))

    def _fetches(self, limits: Bounds, *, as_runs: bool) -> Iterator[tuple[int, list[Any]]]:
        """Made in a thread that has no other event loop."""
        wanted = {partition: bound for partition, bound in sorted(limits.items()) if bound[0] < bound[1]}
        if not wanted:
            return
        with asyncio.Runner() as runner:
            fetching = self._fetch_all(wanted, as_runs=as_runs)
            try:
                while (fetched := runner.run(_next(fetching))) is not None:
                    yield fetched
            finally:
                runner.run(fetching.aclose())

    async def _fetch_all(self, wanted: Bounds, *, as_runs: bool) -> AsyncGenerator[tuple[int, list[Any]]]:
        options = {
            "auto_offset_reset": "earliest", "isolation_level": "read_committed", "max_partition_fetch_bytes": FETCH_BYTES_MAX,
            "fetch_max_wait_ms": END_WAIT_MS,
        }  # fmt: skip
        async with consuming(self._bootstrap, self._properties, unreachable, self._name, **options) as consumer:
            if as_runs:
                fetch_runs(consumer._fetcher)  # noqa: SLF001 - as the worker's transport does
            for partition, (first, end) in wanted.items():
                tp = TopicPartition(self._name, partition)
                consumer.assign([tp])
                consumer.seek(tp, first)
                async for records in fetches(consumer, tp, end, unreachable):
                    yield partition, records


async def _next(fetching: AsyncGenerator[tuple[int, list[Any]]]) -> tuple[int, list[Any]] | None:
    return await anext(fetching, None)


def reader_of(bootstrap: str, handle: str, namespace: str, properties: Mapping[str, str] | None = None) -> TopicReader:
    """The reader of one of our topics."""
    return TopicReader(bootstrap, topic(handle).name(namespace), properties, handle)


def read_topic(
    bootstrap: str, handle: str, namespace: str, properties: Mapping[str, str] | None = None, bounds: Bounds | None = None
) -> Iterator[Chunk]:
    """Chunks of one of our topics; see `TopicReader.chunks`."""
    return reader_of(bootstrap, handle, namespace, properties).chunks(bounds)


def read_records(
    bootstrap: str,
    handle: str,
    namespace: str,
    properties: Mapping[str, str] | None = None,
    *,
    partition: int | None = None,
    first: int = 0,
    last: int | None = None,
    limit: int | None = None,
) -> Iterator[TopicRecord]:
    """At most `limit` records of offsets `first` to `last` (inclusive), partition after partition, up to the end at the call.

    Raises Stop(TOPIC_UNKNOWN) for a topic or partition that the broker does not have, Retry(BROKER_UNREACHABLE).
    """
    reader = reader_of(bootstrap, handle, namespace, properties)
    held = reader.bounds()
    if partition is not None and partition not in held:
        raise topic_unknown(f"{topic(handle).name(namespace)} has partitions 0 to {max(held)}, not {partition}", bootstrap)
    chosen = {number: bound for number, bound in held.items() if partition in (None, number)}
    limits = {number: (max(first, begin), end if last is None else min(end, last + 1)) for number, (begin, end) in chosen.items()}
    with closing(reader.records(limits)) as records:
        yield from islice(records, limit)
