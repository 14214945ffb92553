"""The rows of one output as a sequence of events: its sorted view, read part by part, each part held to its digest."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.streamer.bodies import body_within
from assay.app.streamer.lanes import ALONE, Lane
from assay.app.streamer.sequence import StreamBatch
from assay.app.streamer.view_port import ViewPort
from assay.app.streamer.views import View
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: rows that are looked at for one call of a lane at most, for each row that it may have
_LOOKED_AT = 4
#: how many rows before its begin a part is read: more than one call holds
_AHEAD_ROWS = 20_000


class Framing(Protocol):
    """How rows of an output become envelopes."""

    time_column: str

    def ids(self, frame: pl.DataFrame) -> list[str]:
        """The event id of each row."""

    def envelopes(self, frame: pl.DataFrame, ids: list[str], orders: pl.Series) -> pl.Series:
        """The JSON of each row. `orders`: places in the view, counted from 1."""


@dataclass(frozen=True)
class _Part:
    number: int
    start: int
    frame: pl.DataFrame
    ts_us: NDArray[np.int64]

    @property
    def end(self) -> int:
        return self.start + len(self.ts_us)


class OutputRows:
    """The sequence of one output. A position counts the rows of the view, in every lane: a batch of a lane leaves the others' out."""

    def __init__(self, port: ViewPort, view: View, framing: Framing, classes: tuple[str, ...], lane: Lane = ALONE) -> None:
        self._port, self._view, self._framing, self._lane = port, view, framing, lane
        self._starts = np.cumsum([0, *(file.rows for file in view.files)]).tolist()
        self._parts: dict[int, _Part] = {}
        self.classes = classes
        self.total = int(self._starts[-1])
        self.end_us = view.max_ts_us + 1

    async def prepare(self, position: int) -> None:
        """See `EventSequence`: parts are read in a thread, so that answers of the gate are taken meanwhile. Raises as `next_us`."""
        if position >= self.total:
            return
        number = self._number_at(position)
        near = number + 1 < len(self._view.files) and position + _AHEAD_ROWS >= self._starts[number + 1]
        for wanted in (number, number + 1) if near else (number,):
            if wanted not in self._parts:
                await asyncio.to_thread(self._load, wanted)

    def next_us(self, position: int) -> int | None:
        """See `EventSequence`. Raises Stop: OUTSIDE_STREAM_VIEW, OBJECT_MISSING, DIGEST_MISMATCH, STREAM_VIEW_UNSORTED."""
        part = self._part_at(position)
        return None if part is None else int(part.ts_us[position - part.start])

    def take(self, position: int, rows_max: int, until_us: int, bytes_max: int) -> StreamBatch | None:
        """See `EventSequence`. A batch may have no row of this lane; it never goes beyond a part. Raises as `next_us`."""
        part = self._part_at(position)
        if part is None:
            return None
        first = position - part.start
        due = int(np.searchsorted(part.ts_us, until_us, side="right"))
        end = min(first + rows_max * (1 if self._lane.lanes == 1 else _LOOKED_AT), due, len(part.ts_us))
        if end <= first:
            return None
        end, rows, body = self._framed(part, first, end, rows_max, bytes_max)
        return StreamBatch(part.start + end, rows, body, self.next_us(part.start + end))

    def _framed(self, part: _Part, first: int, end: int, rows_max: int, bytes_max: int) -> tuple[int, int, bytes]:
        """Where the rows end that a call of this lane holds, how many are its own, and their body."""
        frame = part.frame.slice(first, end - first)
        ids = self._framing.ids(frame)
        orders = pl.int_range(part.start + first + 1, part.start + end + 1, eager=True)
        mine = range(len(ids))
        if self._lane.lanes > 1:
            mine = [at for at, event_id in enumerate(ids) if self._lane.has(event_id)]  # type: ignore[assignment]
            if len(mine) > rows_max:
                mine, end = mine[:rows_max], first + mine[rows_max]
            frame, ids, orders = frame[list(mine)], [ids[at] for at in mine], orders[list(mine)]
        if not mine:
            return end, 0, b""
        rows, body = body_within(self._framing.envelopes(frame, ids, orders), bytes_max, self._view.output_id)
        return (end if rows == len(mine) else first + mine[rows]), rows, body

    def _part_at(self, position: int) -> _Part | None:
        if position >= self.total:
            return None
        number = self._number_at(position)
        if number not in self._parts:
            self._load(number)
        return self._parts[number]

    def _number_at(self, position: int) -> int:
        return int(np.searchsorted(self._starts, position, side="right")) - 1

    def _load(self, number: int) -> None:
        """Read a part, and keep it beside the one before it only: the last row of that one says whether the view goes on in order."""
        file = self._view.files[number]
        frame = pl.read_parquet(io.BytesIO(file.bytes_from(self._port)))
        if len(frame) != file.rows:
            raise Stop(Reason.STREAM_VIEW_UNSORTED, f"the part has {len(frame)} rows, its locator says {file.rows}", where=file.key)
        ts_us = frame[self._framing.time_column].cast(pl.Int64).to_numpy()
        before = self._parts.get(number - 1)
        if (np.diff(ts_us) < 0).any() or (before is not None and ts_us[0] < before.ts_us[-1]):
            raise Stop(Reason.STREAM_VIEW_UNSORTED, "rows of the view are not in order of time", where=file.key)
        self._parts = {at: part for at, part in self._parts.items() if at == number - 1}
        self._parts[number] = _Part(number, self._starts[number], frame, ts_us)
