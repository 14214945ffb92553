"""A refused record as a dead letter: whole, with its place and the reason; written by lanes, and read."""

from __future__ import annotations

from typing import NamedTuple

from assay.codecs.single_object import pack, unpack
from assay.contracts import instants
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason


class LaneLetter(NamedTuple):
    """A record that a lane set aside. `event_id` is empty for one that nobody can read; `place` is topic[partition]@offset."""

    place: str
    event_id: str
    record: str
    reason: str
    detail: str
    recorded_at_utc: str

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


def lane_letter(value: bytes) -> LaneLetter:
    """Read a value of the quarantine topic."""
    letter = unpack(value)[1]
    try:
        record, body = unpack(letter["raw"])
    except AssayError:
        record, body = "unreadable", {}
    place = f"{letter['topic']}[{letter['partition']}]@{letter['offset']}"
    recorded = instants.text(letter["recorded_at_utc"])
    return LaneLetter(place, str(body.get("event_id", "")), record, letter["reason"], letter["detail"], recorded)
