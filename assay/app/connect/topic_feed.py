"""All partitions of a bank's topic, side by side, and a look at the topic now and then: new partitions, its end, its lag."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import NamedTuple, Protocol

from assay.app.bus.foreign_topic import Look, OutOfRange
from assay.app.connect.aside import SetAside
from assay.app.connect.partition_feed import PartitionFeed, Reader, Route
from assay.app.connect.positions import lost, recreated
from assay.app.streamer.world_streamer import Streamed
from assay.contracts.errors import Retry

#: seconds between two looks at the topic
LOOK_S = 2.0


class Source(Protocol):
    """A topic that can be looked at and read."""

    def look(self) -> Look:
        """The topic as it is now."""

    def reading(self, starts: Mapping[int, int]) -> AbstractAsyncContextManager[Reader]:
        """Read these partitions, each from its offset."""


class FeedPlan(NamedTuple):
    """`first`: the look at the topic with which the process begins. `until_end`: end at the offsets that it saw.

    `away_s`: for how long a Kafka may be away while the process runs.
    """

    first: Look
    until_end: bool = False
    away_s: float = 120.0
    look_s: float = LOOK_S


class TopicFeed:
    """Feeds a topic. `aside(partition, offset)` is where its refused records go; `show(read, note, total)` is told of progress."""

    def __init__(
        self,
        source: Source,
        plan: FeedPlan,
        route: Callable[[Callable[[], None]], Route],
        aside: Callable[[int, int], SetAside],
        stop: asyncio.Event,
        show: Callable[..., None],
    ) -> None:
        self._source, self._plan, self._aside, self._stop, self._show = source, plan, aside, stop, show
        self._route = route(self._moved)
        self._bounds = plan.first.bounds
        self._feeds: dict[int, PartitionFeed] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._started: dict[int, int] = {}
        self._away_since_s: float | None = None

    async def run(self) -> Streamed:
        """Feed until the end, or until `stop` is set. Raises as `PartitionFeed.run` and `ForeignTopic`, Stop(INPUT_OFFSET_LOST)."""
        async with AsyncExitStack() as stack:
            await self._begin(stack)
            try:
                await self._until_done(stack)
            finally:
                self._stop.set()
                await asyncio.gather(*self._tasks, return_exceptions=True)
            for task in self._tasks:
                task.result()
        return self._fed()

    async def _until_done(self, stack: AsyncExitStack) -> None:
        while running := [task for task in self._tasks if not task.done()]:
            done, _ = await asyncio.wait(running, timeout=self._plan.look_s, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if not self._stop.is_set():
                await self._look(stack)

    async def _begin(self, stack: AsyncExitStack) -> None:
        """Begin with the partitions that are not fed yet."""
        route, starts = self._route, dict[int, int]()
        for partition, (first, end) in self._bounds.items():
            if partition not in self._feeds:
                starts[partition] = offset = route.positions.load(partition, first, end)
                until = end if self._plan.until_end else None
                self._feeds[partition] = PartitionFeed(partition, route, self._aside(partition, offset), offset, until)
                route.watch.began(f"{route.topic}-{partition}", offset, end)
        if starts:
            self._started |= starts
            reader = await stack.enter_async_context(self._source.reading(starts))
            self._tasks += [asyncio.ensure_future(self._feed(self._feeds[partition], reader)) for partition in starts]

    async def _feed(self, feed: PartitionFeed, reader: Reader) -> None:
        try:
            await feed.run(reader)
        except OutOfRange:
            first, end = (await asyncio.to_thread(self._source.look)).bounds[feed.partition]
            raise lost(self._route.topic, feed.partition, feed.offset, first, end) from None

    async def _look(self, stack: AsyncExitStack) -> None:
        """Raises Stop(TOPIC_UNKNOWN) for a topic that is gone, Stop(INPUT_OFFSET_LOST) for another one, Retry(BROKER_UNREACHABLE)."""
        now_s = self._route.monotonic_s()
        try:
            look = await asyncio.to_thread(self._source.look)
        except Retry:
            self._away_since_s = now_s if self._away_since_s is None else self._away_since_s
            if now_s - self._away_since_s >= self._plan.away_s:
                raise
            return
        self._away_since_s = None
        if look.topic_id != self._plan.first.topic_id:
            raise recreated(self._route.topic, self._route.topic)
        if not self._plan.until_end:
            self._bounds = look.bounds
            await self._begin(stack)
        self._moved()

    def _moved(self) -> None:
        left = {partition: max(0, self._bounds[partition][1] - feed.offset) for partition, feed in self._feeds.items()}
        for partition, records in left.items():
            self._route.watch.lag(f"{self._route.topic}-{partition}", records)
        read = self._read()
        self._show(read, f"lag {sum(left.values()):,}", self._total() if self._plan.until_end else 0)

    def _read(self) -> int:
        return sum(feed.offset - self._started[partition] for partition, feed in self._feeds.items() if partition in self._started)

    def _total(self) -> int:
        return sum(max(0, self._bounds[partition][1] - offset) for partition, offset in self._started.items())

    def _fed(self) -> Streamed:
        complete = self._plan.until_end and all(feed.ended for feed in self._feeds.values())
        read = self._read()
        counts = sum((feed.counts for feed in self._feeds.values()), Counter[str]())
        return Streamed(read, self._total() if self._plan.until_end else read, complete, counts)


def starting(bounds: Mapping[int, tuple[int, int]], at: str) -> dict[int, int]:
    """The first offset of each partition for a run that begins: `earliest` or `latest`."""
    return {partition: bound[at == "latest"] for partition, bound in bounds.items()}
