"""Records on their way to the bus, and where each of them landed."""

from __future__ import annotations

from typing import Protocol

from assay.app.gate.standing import RecordMetadata


class Acknowledged(Protocol):
    """What a producer says about a record it delivered, or gave up."""

    def partition(self) -> int | None:
        """Its partition."""

    def offset(self) -> int | None:
        """Its offset, None when it was not written."""


class Publication:
    """`places[i]` is set when record i is acknowledged; None is failed or unknown. `pending` records have no report yet, `refused` were
    not taken by the producer."""

    def __init__(self, size: int) -> None:
        self.places: list[RecordMetadata | None] = [None] * size
        self.pending = self.refused = 0
        self._over = False

    def end(self) -> None:
        """Nobody waits any longer: what is unknown now stays unknown, and a report that comes later changes no answer."""
        self._over = True

    def delivered(self, ordinal: int, error: object | None, message: Acknowledged) -> None:
        """Delivery report of one record; runs in the thread that polls."""
        self.pending -= 1
        partition, offset = message.partition(), message.offset()
        if not self._over and error is None and partition is not None and offset is not None:
            self.places[ordinal] = RecordMetadata(partition, offset)
