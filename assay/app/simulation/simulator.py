"""The topology in memory: a seeded world in virtual time where processes run the product's own lanes and drivers.

The world is a queue of events, each at its virtual time: records arrive, answers return, timers ring, processes start. Faults
are elements of the input: they happen where a lane comes to a boundary. The same seed and input give the same run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from assay.agents.step import Effects, Machine, TopicPartition
from assay.app.simulation.events import Events
from assay.app.simulation.faults import (
    ClockJump,
    Crash,
    CutOff,
    Delay,
    Duplicate,
    FailedProduce,
    Fault,
    Freeze,
    Planted,
    Poison,
    Reorder,
    Rival,
    SlowSnapshot,
    TornSnapshot,
    UnknownProduce,
)
from assay.app.simulation.fetching import Feed, Fetching
from assay.app.simulation.log import LoggedRecord, MemoryStore, ModelLog
from assay.app.simulation.maintenance import JournalMaintenance
from assay.app.simulation.network import Network
from assay.app.simulation.poison import Planter
from assay.app.simulation.process import Process, Request
from assay.app.simulation.simulated_lane import SimulatedLane
from assay.app.snapshots.taking import NEVER, SnapshotPace
from assay.contracts.errors import AssayError

#: a run is over when nothing has been written for this long: an idle lane's notes come one and two seconds after its work
QUIET_US = 2_500_000
#: how long the group takes to miss a member that stands still, and to start another for one that has ended
SESSION_US, RESTART_US = 200_000, 50_000
#: more processes than this in one run: one ends where the one before it ended
PROCESSES_MAX = 80


class Commit(NamedTuple):
    """What the group was told it may skip of a lane's input, and how many records the log held then."""

    lane: str
    offsets: Mapping[TopicPartition, int]
    at: int


class End(NamedTuple):
    """A process that stopped by itself."""

    lane: str
    process: int
    error: BaseException


