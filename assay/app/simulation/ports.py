"""What a simulated process calls instead of a broker, an object store and an effector: the driver's ports over models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Protocol

from assay.agents.journal import out_of_reach
from assay.agents.lane import LaneMachine
from assay.agents.step import EffectResults, Effects, Emission, Machine, TopicPartition
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.faults import FailedProduce, UnknownProduce
from assay.app.simulation.log import LoggedRecord, MemoryStore, ModelLog
from assay.app.snapshots.store import SnapshotStore
from assay.app.snapshots.taking import SnapshotPace, Snapshots
from assay.app.stores.segment_journal import SegmentJournal

#: how often a standby looks for new journal records
FOLLOW_POLL_S = 0.1
#: the driver's failpoints as boundaries; where two of its points differ in nothing that can be seen from outside, one is enough
BOUNDARY_OF = {
    "recovering": "recovering",
    "folded": "computed",
    "after_journal_before_produce": "journal_acknowledged",
    "after_effects_before_results": "effects_executed",
    "after_produce_before_commit": "outputs_acknowledged",
    "during_snapshot": "snapshotting",
}


class Outlasting(Protocol):
    """What no process takes with it when it ends."""

    log: ModelLog
    store: MemoryStore
    random: Random
    pace: SnapshotPace

    def now_us(self) -> int:
        """Virtual time."""

    def begun(self, journal: TopicPartition, offset: int) -> None:
        """A process reads a journal from this offset on."""

    def moved(self) -> None:
        """Something was written."""

    def ask(self, effects: Effects) -> None:
        """The world outside hears of these."""


class Caller(Protocol):
    """The process a port belongs to."""

    recovering: bool
    next_write: FailedProduce | UnknownProduce | None

    @property
    def world(self) -> Outlasting:
        """Where it lives."""

    async def reach(self, boundary: str) -> None:
        """Come to a boundary."""

    async def connected(self) -> None:
        """Wait until it reaches others."""

    def send(self, tp: TopicPartition, records: Sequence[LoggedRecord]) -> asyncio.Future[int]:
        """Send records to one partition."""


class Boundaries(Failpoints):
    """The driver's failpoints are boundaries where faults happen."""

    def __init__(self, process: Caller) -> None:
        super().__init__()
        self._process = process

    async def reach(self, name: str) -> None:
        await super().reach(name)
        if name in BOUNDARY_OF:
            await self._process.reach(BOUNDARY_OF[name])


class _Port:
    """Nothing to connect to."""

    def __init__(self, process: Caller) -> None:
        self._process = process

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def _sending(self) -> str:
        return "claiming" if self._process.recovering else "journal_sent"


class LogJournal(_Port):
    """A partition of the model log as a lane's journal, as `KafkaJournal` is one of Kafka's."""

    def __init__(self, process: Caller, tp: TopicPartition) -> None:
        super().__init__(process)
        self.tp = tp
        self._read = 0
        self._begun = False

    def begin_at(self, offset: int) -> None:
        self._read, self._begun = offset, True
        self._process.world.begun(self.tp, offset)

    def behind(self, offset: int) -> bool:
        """Whether it has begun and has not read so far."""
        return self._begun and self._read < offset

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        acknowledged = self._process.send(self.tp, (LoggedRecord(b"", value, wall_ms * 1_000),))
        await self._process.reach(self._sending)
        return acknowledged

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        await self._process.connected()
        for one in self._new():
            yield one

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        while True:
            await self._process.connected()
            yield self._new()
            await asyncio.sleep(FOLLOW_POLL_S)

    async def read_between(self, first: int, end: int) -> list[bytes]:
        await self._process.connected()
        return [record.value for _, record in self._from(first, end)]

    def _new(self) -> list[tuple[int, bytes]]:
        new = self._from(self._read, self._process.world.log.end(self.tp))
        self._read += len(new)
        return [(offset, record.value) for offset, record in new]

    def _from(self, first: int, end: int) -> list[tuple[int, LoggedRecord]]:
        """Raises Stop(JOURNAL_OUT_OF_REACH)."""
        log = self._process.world.log
        if first < log.first[self.tp]:
            raise out_of_reach(self.tp[0], first, log.first[self.tp], end)
        return list(enumerate(log.read(self.tp, first, end - first), first))


