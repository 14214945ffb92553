"""A standby takes snapshots between two folds, and lets go of one at once when it is to take over.

Only a clean one is published: a later journal record has said that all outputs up to it are out. Then nothing before it
ever needs to be emitted again, and a lane that starts from it needs no stored outcomes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from assay.agents.lane import LaneMachine
from assay.app.run.failpoints import Failpoints
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.starting import start_from_newest
from assay.app.snapshots.store import Draft, SnapshotStore
from assay.codecs.table_state import TableState
from assay.contracts.errors import Retry

_log = logging.getLogger(__name__)


class Readable(Protocol):
    """A journal that can be read from anywhere; `place` is its topic's real name and partition."""

    tp: tuple[str, int]

    def begin_at(self, offset: int) -> None:
        """Reading begins at this offset."""


class SnapshotPace(NamedTuple):
    """A snapshot is due after so many journal records or seconds, whichever comes first; 0 for never."""

    records: int
    seconds: float


NEVER = SnapshotPace(0, 0.0)


def manifest_of(lane: LaneMachine, draft: Draft, journal: tuple[str, int], next_offset: int) -> SnapshotManifest:
    """The manifest of a draft that holds the lane as it is now."""
    return SnapshotManifest(
        lane=lane.name,
        shard=lane.identity.shard,
        epoch=lane.applied.epoch,
        sequence=lane.applied.sequence,
        journal_topic=journal[0],
        journal_partition=journal[1],
        next_offset=next_offset,
        offsets=tuple((handle, partition, at) for (handle, partition), at in sorted(lane.position().items())),
        code_digest=lane.identity.code_digest.hex(),
        run_config_digest=lane.identity.run_config_digest.hex(),
        parts=tuple(draft.parts),
    )


class Snapshots:
    """The snapshots of one lane as its worker uses them: where it starts, and what it takes while it stands by."""

    def __init__(
        self,
        lane: LaneMachine,
        store: SnapshotStore,
        journal: Readable,
        pace: SnapshotPace,
        now_s: Callable[[], float],
        failpoints: Failpoints,
    ) -> None:
        self._lane, self._store, self._journal = lane, store, journal
        self._pace, self._now_s, self._failpoints = pace, now_s, failpoints
        self._draft: tuple[Draft, SnapshotManifest] | None = None
        #: how long the start took to restore a snapshot
        self.load_s = 0.0
        self._last_sequence, self._last_s = -1, now_s()

    def start(self) -> int:
        """Restore the newest usable snapshot into the lane; the journal offset to go on at, 0 without one."""
        began_s = self._now_s()
        manifest = start_from_newest(self._lane, self._store)
        self.load_s = self._now_s() - began_s
        offset = manifest.next_offset if manifest else 0
        self._journal.begin_at(offset)
        self._last_sequence, self._last_s = self._lane.applied.sequence, self._now_s()
        return offset

    async def between_folds(self, next_offset: int, taken_over: asyncio.Event) -> None:
        """Take a snapshot if one is due, or publish the last one once it is clean. The lane must not fold meanwhile."""
        try:
            if self._draft is not None:
                if self._lane.emitted_through >= self._draft[1].sequence:
                    await self._publish()
            elif self._due() and not taken_over.is_set():
                await self._take(next_offset, taken_over)
        except (OSError, Retry) as error:  # neither a full disk nor a store that is away must end a standby
            _log.warning("lane %s: no snapshot at record %d: %s", self._lane.name, self._lane.applied.sequence, error)
            await self.drop()

    async def drop(self) -> None:
        """Let go of a draft: this process owns the lane now, and an owner takes none."""
        if self._draft is not None:
            (draft, _), self._draft = self._draft, None
            with suppress(Retry):  # a store that is away: what is left of the draft goes with the next snapshot
                await asyncio.to_thread(draft.discard)

    def _due(self) -> bool:
        new = self._lane.applied.sequence - self._last_sequence
        by_records = self._pace.records and new >= self._pace.records
        by_time = self._pace.seconds and new > 0 and self._now_s() - self._last_s >= self._pace.seconds
        return bool(by_records or by_time)

    async def _take(self, next_offset: int, taken_over: asyncio.Event) -> None:
        self._last_sequence, self._last_s = self._lane.applied.sequence, self._now_s()
        draft = await self._begun(self._last_sequence)
        parts = await asyncio.to_thread(self._lane.state)
        writing, takeover = asyncio.create_task(self._write(draft, parts)), asyncio.create_task(taken_over.wait())
        try:
            await asyncio.wait((writing, takeover), return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
                self._draft = draft, manifest_of(self._lane, draft, self._journal.tp, next_offset)
        finally:
            takeover.cancel()
            if self._draft is None:  # taken over, cancelled or failed: the lane may fold once nothing reads it any more
                draft.abandon()
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                await asyncio.to_thread(draft.discard)

    async def _begun(self, sequence: int) -> Draft:
        """A draft; none is left when this is cancelled while its thread makes one."""
        making = asyncio.create_task(asyncio.to_thread(self._store.draft, sequence))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.to_thread((await making).discard)
            raise

    async def _write(self, draft: Draft, parts: Mapping[str, TableState]) -> None:
        for name, state in parts.items():
            await asyncio.to_thread(draft.write, name, state)
            await self._failpoints.reach("during_snapshot")

    async def _publish(self) -> None:
        assert self._draft is not None
        (draft, manifest), self._draft = self._draft, None
        if await asyncio.shield(asyncio.to_thread(draft.publish, manifest)):  # begun, it comes to its end
            _log.info("lane %s: snapshot at record %d, %d bytes", manifest.lane, manifest.sequence, manifest.size_bytes)
            await asyncio.to_thread(self._store.clean)
        else:
            await asyncio.to_thread(draft.discard)
