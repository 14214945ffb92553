"""A refused record as a dead letter: whole, with its place and the reason; written by lanes, and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from assay.codecs.single_object import pack, unpack
from assay.contracts import instants
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic, topics


class Place(NamedTuple):
    """Where a record lies on the bus."""

    handle: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.handle}[{self.partition}]@{self.offset}"


class LaneLetter(NamedTuple):
    """A record that a lane set aside. `event_id` is empty for one that nobody can read; `place` is topic[partition]@offset.

    `record`: its name; of a letter without bytes that of the records of its topic, and `unreadable` where that says nothing.
    `subject`: the payment that a label names.
    """

    place: str
    event_id: str
    record: str
    reason: str
    detail: str
    recorded_at_utc: str
    subject: str = ""

    def is_of(self, event_id: str) -> bool:
        """Whether this is the payment of this id; labels and facts have ids of their own."""
        return self.record == "payment" and self.event_id == event_id


def quarantine_value(
    handle: str, partition: int, offset: int, reason: Reason, detail: str, recorded_at_us: int, raw: bytes
) -> bytes:  # fmt: skip
    """The quarantine_record value of one input record. `raw` are its bytes as fetched (empty for a tombstone)."""
    record = {
        "topic": handle,
        "partition": partition,
        "offset": offset,
        "reason": reason.value,
        "detail": detail,
        "recorded_at_utc": recorded_at_us,
        "raw": raw,
    }
    return pack("quarantine_record", record)


def place_without_bytes(value: bytes) -> Place | None:
    """The place of a record whose letter has no bytes of it, as a row has that a step set aside; None for any other letter."""
    letter = unpack(value)[1]
    return None if letter["raw"] else _place(letter)


def lane_letter(value: bytes, original: bytes = b"") -> LaneLetter:
    """Read a value of the quarantine topic. `original`: the record at its place, for a letter that has no bytes of it."""
    letter = unpack(value)[1]
    raw, place = letter["raw"] or original, _place(letter)
    try:
        record, body = unpack(raw)
    except AssayError:
        record, body = "unreadable" if raw else _only_record(place.handle), {}
    recorded, subject = instants.text(letter["recorded_at_utc"]), str(body.get("subject_event_id", ""))
    return LaneLetter(str(place), str(body.get("event_id", "")), record, letter["reason"], letter["detail"], recorded, subject)


def _place(letter: Mapping[str, Any]) -> Place:
    return Place(letter["topic"], letter["partition"], letter["offset"])


def _only_record(handle: str) -> str:
    """The record that a topic is for, beside marks; `unreadable` for a topic of several."""
    names = [name for name in topic(handle).records if name != "mark"] if handle in topics() else []
    return names[0] if len(names) == 1 else "unreadable"
