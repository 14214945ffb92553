"""Snapshots of one lane in an object store: written part by part, there once the manifest is, read by digest."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from assay.agents.step import LaneId
from assay.app.snapshots.manifest import (
    MANIFEST_NAME,
    SnapshotManifest,
    SnapshotPart,
    damaged,
    draft_folder,
    folder_of,
    is_manifest,
    manifest_key,
    part_key,
    prefix_of,
)
from assay.app.stores.objects import LargeObjects, ObjectExists
from assay.codecs.table_state import TableState, blocks, read_state
from assay.contracts.errors import Stop

#: snapshots kept, besides the oldest, at which a replay of a truncated journal begins
KEPT = 3
_HASH_BYTES = 2**24


def _random_name() -> str:
    return secrets.token_hex(4)


class DraftAbandonedError(Exception):
    """The state is needed for something else: what was written of it is worth nothing."""


class Found(NamedTuple):
    """A manifest that is there, or why it does not count."""

    key: str
    manifest: SnapshotManifest | None
    refused: Stop | None


class SnapshotStore:
    """The snapshots of one lane. `draft_name` gives names that no two writers of a sequence share."""

    def __init__(self, objects: LargeObjects, lane: LaneId, draft_name: Callable[[], str] = _random_name) -> None:
        self.lane = lane
        self._objects = objects
        self._draft_name = draft_name

    def found(self) -> list[Found]:
        """Every manifest, the newest first."""
        keys = [key for key in self._objects.keys(prefix_of(self.lane)) if is_manifest(key)]
        return [self._look_at(key) for key in reversed(keys)]

    def _look_at(self, key: str) -> Found:
        try:
            return Found(key, SnapshotManifest.from_bytes(self._objects.read(key), key), None)
        except Stop as refused:
            return Found(key, None, refused)

    def parts(self, manifest: SnapshotManifest) -> dict[str, TableState]:
        """The parts of a snapshot, over mapped objects. Raises Stop(SNAPSHOT_DAMAGED) unless every digest holds."""
        return {part.name: read_state(self._held(part)) for part in manifest.parts}

    def _held(self, part: SnapshotPart) -> memoryview:
        try:
            value = self._objects.view(part.key)
        except FileNotFoundError:
            raise damaged("a part is missing", part.key) from None
        except (OSError, ValueError) as error:  # a key that no file can have, or one that the disk does not give
            raise damaged(f"a part cannot be read: {type(error).__name__}", part.key) from None
        if len(value) != part.size_bytes:
            raise damaged(f"a part has {len(value):,} of {part.size_bytes:,} bytes", part.key)
        digest = hashlib.sha256()
        for start in range(0, len(value), _HASH_BYTES):
            digest.update(value[start : start + _HASH_BYTES])
        if digest.hexdigest() != part.sha256:
            raise damaged(f"a part has digest {digest.hexdigest()[:12]}, its manifest says {part.sha256[:12]}", part.key)
        return value

    def draft(self, sequence: int) -> Draft:
        """A new draft of the state at this sequence."""
        return Draft(self._objects, self.lane, sequence, self._draft_name())

    def make_durable(self) -> None:
        """Before something is deleted because a snapshot was found."""
        self._objects.make_durable(prefix_of(self.lane))

    def clean(self) -> list[str]:
        """Remove snapshots beyond those kept, and drafts older than the newest snapshot; the folders removed.

        A draft that is still written is not harmed by it: its process finds a part missing and lets it go.
        """
        whole = [one.manifest for one in self.found() if one.manifest is not None]
        return self._remove_all_but([*whole[:KEPT], *whole[-1:]])

    def remove_before(self, sequence: int) -> list[str]:
        """Remove every snapshot before this one, which is there; the folders removed."""
        whole = [one.manifest for one in self.found() if one.manifest is not None]
        return self._remove_all_but([one for one in whole if one.sequence >= sequence])

    def _remove_all_but(self, kept: Sequence[SnapshotManifest]) -> list[str]:
        held = {folder_of(part.key) for one in kept for part in one.parts} | {folder_of(one.key) for one in kept}
        newest = max((folder_of(one.key) for one in kept), default="")
        folders = {folder_of(key) for key in self._objects.keys(prefix_of(self.lane))}
        gone = sorted(folder for folder in folders if folder not in held and folder < newest)
        for folder in gone:  # the manifest first: what is left after a crash in between is a draft
            self._objects.remove(f"{folder}/{MANIFEST_NAME}")
            self._objects.remove_below(folder)
        return gone


class Draft:
    """Parts of a snapshot without a manifest. It may be abandoned from another thread while a part is written."""

    def __init__(self, objects: LargeObjects, lane: LaneId, sequence: int, name: str) -> None:
        self.sequence = sequence
        self.parts: list[SnapshotPart] = []
        self._objects, self._lane, self._name = objects, lane, name
        # an object of its own, so that a write that is cut off can be found
        objects.create(part_key(lane, sequence, self._name, "draft"), b"")
        self._reading = threading.Lock()
        self._abandoned = False

    def write(self, name: str, state: TableState) -> None:
        """Write one part durably. Raises DraftAbandonedError, and leaves nothing of the part, once `abandon` was called."""
        key = part_key(self._lane, self.sequence, self._name, name)
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes | memoryview]:
            nonlocal size
            for block in self._guarded(blocks(state)):
                digest.update(block)
                size += len(block)
                yield block

        self._objects.create_from(key, counted())
        self.parts.append(SnapshotPart(name=name, key=key, sha256=digest.hexdigest(), size_bytes=size))

    def _guarded(self, source: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        while True:
            with self._reading:
                if self._abandoned:
                    raise DraftAbandonedError
                block = next(source, None)
            if block is None:
                return
            yield block

    def abandon(self) -> None:
        """Returns once the state is read no more: after the block under way, if any."""
        self._abandoned = True
        with self._reading:
            pass

    def publish(self, manifest: SnapshotManifest) -> bool:
        """Make the snapshot be there. False if another of this sequence is there, or a part was cleaned away meanwhile."""
        there = set(self._objects.keys(prefix_of(self._lane)))
        if any(part.key not in there for part in self.parts):
            return False
        try:
            self._objects.create(manifest_key(self._lane, self.sequence), manifest.to_bytes())
        except ObjectExists:
            return False
        return True

    def discard(self) -> None:
        """Remove what was written."""
        self._objects.remove_below(draft_folder(self._lane, self.sequence, self._name))


def digests_of(parts: Mapping[str, TableState]) -> dict[str, str]:
    """sha256 of what every part would be written as, by name."""
    found = {}
    for name, state in parts.items():
        digest = hashlib.sha256()
        for block in blocks(state):
            digest.update(block)
        found[name] = digest.hexdigest()
    return found
