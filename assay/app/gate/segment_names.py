"""The rows of a process's sealed segments, made in the thread that seals. PostgreSQL that is away costs rows, which are made later."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from assay.app.gate.index import AdmissionIndex
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.segment_rows import SegmentRow, add_rows, keys_with_rows, row_of
from assay.app.run.directory import Run
from assay.contracts.errors import AssayError

log = logging.getLogger("assay.gate.segments")

#: the pause after PostgreSQL or the store did not answer
AGAIN_AFTER_S: Final = 10.0
#: rows that wait in memory for PostgreSQL, about 60 KB each; those of more segments are made from their bytes again
WAITING_MAX: Final = 50


class SegmentNames:
    """Notes what is sealed and sees to it that every segment has a row. `prefix` is this process's log; the first process, whose log is
    above the others', sees to all of them. Used by one thread at a time."""

    def __init__(self, index: AdmissionIndex, run: Run, prefix: str = RECEIPTS, now_s: Callable[[], float] = time.monotonic) -> None:
        self._index, self._run, self._prefix, self._now_s = index, run, prefix, now_s
        self._rows: deque[SegmentRow] = deque()
        self._missing: Iterator[str] | None = None
        self._looked = self._away = False
        self._not_before_s = 0.0

    def sealed(self, key: str, segment: bytes) -> None:
        """A segment of receipts is in the store. Nothing is asked of anybody here."""
        row = row_of(key, segment)
        if row is None:
            return
        if len(self._rows) >= WAITING_MAX:
            self._rows.clear()
            self._looked = False  # they are found again by their keys
        self._rows.append(row)

    def look(self) -> bool:
        """Make the row of one segment that has none, and write all that wait; whether there may be more segments without one."""
        if self._now_s() < self._not_before_s:
            return False
        try:
            more = self._make_one()
            self._write()
        except (AssayError, OSError) as error:
            self._missing, self._looked = None, False
            self._not_before_s = self._now_s() + AGAIN_AFTER_S
            if not self._away:
                log.warning("segments of receipts have no rows in the index until it answers; look-ups read them: %s", error)
            self._away = True
            return False
        self._away = False
        return more

    def close(self) -> None:
        """Write what waits, if PostgreSQL answered the last time, and let the connection go."""
        try:
            if not self._away:
                self._write()
        except AssayError as away:
            log.warning("the last segments of receipts have no rows in the index before the next start of the gate: %s", away)
        finally:
            self._index.close()

    def _without_rows(self) -> list[str]:
        """Segments without a row. A run that has no segment yet needs no PostgreSQL to know that."""
        keys = list(self._run.store.keys(self._prefix))
        there = self._index.ask(partial(keys_with_rows, platform_run_id=self._run.platform_run_id)) if keys else ()
        return [key for key in keys if key not in there]

    def _write(self) -> None:
        if self._rows:
            rows = list(self._rows)
            self._index.ask(partial(add_rows, platform_run_id=self._run.platform_run_id, rows=rows))
            self._rows.clear()

    def _make_one(self) -> bool:
        if self._looked:
            return False
        if self._missing is None:
            self._missing = iter(self._without_rows())
        key = next(self._missing, None)
        if key is None:
            self._missing, self._looked = None, True
            return False
        self.sealed(key, self._run.store.read(key))
        return True
