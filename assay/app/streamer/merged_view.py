"""Reads payments and labels of a sealed world as one sequence in event-time order, from any position, in bounded memory.

The order is by time, labels before payments at equal times, as in the lanes' merge; ties inside a class go by the order of the source. So
a position (a count of rows) means the same in every process, and the time of the row that follows it is known without reading on.
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
from assay.contracts.errors import Stop
from assay.contracts.event_classes import CONTEXT, LABEL, TRAFFIC
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason


class MergedView:
    """The sequence of one run over one world. `label_delay_us`: when labels without a time of their own are known."""

    classes = (TRAFFIC, CONTEXT, LABEL)

    def __init__(self, world: SealedWorld, framer: Framer, label_delay_us: int) -> None:
        self._parts = world.manifest.stream_view
        self._world, self._framer = world, framer
        self._labels = _emitted_labels(world, label_delay_us)
        self._observed = self._labels["observed_ts_us"].to_numpy()
        bounds = [part.max_ts_us for part in self._parts]
        cuts = np.searchsorted(self._observed, bounds, side="right").tolist()
        #: labels [cut, next cut) are known by the end of part k; those after the last payment come after the last part
        self._cuts = [0, *cuts, len(self._observed)]
        sizes = [part.rows for part in self._parts] + [0]
        self._starts = np.cumsum([0, *(size + self._cuts[k + 1] - self._cuts[k] for k, size in enumerate(sizes))]).tolist()
        self._loaded: _Stretch | None = None
        self.labels = len(self._observed)
        self.total = int(self._starts[-1])
        self.end_us = max(world.manifest.max_ts_us, int(self._observed[-1]) if self.labels else 0) + 1

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
        rows, body = body_within(stretch.envelopes(self._framer, first, end), bytes_max, self._world.root)
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
        labels = self._labels.slice(self._cuts[number], self._cuts[number + 1] - self._cuts[number])
        frame = self._world.stream_part(self._parts[number]) if number < len(self._parts) else None
        source = self._world.manifest.truth_summary.source if self._world.manifest.truth_summary else ""
        return _Stretch(number, self._starts[number], frame, labels, source, self._first_after(number))

    def _first_after(self, number: int) -> int | None:
        """Time of the first row after part `number`, from the manifest and the labels alone."""
        times = [part.min_ts_us for part in self._parts[number + 1 : number + 2]]
        times += self._observed[self._cuts[min(number + 1, len(self._cuts) - 1)] :][:1].tolist()
        return min(times, default=None)


class _Stretch:
    """One part of the stream view with the labels that become known before its end."""

    def __init__(
        self, number: int, start: int, frame: pl.DataFrame | None, labels: pl.DataFrame, source: str, after_us: int | None
    ) -> None:
        self.number, self.start, self._after_us = number, start, after_us
        self._frame, self._labels, self._source = frame, labels, source
        payment_ts = np.zeros(0, np.int64) if frame is None else frame["ts_us"].to_numpy()
        both = np.concatenate([labels["observed_ts_us"].to_numpy(), payment_ts])
        order = np.argsort(both, kind="stable")  # labels first at equal times; each in the order it has
        self.ts_us: NDArray[np.int64] = both[order]
        self._is_label = order < len(labels)
        self._label_rows, self._payment_rows = np.flatnonzero(self._is_label), np.flatnonzero(~self._is_label)

    def time_of(self, index: int) -> int | None:
        """Time of a row, or of what follows the last one."""
        return int(self.ts_us[index]) if index < len(self.ts_us) else self._after_us

    def envelopes(self, framer: Framer, first: int, end: int) -> pl.Series:
        """JSON of rows [first, end), in order."""
        a, b = (int(at) for at in np.searchsorted(self._label_rows, [first, end]))
        c, d = (int(at) for at in np.searchsorted(self._payment_rows, [first, end]))
        if a == b and self._frame is not None:
            return framer.payments(self._frame.slice(c, d - c))
        labels = framer.labels(self._labels.slice(a, b - a), self._source)
        if c == d or self._frame is None:
            return labels
        payments = framer.payments(self._frame.slice(c, d - c))
        is_label = self._is_label[first:end]
        mixed = np.where(is_label, np.cumsum(is_label) - 1, len(labels) + np.cumsum(~is_label) - 1)
        return pl.concat([labels, payments]).gather(mixed)


def _emitted_labels(world: SealedWorld, label_delay_us: int) -> pl.DataFrame:
    """Labels that become assertions, in the order they are observed."""
    summary = world.manifest.truth_summary
    if summary is None or not summary.emitted:
        columns = {"event_id": pl.String, "ts_us": pl.Int64, "label": pl.Int8, "observed_ts_us": pl.Int64}
        return pl.DataFrame(schema={**columns, "source_order": pl.UInt32})
    if label_delay_us <= 0 and summary.delay_us is not None:
        what = f"the run's label delay is {label_delay_us} µs"
        raise Stop(Reason.LABEL_NOT_AFTER_PAYMENT, what, where="label_delay_us", remedy="Give the run a label delay above zero.")
    truth = world.truth().select("event_id", "ts_us", "label", "observed_ts_us")  # by time and order of the payments
    if summary.emit == "positive":
        truth = truth.filter(pl.col("label") == 1)
    told = truth.with_columns(pl.col("observed_ts_us").fill_null(pl.col("ts_us") + label_delay_us))
    return told.with_row_index("paid").sort("observed_ts_us", "paid").drop("paid").with_row_index("source_order", offset=1)
