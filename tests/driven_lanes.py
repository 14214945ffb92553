"""Lanes under the product's driver over the model log: journals and outputs of it, and a whole drive over an input."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from simulated_worlds import Finished, World, config, run, small_world

from assay.agents.step import Chunk, EffectResults, Effects, Emission, TopicPartition
from assay.app.lane.assembly import partition_counts
from assay.app.lane.driver import LaneDriver
from assay.app.lane.ports import Journal
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.log import LoggedRecord, MemoryStore, ModelLog
from assay.app.simulation.simulated_lane import SimulatedLane
from assay.app.stores.segment_journal import SegmentJournal
from assay.codecs.columns import Strings
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

WALL_US = 1_800_000_000_000_000
DEADLINE_S = 30.0
#: where the rtdl lane journals
JOURNAL = ("FP_JOURNAL_RTDL_V1", 0)


@cache
def world() -> World:
    return small_world(payments=40)


@cache
def simulated() -> Finished:
    return run(world())


class LogJournal:
    """A partition of the model log as a journal. `before_append` is what another writer does meanwhile."""

    def __init__(self, log: ModelLog, tp: TopicPartition, before_append: Callable[[int], None] = lambda count: None) -> None:
        self._log, self._place, self._before = log, tp, before_append
        self.appended = self.read = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        self._before(self.appended)
        self.appended += 1
        acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(self._log.append(self._place, LoggedRecord(b"", value, wall_ms * 1_000)))
        return acknowledged

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        for one in self._new():
            yield one

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        while True:
            yield self._new()
            await asyncio.sleep(0)

    async def read_between(self, first: int, end: int) -> list[bytes]:
        return [record.value for record in self._log.read(self._place, first, end - first)]

    def _new(self) -> list[tuple[int, bytes]]:
        first, self.read = self.read, self._log.end(self._place)
        return [(offset, record.value) for offset, record in enumerate(self._log.read(self._place, first, self.read - first), first)]


class LogOutputs:
    """Publishes to the model log; `fails_at` is the publish that raises instead, counting from 1."""

    def __init__(self, log: ModelLog, fails_at: int = 0) -> None:
        self._log, self._left = log, fails_at
        self.published = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        self._left -= 1
        if self._left == 0:
            raise Retry(Reason.PRODUCE_FAILED, "the broker is gone")
        self.published += 1
        for emission in emissions:
            for partition, key, value in zip(emission.partitions.tolist(), emission.keys.tolist(), emission.values.tolist(), strict=True):
                self._log.append((emission.handle, partition), LoggedRecord(key or b"", value or b"", wall_ms * 1_000))


class KeyedPort:
    """The keyed effector as the driver calls it."""

    def __init__(self, effector: KeyedEffector) -> None:
        self._effector = effector

    async def execute(self, effects: Effects) -> EffectResults:
        return self._effector.execute(effects)


class Clock:
    """A wall clock that moves by a second whenever it is read."""

    def __init__(self) -> None:
        self.now_us = WALL_US

    def __call__(self) -> int:
        self.now_us += 1_000_000
        return self.now_us


def wired(lane: SimulatedLane, journal: Journal, outputs: LogOutputs, effector: KeyedEffector, **options: Any) -> LaneDriver:
    """A driver of this lane; `options` are its further arguments."""
    acts = KeyedPort(effector) if lane.name == "act" else None
    return LaneDriver(lane.make(), journal, outputs, options.pop("clock", Clock()), Failpoints(), acts, **options)


async def play(driver: LaneDriver, lane: SimulatedLane, log: ModelLog) -> None:
    """Recover, feed what the input holds, run until all of it is journaled and out; raises what the driver raises."""
    await driver.recover()
    ends = {tp: log.end(tp) for tp in lane.tps}
    for tp, end in ends.items():
        start = driver.position()[tp]
        if end > start:
            values = [record.value for record in log.read(tp, start, end - start)]
            driver.feed(Chunk(*tp, np.arange(start, end, dtype=np.int64), Strings.of(values)))
    running = asyncio.create_task(driver.run())
    async with asyncio.timeout(DEADLINE_S):
        while not running.done() and any(driver.committable().get(tp, 0) < end for tp, end in ends.items()):
            await asyncio.sleep(0)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def lanes_of(effector: KeyedEffector) -> dict[str, SimulatedLane]:
    return {lane.name: lane for lane in simulated_lanes(config(), partition_counts(1), effector.execute, rows_max=7)}


def drive(
    name: str, log: ModelLog, effector: KeyedEffector, journal: LogJournal | None = None, outputs: LogOutputs | None = None, **options: Any
) -> LogOutputs:
    """Drive one lane over the log to the end of its input; `options` are further arguments of its driver."""
    lane = lanes_of(effector)[name]
    wired_outputs = outputs or LogOutputs(log)
    own = LogJournal(log, lane.journal) if lane.journal else SegmentJournal(MemoryStore())
    driver = wired(lane, journal or own, wired_outputs, effector, **options)

    async def whole() -> None:
        try:
            await play(driver, lane, log)
        finally:
            await driver.close()

    asyncio.run(whole())
    return wired_outputs
