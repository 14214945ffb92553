"""Labels in the order in which they are known, as one sequence that can be read from any position. Where they come from is not asked.

A source of labels is a function that gives `KnownLabels`: those of an imported world are made by `world_labels`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from assay.app.labels.label_envelopes import LabelFramer
from assay.app.streamer.bodies import body_within
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.sequence import StreamBatch
from assay.contracts.event_classes import LABEL
from assay.contracts.limits import BODY_BYTES_MAX

#: `event_id` and `ts_us` are the payment's, `label` is 1 for FRAUD and 0 for LEGIT, `observed_ts_us` the time the label is known from,
#: `source_order` its place among all labels, from 1
COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "event_id": pl.String,
    "ts_us": pl.Int64,
    "label": pl.Int8,
    "observed_ts_us": pl.Int64,
    "source_order": pl.UInt32,
}


class KnownLabels(NamedTuple):
    """What is known and when: rows of `COLUMNS` that ascend by `observed_ts_us` and `source_order`, and the place they are read from.

    `begin_us` is the time of the first payment, `end_us` a time after every payment and every label; microseconds.
    """

    frame: pl.DataFrame
    source: str
    where: str
    begin_us: int
    end_us: int


def in_order_known(told: pl.DataFrame) -> pl.DataFrame:
    """Rows with `observed_ts_us`, in the order of their payments, as rows of `COLUMNS`: labels of one time keep that order."""
    ordered = told.with_row_index("paid").sort("observed_ts_us", "paid").drop("paid").with_row_index("source_order", offset=1)
    return ordered.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())


class LabelSequence:
    """The labels of one run as an `EventSequence`."""

    classes = (LABEL,)

    def __init__(self, known: KnownLabels, framer: LabelFramer) -> None:
        self._known, self._framer = known, framer
        self._observed = known.frame["observed_ts_us"].to_numpy()
        self.total = len(self._observed)
        self.end_us = known.end_us

    async def prepare(self, position: int) -> None:
        """Nothing: all labels are there."""

    def next_us(self, position: int) -> int | None:
        """When the label after the first `position` ones is known; None at the end."""
        return int(self._observed[position]) if position < self.total else None

    def due_from_us(self, position: int) -> int:
        """The event time at which a paced delivery goes on from here: that of the last label before, or of the first payment."""
        return int(self._observed[position - 1]) if position else self._known.begin_us

    def take(self, position: int, rows_max: int, until_us: int = END_OF_TIME, bytes_max: int = BODY_BYTES_MAX) -> StreamBatch | None:
        """As of `EventSequence`: no label that is known later than `until_us`. Raises Stop(BODY_OVER_LIMIT)."""
        end = min(position + rows_max, int(np.searchsorted(self._observed, until_us, side="right")))
        if end <= position:
            return None
        envelopes = self._framer.labels(self._known.frame.slice(position, end - position), self._known.source)
        rows, body = body_within(envelopes, bytes_max, self._known.where)
        return StreamBatch(position + rows, rows, body, self.next_us(position + rows))
