"""The topology in memory: a seeded interpreter with a virtual clock, where faults are elements of the input.

The log here is a model of Kafka's (partitions, offsets, appends that survive a crash or do not); it cannot be chosen as
wiring. Lanes run through the same machines and in the same order as under the worker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import numpy as np

from assay.agents.step import Chunk, EffectResults, Effects, Emission, Machine, Outcome, Place
from assay.codecs.columns import Strings

#: where a process can die; between any two of them nothing observable happens
BOUNDARIES = (
    "fetched",
    "journal_sent",
    "journal_acknowledged",
    "computed",
    "effects_executed",
    "outputs_sent",
    "outputs_acknowledged",
    "committed",
)


#: virtual time that a round in which nothing moves takes
IDLE_US = 1_000_000


class Record(NamedTuple):
    """One record of the model log."""

    key: bytes
    value: bytes
    wall_us: int


class Crash(NamedTuple):
    """The process of a lane dies the n-th time it reaches a boundary (counting from 1)."""

    lane: str
    boundary: str
    occurrence: int


class Delay(NamedTuple):
    """Records of a topic become visible only after this many rounds."""

    handle: str
    rounds: int


class Duplicate(NamedTuple):
    """Each fetch of a topic redelivers this many records before its position."""

    handle: str
    records: int


class Reorder(NamedTuple):
    """Fetches take partitions in random order and random sizes, at most this many records at once."""

    records_max: int


Fault = Crash | Delay | Duplicate | Reorder


class Died(Exception):
    """A planted crash was reached."""


class ModelLog:
    """Topics with partitions of records. Appends are durable unless the crash that interrupts them says otherwise."""

    def __init__(self) -> None:
        self._records: dict[Place, list[Record]] = defaultdict(list)

    def append(self, place: Place, record: Record) -> int:
        """Append one record; its offset."""
        self._records[place].append(record)
        return len(self._records[place]) - 1

    def read(self, place: Place, offset: int, records_max: int) -> list[Record]:
        """Records from an offset on."""
        return self._records[place][offset : offset + records_max]

    def end(self, place: Place) -> int:
        """The next offset of a partition."""
        return len(self._records[place])

    def places(self) -> list[Place]:
        """Partitions that hold records."""
        return sorted(place for place, records in self._records.items() if records)

    def values(self, handle: str) -> list[bytes]:
        """All values of a topic, partition by partition."""
        places = [place for place in self.places() if place[0] == handle]
        return [record.value for place in places for record in self._records[place]]


@dataclass
class SimulatedLane:
    """How one lane is built, and where it reads and writes."""

    name: str
    make: Callable[[], Machine]
    places: Sequence[Place]
    journal: Place
    execute: Callable[[Effects], EffectResults] | None = None


@dataclass
class _Process:
    """A running incarnation of a lane."""

    machine: Machine
    fetched: dict[Place, int] = field(default_factory=dict)
    journal_end: int = 0


class Simulator:
    """Runs lanes over a model log until nothing moves. The same seed and input give the same run."""

    def __init__(
        self, lanes: Sequence[SimulatedLane], log: ModelLog, seed: int = 0, faults: Iterable[Fault] = (), fetch_max: int = 1_000
    ) -> None:
        self.log = log
        self._lanes = {lane.name: lane for lane in lanes}
        self._random = Random(seed)
        self._wall_us = 1_800_000_000_000_000 + seed
        self._faults = list(faults)
        self._fetch_max = fetch_max
        self._reached: dict[tuple[str, str], int] = defaultdict(int)
        self._processes: dict[str, _Process] = {}
        self._round = 0
        self.crashes: list[Crash] = []

    def run(self, rounds_max: int = 100_000) -> None:
        """Until no lane can move. Raises RuntimeError when that takes more than rounds_max rounds."""
        idle = 0
        while idle < 2:
            self._round += 1
            if self._round > rounds_max:
                raise RuntimeError(f"the simulation still moves after {rounds_max} rounds")
            moved = [self._turn(lane) for lane in self._lanes.values()]
            waiting = any(isinstance(f, Delay) and f.rounds >= self._round for f in self._faults)
            idle = 0 if any(moved) or waiting else idle + 1
            if idle:
                self._wall_us += IDLE_US  # time passes for what is grouped by time

    def machine(self, lane: str) -> Machine:
        """The running machine of a lane."""
        return self._processes[lane].machine

    # -- one turn of one lane; any Died in it is a SIGKILL, and the next turn starts a new process

    def _turn(self, lane: SimulatedLane) -> bool:
        try:
            process = self._processes.get(lane.name) or self._start(lane)
            fetched = self._fetch(lane, process)
            worked = self._work(lane, process)
        except Died:
            self._processes.pop(lane.name, None)
            return True
        return fetched or worked

    def _start(self, lane: SimulatedLane) -> _Process:
        process = _Process(lane.make())
        for record in self.log.read(lane.journal, 0, self.log.end(lane.journal)):
            process.machine.recover(record.value)
        process.journal_end = self.log.end(lane.journal)
        tail = process.machine.unemitted()
        claimed = self._claim(lane, process)
        for sequence, outcome in tail:
            self._settle(lane, process, sequence, outcome)
        if tail:
            claimed = self._claim(lane, process)
        process.machine.emitted(claimed)
        process.fetched = {place: process.machine.position()[place] for place in lane.places}
        self._processes[lane.name] = process
        return process

    def _claim(self, lane: SimulatedLane, process: _Process) -> int:
        claim = process.machine.claim_entry(self._now())
        if claim is None:
            return -1
        self._append_journal(lane, process, claim.value)
        process.machine.apply(claim.value)
        return claim.sequence

    def _fetch(self, lane: SimulatedLane, process: _Process) -> bool:
        moved = False
        places = list(lane.places)
        reorder = next((f for f in self._faults if isinstance(f, Reorder)), None)
        if reorder:
            self._random.shuffle(places)
        for place in places:
            records_max = self._random.randint(0, reorder.records_max) if reorder else self._fetch_max
            if self._is_delayed(place[0]) or not process.machine.wants(place):
                continue
            start = process.fetched[place]
            records = self.log.read(place, start, records_max)
            if not records:
                moved |= bool(reorder) and start < self.log.end(place)
                continue
            process.fetched[place] = start + len(records)
            again = min(start, sum(f.records for f in self._faults if isinstance(f, Duplicate) and f.handle == place[0]))
            process.machine.receive(self._chunk(place, start - again, start + len(records)))
            self._reach(lane, "fetched")
            moved = True
        return moved

    def _chunk(self, place: Place, first: int, end: int) -> Chunk:
        values = Strings.of([record.value for record in self.log.read(place, first, end - first)])
        return Chunk(*place, np.arange(first, end, dtype=np.int64), values)

    def _work(self, lane: SimulatedLane, process: _Process) -> bool:
        moved = False
        while (entry := process.machine.next_entry(self._now())) is not None:
            self._append_journal(lane, process, entry.value)
            self._reach(lane, "journal_acknowledged")
            outcome = process.machine.apply(entry.value)
            self._reach(lane, "computed")
            self._settle(lane, process, entry.sequence, outcome)
            moved = True
        return moved

    def _append_journal(self, lane: SimulatedLane, process: _Process, value: bytes) -> None:
        durable = not self._dies(lane, "journal_sent") or self._random.random() < 0.5
        if durable:
            offset = self.log.append(lane.journal, Record(b"", value, self._now()))
            assert offset == process.journal_end, "another writer"
            process.journal_end = offset + 1
        self._reach(lane, "journal_sent")

    def _settle(self, lane: SimulatedLane, process: _Process, sequence: int, outcome: Outcome) -> None:
        emissions = list(outcome.emissions)
        if outcome.effects is not None and lane.execute is not None:
            results = lane.execute(outcome.effects)
            self._reach(lane, "effects_executed")
            entry = process.machine.results_entry(results, self._now())
            self._append_journal(lane, process, entry.value)
            self._reach(lane, "journal_acknowledged")
            emissions += process.machine.apply(entry.value).emissions
            sequence = entry.sequence
        self._publish(lane, emissions)
        self._reach(lane, "outputs_acknowledged")
        process.machine.emitted(sequence)
        self._reach(lane, "committed")

    def _publish(self, lane: SimulatedLane, emissions: Sequence[Emission]) -> None:
        records = [
            ((emission.handle, partition), Record(key or b"", value or b"", self._now()))
            for emission in emissions
            for partition, key, value in zip(emission.partitions.tolist(), emission.keys.tolist(), emission.values.tolist(), strict=True)
        ]
        survives = self._random.randint(0, len(records)) if self._dies(lane, "outputs_sent") else len(records)
        for place, record in records[:survives]:
            self.log.append(place, record)
        self._reach(lane, "outputs_sent")

    # -- faults and time

    def _now(self) -> int:
        self._wall_us += 1_000
        return self._wall_us

    def _is_delayed(self, handle: str) -> bool:
        return any(isinstance(f, Delay) and f.handle == handle and f.rounds >= self._round for f in self._faults)

    def _dies(self, lane: SimulatedLane, boundary: str) -> bool:
        """Whether the next reach of this boundary is a planted crash."""
        return Crash(lane.name, boundary, self._reached[(lane.name, boundary)] + 1) in self._faults

    def _reach(self, lane: SimulatedLane, boundary: str) -> None:
        dies = self._dies(lane, boundary)
        self._reached[(lane.name, boundary)] += 1
        if dies:
            self.crashes.append(Crash(lane.name, boundary, self._reached[(lane.name, boundary)]))
            raise Died(boundary)

    def reached(self) -> Mapping[tuple[str, str], int]:
        """How often each (lane, boundary) was reached: a planted crash that was not is no proof."""
        return dict(self._reached)
