"""The records that a lane made and has not folded yet, beside their bytes: the fold need not read them again."""

from __future__ import annotations

from collections import deque

from assay.codecs.journal_record import JournalRecord

#: records kept at most: a lane has fewer on their way, and records that are never folded must not add up
KEPT = 16


class OwnRecords:
    """Records by the very bytes that were made of them. One thread may keep records while another takes them."""

    def __init__(self) -> None:
        self._kept: deque[tuple[bytes, JournalRecord]] = deque(maxlen=KEPT)

    def keep(self, value: bytes, record: JournalRecord) -> None:
        """Keep a new record until its bytes are folded."""
        self._kept.append((value, record))

    def of(self, value: bytes) -> JournalRecord | None:
        """The record of exactly this object, None if it was not made here. Records made before it count no more and are dropped."""
        while self._kept:
            made, record = self._kept.popleft()
            if made is value:
                return record
        return None
