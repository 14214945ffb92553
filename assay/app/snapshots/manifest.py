"""The manifest of a snapshot: which state it is, where its parts lie, and what digests they have.

A snapshot is there once its manifest is: parts without one are a draft. Everything about keys is in this file.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.agents.step import LaneId
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

ROOT = "snapshots"
#: changes with the meaning of parts and manifest; another one is refused
FORMAT: Final = 2
MANIFEST_NAME = "manifest.json"


def prefix_of(lane: LaneId) -> str:
    """The key prefix of all snapshots of a lane."""
    return f"{ROOT}/{lane.lane}/{lane.shard}"


class SnapshotPart(BaseModel):
    """One object of a snapshot: a step's state, or how far the journal was folded."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    key: str
    sha256: str
    size_bytes: int


class SnapshotManifest(BaseModel):
    """State at a journal sequence. `offsets` are (topic handle, partition, next offset) of the lane's inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[2] = FORMAT
    lane: str
    shard: int
    epoch: int
    sequence: int
    journal_topic: str
    journal_partition: int
    next_offset: int
    offsets: tuple[tuple[str, int, int], ...]
    code_digest: str
    run_config_digest: str
    parts: tuple[SnapshotPart, ...]

    @property
    def size_bytes(self) -> int:
        """Of all parts."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def key(self) -> str:
        """Where the manifest lies."""
        return manifest_key(LaneId(self.lane, self.shard), self.sequence)

    @property
    def state_digests(self) -> dict[str, str]:
        """sha256 of every part by name: equal exactly when the states are."""
        return {part.name: part.sha256 for part in self.parts}

    def to_bytes(self) -> bytes:
        """Canonical, with a digest of its own: a manifest vouches for the parts and nothing for it."""
        body = self.model_dump(mode="json")
        return canonical({"manifest": body, "sha256": hashlib.sha256(canonical(body)).hexdigest()})

    @classmethod
    def from_bytes(cls, value: bytes, key: str) -> SnapshotManifest:
        """The inverse. Raises Stop(SNAPSHOT_DAMAGED), Stop(SNAPSHOT_UNFIT) for one of another format."""
        try:
            outer: dict[str, Any] = json.loads(value)
            body = outer["manifest"]
            if value != canonical(outer) or outer["sha256"] != hashlib.sha256(canonical(body)).hexdigest():
                raise damaged("its manifest is not as it was written", key)
            if body["format"] != FORMAT:
                raise unfit(f"it has format {body['format']}, this code reads {FORMAT}", key)
            manifest = cls.model_validate(body)
        except (ValueError, KeyError, TypeError, RecursionError, ValidationError, Quarantine) as error:  # what is not canonical is none
            raise damaged(f"its manifest cannot be read: {type(error).__name__}", key) from None
        if manifest.key != key:
            raise damaged(f"its manifest belongs to {manifest.key}", key)
        return manifest


def manifest_key(lane: LaneId, sequence: int) -> str:
    """Object key of a manifest; keys sort by sequence."""
    return f"{prefix_of(lane)}/{sequence:020d}/{MANIFEST_NAME}"


def part_key(lane: LaneId, sequence: int, draft: str, name: str) -> str:
    """Object key of a part; `draft` keeps two writers of one sequence apart."""
    return f"{draft_folder(lane, sequence, draft)}/{name}.state"


def draft_folder(lane: LaneId, sequence: int, draft: str) -> str:
    """All parts of a draft are below it."""
    return f"{prefix_of(lane)}/{sequence:020d}/{draft}"


def is_manifest(key: str) -> bool:
    """Whether an object below a lane's prefix is a manifest."""
    return key.endswith(f"/{MANIFEST_NAME}")


def folder_of(key: str) -> str:
    """The folder that an object lies in: its draft, or all of its sequence for a manifest."""
    return key.rpartition("/")[0]


def damaged(what: str, where: str) -> Stop:
    """A snapshot whose bytes are not those that were written."""
    remedy = "The snapshot before it is used instead; restore the object from a copy, or delete its manifest."
    return Stop(Reason.SNAPSHOT_DAMAGED, f"a snapshot is damaged: {what}", where=where, remedy=remedy)


def unfit(what: str, where: str) -> Stop:
    """A whole snapshot of something else."""
    return Stop(Reason.SNAPSHOT_UNFIT, f"a snapshot is of something else: {what}", where=where, remedy="The one before it is used instead.")
