"""Processes that end at a write to their store, or behind a publication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from small_runs import KeptRecords

from assay.app.bus.publisher import OutboundRecord
from assay.app.stores.objects import DirectoryStore


class EndedError(BaseException):
    """The process ends here. No code of ours can catch it."""


class EndingStore(DirectoryStore):
    """A store whose process ends at the n-th write: before it, or behind it."""

    def __init__(self, root: Path, at: int, *, written: bool) -> None:
        super().__init__(root)
        self._at, self._written, self.writes = at, written, 0

    def create(self, key: str, data: bytes) -> None:
        with self._ending():
            super().create(key, data)

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        with self._ending():
            super().swap(key, data, expected)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        self.writes += 1
        ends = self.writes == self._at
        if ends and not self._written:
            raise EndedError
        try:
            yield
        finally:  # also behind a write that was refused, as the object is there
            if ends:
                raise EndedError


class EndingBus(KeptRecords):
    """A bus whose process ends behind the n-th publication."""

    def __init__(self, kept: KeptRecords, at: int) -> None:
        super().__init__()
        self.published, self._at = kept.published, at

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        super().publish(handle, records)
        self._at -= 1
        if self._at == 0:
            raise EndedError
