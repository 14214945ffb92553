"""A lane's journal read from outside, and where a fold of it can begin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from assay.agents.journal import JournalReader, out_of_reach
from assay.agents.lane import LaneMachine
from assay.agents.specs import JournalTopic, journal_topic
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.bus.offsets import bounds_of
from assay.app.bus.topic_reader import read_topic
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.run.directory import Run
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.starting import restore
from assay.app.snapshots.store import SnapshotStore
from assay.contracts.errors import Stop
from assay.contracts.topics import topic

#: lanes whose journal is a topic. The audit lane's segments are its journal and the audit itself: they are never truncated,
#: and reading them at start is checking them.
LANES = tuple(LaneId(lane.name, n) for lane in TOPOLOGY.lanes if isinstance(lane.journal, JournalTopic) for n in range(lane.shards))


class StoredRecord(NamedTuple):
    """A journal record where it lies."""

    offset: int
    value: bytes


def reader_behind(manifest: SnapshotManifest) -> JournalReader:
    """A reader that has read up to this snapshot."""
    return JournalReader(manifest.shard, manifest.epoch, manifest.sequence)


class HeldJournal(ABC):
    """The journal of one lane, which holds offsets `first` to `end` (exclusive), and the snapshots beside it."""

    lane: LaneId
    topic: str
    first: int
    end: int
    run_config_digest: bytes

    @abstractmethod
    def entries(self, first: int) -> Iterator[StoredRecord]:
        """Records from an offset on."""

    @abstractmethod
    def new_lane(self) -> LaneMachine:
        """A lane that has folded nothing."""

    @abstractmethod
    def snapshots(self) -> SnapshotStore:
        """The lane's snapshots."""

    def reader(self) -> JournalReader | None:
        """Reads on at `first`, where the head is gone and a snapshot says what was before it: a record there may not count."""
        found = (one.manifest for one in self.snapshots().found())
        return next((reader_behind(one) for one in found if one is not None and one.next_offset == self.first), None)

    def oldest_start(self, lane: LaneMachine) -> SnapshotManifest | None:
        """Bring a lane to where the journal's fold can begin: nothing before offset 0, else the oldest snapshot within reach.

        Raises Stop(JOURNAL_OUT_OF_REACH) when the journal was truncated beyond every usable snapshot.
        """
        if self.first == 0:
            return None
        whole = [one.manifest for one in reversed(self.snapshots().found()) if one.manifest is not None]
        for manifest in whole:
            if self.first <= manifest.next_offset <= self.end:
                try:
                    restore(lane, self.snapshots(), manifest)
                except Stop:
                    continue
                return manifest
        raise out_of_reach(self.topic, 0, self.first, self.end)


class LaneJournal(HeldJournal):
    """The journal of one lane of a run as it was when this was made. `properties` are Kafka's (TLS, SASL)."""

    def __init__(self, run: Run, lane: LaneId, properties: Mapping[str, str] | None = None) -> None:
        handle = journal_topic(TOPOLOGY.lane(lane.lane))
        self.run, self.lane, self.topic = run, lane, topic(handle).name(run.namespace)
        self.run_config_digest = run.config.digest
        self._handle, self._properties = handle, properties
        self.first, self.end = bounds_of(run.bootstrap, handle, run.namespace, properties)[lane.shard]
        self.tp = (self.topic, lane.shard)

    def entries(self, first: int) -> Iterator[StoredRecord]:
        """Records from an offset on. Raises Retry(BROKER_UNREACHABLE)."""
        bounds = {self.lane.shard: (first, self.end)}
        for chunk in read_topic(self.run.bootstrap, self._handle, self.run.namespace, self._properties, bounds):
            for offset, value in zip(chunk.offsets.tolist(), chunk.values.tolist(), strict=True):
                yield StoredRecord(offset, value or b"")

    def new_lane(self) -> LaneMachine:
        """A lane that has folded nothing."""
        counts = partition_counts(self.run.partitions)
        return fold_machine_of(TOPOLOGY.lane(self.lane.lane), self.run.config, counts, shard=self.lane.shard)

    def snapshots(self) -> SnapshotStore:
        """The lane's snapshots."""
        return SnapshotStore(self.run.store, self.lane)
