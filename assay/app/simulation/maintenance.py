"""Journals and snapshots of a run from outside: they are damaged, and journals are truncated to snapshots that were verified.

What is damaged is known here as no process knows it, so what processes and the product's own check make of it can be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from assay.agents.lane import LaneMachine
from assay.agents.step import TopicPartition
from assay.app.journal.maintenance import verified_target
from assay.app.journal.reading import HeldJournal, StoredRecord
from assay.app.simulation.events import Events
from assay.app.simulation.log import MemoryStore, ModelLog
from assay.app.simulation.ports import LogJournal
from assay.app.simulation.process import Process
from assay.app.simulation.simulated_lane import SimulatedLane
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.store import SnapshotStore
from assay.contracts.errors import Stop

#: where standbys take snapshots a journal is truncated now and then; the steps of that are at most so far apart
PAUSE_US, STEP_US = 2_000_000, 100_000


class ModelJournal(HeldJournal):
    """A lane's journal on the model log as it is now, as `LaneJournal` is one of Kafka's."""

    def __init__(self, log: ModelLog, store: MemoryStore, lane: SimulatedLane) -> None:
        assert lane.journal is not None
        self._log, self._store, self._lane, self._place = log, store, lane, lane.journal
        self.lane, self.topic = lane.id, lane.journal[0]
        self.first, self.end = log.first[lane.journal], log.end(lane.journal)
        self.run_config_digest = self.new_lane().identity.run_config_digest

    def entries(self, first: int) -> Iterator[StoredRecord]:
        for offset, record in enumerate(self._log.read(self._place, first, self.end - first), first):
            yield StoredRecord(offset, record.value)

    def new_lane(self) -> LaneMachine:
        lane = self._lane.make()
        assert isinstance(lane, LaneMachine)
        return lane

    def snapshots(self) -> SnapshotStore:
        return SnapshotStore(self._store, self.lane)


class JournalMaintenance:
    """Who looks after the journals of a run, and who damages its snapshots. `wrong` says what should not be."""

    def __init__(self, events: Events, log: ModelLog, store: MemoryStore, random: Random, lanes: Sequence[SimulatedLane]) -> None:
        self._events, self._log, self._store, self._random = events, log, store, random
        self._processes: list[Process] = []
        self._lanes = {lane.journal: lane for lane in lanes if lane.journal}
        #: manifests that no longer stand for what was written
        self.torn: set[str] = set()
        #: offsets at which processes began to read journals
        self.begun_at: list[int] = []
        #: (journal, offset) that a journal was truncated to
        self.truncated: list[tuple[TopicPartition, int]] = []
        #: processes that had not read what their journal was truncated of
        self.overtaken: set[int] = set()
        self.wrong: list[str] = []

    def watch(self, process: Process) -> None:
        """A process has started."""
        self._processes = [*(one for one in self._processes if not one.dead), process]

    def whole(self, lane: SimulatedLane) -> list[SnapshotManifest]:
        """Snapshots that nobody damaged and a lane can go on from, the newest first."""
        if lane.journal is None:
            return []
        found = [one for one in SnapshotStore(self._store, lane.id).found() if one.key not in self.torn]
        self.wrong += [f"{one.key}, which nobody damaged, is refused: {one.refused}" for one in found if one.refused is not None]
        return [one.manifest for one in found if one.manifest is not None and one.manifest.next_offset >= self._log.first[lane.journal]]

    def begun(self, journal: TopicPartition, offset: int) -> None:
        """A process goes on behind a snapshot, or at 0: that is the newest one that is whole."""
        self.begun_at.append(offset)
        newest = next((manifest.next_offset for manifest in self.whole(self._lanes[journal])), 0)
        if offset != newest:
            self.wrong.append(f"a process of {self._lanes[journal].name} began at {offset}, its newest whole snapshot ends at {newest}")

    def tear(self, lane: SimulatedLane, kind: str) -> bool:
        """Damage the newest snapshot. False, and nothing is damaged, unless there is one before it to start from."""
        whole = self.whole(lane)
        if len(whole) < 2:
            return False
        target, how = kind.split("_", 1)
        key = whole[0].key if target == "manifest" else self._random.choice(whole[0].parts).key
        self.torn.add(whole[0].key)
        value = self._store.objects.pop(key)
        if how == "cut_off":
            self._store.objects[key] = value[: self._random.randrange(len(value))]
        elif how == "flipped":
            at = self._random.randrange(len(value))
            self._store.objects[key] = value[:at] + bytes([value[at] ^ (1 << self._random.randrange(8))]) + value[at + 1 :]
        return True

    def truncate_now_and_then(self) -> None:
        """Truncate some journal, and another after a while, as long as the run goes on."""
        self.truncate(self._random.choice(list(self._lanes.values())))
        self._events.after(self._random.randint(PAUSE_US // 4, PAUSE_US), self.truncate_now_and_then)

    def truncate(self, lane: SimulatedLane) -> None:
        """Truncate a journal as the product does, if it may; time passes between its steps."""
        journal, whole = ModelJournal(self._log, self._store, lane), self.whole(lane)
        try:
            target, _ = verified_target(journal)
        except Stop as refused:
            there = {one.key for one in journal.snapshots().found()}
            if len(whole) > 1 and not there & self.torn:
                self.wrong.append(f"the journal of {lane.name} is not truncated to a whole snapshot: {refused}")
            return
        if target not in whole[1:]:
            self.wrong.append(f"the journal of {lane.name} is truncated to {target.next_offset}: no two whole snapshots are behind that")
        self._later(lambda: self._delete(lane, journal, target))

    def _delete(self, lane: SimulatedLane, journal: ModelJournal, target: SnapshotManifest) -> None:
        assert lane.journal is not None
        first = self._log.first[lane.journal] = max(target.next_offset, self._log.first[lane.journal])
        self.truncated.append((lane.journal, first))
        for process in self._processes:
            if process.lane is lane and isinstance(process.journal, LogJournal) and process.journal.behind(first):
                self.overtaken.add(process.number)

        def remove() -> None:
            journal.snapshots().remove_before(target.sequence)

        self._later(remove)

    def _later(self, step: Callable[[], None]) -> None:
        self._events.after(self._random.randint(0, STEP_US), step)
