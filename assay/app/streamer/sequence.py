"""What the streamer's loop needs of the rows that it sends: their number, their times, and batches of them from any position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class StreamBatch(NamedTuple):
    """Rows of one HTTP call: where they end in the sequence, their JSON, and the time of the row after them (None: it was the last)."""

    end: int
    rows: int
    body: bytes
    next_us: int | None


class EventSequence(Protocol):
    """Rows in the order of their times. A position is a count of rows, and means the same in every process."""

    @property
    def classes(self) -> Sequence[str]:
        """The event classes that the rows belong to, and that are marked when they were taken."""

    @property
    def total(self) -> int:
        """How many rows there are."""

    @property
    def end_us(self) -> int:
        """The time of the final mark, microseconds: after every row."""

    async def prepare(self, position: int) -> None:
        """Read what `next_us` and `take` need from a position on, while other calls of the event loop go on. Raises as they do."""

    def next_us(self, position: int) -> int | None:
        """Time of the row after the first `position` rows; None at the end. Every later row has this time or a later one."""

    def take(self, position: int, rows_max: int, until_us: int, bytes_max: int) -> StreamBatch | None:
        """Up to `rows_max` rows from a position on, none later than `until_us`, in at most `bytes_max` bytes; None when there is none.

        Raises Stop(BODY_OVER_LIMIT) for a row that is too wide by itself.
        """
