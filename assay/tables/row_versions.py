"""Row versions: the journal sequence of the last change of every row of a table.

A reader keeps the sequence through which it has read and asks for the rows that changed since. So it needs no flag in the table that
it would have to clear, and several readers may read at their own pace. A version is stored as an int32 distance from a base: 4 bytes a
row. When a sequence no longer fits, the base moves up by half of the range. Versions below the new base become the base itself: a
reader whose sequence is below the base then gets more rows than have changed, never fewer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.table_state import state_refused
from assay.tables.growth import grown

_FIRST_ROWS = 64
_LARGEST = 2**31 - 1


class RowVersions:
    """One stamp per row: 0 for a row that never changed, else the sequence of its last change - base + 1."""

    def __init__(self, largest: int = _LARGEST) -> None:
        self.stamps = np.zeros(_FIRST_ROWS, np.int32)
        self._base = 0
        self._largest = largest

    def reserve(self, rows: int) -> None:
        """Room for this many rows."""
        self.stamps = grown(self.stamps, rows)

    def stamp(self, sequence: int) -> int:
        """The stamp of rows that journal record `sequence` changes, 1 or more. Sequences never fall."""
        if sequence - self._base >= self._largest:
            shift = sequence - self._base + 1 - self._largest // 2
            held = self.stamps > 0
            self.stamps[held] = np.maximum(self.stamps[held].astype(np.int64) - shift, 1)
            self._base += shift
        return sequence - self._base + 1

    def changed_since(self, sequence: int) -> NDArray[np.intp]:
        """Rows that a later record than `sequence` changed, ascending; -1 asks for all rows that ever changed."""
        return np.flatnonzero(self.stamps > max(sequence - self._base + 1, 0))

    def has(self, rows: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each of these rows ever changed; -1 is no row."""
        within = (rows >= 0) & (rows < len(self.stamps))
        found: NDArray[np.bool_] = within & (self.stamps[np.where(within, rows, 0)] > 0)
        return found

    def clear(self, rows: NDArray[np.integer]) -> None:
        """These rows count as never changed."""
        self.stamps[rows] = 0

    def end(self) -> int:
        """1 + the last row that ever changed, 0 if there is none."""
        held = np.flatnonzero(self.stamps)
        return int(held[-1]) + 1 if len(held) else 0

    def state(self, rows: int) -> dict[str, NDArray[Any]]:
        """Arrays that hold the versions of the first rows."""
        return {"versions": self.stamps[:rows], "versions_base": np.array([self._base], np.int64)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RowVersions:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE)."""
        versions = cls()
        stamps, base = state["versions"], int(state["versions_base"][0])
        if stamps.dtype != np.int32 or stamps.ndim != 1 or stamps.min(initial=0) < 0 or base < 0:
            raise state_refused("has row versions out of range")
        versions.reserve(len(stamps))
        versions.stamps[: len(stamps)] = stamps
        versions._base = base
        return versions
