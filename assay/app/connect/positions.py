"""Where a run is in a topic: the place at which it began, and the offset up to which each partition was acknowledged, both durable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.app.streamer.checkpoint import Cursor, Keeper
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: folder of the run's store
FOLDER: Final = "kafka_connect"
#: a topic has no last offset
_ANY: Final = 2**62


class Begun(NamedTuple):
    """The topic that a run began to read, by the id that its Kafka gave it, and the first offset of each partition of then."""

    topic_id: str
    first: Mapping[int, int]


def begun(store: ObjectStore, run_id: str, topic: str, wanted: Begun) -> Begun:
    """How the first process of a run began, which is as `wanted` where this is the first.

    Raises Stop(INPUT_OFFSET_LOST) for another topic of this name, Stop(CHECKPOINT_MISMATCH) for an object that cannot be read.
    """
    key = f"{FOLDER}/begun/{run_id}/{topic}.json"
    try:
        store.create(key, canonical({"topic_id": wanted.topic_id, "first": {str(p): at for p, at in wanted.first.items()}}) + b"\n")
    except ObjectExists:
        found = _read(store, key)
        if found.topic_id != wanted.topic_id:
            raise recreated(topic, key) from None
        return found
    return wanted


def recreated(topic: str, where: str) -> Stop:
    """The topic is another one than the run began with: its offsets mean other records."""
    what = f"the topic {topic} is not the one that this run began with: it was made anew, or this is another Kafka"
    return Stop(Reason.INPUT_OFFSET_LOST, what, where=where, remedy="Name the Kafka of before, or start another run.")


def lost(topic: str, partition: int, offset: int, first: int, end: int) -> Stop:
    """Records that the run has not read are no longer there."""
    what = f"the run goes on at offset {offset} of {topic}-{partition}, and the topic holds {first} to {end}"
    gone = f"{first - offset:,} records may be gone" if offset < first else "its end was cut off"
    remedy = "Restore them, or start another run. A longer retention.ms of the topic, or more frequent calls, prevents it."
    return Stop(Reason.INPUT_OFFSET_LOST, f"{what}: {gone}", where=f"{topic}-{partition}@{offset}", remedy=remedy)


class KeepersOf(Protocol):
    """Where the cursors of a run are kept, see `Keepers`."""

    def of(self, name: str) -> Keeper:
        """The keeper of a partition."""


class Positions:
    """The offsets of one topic. `keepers`: those of `FOLDER`; the offset after the last acknowledged record is kept."""

    def __init__(self, keepers: KeepersOf, topic: str, start: Begun) -> None:
        self._keepers, self._topic, self._start = keepers, topic, start

    def keeper(self, partition: int) -> Keeper:
        """Where the position of a partition is kept."""
        return self._keepers.of(f"{self._topic}/{partition}")

    def load(self, partition: int, first: int, end: int) -> int:
        """Where a partition goes on. One that came later begins at offset 0, whatever `--from` says.

        `first`, `end`: the offsets that the topic holds. Raises Stop(INPUT_OFFSET_LOST) when it does not hold the position.
        """
        kept = self.keeper(partition).load(_ANY).position
        offset = max(kept, self._start.first.get(partition, 0))
        if not first <= offset <= end:
            raise lost(self._topic, partition, offset, first, end)
        return offset

    def save(self, partition: int, offset: int) -> None:
        """Everything before this offset is acknowledged or set aside."""
        self.keeper(partition).save(Cursor(offset))


def _read(store: ObjectStore, key: str) -> Begun:
    try:
        held = json.loads(store.read(key))
        return Begun(str(held["topic_id"]), {int(partition): int(offset) for partition, offset in held["first"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what, remedy = f"the beginning of the topic cannot be read: {error}", "Restore it, or start another run."
        raise Stop(Reason.CHECKPOINT_MISMATCH, what, where=key, remedy=remedy) from None
