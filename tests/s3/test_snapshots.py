"""Snapshots of a lane in a bucket: a lane starts from one, an older one goes, and a standby outlives a bucket that is away."""

from __future__ import annotations

import hashlib

import pytest
from snapshot_stores import PLACE, folded, journal, lane
from troubled_store import Troubled

from assay.agents.step import LaneId
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.starting import start_from_newest
from assay.app.snapshots.store import KEPT, SnapshotStore, digests_of
from assay.app.snapshots.taking import manifest_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def snapshot(store: SnapshotStore, count: int) -> SnapshotManifest:
    """Publish one of a lane that has folded so many records."""
    one = folded("rtdl", count)
    draft = store.draft(one.applied.sequence)
    for part, state in one.state().items():
        draft.write(part, state)
    manifest = manifest_of(one, draft, PLACE, count)
    assert draft.publish(manifest)
    return manifest


def test_a_lane_starts_from_a_snapshot_in_a_bucket(troubled: Troubled) -> None:
    store = SnapshotStore(troubled.around, LaneId("rtdl", 0))
    records = len(journal("rtdl"))
    made = [snapshot(store, count) for count in range(records - KEPT - 2, records)]
    assert store.clean() != []
    assert [one.manifest for one in store.found()] == [*made[: -KEPT - 1 : -1], made[0]], "the oldest stays, too"
    started = lane("rtdl")
    assert start_from_newest(started, store) == made[-1]
    assert digests_of(started.state()) == digests_of(folded("rtdl", records - 1).state())
    part = made[-1].parts[0]
    assert hashlib.sha256(troubled.around.view(part.key)).hexdigest() == part.sha256
    troubled.around.replace(part.key, b"another")
    with pytest.raises(Stop) as refused:
        store.parts(made[-1])
    assert refused.value.reason is Reason.SNAPSHOT_DAMAGED
    assert start_from_newest(lane("rtdl"), store, lambda _: None) == made[-2]
