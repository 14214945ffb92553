"""Reads the payments of a sealed world as one sequence in event-time order, from any position, in bounded memory.

Ties go by the order of the source. So a position (a count of rows) means the same in every process, and the time of the row that follows
it is known without reading on. Labels are no part of it: `assay.app.labels` delivers them.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.streamer.bodies import body_within
from assay.app.streamer.envelopes import Framer
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.sequence import StreamBatch
from assay.contracts.event_classes import CONTEXT, TRAFFIC
from assay.contracts.limits import BODY_BYTES_MAX


class MergedView:
    """The payments of one run over one world as an `EventSequence`."""

    classes = (TRAFFIC, CONTEXT)

    def __init__(self, world: SealedWorld, framer: Framer) -> None:
        self._parts = world.manifest.stream_view
        self._world, self._framer = world, framer
        self._starts = np.cumsum([0, *(part.rows for part in self._parts)]).tolist()
        self._loaded: _Stretch | None = None
        self.total = int(self._starts[-1])
        self.end_us = world.manifest.max_ts_us + 1

    def next_us(self, position: int) -> int | None:
        """Time of the row after the first `position` rows; None at the end. Every later row has this time or a later one."""
        stretch = self._stretch(position)
        return None if stretch is None else stretch.time_of(position - stretch.start)

    def take(self, position: int, rows_max: int, until_us: int = END_OF_TIME, bytes_max: int = BODY_BYTES_MAX) -> StreamBatch | None:
        """Up to `rows_max` rows from a position on, none later than `until_us`; None when there is no such row.

        Wide rows make a shorter batch: its body has at most `bytes_max` bytes. Raises Stop(BODY_OVER_LIMIT) for a row that is
        too wide by itself.
        """
        stretch = self._stretch(position)
        if stretch is None:
            return None
        first = position - stretch.start
        end = min(first + rows_max, len(stretch.ts_us), int(np.searchsorted(stretch.ts_us, until_us, side="right")))
        if end <= first:
            return None
        rows, body = body_within(self._framer.payments(stretch.frame.slice(first, end - first)), bytes_max, self._world.root)
        return StreamBatch(position + rows, rows, body, stretch.time_of(first + rows))

    def _stretch(self, position: int) -> _Stretch | None:
        """The part that holds a position (the last one read is kept), None at the end."""
        if position >= self.total:
            return None
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        if self._loaded is None or self._loaded.number != number:
            self._loaded = self._load(number)
        return self._loaded

    def _load(self, number: int) -> _Stretch:
        after_us = min((part.min_ts_us for part in self._parts[number + 1 : number + 2]), default=None)
        return _Stretch(number, self._starts[number], self._world.stream_part(self._parts[number]), after_us)


class _Stretch:
    """One part of the stream view, and the time of the row after it."""

    def __init__(self, number: int, start: int, frame: pl.DataFrame, after_us: int | None) -> None:
        self.number, self.start, self.frame, self._after_us = number, start, frame, after_us
        self.ts_us: NDArray[np.int64] = frame["ts_us"].to_numpy()

    def time_of(self, index: int) -> int | None:
        """Time of a row, or of what follows the last one."""
        return int(self.ts_us[index]) if index < len(self.ts_us) else self._after_us
