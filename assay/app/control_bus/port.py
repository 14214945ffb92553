"""The port of the control bus: a message goes out once, however often it is published, and readers go on from a position.

On every bus a message stands in one wrapper: topic, message_id, published_at_utc, attributes, partition_key, payload.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from assay.contracts import instants
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

#: a message's id is the name of a file on one bus, and a header on another
MESSAGE_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
#: the position before the first message
BEGIN: Final = ""
FIELDS: Final = ("topic", "message_id", "published_at_utc", "attributes", "partition_key", "payload")


class ControlMessage(NamedTuple):
    """One message. Messages of one `partition_key` (a run) keep their order. `payload` is JSON; `event_type` in it names its record."""

    message_id: str
    partition_key: str
    payload: Mapping[str, Any]
    attributes: Mapping[str, str] = {}


class Published(NamedTuple):
    """A message on the bus. A reader that was here goes on with `read(position)`. `published_at_us`: wall clock of its publisher."""

    position: str
    topic: str
    published_at_us: int
    message: ControlMessage


class ControlBus(Protocol):
    """One topic of control messages. Threads may share it: messages of one thread keep their order."""

    def publish(self, message: ControlMessage) -> None:
        """Return when the message is durable. The first message of a `message_id` counts; a later one changes nothing.

        Raises Stop(VALUE_NOT_CANONICAL) for an id that is no plain name, and what the bus refuses.
        """

    def read(self, position: str = BEGIN) -> Iterator[Published]:
        """What the bus holds now behind a position, each message once, in the order of the bus. Raises what the bus refuses."""


def wrapped(topic: str, message: ControlMessage, published_at_us: int) -> bytes:
    """A message as JSON, in its wrapper. Raises Stop(VALUE_NOT_CANONICAL) for an id that is no plain name."""
    refuse_unplain(message)
    values = (topic, message.message_id, instants.text(published_at_us), message.attributes, message.partition_key, message.payload)
    return json.dumps(dict(zip(FIELDS, values, strict=True)), separators=(",", ":"), ensure_ascii=False).encode()


def unwrapped(data: bytes, position: str, where: str) -> Published:
    """The message of a wrapper. Raises Stop(CONTROL_MESSAGE_INVALID) for bytes that are none."""
    try:
        held = json.loads(data)
        topic, message_id, at, attributes, key, payload = (held[name] for name in FIELDS)
        message = ControlMessage(str(message_id), str(key), dict(payload), {str(name): str(value) for name, value in attributes.items()})
        return Published(position, str(topic), instants.parse(at), message)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, Quarantine) as error:
        what = f"this is no message of the control bus: {type(error).__name__}"
        remedy = "Somebody else writes here. Remove what assay did not write, or take another topic."
        raise Stop(Reason.CONTROL_MESSAGE_INVALID, what, where=where, remedy=remedy) from None


def refuse_unplain(message: ControlMessage) -> None:
    """Raises Stop(VALUE_NOT_CANONICAL) for a message whose id is no plain name."""
    if not MESSAGE_ID.fullmatch(message.message_id):
        what = f"the message id {message.message_id!r} is no plain name"
        remedy = "An id has 1 to 128 letters, digits, points, hyphens and underlines."
        raise Stop(Reason.VALUE_NOT_CANONICAL, what, where="message_id", remedy=remedy)


class FirstOnes:
    """What a reader of a log has seen so far: the first message of each id. Positions are numbers written in decimal."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._kept: list[Published] = []

    def take(self, found: Published) -> None:
        """Keep a message, if it is the first of its id."""
        if found.message.message_id not in self._ids:
            self._ids.add(found.message.message_id)
            self._kept.append(found)

    def behind(self, position: str) -> Iterator[Published]:
        """What was kept behind a position. Raises Stop(VALUE_NOT_CANONICAL) for a position of another bus."""
        after = number_of(position)
        return (found for found in tuple(self._kept) if int(found.position) > after)


def number_of(position: str) -> int:
    """A position as a number, -1 for the begin. Raises Stop(VALUE_NOT_CANONICAL)."""
    if position == BEGIN:
        return -1
    if not (position.isascii() and position.isdigit()):
        remedy = "Take the position of a message that this bus gave."
        raise Stop(Reason.VALUE_NOT_CANONICAL, f"{position!r} is no position of this bus", where="position", remedy=remedy)
    return int(position)
