"""Columns of journaled payments that the journal does not hold, read from the sealed world of the run by event id.

The journal of a world has the order of the world. Parts of the world are read forward. Rows are kept until the journal's time has
passed them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from assay.agents.lane_columns import absent_column
from assay.agents.step import TopicPartition
from assay.app.backtest.refusals import NotJournaled
from assay.app.oracle.sealed_world import SealedWorld
from assay.codecs.columns import Columns, Strings
from assay.contracts.errors import Stop
from assay.tables.row_kinds import CONTEXT, PAYMENT

ORIGIN = "the sealed world"
_ID, _TS = "event_id", "ts_us"


class WorldColumns:
    """The columns `names` of rows of a lane. Raises Stop(COLUMN_NOT_JOURNALED) for a row that the world does not have."""

    def __init__(self, world: SealedWorld, names: Sequence[str], refusal: NotJournaled) -> None:
        self._world, self._names, self._refusal = world, tuple(names), refusal
        self._left = list(world.manifest.stream_view)
        self._window = pl.DataFrame(schema={_ID: pl.String, _TS: pl.Int64, **dict.fromkeys(names, pl.String)})

    def of(self, rows: Columns) -> Columns:
        """The columns of these rows; rows that are no payments have none."""
        kind, ids = np.asarray(rows["kind"]), rows["event_id"]
        assert isinstance(ids, Strings)
        if np.count_nonzero(kind == CONTEXT):
            raise self._refusal("context facts are not in the sealed world")
        at = np.flatnonzero(kind == PAYMENT)
        found = self._found(ids.take(at).text())
        place = np.full(len(kind), -1, np.int64)
        place[at] = np.arange(len(at))
        return {name: _spread(Strings.of(found[name]), place) for name in self._names}

    def settle(self, position: Mapping[TopicPartition, int], watermark_us: int) -> None:
        """The journal has passed this time: no later row is before it."""
        self._window = self._window.filter(pl.col(_TS) >= watermark_us)

    def close(self) -> None:
        """Parts are read whole: nothing is open."""

    def _found(self, ids: list[str | None]) -> pl.DataFrame:
        wanted = pl.DataFrame({_ID: ids}, schema={_ID: pl.String})
        while True:
            missing = wanted.join(self._window, on=_ID, how="anti")
            if missing.is_empty():
                return wanted.join(self._window, on=_ID, how="left", maintain_order="left")
            if not self._left:
                raise self._missing(str(missing[_ID][0]))
            part = self._world.stream_part(self._left.pop(0))
            self._window = pl.concat([self._window, part.select(_ID, _TS, *self._names)])

    def _missing(self, event_id: str) -> Stop:
        return self._refusal(f"payment {event_id} is not in the sealed world")


def _spread(texts: Strings, place: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Strings:
    """Texts at their rows, null where the place is -1."""
    if not len(texts.lengths):
        column = absent_column("event_id", len(place))
        assert isinstance(column, Strings)
        return column
    rows = texts.take(np.maximum(place, 0))
    return rows._replace(lengths=np.where(place < 0, np.int32(-1), rows.lengths).astype(np.int32))
