"""Journals of a small world, and snapshots made of them in a directory."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from simulated_worlds import config, run, small_world

from assay.agents.lane import LaneMachine
from assay.agents.specs import journal_topic
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.run.code_digest import code_digest
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.store import SnapshotStore
from assay.app.snapshots.taking import manifest_of
from assay.app.stores.objects import DirectoryStore
from assay.codecs.journal_record import JournalRecord

CODE = code_digest()
PLACE = ("journal", 0)


@cache
def journal(name: str) -> tuple[bytes, ...]:
    """The journal of an undisturbed run over the small world, in small records."""
    finished = run(small_world(payments=40))
    return tuple(finished.log.values(journal_topic(TOPOLOGY.lane(name))))


def lane(name: str = "rtdl", code: bytes = CODE, **changed: object) -> LaneMachine:
    """A lane that has read nothing."""
    return fold_machine_of(TOPOLOGY.lane(name), config().model_copy(update=changed), partition_counts(1), code=code)


def folded(name: str, count: int) -> LaneMachine:
    """A lane that has folded the first records of its journal, all of whose outputs are out."""
    one = lane(name)
    for value in journal(name)[:count]:
        one.apply(value)
        one.emitted(JournalRecord.from_bytes(value).sequence)
    return one


def store(root: Path, name: str = "rtdl") -> SnapshotStore:
    """The snapshots of a lane below a directory."""
    return SnapshotStore(DirectoryStore(root), LaneId(name, 0))


def snapshot(root: Path, name: str, count: int) -> SnapshotManifest:
    """Publish a snapshot of a lane that has folded so many records."""
    one = folded(name, count)
    draft = store(root, name).draft(one.applied.sequence)
    for part, state in one.state().items():
        draft.write(part, state)
    manifest = manifest_of(one, draft, PLACE, count)
    assert draft.publish(manifest)
    return manifest
