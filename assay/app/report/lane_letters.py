"""Dead letters of the lanes, as they lie on the quarantine topic: the place of a record that was set aside, why, and what it was."""

from __future__ import annotations

from typing import NamedTuple

from assay.codecs.single_object import unpack
from assay.contracts import instants
from assay.contracts.errors import AssayError


class LaneLetter(NamedTuple):
    """A record that a lane set aside. `event_id` is empty for one that nobody can read; `place` is topic[partition]@offset."""

    place: str
    event_id: str
    record: str
    reason: str
    detail: str
    recorded_at_utc: str


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