class Simulator:
    """Runs lanes over a model log until nothing moves. `feed` is published while they run, in its order."""

    def __init__(
        self,
        lanes: Sequence[SimulatedLane],
        log: ModelLog,
        seed: int = 0,
        faults: Iterable[Planted] = (),
        fetch_max: int = 1_000,
        feed: Sequence[tuple[TopicPartition, LoggedRecord]] = (),
        lot_max: int = 60,
        *,
        standbys: bool = False,
        pace: SnapshotPace = NEVER,
    ) -> None:
        self.log = log
        self.store = MemoryStore(now=lambda: log.count)
        self.random = Random(seed)
        self.lanes = {lane.name: lane for lane in lanes}
        self.met: list[Planted] = []
        self.commits: list[Commit] = []
        self.ends: list[End] = []
        #: for each idempotency key, how many records the log held when the world outside first heard of it
        self.asked: dict[bytes, int] = {}
        #: how often a lane was given to a process
        self.owners: Counter[str] = Counter()
        self.poison = Planter(log, self.random)
        self.pace = pace
        self._events = Events()
        self.keeper = JournalMaintenance(self._events, log, self.store, self.random, lanes)
        self._network = Network(self._events, log, self.random)
        self._fetching = Fetching(self._events, self.random, fetch_max)
        self.fetches, self.begun = self._fetching.fetches, self.keeper.begun
        self._feed = Feed(self._events, log, self.random, feed, lot_max)
        self._started = 0
        self._processes: list[Process] = []
        self._with_standbys = standbys
        self._standbys: dict[str, Process] = {}
        self._members: dict[str, Process] = {}
        self._reached: dict[tuple[str, str], int] = defaultdict(int)
        self._planted = _by_occurrence(faults)
        self._slow: dict[str, list[Planted]] = defaultdict(list)

    def run(self, events_max: int = 2_000_000) -> None:
        """Until nothing moves. Raises RuntimeError when that takes more than `events_max` events."""
        for lane in self.lanes.values():
            self._give(lane)
        for planted in self._planted.pop(("", "", 0), ()):
            for process in self._members.values():
                self._happen(planted.fault, process)
        self._feed.publish_lot()
        if self._with_standbys:
            self.keeper.truncate_now_and_then()
        try:
            self._until_quiet(events_max)
        finally:
            for process in self._processes:
                process.bury()

    def _until_quiet(self, events_max: int) -> None:
        while self._events.now_us <= self._events.busy_until_us + QUIET_US:
            self._events.next()
            if self._events.count > events_max:
                raise RuntimeError(f"the simulation still moves after {events_max} events; it stopped {self._last_ends()}")

    def machine(self, lane: str) -> Machine:
        """The machine of the process that owns a lane."""
        return self._members[lane].driver.machine

    def times_reached(self) -> Mapping[tuple[str, str], int]:
        """How often each (lane, boundary) was reached: a planted fault that was not is no proof."""
        return dict(self._reached)

    # -- what processes ask for

    def now_us(self) -> int:
        return self._events.now_us

    def wall_us(self) -> int:
        return self._events.wall_us()

    def schedule(self, after_us: int, action: Callable[[], None]) -> None:
        self._events.after(after_us, action)

    def transmit(self, request: Request) -> None:
        self._network.send(request)

    def moved(self) -> None:
        self._events.moved()

    def commit(self, process: Process, offsets: Mapping[TopicPartition, int]) -> None:
        self.commits.append(Commit(process.lane.name, offsets, self.log.count))

    def ask(self, effects: Effects) -> None:
        for key in effects.idempotency_key:
            self.asked.setdefault(key.tobytes(), self.log.count)

    def ended(self, process: Process, error: BaseException) -> None:
        """A member that stopped is followed by another. Raises RuntimeError for what is no refusal but a defect."""
        self.ends.append(End(process.lane.name, process.number, error))
        if not isinstance(error, AssayError | OSError):
            raise RuntimeError(f"a process of lane {process.lane.name} broke") from error  # noqa: TRY004  # it is no wrong type
        self._gone(process)

    def reached(self, process: Process, boundary: str) -> None:
        key = (process.lane.name, boundary)
        self._reached[key] += 1
        for planted in self._planted.pop((*key, self._reached[key]), ()):
            if isinstance(planted.fault, SlowSnapshot):
                self._slow[process.lane.name].append(planted)
            elif isinstance(planted.fault, TornSnapshot) and not self.keeper.tear(process.lane, planted.fault.damage):
                self._planted[(*key, self._reached[key] + 1)].append(planted)
            else:
                self.met.append(planted)
                self._happen(planted.fault, process)
        if boundary == "snapshotting" and self._slow[process.lane.name]:
            self._slow_down(self._slow[process.lane.name].pop(0), process)

    # -- the group

    def _give(self, lane: SimulatedLane) -> None:
        """Another process owns the lane from now on: its standby if it has one that lives."""
        self.owners[lane.name] += 1
        standby = self._standbys.pop(lane.name, None)
        if standby is None or standby.dead:
            self._members[lane.name] = process = self._process(lane)
            process.start(owns=True)
        else:
            self._members[lane.name] = standby
            self._events.after(0, standby.take_over)  # it may be the one that is running
        if self._with_standbys:
            self._stand_by(lane, None)

    def _stand_by(self, lane: SimulatedLane, before: Process | None) -> None:
        """Another process stands by, unless one does since this one ended."""
        if self._standbys.get(lane.name) is before:
            self._standbys[lane.name] = process = self._process(lane)
            process.start(owns=False)

    def _gone(self, process: Process) -> None:
        """A process has ended: what it had under way may be lost, and another takes its place after some time."""
        self._network.cut(process)
        lane, after_us = process.lane, self.random.randint(1_000, RESTART_US)
        self._give_later(lane, after_us)
        if process in self._standbys.values():
            self._events.after(after_us, lambda: self._stand_by(lane, process))

    def _process(self, lane: SimulatedLane) -> Process:
        if self._started == PROCESSES_MAX:
            raise RuntimeError(f"lanes do not come to rest: {self._last_ends()}")
        self._processes = [process for process in self._processes if not process.dead]
        self._processes.append(Process(self, lane, self._started))
        self.keeper.watch(self._processes[-1])
        self._started += 1
        self._events.moved()
        return self._processes[-1]

    def _give_later(self, lane: SimulatedLane, after_us: int) -> None:
        """The group misses a member after some time, unless it is back by then or another is there already."""
        before = self._members[lane.name]

        def give() -> None:
            if self._members[lane.name] is before and (before.dead or before.frozen or before.away_us()):
                self._give(lane)

        self._events.after(after_us, give, busy=True)

    def _last_ends(self) -> str:
        return "; ".join(f"{end.lane}: {end.error}" for end in self.ends[-3:])

    # -- faults

    def _happen(self, fault: Fault, process: Process) -> None:
        lane = process.lane
        match fault:
            case Crash():
                process.kill()
                self._gone(process)
            case Freeze(us, unsent):
                process.frozen, process.unsent = True, unsent
                self._events.after(us, process.thaw, busy=True)
                self._give_later(lane, SESSION_US)
            case CutOff(us):
                process.away_until_us = self._events.now_us + us
                self._events.after(us, self._events.moved, busy=True)
                self._give_later(lane, SESSION_US)
            case Rival():
                self._give(lane)
            case FailedProduce() | UnknownProduce():
                process.next_write = fault
            case ClockJump(us):
                self._events.jump_us += us
            case Poison(kind):
                self.poison.plant(kind, lane.tps)
            case TornSnapshot():
                self._cut_power(lane, process)
            case Duplicate() | Delay() | Reorder():
                self._fetching.disturb(fault, process)

    def _cut_power(self, lane: SimulatedLane, running: Process) -> None:
        """All processes of a lane are gone, and objects that were not flushed. Who runs is let go of when it comes to its boundary."""
        self.store.power_fails()
        for process in self._processes:
            if process.lane is lane and not process.dead:
                (process.kill if process is running else process.bury)()
                self._gone(process)

    def _slow_down(self, planted: Planted, writer: Process) -> None:
        """A snapshot that is being written takes long, and is overtaken."""
        assert isinstance(planted.fault, SlowSnapshot)
        self.met.append(planted)
        writer.stall_us, overtaken_by = planted.fault

        def overtake() -> None:
            if overtaken_by == "crash":
                writer.bury()
                self._gone(writer)
            elif overtaken_by == "claim":
                self._give(writer.lane)
            else:
                self.keeper.truncate(writer.lane)

        self._events.after(self.random.randint(0, writer.stall_us), overtake, busy=True)


def _by_occurrence(faults: Iterable[Planted]) -> dict[tuple[str, str, int], list[Planted]]:
    found: dict[tuple[str, str, int], list[Planted]] = defaultdict(list)
    for planted in faults:
        found[planted[1:]].append(planted)
    return found