class StoreJournal(_Port):
    """The product's segment journal over a store whose writes may fail."""

    def __init__(self, process: Caller) -> None:
        super().__init__(process)
        self._segments = SegmentJournal(FailingStore(process))

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        appending = asyncio.ensure_future(self._segments.append(value, wall_ms))
        await asyncio.sleep(0)  # the write is under way
        await self._process.reach(self._sending)
        return await appending

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        await self._process.connected()
        async for one in self._segments.read_all():
            yield one

    def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        return self._segments.follow()

    async def read_between(self, first: int, end: int) -> list[bytes]:
        return await self._segments.read_between(first, end)


class FailingStore:
    """The world's store as one process sees it."""

    def __init__(self, process: Caller) -> None:
        self._process = process
        self._store = process.world.store
        self.read = self._store.read
        self.keys = self._store.keys
        self.view = self._store.view
        self.make_durable = self._store.make_durable
        self.remove = self._store.remove
        self.remove_below = self._store.remove_below

    def create(self, key: str, data: bytes) -> None:
        self._write(key, lambda: self._store.create(key, data))

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        self._write(key, lambda: self._store.create_from(key, blocks))

    def replace(self, key: str, data: bytes) -> None:
        self._write(key, lambda: self._store.replace(key, data))

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        self._write(key, lambda: self._store.swap(key, data, expected))

    def _write(self, key: str, write: Callable[[], None]) -> None:
        fault, self._process.next_write = self._process.next_write, None
        if fault is None:
            write()
        elif isinstance(fault, UnknownProduce) and fault.arrives:
            self._store.cut_off(key, write)
        if fault is None or (isinstance(fault, UnknownProduce) and fault.arrives):
            self._process.world.moved()
        if fault is not None:
            raise OSError(f"planted: {key} is not known to be written")


def snapshots(process: Caller, machine: Machine, journal: LogJournal | StoreJournal) -> Snapshots | None:
    """The product's snapshots of a lane with a journal topic, in a store whose writes may fail."""
    if not isinstance(machine, LaneMachine) or not isinstance(journal, LogJournal):
        return None
    world = process.world
    store = SnapshotStore(FailingStore(process), machine.identity.lane, lambda: f"{world.random.getrandbits(32):08x}")
    return Snapshots(machine, store, journal, world.pace, lambda: world.now_us() / 1e6, Boundaries(process))


class LogOutputs(_Port):
    """Publishes to the model log; what goes to one partition travels in one or two batches."""

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        sent = [self._process.send(tp, batch) for emission in emissions for tp, batch in self._batches(emission, wall_ms)]
        await self._process.reach("outputs_sent")
        await asyncio.gather(*sent)

    def _batches(self, emission: Emission, wall_ms: int) -> Iterator[tuple[TopicPartition, Sequence[LoggedRecord]]]:
        lots: dict[int, list[LoggedRecord]] = {}
        for partition, key, value in zip(emission.partitions.tolist(), emission.keys.tolist(), emission.values.tolist(), strict=True):
            lots.setdefault(partition, []).append(LoggedRecord(key or b"", value or b"", wall_ms * 1_000))
        for partition, records in lots.items():
            cut = self._process.world.random.randint(1, len(records))
            for part in (records[:cut], records[cut:]):
                if part:
                    yield (emission.handle, partition), part


class Acts(_Port):
    """The world outside: what it did is remembered by no process."""

    def __init__(self, process: Caller, execute: Callable[[Effects], EffectResults]) -> None:
        super().__init__(process)
        self._execute = execute

    async def execute(self, effects: Effects) -> EffectResults:
        await self._process.reach("effects_asked")
        self._process.world.ask(effects)
        return self._execute(effects)
