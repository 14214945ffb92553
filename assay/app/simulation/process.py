"""A simulated process: the product's own lane driver on a loop in virtual time, between ports that the world answers.

The driver, its machine and the segment journal are the code a worker runs. What is modelled is what surrounds them: the
broker, the object store, the group that starts a successor, and the operating system that may freeze or kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import numpy as np

from assay.agents.step import Chunk, Effects, TopicPartition
from assay.app.bus.finished_batch import SMALL_ROWS as LARGE
from assay.app.lane.assembly import Ports, drive
from assay.app.simulation.faults import FailedProduce, UnknownProduce
from assay.app.simulation.log import LoggedRecord, MemoryStore, ModelLog
from assay.app.simulation.loop import SimulatedLoop
from assay.app.simulation.ports import Acts, Boundaries, LogJournal, LogOutputs, StoreJournal, snapshots
from assay.app.simulation.simulated_lane import SimulatedLane
from assay.app.snapshots.taking import SnapshotPace
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: rows from which on a driver folds in its thread: in production, and so that both ways are walked by lanes of few payments
SMALL_ROWS = (LARGE, 1, 20)
#: how long a lane that found nothing, or something, waits before it fetches again
IDLE_S, MOVING_S = 0.05, 0.002


@dataclass(eq=False)
class Request:
    """Records on their way to one partition; the answer goes to `answered`."""

    process: Process
    tp: TopicPartition
    records: Sequence[LoggedRecord]
    answered: asyncio.Future[int]
    fault: FailedProduce | UnknownProduce | None
    lost: bool = False


class World(Protocol):
    """What a process lives in."""

    log: ModelLog
    store: MemoryStore
    random: Random
    pace: SnapshotPace

    def now_us(self) -> int:
        """Virtual time."""

    def begun(self, journal: TopicPartition, offset: int) -> None:
        """A process reads a journal from this offset on."""

    def wall_us(self) -> int:
        """The wall clock, which a fault may set."""

    def schedule(self, after_us: int, action: Callable[[], None]) -> None:
        """Do something later."""

    def moved(self) -> None:
        """Something was written."""

    def ask(self, effects: Effects) -> None:
        """The world outside hears of these."""

    def reached(self, process: Process, boundary: str) -> None:
        """A process is at a boundary: planted faults happen now."""

    def transmit(self, request: Request) -> None:
        """Take records that a process sends."""

    def fetches(self, process: Process) -> Iterator[tuple[TopicPartition, int]]:
        """Partitions to fetch from now, and how many records at most."""

    def commit(self, process: Process, offsets: Mapping[TopicPartition, int]) -> None:
        """Note what the group may skip."""

    def ended(self, process: Process, error: BaseException) -> None:
        """A process has stopped by itself."""


@dataclass(eq=False)
class Process:
    """One incarnation of a lane."""

    world: World
    lane: SimulatedLane
    number: int
    dead: bool = False
    frozen: bool = False
    #: until then it reaches nobody
    away_until_us: int = 0
    #: it does nothing for this long when it has come to its boundary
    stall_us: int = 0
    #: while frozen, what was sent before waits inside
    unsent: bool = False
    recovering: bool = True
    next_write: FailedProduce | UnknownProduce | None = None
    refused: set[TopicPartition] = field(default_factory=set)
    again: dict[TopicPartition, int] = field(default_factory=dict)
    fetched: dict[TopicPartition, int] = field(default_factory=dict)
    _held: list[Callable[[], object]] = field(default_factory=list)
    _committed: dict[TopicPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lane = self.lane
        self.loop = SimulatedLoop(self)
        self._owns = asyncio.Event()
        self.journal = LogJournal(self, lane.journal) if lane.journal else StoreJournal(self)
        machine = lane.make()
        ports = Ports(
            journal=self.journal,
            outputs=LogOutputs(self),
            wall_us=self.world.wall_us,
            failpoints=Boundaries(self),
            effector=Acts(self, lane.execute) if lane.execute else None,
            input_ends=self._input_ends,
            small_rows=self.world.random.choice(SMALL_ROWS),
            snapshots=snapshots(self, machine, self.journal),
        )
        self.driver = drive(lane.spec, machine, ports)

    def start(self, *, owns: bool) -> None:
        """Begin to live, as owner of the lane or to stand by for it."""
        if owns:
            self._owns.set()
        self.loop.call_soon(lambda: self.loop.create_task(self._live()).add_done_callback(self._ended))
        self._go_on()

    def take_over(self) -> None:
        """The group has given the lane to this process."""
        self.inside(self._owns.set)

    def kill(self) -> None:
        """SIGKILL, where it stands; one that is running is let go of when it comes to its boundary."""
        self.dead, self.frozen = True, False
        self._held.clear()

    def bury(self) -> None:
        """Let go of what a dead process was at."""
        self.kill()
        self.loop.end()

    def thaw(self) -> None:
        """SIGCONT: what came in meanwhile is met now, in its order."""
        if not self.frozen:
            return
        self.frozen = False
        held, self._held = self._held, []
        self._go_on()
        for action in held:
            self.inside(action)

    def inside(self, action: Callable[[], object]) -> None:
        """Do something within the process and let it go on from there; later if it is frozen, never if it is dead."""
        if self.frozen:
            self._held.append(action)
        elif not self.dead:
            action()
            self._go_on()

    def outlives(self, action: Callable[[], None]) -> None:
        """Do something that has left the process already, unless it was kept back when the process froze."""
        if self.frozen and self.unsent:
            self._held.append(action)
        else:
            action()

    def _go_on(self) -> None:
        self.loop.run_ready(lambda: not (self.dead or self.frozen))
        if self.dead:
            self.loop.end()

    async def reach(self, boundary: str) -> None:
        """Come to a boundary; nothing after it is done by a process that died or froze there."""
        self.world.reached(self, boundary)
        if self.dead or self.frozen:
            await asyncio.sleep(0)
        if self.stall_us:
            us, self.stall_us = self.stall_us, 0
            await asyncio.sleep(us / 1e6)

    def away_us(self) -> int:
        """How long it still reaches nobody."""
        return max(0, self.away_until_us - self.world.now_us())

    async def connected(self) -> None:
        """Wait until it reaches others."""
        while left_us := self.away_us():  # noqa: ASYNC110  # in virtual time it sleeps exactly as long as is left
            await asyncio.sleep(left_us / 1e6)

    def send(self, tp: TopicPartition, records: Sequence[LoggedRecord]) -> asyncio.Future[int]:
        """Records leave the process; the future gives the offset of the first, or raises Stop(PRODUCE_FAILED)."""
        answered: asyncio.Future[int] = self.loop.create_future()
        fault, self.next_write = self.next_write, None
        self.world.transmit(Request(self, tp, records, answered, fault))
        return answered

    # -- what its loop asks for

    def now_us(self) -> int:
        return self.world.now_us()

    def wake(self, after_us: int, action: Callable[[], None]) -> None:
        self.world.schedule(after_us, lambda: self.inside(action))

    def submit(self, job: Callable[[], object], done: Callable[[object, Exception | None], None], *, of_lane: bool) -> None:
        """Folds touch nothing outside. Other jobs do: one under way may come to its end although its process does not."""

        def run() -> None:
            if self.dead and (of_lane or self.world.random.random() < 0.5):
                return
            if self.frozen and (of_lane or self.unsent):
                self._held.append(run)
                return
            value, error = _outcome(job)
            self.inside(lambda: done(value, error))

        away_us = 0 if of_lane else self.away_us()
        self.world.schedule(away_us + self.world.random.randint(20, 400), run)

    # -- its life

    async def _live(self) -> None:
        following = None if self._owns.is_set() else asyncio.create_task(self.driver.follow())
        if following:
            owning = asyncio.create_task(self._owns.wait())
            await asyncio.wait((owning, following), return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
        await self.driver.recover()
        if following:
            await following
        self.recovering = False
        self.fetched = dict(self.driver.position())
        tasks = [asyncio.create_task(self.driver.run()), asyncio.create_task(self._fetch())]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def _ended(self, life: asyncio.Task[None]) -> None:
        error = life.exception() or Stop(Reason.LANE_ENDED, f"lane {self.lane.name} returned")
        self.kill()
        self.world.ended(self, error)

    async def _fetch(self) -> None:
        while True:
            moved = False
            for tp, records_max in self.world.fetches(self):
                if records_max and self.driver.wants(tp):
                    moved |= await self._fetch_from(tp, records_max)
            await self.connected()
            offsets = self.driver.committable()
            if offsets != self._committed:
                self._committed = offsets
                self.world.commit(self, offsets)
                await self.reach("committed")
            await asyncio.sleep(MOVING_S if moved else IDLE_S)

    async def _fetch_from(self, tp: TopicPartition, records_max: int) -> bool:
        start = self.fetched.get(tp, 0)
        records = self.world.log.read(tp, start, records_max)
        if not records:
            return False
        again = min(start, self.again.pop(tp, 0))
        given = self.world.log.read(tp, start - again, again + len(records))
        values, newest_ms = Strings.of([record.value for record in given]), max(record.wall_us for record in given) // 1_000
        self.fetched[tp] = start + len(records)
        self.driver.feed(Chunk(*tp, np.arange(start - again, start + len(records), dtype=np.int64), values, newest_ms=newest_ms))
        await self.reach("fetched")
        return True

    async def _input_ends(self) -> dict[TopicPartition, int]:
        return {tp: self.world.log.end(tp) for tp in self.lane.tps}


def _outcome(job: Callable[[], object]) -> tuple[object, Exception | None]:
    try:
        return job(), None
    except Exception as error:  # noqa: BLE001  # whatever it is, it is raised where the job is awaited
        return None, error
