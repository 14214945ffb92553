"""What must hold of the snapshots that are left: each is the fold of its journal, goes on right behind it, and was clean."""

from __future__ import annotations

from assay.agents.lane import LaneMachine
from assay.agents.step import Machine
from assay.app.simulation.lanes import SimulatedLane
from assay.app.simulation.simulator import Simulator
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.store import digests_of
from assay.codecs.journal_record import JournalRecord


class SnapshotsJudged:
    """The whole snapshots of a lane, held against a machine that folds its journal record by record."""

    def __init__(self, simulator: Simulator, lane: SimulatedLane, machine: Machine) -> None:
        self.wrong: list[str] = []
        self._simulator, self._lane, self._machine = simulator, lane, machine
        self._waiting = {manifest.sequence: manifest for manifest in simulator.keeper.whole(lane)}
        self._unclean: list[SnapshotManifest] = []
        self._before: SnapshotManifest | None = None

    def folded(self, offset: int, record: JournalRecord) -> None:
        """The machine has folded this record, which counts."""
        if self._before is not None and self._before.next_offset > offset:
            self._say(self._before, f"goes on at {self._before.next_offset}, behind the next record")
        assert self._lane.journal is not None
        durable_at = self._simulator.log.arrivals(self._lane.journal)[offset] + 1
        for manifest in [one for one in self._unclean if one.sequence <= record.emitted_through]:
            self._unclean.remove(manifest)
            if durable_at > self._simulator.store.written_at[manifest.key]:
                self._say(manifest, "was published before its outputs were known to be out")
        self._before = None
        if record.sequence in self._waiting:
            self._before = manifest = self._waiting.pop(record.sequence)
            self._judge(manifest, offset, record.epoch)
            self._unclean.append(manifest)

    def at_rest(self) -> list[str]:
        """What is wrong with any of them."""
        for manifest in self._waiting.values():
            self._say(manifest, "is of a record that does not count")
        for manifest in self._unclean:
            self._say(manifest, "was published although its outputs were never known to be out")
        return self.wrong

    def _judge(self, manifest: SnapshotManifest, offset: int, epoch: int) -> None:
        assert isinstance(self._machine, LaneMachine)
        position = tuple((handle, partition, at) for (handle, partition), at in sorted(self._machine.position().items()))
        if digests_of(self._machine.state()) != manifest.state_digests:
            self._say(manifest, "holds another state than the journal gives")
        if (manifest.epoch, manifest.offsets) != (epoch, position) or manifest.next_offset <= offset:
            self._say(manifest, "names an epoch or offsets that are not those of its state")

    def _say(self, manifest: SnapshotManifest, what: str) -> None:
        self.wrong.append(f"the snapshot of {self._lane.name} at record {manifest.sequence} {what}")
