"""Where a lane starts: the newest snapshot that is whole and its own, else the one before it, at last the whole journal."""

from __future__ import annotations

import logging
from collections.abc import Callable

from assay.agents.lane import LaneMachine
from assay.app.snapshots.manifest import SnapshotManifest, unfit
from assay.app.snapshots.store import SnapshotStore
from assay.contracts.errors import Stop

_log = logging.getLogger(__name__)


def start_from_newest(lane: LaneMachine, store: SnapshotStore, say: Callable[[str], None] = _log.warning) -> SnapshotManifest | None:
    """Restore the newest usable snapshot into a lane that has folded nothing; None when there is none. Refusals are said."""
    for found in store.found():
        try:
            if found.manifest is None:
                assert found.refused is not None
                raise found.refused
            restore(lane, store, found.manifest)
        except Stop as refused:
            say(f"lane {lane.name}: {found.key} is not used: {refused}")
            continue
        return found.manifest
    return None


def restore(lane: LaneMachine, store: SnapshotStore, manifest: SnapshotManifest) -> None:
    """Restore one snapshot. Raises Stop (SNAPSHOT_DAMAGED, SNAPSHOT_UNFIT, STATE_UNREADABLE, STATE_OF_ANOTHER_PLAN).

    The lane is as it was then. Other code may have made it: whether the parts fit is what this code finds when it reads them.
    """
    ours = lane.identity.run_config_digest.hex()
    if manifest.run_config_digest != ours:
        raise unfit(f"it was made under run config {manifest.run_config_digest[:12]}, this run has {ours[:12]}", manifest.key)
    lane.restore(store.parts(manifest))
